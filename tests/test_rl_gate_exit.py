"""What a run tells of a controller: curves, a champion, and the exit of a failing gate."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from quant import runlog, settings
from quant.core.errors import GateError
from quant.core.tables import RL_GATE

GATE = pd.DataFrame(
    [
        {
            "book": "rl", "seed": seed, "period": period, "start": pd.Timestamp("2018-01-02"),
            "end": pd.Timestamp("2018-12-28"), "sharpe": 0.2, "fixed_sharpe": 0.5, "dsr": 0.3,
            "fixed_dsr": 0.5, "difference": -0.3, "low": -0.9, "high": 0.05, "detectable": 0.8,
            "n_obs": 250, "passes": False, "verdict": "FAIL",
        }
        for period in ("2018-01-01/2018-12-31", "2019-01-01/2019-12-31")
        for seed in (-1, 0)
    ]
)  # fmt: skip


def config(stage: str) -> settings.Config:
    base = settings.Config(
        stage=stage, rl=settings.Rl(enabled=True), model1=settings.Model1(enabled=True)
    )
    return replace(base)


def outcomes(passes: float, folder=None) -> list:
    def of(name, metrics, rows=None):
        result = SimpleNamespace(read=lambda table: rows, path=lambda name: folder)
        return SimpleNamespace(stage=SimpleNamespace(name=name), metrics=metrics, result=result)

    return [of("rl_train", {}), of("rl_gate", {"rl.gate_passes": passes}, GATE)]


def test_a_failing_gate_ends_the_stage_that_asked_for_it_with_an_error():
    assert RL_GATE.check(GATE).num_rows == 4
    with pytest.raises(GateError, match="2018-01-01/2018-12-31: Sharpe 0.20 against 0.50 .*FAIL"):
        runlog.refuse_failing_gate(config("rl_gate"), outcomes(0.0))


def test_a_passing_gate_and_other_stages_end_well():
    runlog.refuse_failing_gate(config("rl_gate"), outcomes(1.0))
    runlog.refuse_failing_gate(config("e2e"), outcomes(0.0))


@pytest.mark.parametrize("passes", [0.0, 1.0])
def test_only_a_policy_that_passed_is_champion(passes, tmp_path):
    told = []
    tracker = SimpleNamespace(version=lambda *given: told.append(given))
    known = {"config_hash": "abc", "git_sha": "def"}
    runlog.judge(tracker, config("e2e"), known, outcomes(passes, tmp_path))
    ((name, path, facts, champion),) = told
    assert name == "controller-us" and champion is bool(passes)
    assert path == tmp_path / "policy.npz"
    assert facts["verdicts"] == "2018-01-01/2018-12-31 FAIL, 2019-01-01/2019-12-31 FAIL"


def test_a_run_without_a_controller_registers_nothing(tmp_path):
    made = outcomes(1.0, tmp_path)
    made[1].metrics.clear()
    tracker = SimpleNamespace(version=lambda *given: pytest.fail("nothing was judged"))
    runlog.judge(tracker, config("e2e"), {}, made)


def test_curves_are_tracked_by_seed_and_step():
    curve = pd.DataFrame({"seed": [0, 0, 1], "step": [64, 128, 64]})
    for name in ("reward", "better", "value_loss", "approx_kl", "clip_fraction", "std"):
        curve[name] = [1.0, 2.0, 3.0]
    curve.loc[0, "approx_kl"] = float("nan")  # the warm-up has none
    looks = pd.DataFrame({"seed": [0], "step": [128], "sharpe": [0.5], "dsr": [0.6]})
    found = runlog.curves(curve, looks)
    assert found["rl.0.reward"] == {64: 1.0, 128: 2.0} and found["rl.1.reward"] == {64: 3.0}
    assert found["rl.0.approx_kl"] == {128: 2.0} and found["rl.0.dsr"] == {128: 0.6}
    assert "rl.1.dsr" not in found

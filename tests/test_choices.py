"""A sweep that ends with the models: what jobs leave, and the page that compares them on labels."""

import json

import numpy as np
import pandas as pd
import pytest

from quant import choices
from quant.core import tables
from quant.evaluation import metrics
from quant.governance import trials
from quant.model2 import criterion
from tests.reporting.pages import sound
from tests.test_main import TINY, quant


@pytest.fixture
def leave(tmp_path):
    """Leave a job and return its folder."""

    def left(number: int, sharpe: float, **said):
        record = {
            "job": number, "overrides": ["stage=model2", f"model2.boost.leaves={7 + number}"],
            "market": "m", "region": "us", "config_hash": f"hash{number}", "git_sha": "abc",
            "command": "quant --multirun", "simulated": True, "models": ["ridge"], "horizon": 21,
            "seconds": 1.0, "splits": 15, "reports": str(tmp_path / "reports"),
            "trials": str(tmp_path / "trials.jsonl"),
            "metrics": {"rank_ic": 0.02, "icir": 0.2, "sharpe": sharpe, "periods": 30.0,
                        "psr": 0.9, "dsr": 0.8, "candidates": 3.0},
            "holdout": {"start": None, "end": None, "locked": False, "market": "h",
                        "ledger": str(tmp_path / "holdout.jsonl")},
        }  # fmt: skip
        folder = tmp_path / str(number)
        choices.leave(folder, record | said)
        return folder

    return left


def read(*folders):
    return [json.loads((f / choices.RECORD).read_text()) for f in folders]


def test_the_best_job_is_named_and_deflated_by_all_jobs(leave):
    jobs = read(leave(0, 0.1), leave(1, 0.6), leave(2, 0.3))
    found = choices.inputs(jobs)
    tables.TUNING.check(found.rows)
    assert (found.override, found.ideas) == ("model2.boost.leaves=8", 3)
    spread = np.var([0.1, 0.6, 0.3], ddof=1)
    expected = metrics.dsr(metrics.Shape(0.6, 30), 3, spread)
    assert found.rows["dsr"][1] == pytest.approx(expected) and expected < metrics.psr(
        metrics.Shape(0.6, 30)
    )
    assert found.rows["dsr_then"][0] == metrics.psr(metrics.Shape(0.1, 30))


def test_the_page_says_how_many_were_tried_in_all(leave, tmp_path):
    """Ten sweeps of two jobs are twenty settings, on each of their pages."""
    for key, market in (("a", "m"), ("b", "m"), ("a", "m"), ("c", "other")):
        line = {"market": market, "config_hash": key, "sharpe_period": 0.1}
        trials.record(tmp_path / "trials.jsonl", line | {"labels_until": "2014-12-31"})
    trials.record(tmp_path / "trials.jsonl", line | {"market": "m", "config_hash": "backtested"})
    found = choices.inputs(read(leave(0, 0.1), leave(1, 0.2)))
    assert found.ledger == 2 and "The ledger has 2 settings" in choices.render(found)


def test_jobs_of_one_configuration_are_one_trial(leave):
    jobs = read(leave(0, 0.1), leave(1, 0.1, config_hash="hash0"))
    found = choices.inputs(jobs)
    assert found.ideas == 1 and found.luck == 0.0
    assert found.rows["idea"].tolist() == [1, 1]


def test_a_choice_without_a_spread_has_no_probability(leave):
    jobs = read(leave(0, float("nan")), leave(1, 0.2))
    found = choices.inputs(jobs)
    assert np.isnan(found.rows["dsr"][0]) and found.override == "model2.boost.leaves=8"
    sound(choices.render(found))


def test_a_page_for_each_market_and_none_for_a_job_alone(leave, tmp_path):
    folders = [leave(0, 0.1), leave(1, 0.2), leave(2, 0.3, market="other")]
    (page,) = choices.compared([*folders, tmp_path / "nothing"], "stamp")
    assert page == tmp_path / "reports" / "sweeps" / "stamp.html"
    text = page.read_text()
    sound(text)
    assert "2 jobs compared on labels" in text and "Nothing was changed" in text
    assert choices.compared(folders[2:], "alone") == []


def cpcv_table(**sharpes):
    rows = [
        {"model": m, "split": -1, "path": k, "ic": 0.01 * k, "icir": 0.1, "sharpe": s + 0.01 * k}
        for m, s in sharpes.items()
        for k in range(3)
    ]
    rows += [{"model": m, "split": 0, "path": -1, "sharpe": 9.0, "ic": 9.0} for m in sharpes]
    return pd.DataFrame(rows)


def test_the_chosen_candidate_is_deflated_by_those_it_was_chosen_from():
    found = criterion.of_table(cpcv_table(ridge=0.2, lightgbm=0.5), "lightgbm", 30)
    assert (found["candidates"], found["periods"]) == (2, 30)
    assert found["rank_ic"] == pytest.approx(0.01) and found["sharpe"] == pytest.approx(0.51)
    spread = np.var([0.21, 0.51], ddof=1)
    assert found["dsr"] == pytest.approx(metrics.dsr(metrics.Shape(0.51, 30), 2, spread))
    alone = criterion.of_table(cpcv_table(ridge=0.2), "ridge", 30)
    assert alone["dsr"] == alone["psr"]
    nothing = criterion.of_table(cpcv_table(ridge=np.nan), "ridge", 30)
    assert np.isnan(nothing["psr"]) and np.isnan(nothing["dsr"])


@pytest.mark.slow
def test_a_sweep_of_models_and_a_search_leave_lines_and_pages(tmp_path):
    words = ("tracking=none", *TINY)
    done = quant(tmp_path, "--multirun", *words, "stage=model2", "model2.boost.leaves=7,15")
    assert done.returncode == 0, done.stderr
    (page,) = (tmp_path / "reports" / "sweeps").glob("*.html")
    assert "2 jobs compared on labels" in page.read_text()
    ledger = tmp_path / "mlruns" / "trials.jsonl"
    assert [r["stage"] for r in trials.read(ledger)] == ["model2"] * 2
    search = ("stage=tune", "tune.trials=2", "tune.space.boost.rounds.low=5",
              "tune.space.boost.rounds.high=55")  # fmt: skip
    done = quant(tmp_path, *words, *search)
    assert done.returncode == 0, done.stderr
    assert "is best, DSR" in done.stdout + done.stderr
    assert (tmp_path / "reports" / "sprint2_US" / "tune.html").exists()
    (page,) = (tmp_path / "reports" / "sprint2_US").glob("tune-*.html")
    assert "The ledger has 4 settings" in page.read_text()
    rows = trials.read(ledger)
    assert [r["stage"] for r in rows] == ["model2"] * 2 + ["tune"] * 2
    assert len({r["market"] for r in rows}) == 1

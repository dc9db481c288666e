"""The controller's stages, end to end on a small simulated market, and what they refuse."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from quant import settings
from quant.core import tables
from quant.core.errors import ConfigError, DataError, StageError
from quant.optimizer.knobs import HIGH, LOW, NAMES
from quant.rl.network import SHAPES, Policy
from quant.rl.observation import NAMES as OBSERVED
from quant.stages import backtest, explain, rl, rl_eval, rl_gate, rl_train
from quant.stages.registry import Context, Inputs
from quant.stages.rl import Private
from tests.pipeline import ingested, through, tiny

pytestmark = pytest.mark.slow
RL_STAGES = (rl_train.STAGE, rl_eval.STAGE, rl_gate.STAGE)


def steered(**changes) -> settings.Config:
    config = tiny("us")
    config.model1 = settings.Model1(
        enabled=True, min_members=2, min_history=120, dcc=settings.Dcc(window_days=120),
        flip=settings.Flip(min_rows=100),
    )  # fmt: skip
    return replace(config, rl=small(**changes))


def small(**changes) -> settings.Rl:
    """A training of seconds on a year, validated to mid-2014, tested after it."""
    splits = settings.Splits(
        train_start=None, train_end="2014-04-15", val_end="2014-07-15",
        test=["2014-07-16/2014-10-01", "2014-10-02/2014-12-31"],
    )  # fmt: skip
    given = {
        "enabled": True, "seeds": 1, "steps": 256, "warmup": 64, "every": 128, "episode": 42,
        "spread": 4, "start": 4, "random": 1, "referee": 50, "workers": 1, "splits": splits,
        "ppo": settings.Ppo(n_envs=4, batch=64, minibatch=32, epochs=1),
    }  # fmt: skip
    return settings.Rl(**{**given, **changes})


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Tables up to the costs, and the book without a controller."""
    config = replace(steered(), rl=settings.Rl())
    given = ingested("us", 40, 0.2, span=(date(2011, 1, 3), date(2014, 12, 31)))
    return given | through(config, given, tmp_path_factory.mktemp("world"))


def ran(stage, config, frames, folder, extra=()):
    folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(
        {t.name: frames[t.name].copy for t in (*stage.needs, *extra)},
        digests={t.name: "d" for t in stage.needs},
    )
    context = Context(
        config.region.name, config.seed, folder, lambda label: lambda i, n: None,
        private=Private(str(folder / "checkpoints"), 1, config.rl.policy),
    )  # fmt: skip
    made = stage.run(stage.settings(config), inputs, context)
    for table in stage.makes:
        table.check(made[table.name])
    return dict(made), context.metrics


def given_policy(folder, region="us") -> str:
    rng = np.random.default_rng(1)
    weights = {n: rng.normal(0, 0.3, s) for n, s in SHAPES.items()}
    weights["spread"] = np.abs(weights["spread"]) + 1.0
    path = folder / "policy.npz"
    Policy(weights, region, OBSERVED, 7, 1000).save(path)
    return str(path)


@pytest.fixture(scope="module")
def judged(world, tmp_path_factory):
    """A given policy through the three stages: needs no torch."""
    folder = tmp_path_factory.mktemp("judged")
    config = steered(policy=given_policy(folder))
    frames, metrics = dict(world), {}
    for stage in RL_STAGES:
        made, told = ran(stage, config, frames, folder / stage.name)
        frames |= made
        metrics |= told
    return config, frames, metrics


def test_without_a_controller_every_table_is_empty(world, tmp_path):
    config = replace(steered(), rl=settings.Rl())
    frames = dict(world)
    for stage in RL_STAGES:
        made, _ = ran(stage, config, frames, tmp_path / stage.name)
        assert all(len(frame) == 0 for frame in made.values())
        frames |= made
        assert rl.settings(config) == {"enabled": False}


def test_every_book_of_the_test_is_there_and_within_bounds(judged):
    _, frames, metrics = judged
    books = frames["rl_books"]
    assert set(books["book"]) == {"rl", "fixed", "start", "no_rl", "rule", "random", "no_tilt"}
    days = books.groupby(["book", "seed"])["date"].agg(["min", "max", "count"])
    assert days["min"].nunique() == days["max"].nunique() == days["count"].nunique() == 1
    assert days["min"].iloc[0] >= pd.Timestamp("2014-07-16")
    values = frames["rl_knobs"][list(NAMES)].to_numpy()
    assert ((values >= LOW) & (values <= HIGH)).all()
    assert metrics["rl.outside_bounds"] == 0.0
    assert len(frames["rl_safety"]) == 6


def test_the_book_without_a_controller_is_the_backtest_s(judged, world, tmp_path):
    """Same market, same costs: the no_rl book of the test is the engine's own, from that day."""
    from quant.backtest import engine
    from quant.stages import book

    config, frames, _ = judged
    inputs = Inputs({t.name: frames[t.name].copy for t in book.NEEDS})
    context = Context("us", config.seed, tmp_path, lambda label: lambda i, n: None)
    b = book.optimized(book.settings(config), inputs, context)
    own = frames["rl_books"][frames["rl_books"]["book"] == "no_rl"]
    first = b.market.index(str(own["date"].min().date())) - 1
    last = first + len(own)
    result = engine.run(
        b.market, b.policy, b.desk(), charges=b.policy.charges, capital=config.region.nav,
        first=first, last=last,
    )  # fmt: skip
    np.testing.assert_allclose(own["ret"], result.returns, atol=1e-12)


def test_fixed_is_the_best_constant_of_train_and_validation(judged):
    _, frames, _ = judged
    search = frames["rl_search"]
    assert set(search["use"]) == {"start", "search", "spread"}
    tried = search[search["use"] == "search"]
    best = tried[tried["best"]].iloc[0]
    assert best["sharpe"] == tried["sharpe"].max() and tried["best"].sum() == 1
    used = frames["rl_knobs"][frames["rl_knobs"]["book"] == "fixed"]
    np.testing.assert_allclose(used[list(NAMES)].iloc[0].to_numpy(float),
                               best[list(NAMES)].to_numpy(float))  # fmt: skip
    assert (search["known"] <= pd.Timestamp("2014-07-15")).all()


def test_the_gate_is_judged_period_by_period(judged):
    _, frames, metrics = judged
    gate = frames["rl_gate"]
    mean = gate[gate["seed"] < 0]
    assert len(mean) == 2 and set(mean["period"]) == {"2014-07-16/2014-10-01",
                                                      "2014-10-02/2014-12-31"}  # fmt: skip
    own = frames["rl_books"].set_index(["book", "date"])
    for row in mean.itertuples():
        inside = own.loc["rl"].loc[row.start : row.end]
        excess = inside["ret"] - inside["rf"]
        assert row.sharpe == pytest.approx(excess.mean() / excess.std(ddof=1) * 252**0.5)
        assert row.n_obs == len(inside)
    assert metrics["rl.gate_passes"] in (0.0, 1.0)


def test_a_test_that_is_not_over_can_not_be_passed(judged, tmp_path):
    config, frames, _ = judged
    later = replace(config.rl.splits, test=[*config.rl.splits.test, "2015-01-01/2015-12-31"])
    other = replace(config, rl=replace(config.rl, splits=later))
    books = frames["rl_books"]
    lucky = books.assign(ret=books["ret"] + 0.002 * (books["book"] == "rl"))
    _, metrics = ran(rl_gate.STAGE, other, frames | {"rl_books": lucky}, tmp_path / "a")
    assert metrics["rl.gate_passes"] == 0.0
    _, metrics = ran(rl_gate.STAGE, config, frames | {"rl_books": lucky}, tmp_path / "b")
    assert metrics["rl.gate_passes"] == 1.0


def test_the_backtest_is_steered_after_validation_and_explained_with_its_knobs(
    judged, world, tmp_path
):
    config, frames, _ = judged
    made, _ = ran(backtest.STAGE, config, frames, tmp_path / "backtest")
    turned, plain = made["knobs"], world["nav"]
    assert turned["date"].min() > pd.Timestamp("2014-07-15")
    nav, before = made["nav"], pd.Timestamp("2014-07-15")
    for frame in (nav, plain):
        assert (frame["book"] == "portfolio").any()
    mine, theirs = (f[(f["book"] == "portfolio")].set_index("date")["nav"] for f in (nav, plain))
    np.testing.assert_array_equal(mine[:before], theirs[:before])
    assert (mine[before:] != theirs[before:]).any()
    day = turned["date"].iloc[20]
    asked = replace(config, stage="explain", date=str(day.date()))
    notes = frames["bars"].iloc[:0].assign(topic="", text="")
    rows = frames | made | {"notes": notes}
    folder = tmp_path / "explain"
    folder.mkdir()
    inputs = Inputs({t.name: rows[t.name].copy for t in explain.STAGE.needs})
    context = Context("us", config.seed, folder, lambda label: lambda i, n: None)
    explain.STAGE.run(explain.settings(asked), inputs, context)
    assert context.metrics["explain.weights_apart"] < 1e-7
    # without the record it would be another problem
    with pytest.raises(StageError, match="not the one that was solved"):
        rows |= {"knobs": tables.KNOBS.empty()}
        inputs = Inputs({t.name: rows[t.name].copy for t in explain.STAGE.needs})
        explain.STAGE.run(explain.settings(asked), inputs, context)


def test_cutting_the_future_changes_no_book_before_it(judged, tmp_path):
    """The test's books up to a session know nothing of what came after it."""
    config, frames, _ = judged
    cut = pd.Timestamp("2014-10-16")
    inputs = dict(frames)
    for table in rl_eval.STAGE.needs:
        frame = inputs[table.name]
        if table.known in frame.columns and len(frame):
            inputs[table.name] = frame[frame[table.known] <= cut]
    made, _ = ran(rl_eval.STAGE, config, inputs, tmp_path / "cut")
    for name in ("rl_books", "rl_knobs"):
        known = "date" if name == "rl_books" else "known"
        whole = frames[name][frames[name][known] <= cut].reset_index(drop=True)
        left = made[name][made[name][known] <= cut].reset_index(drop=True)
        order = ["book", "seed", "date"]
        pd.testing.assert_frame_equal(
            whole.sort_values(order, ignore_index=True), left.sort_values(order, ignore_index=True),
            check_exact=True,
        )  # fmt: skip


def test_data_that_do_not_hold_the_splits_are_refused(world, tmp_path):
    late = settings.Splits(test=["2020-01-01/2021-12-31"])
    config = steered(policy=given_policy(tmp_path), splits=late)
    with pytest.raises(ConfigError, match="val_end=2019-12-31 .* end on 2014-"):
        ran(rl_train.STAGE, config, world, tmp_path / "a")
    short = replace(small().splits, train_end="2013-03-28", val_end="2013-12-31")
    config = steered(policy=given_policy(tmp_path), splits=short)
    with pytest.raises(ConfigError, match="fewer than the 42 sessions of rl.episode"):
        ran(rl_train.STAGE, config, world, tmp_path / "b")


def test_a_test_that_the_data_do_not_reach_is_refused(judged, tmp_path):
    config, frames, _ = judged
    later = replace(config.rl.splits, test=["2015-01-01/2015-12-31"])
    config = replace(config, rl=replace(config.rl, splits=later))
    with pytest.raises(ConfigError, match="tested from 2015-01-01 on"):
        ran(rl_eval.STAGE, config, frames, tmp_path / "a")


def test_a_policy_of_another_region_is_refused(world, tmp_path):
    config = steered(policy=given_policy(tmp_path, region="cn"))
    with pytest.raises(DataError, match="trained on region=cn"):
        ran(rl_train.STAGE, config, world, tmp_path / "a")


def test_a_given_policy_counts_by_its_content_not_by_its_place(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = (steered(policy=given_policy(tmp_path / name)) for name in "ab")
    assert rl.settings(one) == rl.settings(two) and rl.external(one) == rl.external(two)
    before = rl.external(one)
    given_policy(tmp_path / "a", region="cn")
    assert rl.external(one) != before
    (tmp_path / "a" / "policy.npz").write_bytes(b"broken")
    with pytest.raises(DataError, match="is no policy"):
        rl.external(one)
    assert rl.external(replace(one, rl=settings.Rl())) == ""


def test_a_missing_regime_table_is_named(world, tmp_path):
    config = steered(policy=given_policy(tmp_path))
    frames = world | {"states": world["states"].iloc[:0]}
    with pytest.raises(DataError, match="states"):
        ran(rl_train.STAGE, config, frames, tmp_path / "a")


def test_a_controller_needs_regimes_and_a_book_of_its_own():
    with pytest.raises(ConfigError, match="the controller observes the regimes"):
        settings.Config(rl=settings.Rl(enabled=True))
    relative = settings.Optimizer(relative=True, tracking_error=0.05)
    with pytest.raises(ConfigError, match="optimizer.relative=true"):
        settings.Config(
            rl=settings.Rl(enabled=True), model1=settings.Model1(enabled=True), optimizer=relative
        )


def test_without_torch_training_says_what_to_do(world, tmp_path, monkeypatch):
    import importlib.util

    right = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "stable_baselines3" else right(n)
    )
    with pytest.raises(StageError, match="make setup"):
        ran(rl_train.STAGE, steered(), world, tmp_path / "a")


@pytest.mark.filterwarnings("ignore")
def test_training_through_the_stage_repeats_and_sees_no_future(world, tmp_path):
    """Cut and corrupt all after validation: the same policies, to the last bit."""
    pytest.importorskip("torch", reason="needs torch: `make setup` installs it")
    config = steered(seeds=2)
    made, metrics = ran(rl_train.STAGE, config, world, tmp_path / "whole")
    assert metrics["rl.refereed"] > 0 and metrics["rl.referee_worst"] < 2e-8
    assert made["policy_info"]["steers"].sum() == 1
    cut = pd.Timestamp("2014-08-29")
    rng = np.random.default_rng(1)
    for name in ("cut", "garbled"):
        frames = dict(world)
        for table in rl_train.STAGE.needs:
            frame = frames[table.name]
            if table.known not in frame.columns or table.moves:
                continue
            late = (frame[table.known] > cut).to_numpy()
            if name == "cut":
                frames[table.name] = frame[~late]
            elif table.name == "alpha":
                noise = rng.normal(0, 0.05, late.sum())
                frames["alpha"] = frame.assign(alpha=frame["alpha"].mask(late, np.nan))
                frames["alpha"].loc[late, "alpha"] = noise
        again, _ = ran(rl_train.STAGE, config, frames, tmp_path / name)
        for table in rl_train.MADE:
            pd.testing.assert_frame_equal(
                made[table.name].reset_index(drop=True),
                again[table.name].reset_index(drop=True), check_exact=True,
            )  # fmt: skip


def test_the_audit_of_a_steered_run_is_silent(tmp_path):
    """Cut and garbled within the test: every table of the controller's stages is the same."""
    from quant.stages import load
    from quant.stages.registry import plan
    from quant.stages.runner import execute

    names = ("store", "data", "reports", "trials.jsonl")
    config = replace(
        steered(policy=given_policy(tmp_path)),
        data=settings.Data(
            start="2011-01-03", end="2014-12-31", sim=settings.Sim(n_names=40, alpha_ic=0.2)
        ),
        paths=settings.Paths(
            *(str(tmp_path / name) for name in names),
            holdout=str(tmp_path / "holdout.jsonl"),
            rl=str(tmp_path / "rl"),
        ),
        audit=settings.Audit(dates=1, tail=30),
        backtest=settings.Backtest(qlib=False),
        evaluation=settings.Evaluation(bootstrap=50),
        importance=settings.Importance(rows=10, ablation=False),
    )
    last = execute(plan(load(), ("audit",)), config, lambda outcome: None)[-1]
    found = last.result.read(tables.AUDIT)
    assert found["same"].all(), found[~found["same"]].iloc[0].to_dict()
    values = found.groupby("table")["values"].sum()
    for name in ("policy", "policy_info", "rl_search", "rl_books", "rl_knobs", "rl_gate", "knobs"):
        assert values[name] > 0, name

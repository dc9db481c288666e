"""Evaluation: the ledger it deflates by, what it compares with, and that it repeats bit by bit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant import settings
from quant.config import config_hash
from quant.core import tables
from quant.core.seeds import generator
from quant.evaluation import metrics, summary
from quant.evaluation.clusters import Trial
from quant.governance import trials
from quant.stages import evaluate
from quant.stages.ingest import market_id
from quant.stages.registry import Context, Inputs

DAYS = pd.bdate_range("2015-01-01", periods=301)
NAMES = [f"S{k:02d}" for k in range(12)]


def drawn(*purpose: str, shape=DAYS.size - 1) -> np.ndarray:
    return generator(42, "tests", "evaluate", *purpose).normal(0, 0.01, shape)


MARKET = drawn("market") + 0.0003


def nav(book: str, daily: np.ndarray) -> pd.DataFrame:
    level = 1e7 * np.cumprod(np.r_[1.0, 1.0 + daily])
    rows = pd.DataFrame({"book": book, "date": DAYS, "nav": level, "rf": 0.0001, "n_held": 12})
    return rows.assign(cash=0.0, cost=10.0, fee=1.0, turnover=0.01)


def frames(own: np.ndarray | None = None) -> dict[str, pd.DataFrame]:
    own = 0.3 * drawn("own") if own is None else own
    grid = pd.MultiIndex.from_product([DAYS, NAMES], names=["date", "symbol"]).to_frame(index=False)
    score = drawn("score", shape=len(grid))
    alpha = grid.assign(score=score, uncertainty=0.0, alpha=score, fold=0)
    membership = grid.assign(industry_id="i", group_id="g")
    members = pd.DataFrame({"asof": DAYS[0], "effective": DAYS[1], "symbol": NAMES, "rank": 1})
    members = members.assign(adv=np.arange(12.0), price=1.0)
    labels = grid.assign(horizon=21, raw=drawn("raw", shape=len(grid)), label=0.0, end=grid["date"])
    level = np.cumprod(np.r_[1.0, 1.0 + MARKET])
    whole = pd.DataFrame({"date": DAYS, "name": "WHOLE", "close": level, "total_return": True})
    holes = whole.assign(name="HOLES").drop(index=[100])
    price = whole.assign(name="PRICE", total_return=False)
    return {
        "nav": pd.concat([nav("benchmark", MARKET), nav("portfolio", 0.8 * MARKET + own)]),
        "alpha": alpha, "labels": labels, "benchmark": pd.concat([whole, holes, price]),
        "membership": membership, "members": members,
    }  # fmt: skip


def run(known: trials.Trials | None = None, given=None, **asked) -> dict[str, pd.DataFrame]:
    config = settings.Config(evaluation=settings.Evaluation(bootstrap=99, **asked))
    given = given or frames()
    context = Context("us", 42, Path(), lambda label: lambda i, n: None, private=known)
    made = evaluate.run(
        evaluate.settings(config), Inputs({k: v.copy for k, v in given.items()}), context
    )
    for table in evaluate.STAGE.makes:
        table.check(made[table.name])
    rows = made["metrics"][made["metrics"]["book"] == "portfolio"]
    return made | {"portfolio": rows.set_index("metric")["value"]}


def other(name: str, own: np.ndarray, sharpe: float = 0.03) -> Trial:
    given = frames(own)["nav"]
    daily = summary.daily(given[given["book"] == "portfolio"], given[given["book"] == "benchmark"])
    return Trial(name, "", sharpe, len(daily), daily)


def test_a_run_without_a_ledger_is_one_trial():
    found = run()["portfolio"]
    assert (found["n_trials"], found["n_configs"], found["expected_max_sharpe"]) == (1, 1, 0)
    assert found["dsr"] == found["dsr_configs"] == found["psr"] and "pbo" not in found


def test_near_copies_count_as_configurations_and_not_as_ideas():
    own = 0.3 * drawn("own")
    copies = [other(f"copy {k}", own + 0.03 * drawn("copy", str(k))) for k in range(4)]
    apart = [other(f"other {k}", 0.3 * drawn("other", str(k))) for k in range(3)]
    made = run(trials.Trials("me", "mine", (*copies, *apart)))
    found, rows = made["portfolio"], made["trials"].set_index("config_hash")
    assert (found["n_configs"], found["n_trials"]) == (8, 4)
    assert found["dsr"] < found["psr"] and found["expected_max_sharpe"] > 0
    sharpes = [*(t.sharpe for t in (*copies, *apart)), found["sharpe_period"]]
    daily = summary.daily(*(nav(b, r) for b, r in (("p", 0.8 * MARKET + own), ("b", MARKET))))
    shape = metrics.shape(daily["book"].to_numpy(), daily["rf"].to_numpy())
    every = metrics.dsr(shape, 8, np.var(sharpes, ddof=1))
    assert found["dsr_configs"] == pytest.approx(every, rel=1e-9)
    assert rows["own"].sum() == 1 and rows.loc["me", "own"]
    same = rows.index[rows["cluster"] == rows.loc["me", "cluster"]]
    assert set(same) == {"me", "copy 0", "copy 1", "copy 2", "copy 3"}
    assert run(trials.Trials("me", "mine", (*copies, *apart)), same_idea=1.0)[
        "portfolio"
    ]["n_trials"] == 8  # fmt: skip


def test_overfitting_is_told_from_ten_configurations_over_the_run_s_own_sessions():
    apart = [other(f"other {k}", 0.3 * drawn("other", str(k))) for k in range(9)]
    found = run(trials.Trials("me", "", tuple(apart)))["portfolio"]
    assert 0 <= found["pbo"] <= 1
    assert "pbo" not in run(trials.Trials("me", "", tuple(apart[:-1])))["portfolio"]
    short = apart[-1].returns.iloc[1:]
    late = [*apart[:-1], Trial("late", "", 0.1, len(short), short)]
    assert "pbo" not in run(trials.Trials("me", "", tuple(late)))["portfolio"]


def test_a_book_that_always_wins_is_not_overfit():
    apart = [other(f"other {k}", 0.3 * drawn("other", str(k))) for k in range(9)]
    winner = frames(0.1 * drawn("own") + 0.01)
    assert run(trials.Trials("me", "", tuple(apart)), winner)["portfolio"]["pbo"] == 0


def test_the_portfolio_is_compared_with_its_benchmark_and_whole_total_return_indices():
    rows = run()["comparisons"].set_index("other")
    assert set(rows.index) == {"benchmark", "WHOLE"}  # no price index, none with holes
    found = run()["portfolio"]
    sharpe = (MARKET - 0.0001).mean() / MARKET.std(ddof=1) * 252**0.5
    assert rows["difference"].to_numpy() == pytest.approx([found["sharpe"] - sharpe] * 2, rel=1e-9)
    better = run(given=frames(0.1 * drawn("own") + 0.01))["comparisons"]
    assert set(better["verdict"]) == {"BETTER"}


def test_a_window_too_short_to_compare_on_has_no_comparisons():
    given = frames()
    given["nav"] = given["nav"][given["nav"]["date"] < DAYS[200]]
    assert run(given=given)["comparisons"].empty


def test_a_rerun_is_bit_identical():
    known = trials.Trials("me", "", tuple(other(str(k), drawn(str(k))) for k in range(12)))
    one, two = run(known), run(known)
    for table in (tables.METRICS, tables.TRIALS, tables.COMPARISONS):
        pd.testing.assert_frame_equal(one[table.name], two[table.name], check_exact=True)


def test_a_ledger_that_grows_after_the_key_was_made_does_not_enter_the_run(tmp_path):
    config = settings.Config(paths=settings.Paths(trials=str(tmp_path / "trials.jsonl")))
    path, market = tmp_path / "trials.jsonl", market_id(config)

    def record(name: str) -> None:
        row = {"market": market, "config_hash": name, "sharpe_period": 0.1}
        trials.record(path, row, other(name, drawn(name)).returns)

    record("before")
    key = evaluate.external(config)
    record("meanwhile")
    known = evaluate.ledger(config)
    assert [t.config_hash for t in known.others] == ["before"] and known.digest() == key
    assert known.own == config_hash(config) and known.name.endswith(known.own)
    assert evaluate.external(config) != key
    assert [t.config_hash for t in evaluate.ledger(config).others] == ["before", "meanwhile"]


def test_what_others_earned_in_a_locked_hold_out_does_not_move_the_deflation(tmp_path):
    """Other trials read the hold-out, won or lost there; a locked run must not be told."""
    start, last = str(DAYS[200].date()), DAYS[199]

    def told(shock: float, **hold) -> tuple[pd.DataFrame, trials.Trials]:
        ledger = tmp_path / f"{shock}" / "trials.jsonl"
        said = settings.Evaluation(holdout=settings.Holdout(start=start, **hold))
        config = settings.Config(evaluation=said, paths=settings.Paths(trials=str(ledger)))
        for k in range(6):
            daily = other(str(k), 0.3 * drawn("other", str(k))).returns
            late = daily["date"] > last
            daily.loc[late, "book"] += shock * (-1) ** k
            sharpe = metrics.sharpe(daily["book"].to_numpy(), daily["rf"].to_numpy())
            row = {"config_hash": f"{k}", "sharpe_period": sharpe, "n_obs": len(daily)}
            trials.record(ledger, row | {"market": market_id(config)}, daily)
        known = evaluate.snapshot(config)
        given = frames()
        given["nav"] = given["nav"][given["nav"]["date"] <= last]
        return run(known, given)["metrics"], known

    quiet, known = told(0.0)
    pd.testing.assert_frame_equal(told(0.01)[0], quiet, check_exact=True)
    assert {t.n_obs for t in known.others} == {199}
    assert all(t.returns["date"].max() == last for t in known.others)
    assert not told(0.01, read=True)[0].equals(told(0.0, read=True)[0])

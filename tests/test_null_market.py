"""Where there is nothing to find, nothing is found; and these tests would notice if it were.

Every bound is for a false alarm in one of a thousand such tests, were the seeds not fixed.
`python -m tests.benchmarks.null` is the same at a hundred seeds and more.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quant.core.types import Frame, Vector
from quant.evaluation import metrics
from tests import markets
from tests.benchmarks import null
from tests.pipeline import Frames

ALARM = 1e-3
WHOLE: null.Trial = null.ALL, ("ridge",), 5
RIDGE = [one for one in null.TRIALS if one[1] == ("ridge",)]


@lru_cache(maxsize=4)
def given(seed: int) -> Frames:
    return markets.drawn("us", null.NAMES, 0.0, seed)[0]


def learned(
    seed: int, trial: null.Trial, spoil: Callable[[Frame], Frame] = lambda f: f
) -> null.Task:
    """Settings, and the tables up to the alphas, of one trial."""
    config, frames = null.trial(given(seed), *trial)
    return config, markets.modelled(config, frames | {"features": spoil(frames["features"])})


def scored(
    seed: int, trial: null.Trial, spoil: Callable[[Frame], Frame] = lambda f: f
) -> tuple[Frames, Frame]:
    """The book of one trial's unshrunk scores without costs, and its alphas."""
    config, frames = learned(seed, trial, spoil)
    bets = markets.unshrunk(frames["alpha"], frames["membership"], config.model2.label.horizon)
    return markets.book(markets.unhindered(config), frames, bets), bets


def p_of_ic(seeds: range, spoil: Callable[[Frame], Frame] = lambda f: f) -> float:
    """p of a mean IC of zero, from sessions whose labels do not overlap."""
    parts = []
    for seed in seeds:
        _, frames = learned(seed, WHOLE, spoil)
        parts.append(markets.apart(markets.daily_ic(frames["alpha"], frames["labels"], 5), 5))
    return float(stats.ttest_1samp(np.concatenate(parts), 0.0).pvalue)


def test_scores_know_nothing_of_what_follows() -> None:
    assert p_of_ic(range(1, 4)) > ALARM


def test_a_leak_of_one_day_is_noticed() -> None:
    assert p_of_ic(range(1, 3), markets.peeking) < ALARM


def psr(net: Vector) -> float:
    return metrics.psr(metrics.shape(net))


@lru_cache(maxsize=1)
def runs() -> pd.DataFrame:
    """20 markets: the first trial's Sharpe ratio and PSR, its control, and the best of four."""
    rows = []
    for seed in range(1, 21):
        books = [scored(seed, trial) for trial in RIDGE]
        nets = [null.judged(frames) for frames, _ in books]
        frames, bets = books[0]
        free = markets.unhindered(markets.small("us", RIDGE[0][2]))
        control = null.judged(markets.book(free, frames, markets.permuted(bets, seed)))
        row = {"sharpe": metrics.sharpe(nets[0]), "control": metrics.sharpe(control)}
        rows.append(row | {"psr": psr(nets[0])} | null.best(nets))
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_the_book_s_net_return_is_centred_on_that_of_its_control() -> None:
    assert stats.ttest_rel(runs()["sharpe"], runs()["control"]).pvalue > ALARM


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["psr", "dsr"])
def test_luck_passes_for_skill_in_no_more_than_one_run_of_twenty(answer: str) -> None:
    """DSR judges the best of four trials, and still no more pass."""
    hits = int((runs()[answer] > 0.95).sum())
    assert stats.binomtest(hits, len(runs()), 0.05, alternative="greater").pvalue > ALARM


@pytest.mark.slow
def test_the_best_of_four_has_the_lower_dsr() -> None:
    assert (runs()["dsr"] <= runs()["best"]).all() and (runs()["dsr"] < runs()["best"]).mean() > 0.8


@pytest.mark.slow
def test_a_leak_of_one_day_earns_a_sharpe_ratio_that_no_luck_does() -> None:
    books = [scored(seed, WHOLE, markets.peeking)[0] for seed in range(1, 6)]
    hits = sum(psr(null.judged(frames)) > 0.95 for frames in books)
    assert stats.binomtest(hits, len(books), 0.05, alternative="greater").pvalue < ALARM


# -- what the benchmark is made of ---------------------------------------------------------------

DAYS = pd.date_range("2020-01-01", periods=40).to_numpy()


def alpha_table() -> Frame:
    rows = pd.MultiIndex.from_product([DAYS, list("abcdef")], names=["date", "symbol"])
    frame = rows.to_frame(index=False)
    return frame.assign(score=0.0, alpha=np.arange(len(frame), dtype=float), fold=0)


def test_the_control_trades_the_same_alphas_on_other_names() -> None:
    whole = alpha_table()
    whole.loc[whole["date"] == DAYS[3], "alpha"] = np.nan
    other = markets.permuted(whole, 1)
    for _, day in whole.assign(other=other["alpha"]).groupby("date"):
        np.testing.assert_array_equal(np.sort(day["other"]), np.sort(day["alpha"]))
    assert (other["alpha"] == whole["alpha"]).mean() < 0.4


@pytest.mark.parametrize("names", [True, False])
def test_shuffled_labels_come_from_the_past_and_stay_together(names: bool) -> None:
    rows = alpha_table()[["date", "symbol"]]
    day = rows["date"].map({d: i for i, d in enumerate(DAYS)})
    end = rows["date"] + pd.Timedelta(days=1)
    labels = rows.assign(
        horizon=5, raw=day.astype(float), label=np.tile(np.arange(6.0), 40), end=end
    )
    mixed = markets.shuffled(labels, 1, block=5, names=names)
    own = mixed["date"].map({d: i for i, d in enumerate(DAYS)})
    assert len(mixed) == 35 * 6 and ((own - mixed["raw"]) % 5 == 0).all()
    assert (own - mixed["raw"]).min() >= 5
    assert mixed.groupby("date")["raw"].nunique().eq(1).all()
    whose = mixed.assign(block=own // 5).groupby(["block", "symbol"])["label"]
    assert whose.nunique().eq(1).all()
    kept = (
        whose.first() == whose.first().index.get_level_values("symbol").map("abcdef".index)
    ).mean()
    assert kept < 0.5 if names else kept == 1


def test_the_net_return_has_no_beta_left() -> None:
    rng = np.random.default_rng(1)
    market = 0.01 * rng.standard_normal(300)
    returns = {"benchmark": market, "portfolio": 0.7 * market + 0.002 * rng.standard_normal(300)}
    nav = pd.concat([_nav(name, values) for name, values in returns.items()])
    left = markets.net(nav)
    assert np.cov(left, market[markets.START_UP :])[0, 1] == pytest.approx(0, abs=1e-12)
    assert left.std() == pytest.approx(0.002, rel=0.1)


def _nav(name: str, returns: Vector) -> Frame:
    level = np.cumprod(np.r_[1.0, 1 + returns])
    date = pd.date_range("2020-01-01", periods=level.size)
    return pd.DataFrame(
        {"book": name, "date": date, "nav": level, "cost": 0.0, "fee": 0.0, "rf": 0.0}
    )

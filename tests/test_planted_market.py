"""Where something is to be found, it is found, and earns what the law of Grinold and Kahn says.

Every bound is for a false alarm in one of a thousand such tests, were the seeds not fixed.
`python -m tests.benchmarks.planted` has the tables.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quant.core import horizons
from quant.core.seeds import generator
from quant.core.types import Codes, Matrix
from quant.evaluation import reliability
from quant.evaluation.inference import bootstrap
from quant.stages import universe
from tests import markets, oracle
from tests.benchmarks import planted
from tests.oracle import Law, Oracle

ALARM = 1e-3
SIGMAS = float(stats.norm.isf(ALARM / 2))


def p_of_ic(alpha_ic: float, seeds: range) -> float:
    """p of a mean IC of zero or less, from sessions whose labels do not overlap."""
    parts = []
    for seed in seeds:
        config = markets.small("us")
        config.model2.models = ["ridge"]
        given, _ = markets.drawn("us", 60, alpha_ic, seed)
        frames = markets.modelled(config, markets.prepared(config, given))
        parts.append(markets.apart(markets.daily_ic(frames["alpha"], frames["labels"]), 21))
    return float(stats.ttest_1samp(np.concatenate(parts), 0.0, alternative="greater").pvalue)


def test_a_planted_signal_is_found() -> None:
    assert p_of_ic(0.20, range(1, 2)) < ALARM


@pytest.mark.slow
def test_a_weaker_signal_is_found_in_more_markets() -> None:
    assert p_of_ic(0.10, range(1, 9)) < ALARM


@lru_cache(maxsize=1)
def calibrated(seeds: range = range(21, 33)) -> list[pd.DataFrame]:
    """Alphas of planted markets beside what came: date, alpha, raw; two models, two draws."""
    found = []
    for seed in seeds:
        config = markets.small("us")
        config.model2.models, config.model2.draws = ["ridge", "lightgbm"], 2
        given, _ = markets.drawn("us", 60, 0.20, seed)
        frames = markets.modelled(config, markets.prepared(config, given))
        labels = horizons.at(frames["labels"], config.model2.label.horizon)
        rows = frames["alpha"].dropna().merge(labels, on=["date", "symbol"])
        found.append(rows[["date", "alpha", "raw"]])
    return found


def p_of_slope(rows: list[pd.DataFrame], times: float = 1.0) -> float:
    """p of a slope of 1 of what came on `times` the alphas, from markets that share nothing."""
    cross = np.array([float((r["alpha"] * times * r["raw"]).sum()) for r in rows])
    square = np.array([float(np.square(r["alpha"] * times).sum()) for r in rows])
    left = cross - square  # zero on average where the slope is 1
    return float(stats.ttest_1samp(left, 0.0).pvalue)


@pytest.mark.slow
def test_calibrated_alphas_are_as_large_as_what_comes() -> None:
    rows = calibrated()
    assert sum(float(np.square(r["alpha"]).sum()) for r in rows) > 0.0
    assert p_of_slope(rows) > ALARM
    assert p_of_slope(rows, times=3.0) < ALARM  # too bold is seen
    assert p_of_slope(rows, times=0.2) < ALARM  # and so is too timid


@pytest.mark.slow
def test_every_tenth_of_the_alphas_is_as_large_as_what_comes() -> None:
    tenths = [reliability.deciles(r, 21).set_index("decile") for r in calibrated()]
    gaps = pd.DataFrame([t["realised"] - t["alpha"] for t in tenths]).dropna(axis=1)
    assert gaps.shape[1] >= 8
    assert (stats.ttest_1samp(gaps, 0.0).pvalue > ALARM / gaps.shape[1]).all()


@lru_cache(maxsize=1)
def known() -> Oracle:
    """The truth of 120 names over four years."""
    config = markets.small("us")
    given, truth = markets.drawn("us", 120, 0.05, 3)
    return oracle.oracle(markets.run(config, given, universe.STAGE), truth)


def tilted(o: Oracle) -> Matrix:
    """Weights of a long-only book that leans on half of what it knows."""
    noise = generator(1, "planted", "tilt").standard_normal(o.alpha.shape)
    spread = o.alpha.std(axis=1, keepdims=True)
    score = np.divide(o.alpha, spread, out=np.zeros_like(o.alpha), where=spread > 0)
    lean = np.where(o.member, np.maximum(1 + 0.5 * score + 0.5 * noise, 0.0), 0.0)
    total = lean.sum(axis=1, keepdims=True)
    return np.divide(lean, total, out=np.zeros_like(lean), where=total > 0)


def sessions(o: Oracle) -> Codes:
    """From the first member to the last session that another one follows."""
    return np.arange(int(np.argmax(o.member.any(axis=1))), o.dates.size - 1)


@lru_cache(maxsize=1)
def judged() -> Law:
    return oracle.law(known(), sessions(known()), tilted(known()))


def apart(seen: Law, transfer: float) -> tuple[float, float]:
    """Information ratio less its law, and the error of that, both a year.

    transfer : coefficient of the book; 1 asks for the ideal one
    """
    series = seen.ideal if transfer == 1 else seen.active
    rows = np.column_stack([series, seen.ideal, seen.square, seen.names])

    def gap(x: Matrix) -> float:
        ratio = x[:, 0].mean() / x[:, 0].std(ddof=1)
        ic = x[:, 1].mean() / np.sqrt(x[:, 2].mean())
        return float(np.sqrt(252) * (ratio - transfer * ic * np.sqrt(x[:, 3].mean())))

    drawn = bootstrap(rows, gap, 21, 400, generator(1, "planted", "gap"))
    return drawn.estimate, drawn.error


def test_the_ideal_book_earns_ic_times_the_root_of_breadth() -> None:
    gap, error = apart(judged(), 1.0)
    assert abs(gap) < SIGMAS * error and error < 0.2


def test_a_constrained_book_earns_its_transfer_coefficient_of_that() -> None:
    seen = judged()
    gap, error = apart(seen, float(seen.whole.mean()))
    assert abs(gap) < SIGMAS * error
    assert 0.2 < seen.transfer.mean() < 0.8


def test_the_signal_is_as_strong_as_it_was_planted() -> None:
    seen = judged()
    error = float(seen.ideal.std(ddof=1) / np.sqrt(seen.ideal.size))
    assert abs(seen.ideal.mean() - seen.expected.mean()) < SIGMAS * error


def bets(seen: Law) -> float:
    """Independent bets a name: what the spread of the ideal book says, by what the law counts."""
    return float(seen.square.mean() / seen.ideal.var(ddof=1) / seen.names.mean())


def test_names_that_move_as_one_are_half_as_many_bets() -> None:
    """The law can fail: every second name is a twin of the one before, and none is told."""
    o = known()
    even = np.arange(o.symbols.size) // 2 * 2
    same = {name: getattr(o, name)[:, even] for name in ("returns", "alpha", "member", "vol")}
    twins = replace(o, **same, loadings=o.loadings[even])
    found = oracle.law(twins, sessions(twins), tilted(twins))
    assert bets(judged()) == pytest.approx(1, abs=0.15)
    assert bets(found) < 0.7


@lru_cache(maxsize=1)
def laws() -> pd.DataFrame:
    return pd.DataFrame([planted.law(60, 0.05, seed) for seed in (1, 2, 3, 4, 5, 6)])


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "transfer"), [("ideal", None), ("active", "whole TC")])
def test_the_optimizer_s_book_keeps_the_law_within_its_error(
    ratio: str, transfer: str | None
) -> None:
    """Long-only, with its transfer coefficient."""
    found = laws()
    gap = found[ratio] - found["law"] * (found[transfer] if transfer else 1.0)
    assert abs(gap.mean()) < stats.t.isf(ALARM / 2, len(gap) - 1) * gap.sem()


@pytest.mark.slow
def test_the_pipeline_recovers_part_of_the_oracle_s_sharpe_ratio_and_no_more() -> None:
    """A Sharpe ratio over T years has an error of about 1 / sqrt(T)."""
    rows = pd.DataFrame([planted.recovered(150, 0.10, seed) for seed in (1, 2)])
    error = 1 / np.sqrt(rows["years"].sum())
    assert rows["model"].mean() > SIGMAS * error
    assert rows["model"].mean() < rows["oracle"].mean() + SIGMAS * np.sqrt(2) * error

"""Ledoit & Wolf's test: the published pair, theory for normal returns, size, power and symmetry."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import binom

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.evaluation import compare
from quant.evaluation.compare import sharpe_difference
from quant.evaluation.metrics import sharpe

ANSWERS = json.loads((Path(__file__).parents[1] / "answers/sharpe_difference.json").read_text())


def pair(n: int, *purpose: str, means=(0.05, 0.02), rho: float = 0.7, phi: float = 0.0):
    """Two correlated normal series, AR(1) with coefficient `phi` beside their means."""
    shock = generator(42, "tests", "compare", *purpose).standard_normal((n + 100, 2))
    shock[:, 1] = rho * shock[:, 0] + np.sqrt(1 - rho**2) * shock[:, 1]
    series = np.zeros_like(shock)
    for t in range(1, n + 100):
        series[t] = phi * series[t - 1] + shock[t]
    return (series[100:] + means).T


def rng(*purpose: str) -> np.random.Generator:
    return generator(7, "tests", "compare", "draws", *purpose)


def test_the_published_pair_of_hedge_funds():
    returns, expected = np.array(ANSWERS["returns"]).T, ANSWERS["expected"]
    found = sharpe_difference(*returns, 1, 5, 4999, rng("published"))
    assert found.difference == pytest.approx(expected["difference"], abs=1e-6)
    assert expected["se_parzen"] < found.se < expected["se_parzen_prewhitened"]
    assert found.p_value == pytest.approx(expected["p_bootstrap"][0], abs=0.05)
    assert found.verdict == compare.INCONCLUSIVE and found.n_obs == 120


def test_the_error_for_normal_returns_is_that_of_jobson_korkie_and_memmel():
    book, other = pair(10_000, "normal", means=(0.1, -0.2))
    found = sharpe_difference(book, other, 1, 21, 0, rng())
    s1, s2, rho = sharpe(book), sharpe(other), 0.7
    variance = 2 - 2 * rho + (s1**2 + s2**2 - 2 * s1 * s2 * rho**2) / 2
    assert found.se == pytest.approx(np.sqrt(variance / book.size), rel=0.05)
    assert found.difference == pytest.approx(s1 - s2, rel=1e-9)


@pytest.mark.parametrize(
    ("ar", "ma", "error"),
    # one that a VAR(1) whitens, and two of which the kernel has to see the rest
    [((0.5,), (), 0.1), ((-0.3,), (), 0.1), ((0.3, -0.3), (), 0.3), ((), (0.8,), 0.2)],
)
def test_the_long_run_variance_of_known_processes(ar, ma, error):
    shock = generator(42, "tests", "compare", "long run").standard_normal(15_000)
    y = lfilter([1, *ma], [1, *(-a for a in ar)], shock)[:, None]
    found = compare.long_run_variance(y - y.mean(), np.ones(1))
    assert found == pytest.approx((1 + sum(ma)) ** 2 / (1 - sum(ar)) ** 2, rel=error)


def test_the_kernel_is_one_at_the_origin_and_has_its_zeros():
    assert compare.quadratic_spectral(np.array([1e-3]), 1.0) == pytest.approx(1.0, abs=1e-5)
    # 3 / x^2 (sin x / x - cos x) is 0 where tan x = x, first at 4.4934
    assert compare.quadratic_spectral(np.array([4.493409458 / (1.2 * np.pi)]), 1.0) == (
        pytest.approx(0.0, abs=1e-9)
    )
    assert compare.quadratic_spectral(np.arange(1, 4), 0.0).tolist() == [0, 0, 0]


def test_exchanging_the_series_turns_every_sign():
    book, other = pair(700, "exchange", phi=0.2)
    one = sharpe_difference(book, other, 252, 21, 999, rng("same"))
    two = sharpe_difference(other, book, 252, 21, 999, rng("same"))
    assert (one.difference, one.low, one.high) == pytest.approx(
        (-two.difference, -two.high, -two.low), rel=1e-9
    )
    assert (one.se, one.detectable) == pytest.approx((two.se, two.detectable), rel=1e-9)
    assert one.p_value == two.p_value


def test_the_scale_of_either_series_is_irrelevant():
    book, other = pair(700, "scale")
    one = sharpe_difference(book, other, 252, 21, 999, rng("same"))
    two = sharpe_difference(book * 1e-4, other * 50, 252, 21, 999, rng("same"))
    for name in ("difference", "se", "low", "high", "p_value", "detectable"):
        assert getattr(one, name) == pytest.approx(getattr(two, name), rel=1e-9)


def test_annualising_changes_units_and_nothing_else():
    book, other = pair(700, "units")
    day = sharpe_difference(book, other, 1, 21, 999, rng("same"))
    year = sharpe_difference(book, other, 252, 21, 999, rng("same"))
    assert year.difference == pytest.approx(day.difference * 252**0.5, rel=1e-12)
    assert (year.p_value, year.verdict) == (day.p_value, day.verdict)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_one_series_has_no_difference_from_itself(factor):
    book, _ = pair(700, "itself")
    found = sharpe_difference(book, book * factor, 252, 21, 999, rng())
    assert (found.difference, found.se, found.p_value) == (0.0, 0.0, 1.0)
    assert found.verdict == compare.INCONCLUSIVE


def test_series_that_differ_on_one_day_only_are_no_finding():
    book, _ = pair(700, "one day")
    other = book.copy()
    other[350] -= 5.0
    found = sharpe_difference(book, other, 252, 21, 999, rng())
    assert found.difference > 0 and found.verdict == compare.INCONCLUSIVE


@pytest.mark.parametrize("draws", [0, 499])
def test_the_verdict_is_the_interval_and_the_p_value_at_once(draws):
    seen = set()
    for k, gap in enumerate((-0.3, -0.12, 0.0, 0.12, 0.3)):
        book, other = pair(500, str(k), means=(gap, 0.0))
        found = sharpe_difference(book, other, 1, 10, draws, rng(str(k)))
        clear = {found.low > 0: compare.BETTER, found.high < 0: compare.WORSE}
        assert found.verdict == clear.get(True, compare.INCONCLUSIVE)
        assert (found.p_value <= 0.05) == (found.verdict != compare.INCONCLUSIVE)
        seen.add(found.verdict)
    assert seen == {compare.BETTER, compare.WORSE, compare.INCONCLUSIVE}


def test_missing_periods_do_not_count():
    book, other = pair(700, "gaps")
    gaps = np.r_[book, np.nan, 1.0], np.r_[other, 1.0, np.inf]
    assert sharpe_difference(*gaps, 252, 21, 99, rng("same")) == sharpe_difference(
        book, other, 252, 21, 99, rng("same")
    )


def test_many_draws_take_seconds():
    import time

    book, other = pair(1000, "speed")
    started = time.perf_counter()
    sharpe_difference(book, other, 252, 21, 5000, rng())
    assert time.perf_counter() - started < 2


def test_faults_are_named():
    book, other = pair(209, "faults")
    with pytest.raises(DataError, match="209 common periods are too few .* blocks of 21; .* 210"):
        sharpe_difference(book, other, 252, 21, 99, rng())
    with pytest.raises(DataError, match="do not vary"):
        sharpe_difference(book, np.full(209, 0.01), 252, 5, 99, rng())
    with pytest.raises(ConfigError, match="10 draws can not show"):
        sharpe_difference(book, other, 252, 5, 10, rng())


def garch(n: int, random: np.random.Generator) -> np.ndarray:
    """(2, n) returns of equal Sharpe ratio with a common GARCH(1, 1) in each."""
    shock = random.standard_normal((n + 200, 2))
    shock[:, 1] = 0.8 * shock[:, 0] + 0.6 * shock[:, 1]
    series, variance = np.zeros_like(shock), np.ones(2)
    for t in range(n + 200):
        series[t] = np.sqrt(variance) * shock[t]
        variance = 0.05 + 0.1 * series[t] ** 2 + 0.85 * variance
    return series[200:].T + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["autoregression", "garch"])
def test_equal_sharpe_ratios_are_found_different_in_about_five_percent(kind):
    n, runs, random = 1250, 400, generator(42, "tests", "compare", "size", kind)
    found = 0
    for k in range(runs):
        if kind == "garch":
            series = garch(n, random)
        else:
            series = pair(n, "size", str(k), means=(0.05, 0.05), phi=0.2)
        found += sharpe_difference(*series, 1, 21, 199, random).verdict != compare.INCONCLUSIVE
    low, high = binom.ppf([0.001, 0.999], runs, 0.05)
    assert low <= found <= high, found


@pytest.mark.slow
def test_the_detectable_difference_is_found_four_times_in_five():
    n, runs, random = 1250, 400, generator(42, "tests", "compare", "power")
    null = [
        sharpe_difference(*pair(n, "power", str(k), means=(0.0, 0.0)), 1, 21, 199, random)
        for k in range(40)
    ]
    gap = float(np.mean([x.detectable for x in null]))
    found = sum(
        sharpe_difference(
            *pair(n, "power", str(k), means=(gap, 0.0)), 1, 21, 199, random
        ).verdict == compare.BETTER
        for k in range(runs)
    )  # fmt: skip
    low, high = binom.ppf([0.001, 0.999], runs, 0.8)
    assert low <= found <= high, (found, gap)

"""Kernels against plain pandas, and the law that a result depends on its window alone."""

import numpy as np
import pandas as pd
import pytest

from quant.core.seeds import generator
from quant.features import kernels as k

WINDOWS = [1, 2, 3, 5, 10, 21, 37, 63]


def data(n_days: int = 150, n_assets: int = 7, gaps: float = 0.15) -> np.ndarray:
    rng = generator(42, "kernels")
    x = rng.normal(0.001, 0.02, (n_days, n_assets))
    x[rng.random(x.shape) < gaps] = np.nan
    x[:40, 1] = np.nan
    return x


def rolling(x: np.ndarray, window: int):
    return pd.DataFrame(x).rolling(window, min_periods=int(np.ceil(0.6 * window)))


SIMPLE = {
    "mean": (k.mean, lambda r: r.mean()),
    "summed": (k.summed, lambda r: r.sum()),
    "highest": (k.highest, lambda r: r.max()),
    "lowest": (k.lowest, lambda r: r.min()),
}


@pytest.mark.parametrize("name", SIMPLE)
@pytest.mark.parametrize("window", WINDOWS)
def test_simple_statistics_match_pandas(name, window):
    ours, theirs = SIMPLE[name]
    x = data()
    np.testing.assert_allclose(
        ours(x, window), theirs(rolling(x, window)).to_numpy(), rtol=1e-9, atol=1e-15
    )


@pytest.mark.parametrize("window", [5, 10, 21, 63])
def test_deviation_matches_pandas(window):
    x = data()
    expected = rolling(x, window).std().to_numpy()
    np.testing.assert_allclose(k.deviation(x, window), expected, rtol=1e-9)


@pytest.mark.parametrize("window", [10, 21, 63])
def test_skewness_and_kurtosis_match_their_definitions(window):
    x = data()

    def moment(order):
        def f(v):
            v = v[np.isfinite(v)]
            d = v - v.mean()
            return (d**order).mean() / (d**2).mean() ** (order / 2)

        return rolling(x, window).apply(f, raw=True).to_numpy()

    np.testing.assert_allclose(k.skewness(x, window), moment(3), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(k.kurtosis(x, window), moment(4), rtol=1e-7)


@pytest.mark.parametrize("window", [5, 21, 63])
def test_correlation_matches_numpy_on_days_when_both_are_valid(window):
    x, y = data(), data(gaps=0.05)[::-1].copy() + 0.3 * data()
    ours = k.correlation(x, y, window)
    checked = 0
    for t in range(0, 150, 7):
        for j in range(7):
            a, b = x[max(0, t - window + 1) : t + 1, j], y[max(0, t - window + 1) : t + 1, j]
            both = np.isfinite(a) & np.isfinite(b)
            if both.sum() < np.ceil(0.6 * window):
                assert np.isnan(ours[t, j])
            else:
                checked += 1
                assert ours[t, j] == pytest.approx(np.corrcoef(a[both], b[both])[0, 1], abs=1e-9)
    assert checked > 20


@pytest.mark.parametrize("window", [5, 21, 63])
def test_trend_matches_a_fitted_line(window):
    x = np.cumsum(np.nan_to_num(data()), axis=0) + 4.0
    x[:30, 2] = np.nan
    slope, fit = k.trend(x, window)
    for t in range(0, 150, 11):
        for j in (0, 2):
            part = x[max(0, t - window + 1) : t + 1, j]
            if part.size < window or np.isnan(part).any():
                assert np.isnan(slope[t, j]) and np.isnan(fit[t, j])
            else:
                line = np.polyfit(np.arange(window), part, 1)
                assert slope[t, j] == pytest.approx(line[0], rel=1e-7, abs=1e-12)
                r = np.corrcoef(np.arange(window), part)[0, 1]
                assert fit[t, j] == pytest.approx(r * r, abs=1e-8)


def test_carried_matches_pandas_and_forgets():
    x = data(gaps=0.7)
    np.testing.assert_array_equal(k.carried(x, 4), pd.DataFrame(x).ffill(limit=4).to_numpy())


KERNELS = {
    "mean": lambda x: k.mean(x, 21),
    "variance": lambda x: k.variance(x, 21),
    "skewness": lambda x: k.skewness(x, 21),
    "kurtosis": lambda x: k.kurtosis(x, 21),
    "correlation": lambda x: k.correlation(x, x * x, 21),
    "highest": lambda x: k.highest(x, 21),
    "trend": lambda x: k.trend(np.nan_to_num(x, posinf=1e9), 21)[1],
    "lag": lambda x: k.lag(x, 20),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_result_depends_on_its_window_alone(name):
    x = data()
    whole = KERNELS[name](x)
    np.testing.assert_array_equal(KERNELS[name](x[40:])[20:], whole[60:])
    np.testing.assert_array_equal(KERNELS[name](x[:90]), whole[:90])
    wild = x.copy()
    wild[90:] = np.inf
    np.testing.assert_array_equal(KERNELS[name](wild)[:90], whole[:90])


def test_no_variation_is_zero_and_not_rounding():
    flat = np.full((60, 2), 7.123456789)
    assert (k.deviation(flat, 21)[20:] == 0).all()
    assert np.isnan(k.correlation(flat, data(60, 2), 21)).all()
    assert np.isnan(k.trend(flat, 21)[1]).all()


def test_a_huge_value_leaves_no_trace_after_its_window():
    x = data(gaps=0.0)
    wild = x.copy()
    wild[50, 0] = 1e12
    np.testing.assert_array_equal(k.mean(wild, 21)[71:], k.mean(x, 21)[71:])


def test_windows_longer_than_the_sample_are_missing():
    assert np.isnan(k.mean(data(20), 63)).all()
    assert np.isnan(k.lag(data(20), 63)).all()
    assert np.isnan(k.highest(data(20), 63)).all()


def test_the_age_of_the_highest_is_the_latest_of_equals():
    x = generator(3, "kernels", "age").integers(0, 6, (200, 5)).astype(float)
    x[generator(4, "kernels", "gaps").random(x.shape) < 0.1] = np.nan
    for window in (1, 5, 21, 64):
        ours = k.age_of_highest(x, window)
        for row in range(window, 200, 7):
            for column in range(5):
                seen = x[row - window + 1 : row + 1, column]
                if np.isfinite(seen).sum() < np.ceil(0.6 * window):
                    assert np.isnan(ours[row, column])
                else:
                    assert ours[row, column] == np.nanargmax(seen[::-1])


def test_the_mean_of_the_largest_is_that_of_the_sorted_window():
    x = generator(3, "kernels", "largest").standard_normal((100, 3))
    x[generator(4, "kernels", "gaps").random(x.shape) < 0.1] = np.nan
    ours = k.mean_of_largest(x, 21, 5)
    for row in range(21, 100):
        for column in range(3):
            seen = x[row - 20 : row + 1, column]
            best = np.sort(seen[np.isfinite(seen)])[-5:].mean()
            assert ours[row, column] == pytest.approx(best, abs=1e-15)
    assert np.isnan(ours[:12]).all()


def test_observations_apart_are_those_of_every_other_session():
    x = generator(3, "kernels", "every").standard_normal((300, 4))
    ours = k.mean(x, 7, every=5)
    for row in range(30, 300):
        np.testing.assert_allclose(ours[row], x[row - 30 : row + 1 : 5].mean(axis=0), atol=1e-14)


def test_holders_paid_the_prices_weighted_by_who_is_left():
    """Against the recursion of Grinblatt & Han (2005), from the first day of the window."""
    rng = generator(3, "kernels", "holders")
    price, share = np.exp(rng.normal(0, 0.1, (120, 3))), rng.uniform(0.0, 0.2, (120, 3))
    ours = k.holders_price(price, share, 60)
    weight, paid = np.zeros(3), np.zeros(3)
    for p, v in zip(price[60:], share[60:], strict=True):
        weight, paid = weight * (1 - v) + v, paid * (1 - v) + v * p
    np.testing.assert_allclose(ours[-1], paid / weight, rtol=1e-12)
    assert np.isnan(k.holders_price(price, np.zeros((120, 3)), 60)).all()

"""What can be predicted is exactly what was planted."""

import numpy as np
import pytest

from quant.core.panel import Panel
from quant.core.seeds import generator
from quant.market import MarketSpec, SimulatedMarket, simulate
from quant.market import alpha as planted
from tests.market import signals
from tests.market.conftest import days

RANGE = days("2010-01-04", "2016-01-01")


def industry_of(market: SimulatedMarket, symbols: np.ndarray) -> np.ndarray:
    return market.truth["loadings"].set_index("symbol").loc[symbols, "industry_id"].to_numpy()


def test_expected_residual_returns_sum_to_nothing_in_an_industry(us: SimulatedMarket) -> None:
    truth = us.truth["alpha"]
    assert truth["daily"].abs().max() > 0
    industry = us.truth["loadings"].set_index("symbol")["industry_id"]
    mean = truth.groupby(["date", truth["symbol"].map(industry)])["daily"].mean()
    assert mean.abs().max() < 1e-12


def test_without_alpha_expected_residual_returns_are_equal() -> None:
    market = simulate(MarketSpec("cn", days("2012-01-03", "2012-07-01"), 30, 0.0), 1)
    assert (market.truth["alpha"][["daily", "expected"]] == 0).all(axis=None)


def test_signal_needs_past_bars_only() -> None:
    """Cutting the future leaves the signal unchanged."""
    rng = generator(1, "test")
    level = np.cumsum(0.01 * rng.standard_normal((320, 40)), axis=0)
    volume = rng.random((320, 40))
    industry, alive = np.arange(40) % 3, np.ones(40, bool)
    whole, short = (planted.Signal.start(n, industry) for n in (320, 300))
    for day in range(300):
        short.see(day, level[day], volume[day], alive)
        whole.see(day, level[day], volume[day], alive)
    np.testing.assert_array_equal(whole.smooth, short.smooth)
    assert np.mean(whole.smooth**2) == pytest.approx(1)


def test_rolling_sums_are_those_of_the_window() -> None:
    rng = generator(2, "test")
    level = np.cumsum(0.01 * rng.standard_normal((200, 12)), axis=0)
    volume, alive = rng.random((200, 12)), np.ones(12, bool)
    signal = planted.Signal.start(200, np.zeros(12, int))
    for day in range(200):
        signal.see(day, level[day], volume[day], alive)
    moved = np.diff(level, axis=0) ** 2
    np.testing.assert_allclose(signal.squares, moved[-planted.WINDOW :].sum(axis=0))
    np.testing.assert_allclose(signal.volumes, volume[-planted.WINDOW :].sum(axis=0))


def test_signal_likes_names_that_have_just_fallen() -> None:
    rng = generator(3, "test")
    calm = np.cumsum(0.04 * rng.standard_normal((300, 30)), axis=0)
    fallen = calm.copy()
    fallen[270:, :10] -= 0.015 * np.arange(1, 31)[:, None]
    ends = []
    for level in (calm, fallen):
        signal = planted.Signal.start(300, np.zeros(30, int))
        for day in range(300):
            signal.see(day, level[day], np.ones(30), np.ones(30, bool))
        ends.append(signal.smooth[:10].mean())
    assert ends[1] > ends[0] + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("region", ["us", "cn"])
def test_nothing_simple_predicts_where_nothing_is_planted(region: str) -> None:
    """Rank IC of ten simple signals is within noise over seeds, at two horizons."""
    found: dict[tuple[str, int], list[float]] = {}
    for seed in range(1, 7):
        market = simulate(MarketSpec(region, days("2010-01-04", "2014-07-01"), 200, 0.0), seed)
        bars = signals.panel(market)
        industry = industry_of(market, bars.symbols)
        known = signals.simple(bars)
        for horizon in (5, 21):
            target = signals.forward(bars, industry, horizon)
            for name, values in known.items():
                ic = signals.rank_ic(values, target, every=7)
                found.setdefault((name, horizon), []).append(ic.mean())
    mean = {key: np.mean(values) for key, values in found.items()}
    score = {k: mean[k] / (np.std(v, ddof=1) / np.sqrt(len(v))) for k, v in found.items()}
    assert max(abs(v) for v in mean.values()) < 0.02, mean
    # twenty statistics of five degrees of freedom: 6 is passed by chance once in twenty tests
    assert max(abs(v) for v in score.values()) < 6, score


@pytest.mark.slow
@pytest.mark.parametrize("region", ["us", "cn"])
@pytest.mark.parametrize("alpha_ic", [0.05])
def test_oracle_earns_the_planted_ic(region: str, alpha_ic: float) -> None:
    ics = []
    for seed in (1, 2, 3):
        market = simulate(MarketSpec(region, RANGE, 250, alpha_ic), seed)
        bars = signals.panel(market)
        truth = Panel.of(market.truth["alpha"], ["expected"], bars.dates, bars.symbols)
        target = signals.forward(bars, industry_of(market, bars.symbols))
        ics.append(signals.rank_ic(truth["expected"], target, every=5).mean())
    assert np.mean(ics) == pytest.approx(alpha_ic, rel=0.25)


@pytest.mark.slow
def test_planted_alpha_shows_in_known_signals_and_in_the_right_units() -> None:
    market = simulate(MarketSpec("us", RANGE, 300, 0.08), 5)
    bars = signals.panel(market)
    target = signals.forward(bars, industry_of(market, bars.symbols))
    known = signals.simple(bars)
    for name in ("reversal", "momentum", "low_volatility", "low_turnover"):
        assert signals.rank_ic(known[name], target, every=5).mean() > 0.01, name
    expected = Panel.of(market.truth["alpha"], ["expected"], bars.dates, bars.symbols)["expected"]
    both = ~np.isnan(expected) & ~np.isnan(target)
    slope = (expected[both] * target[both]).sum() / (expected[both] ** 2).sum()
    assert slope == pytest.approx(1, abs=0.25)

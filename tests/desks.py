"""Desks on small random markets: for tests of execution."""

import numpy as np

from quant.backtest import engine
from quant.backtest.market import FIELDS, Charges, MarketArrays, charges, market_arrays
from quant.core.panel import Panel
from quant.core.types import Matrix
from quant.execution.fx import per_dollar
from quant.execution.impact import Impact
from quant.execution.scheduled import Liquidity, Rules, Scheduled
from quant.execution.tape import DailyBars, SimulatedTapes, Tape
from tests.backtest import markets

N_DAYS, N = 60, 12


class GivenTape:
    """The same tape on every session."""

    def __init__(self, price: Matrix, volume: Matrix) -> None:
        self.price, self.volume = np.asarray(price, float), np.asarray(volume, float)
        self.intervals = self.price.shape[1]

    def __call__(self, t: int, asset: np.ndarray) -> Tape:
        return Tape(self.price[asset], self.volume[asset])


def given(
    region: str = "cn", seed: int = 42, n_days: int = N_DAYS, n: int = N
) -> tuple[MarketArrays, Panel]:
    """A random market with everything that can go wrong, and its bars."""
    bars = markets.random_bars(region, n_days, n, seed)
    names = np.array(markets.symbols_of(region, n), object)
    panel = Panel.of(
        bars, (*FIELDS, "high", "low", "float_shares"), markets.business_days(n_days), names
    )
    arrays = market_arrays(
        panel, markets.listings_of(region, n_days, n), markets.rates_of(n_days), region
    )
    return arrays, panel


def desk(
    market: MarketArrays, bars: Panel, style: str = "POV", region: str = "cn", dollars: float = 1e3,
    intervals: int = 24, impact: Impact | None = None, **rules: float,
) -> Scheduled:  # fmt: skip
    """A desk on simulated tapes of that market; volatility is 2 % a day."""
    daily = DailyBars(*(bars[name] for name in ("open", "high", "low", "close", "volume")))
    shape = bars["close"].shape
    liquidity = Liquidity(np.full(shape, 0.02), market.adv, np.full(shape, np.nan), bars["volume"])
    made = Rules(style, dollars * per_dollar(region, market.dates), **rules)
    tapes = SimulatedTapes(daily, market.dates, market.symbols, intervals, 7)
    return Scheduled(made, tapes, liquidity, impact or Impact())


def wandering(market: MarketArrays, seed: int, share: float = 0.9) -> engine.Decide:
    """Targets that move a good deal every session, among priced names; some are left for good."""

    def decide(t: int, state: engine.State) -> np.ndarray:
        rng = np.random.default_rng([seed, t])
        wish = rng.dirichlet(np.ones(market.symbols.size)) * share
        wish[rng.random(wish.size) < 0.3] = 0.0
        return np.where(market.mark[t] > 0, wish, 0.0)

    return decide


def costs_of(market: MarketArrays, region: str) -> Charges:
    """Statutory fees and the fixed costs."""
    return charges(market, 5e-4, 1e-5, region)

"""The embedded simulated market, with known truth and optional planted alpha."""

from quant.market.simulate import simulate
from quant.market.spec import MarketSpec, SimulatedMarket

__all__ = ["MarketSpec", "SimulatedMarket", "simulate"]

"""Rank correlations of simple signals with what came after them, as a researcher would see them."""

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.market import SimulatedMarket

HORIZON = 21


def panel(market: SimulatedMarket) -> Panel:
    return Panel.of(
        market.bars, ["open", "high", "close", "volume", "amount", "factor", "float_shares"]
    )


def forward(bars: Panel, industry: np.ndarray, horizon: int = HORIZON) -> np.ndarray:
    """(n_days, n) return open(t+1) to open(t+1+h), less the mean of the industry."""
    price = bars["open"] * bars["factor"]
    out = np.full(price.shape, np.nan)
    out[: -horizon - 1] = price[horizon + 1 :] / price[1:-horizon] - 1
    return neutral(out, industry)


def neutral(values: np.ndarray, industry: np.ndarray) -> np.ndarray:
    out = np.full(values.shape, np.nan)
    for code in np.unique(industry):
        rows = industry == code
        block = values[:, rows]
        count = np.maximum((~np.isnan(block)).sum(axis=1, keepdims=True), 1)
        out[:, rows] = block - np.nansum(block, axis=1, keepdims=True) / count
    return out


def simple(bars: Panel) -> dict[str, np.ndarray]:
    """Signals of the past, (n_days, n) each, known at the close."""
    close = pd.DataFrame(bars["close"] * bars["factor"])
    daily = close.pct_change(fill_method=None)
    turnover = pd.DataFrame(bars["volume"] / bars["float_shares"])
    named = {
        "last_day": daily,
        "reversal_5": -close.pct_change(5, fill_method=None),
        "reversal": -close.pct_change(21, fill_method=None),
        "momentum": close.shift(21) / close.shift(252) - 1,
        "low_volatility": -daily.rolling(63, min_periods=40).std(),
        "low_turnover": -turnover.rolling(63, min_periods=40).mean(),
        "price": pd.DataFrame(bars["close"]),
        "size": pd.DataFrame(bars["close"] * bars["float_shares"]),
        "largest": daily.rolling(21, min_periods=15).max(),
        "close_to_high": pd.DataFrame(bars["close"] / bars["high"]),
    }
    return {name: frame.to_numpy() for name, frame in named.items()}


def rank_ic(signal: np.ndarray, target: np.ndarray, every: int = HORIZON) -> np.ndarray:
    """Spearman correlation across names on every so many days, NaN days left out."""
    out = []
    for day in range(252, signal.shape[0], every):
        both = ~np.isnan(signal[day]) & ~np.isnan(target[day])
        if both.sum() >= 30:
            a, b = (np.argsort(np.argsort(x[day, both])) for x in (signal, target))
            out.append(np.corrcoef(a, b)[0, 1])
    return np.array(out)

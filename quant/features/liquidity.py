"""What it costs and how long it takes to trade; size."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.view import View, positive


def illiquidity(v: View, window: int) -> Matrix:
    """Log of the mean absolute return per currency unit traded. Source: Amihud (2002)."""
    return np.log(positive(k.mean(np.abs(v.ret) / v.amount, window)))


def illiquidity_change(v: View, short: int, window: int) -> Matrix:
    """Amihud measure of the short window over the long one, log.

    Source: Bali, Peng, Shen & Tang (2014), liquidity shocks.
    """
    return illiquidity(v, short) - illiquidity(v, window)


def average_amount(v: View, window: int) -> Matrix:
    """Log of the mean amount traded a day, in currency. Source: Brennan et al. (1998)."""
    return np.log(k.mean(v.amount, window))


def average_turnover(v: View, window: int) -> Matrix:
    """Log of the mean traded share of the float. Source: Datar, Naik & Radcliffe (1998)."""
    return np.log(k.mean(v.turnover, window))


def turnover_ratio(v: View, short: int, window: int) -> Matrix:
    """Turnover of the short window over the long one. Source: Liu, Stambaugh & Yuan (2019), CN."""
    return k.mean(v.turnover, short) / k.mean(v.turnover, window)


def turnover_variation(v: View, window: int) -> Matrix:
    """Standard deviation of turnover. Source: Chordia, Subrahmanyam & Anshuman (2001)."""
    return k.deviation(v.turnover, window)


def size(v: View) -> Matrix:
    """Log of the free-float capitalisation. Source: Banz (1981)."""
    return np.log(v.cap)


def idle_days(v: View, window: int) -> Matrix:
    """Share of sessions without a trade or without a move, since the first close.

    Source: Lesmond, Ogden & Trzcinka (1999), zero-return days.
    """
    listed = np.isfinite(v.last)
    idle = np.where(listed, ~np.isfinite(v.ret) | (v.ret == 0), np.nan)
    return k.mean(idle, window)


def roll_spread(v: View, window: int) -> Matrix:
    """Effective spread from the autocovariance of returns, decimal. Source: Roll (1984)."""
    cov, _, _ = k.covariance(v.ret, k.lag(v.ret, 1), window)
    return 2.0 * np.sqrt(np.maximum(-cov, 0.0))


def high_low_spread(v: View, window: int) -> Matrix:
    """Mean spread from two-day ranges, decimal. Source: Corwin & Schultz (2012)."""
    rate = 3.0 - 2.0 * np.sqrt(2.0)
    # the range of the day before is moved by the overnight gap, as in the paper
    before_low, before_high, before = k.lag(v.low, 1), k.lag(v.high, 1), k.lag(v.close, 1)
    gap = np.maximum(v.low - before, 0.0) + np.minimum(v.high - before, 0.0)
    low, high = v.low - gap, v.high - gap
    one = np.log(high / low) ** 2 + np.log(before_high / before_low) ** 2
    two = np.log(np.maximum(high, before_high) / np.minimum(low, before_low)) ** 2
    alpha = (np.sqrt(2.0 * one) - np.sqrt(one)) / rate - np.sqrt(two / rate)
    spread = 2.0 * (np.exp(alpha) - 1.0) / (1.0 + np.exp(alpha))
    return k.mean(np.maximum(spread, 0.0), window)

"""Momentum, reversal and trend: what the path of adjusted closes says.

Each takes a View and returns (n_days, n_assets); returns are decimal.
"""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.view import View


def past_return(v: View, window: int, skip: int = 0) -> Matrix:
    """Total return from t - window to t - skip, on days with a trade in enough of the window.

    Source: Jegadeesh & Titman (1993) with skip = 21; Jegadeesh (1990) and Lehmann (1990) for
    the reversal at a month and a week; Novy-Marx (2012) for 12 to 7 months.
    """
    path = k.lag(v.last, skip) / k.lag(v.last, window) - 1.0
    return _traded(v, path, window)


def high_gap(v: View, window: int) -> Matrix:
    """Close over the highest high of the window, minus 1. Source: George & Hwang (2004)."""
    return v.last / k.highest(v.high, window) - 1.0


def average_gap(v: View, window: int) -> Matrix:
    """Close over its moving average, minus 1. Source: Han, Zhou & Zhu (2016), trend factor."""
    return v.last / k.mean(v.close, window) - 1.0


def slope(v: View, window: int) -> Matrix:
    """Slope a session of log price on time. Source: Qlib Alpha158 BETA; Clenow (2015)."""
    return _traded(v, k.trend(np.log(v.last), window)[0], window)


def linearity(v: View, window: int) -> Matrix:
    """R^2 of log price on time. Source: Qlib Alpha158 RSQR."""
    return _traded(v, k.trend(np.log(v.last), window)[1], window)


def discreteness(v: View, window: int) -> Matrix:
    """Sign of the return x (share of down days - share of up days).

    Source: Da, Gurun & Warachka (2014), frog in the pan.
    """
    signs = np.where(np.isfinite(v.ret), np.sign(v.ret), np.nan)
    return -np.sign(past_return(v, window)) * k.mean(signs, window)


def largest_return(v: View, window: int) -> Matrix:
    """Largest daily return. Source: Bali, Cakici & Whitelaw (2011), MAX."""
    return k.highest(v.ret, window)


def smallest_return(v: View, window: int) -> Matrix:
    """Smallest daily return. Source: Bali, Cakici & Whitelaw (2011), MIN."""
    return k.lowest(v.ret, window)


def strength(v: View, window: int) -> Matrix:
    """Gains over gains plus losses, in [0, 1]. Source: Wilder (1978), RSI with plain means."""
    gains, losses = np.maximum(v.ret, 0.0), np.maximum(-v.ret, 0.0)
    up, down = k.summed(gains, window), k.summed(losses, window)
    return up / (up + down)


def seasonal(v: View, window: int, length: int) -> Matrix:
    """Return over the `length` sessions that began `window` sessions ago.

    Source: Heston & Sadka (2008): the same month of the year before.
    """
    return k.lag(v.last, window - length) / k.lag(v.last, window) - 1.0


def _traded(v: View, x: Matrix, window: int) -> Matrix:
    return np.where(k.enough(np.isfinite(v.close), window)[1], x, np.nan)

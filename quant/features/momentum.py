"""Momentum, reversal and trend: what the path of adjusted closes says.

Each takes a View and returns (n_days, n_assets); returns are decimal.
"""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import View, positive


def past_return(v: View, window: int, skip: int = 0) -> Matrix:
    """Total return from t - window to t - skip, on days with a trade in enough of the window.

    Source: Jegadeesh & Titman (1993) with skip = 21; Jegadeesh (1990) and Lehmann (1990) for
    the reversal at a month and a week; Novy-Marx (2012) for 12 to 7 months; De Bondt & Thaler
    (1985) for 36 to 13 months.
    """
    path = k.lag(v.last, skip) / k.lag(v.last, window) - 1.0
    return _traded(v, path, window)


def momentum_change(v: View, window: int, half: int, skip: int) -> Matrix:
    """Return of the later part of the window less that of the earlier.

    Source: Gettleman & Marks (2006), acceleration; Green, Hand & Zhang (2017), chmom.
    """
    late = k.lag(v.last, skip) / k.lag(v.last, half) - 1.0
    early = k.lag(v.last, half) / k.lag(v.last, window) - 1.0
    return _traded(v, late - early, window)


def high_gap(v: View, window: int) -> Matrix:
    """Close over the highest high of the window, minus 1. Source: George & Hwang (2004)."""
    return v.last / k.highest(v.high, window) - 1.0


def low_gap(v: View, window: int) -> Matrix:
    """Close over the lowest low of the window, minus 1. Source: George & Hwang (2004)."""
    return v.last / k.lowest(v.low, window) - 1.0


def high_age(v: View, window: int) -> Matrix:
    """Sessions since the highest high of the window.

    Source: Bhootra & Hur (2013), recency; Qlib Alpha158 IMAX.
    """
    return k.age_of_highest(v.high, window)


def low_age(v: View, window: int) -> Matrix:
    """Sessions since the lowest low of the window. Source: Qlib Alpha158 IMIN."""
    return k.age_of_highest(-v.low, window)


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


def up_days(v: View, window: int) -> Matrix:
    """Share of days with a gain less that with a loss. Source: Qlib Alpha158 CNTD."""
    return k.mean(np.where(np.isfinite(v.ret), np.sign(v.ret), np.nan), window)


def strength(v: View, window: int) -> Matrix:
    """Gains over gains plus losses, in [0, 1]. Source: Wilder (1978), RSI with plain means."""
    gains, losses = np.maximum(v.ret, 0.0), np.maximum(-v.ret, 0.0)
    up, down = k.summed(gains, window), k.summed(losses, window)
    return up / (up + down)


def directional_movement(v: View, window: int) -> Matrix:
    """Rises of the high less falls of the low, over the true range. Source: Wilder (1978), DMI."""
    up, down = v.high - k.lag(v.high, 1), k.lag(v.low, 1) - v.low
    rise, fall = np.where(up > down, up, 0.0), np.where(down > up, down, 0.0)
    net = np.where(np.isfinite(up), np.maximum(rise, 0.0) - np.maximum(fall, 0.0), np.nan)
    span = np.maximum(v.high, v.before) - np.minimum(v.low, v.before)
    return k.summed(net / v.before, window) / positive(k.summed(span / v.before, window))


def _traded(v: View, x: Matrix, window: int) -> Matrix:
    return np.where(k.enough(np.isfinite(v.close), window)[1], x, np.nan)


ROWS = (
    row("ret_1d", past_return, window=1),
    row("ret_5d", past_return, window=5),
    row("ret_10d", past_return, window=10),
    row("ret_21d", past_return, window=21),
    row("ret_63d", past_return, window=63),
    row("mom_2_1", past_return, window=42, skip=21),
    row("mom_6_1", past_return, window=126, skip=21),
    row("mom_12_1", past_return, window=252, skip=21),
    row("mom_12_7", past_return, window=252, skip=126),
    row("mom_36_13", past_return, window=756, skip=252),
    row("mom_change_6", momentum_change, window=252, half=126, skip=21),
    row("high_52w", high_gap, window=252),
    row("low_52w", low_gap, window=252),
    row("high_age_252d", high_age, window=252),
    row("low_age_252d", low_age, window=252),
    row("ma_gap_5d", average_gap, window=5),
    row("ma_gap_21d", average_gap, window=21),
    row("ma_gap_200d", average_gap, window=200),
    row("trend_slope_21d", slope, window=21),
    row("trend_slope_63d", slope, window=63),
    row("trend_r2_63d", linearity, window=63),
    row("info_discreteness_252d", discreteness, window=252),
    row("up_days_21d", up_days, window=21),
    row("rsi_14d", strength, window=14),
    row("directional_14d", directional_movement, window=14),
)

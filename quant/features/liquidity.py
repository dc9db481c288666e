"""What it costs and how long it takes to trade."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import View, positive


def illiquidity(v: View, window: int) -> Matrix:
    """Log of the mean absolute return per currency unit traded. Source: Amihud (2002)."""
    return np.log(positive(k.mean(v.impact, window)))


def illiquidity_change(v: View, short: int, window: int) -> Matrix:
    """Amihud measure of the short window over the long one, log.

    Source: Bali, Peng, Shen & Tang (2014), liquidity shocks.
    """
    return illiquidity(v, short) - illiquidity(v, window)


def average_amount(v: View, window: int) -> Matrix:
    """Log of the mean amount traded a day, in currency. Source: Brennan et al. (1998)."""
    return np.log(k.mean(v.amount, window))


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


def close_high_low_spread(v: View, window: int) -> Matrix:
    """Effective spread from closes against midranges, decimal. Source: Abdi & Ranaldo (2017)."""
    middle = 0.5 * (np.log(v.high) + np.log(v.low))
    then, close = k.lag(middle, 1), k.lag(np.log(v.close), 1)
    square = 4.0 * k.mean((close - then) * (close - middle), window)
    return np.sqrt(np.maximum(square, 0.0))


def impact_variation(v: View, window: int) -> Matrix:
    """Coefficient of variation of the daily price impact.

    Source: Akbas, Armstrong & Petkova (2011), volatility of liquidity.
    """
    return k.deviation(v.impact, window) / positive(k.mean(v.impact, window))


def impact_asymmetry(v: View, window: int) -> Matrix:
    """Share of the price impact that comes on days with a loss, in [0, 1].

    Source: Brennan, Huh & Subrahmanyam (2013), half Amihud measures.
    """
    fall = np.where(np.isfinite(v.ret), v.ret < 0, np.nan)
    return k.summed(v.impact * fall, window) / positive(k.summed(v.impact, window))


def volume_reversal_slope(v: View, window: int) -> Matrix:
    """Correlation of the residual with the day before's amount, signed by its return.

    Source: Pastor & Stambaugh (2003), gamma.
    """
    signed = np.sign(v.ret) * v.amount / positive(k.mean(v.amount, window))
    return k.correlation(v.residual, k.lag(signed, 1), window)


def night_impact(v: View, window: int) -> Matrix:
    """Log of the mean intraday move per currency unit, less that of the whole day.

    Source: Barardehi, Bernhardt, Ruchti & Weidenmier (2021), open-to-close Amihud.
    """
    inside = k.mean(np.abs(v.intraday) / v.amount, window)
    return np.log(positive(inside)) - illiquidity(v, window)


ROWS = (
    row("amihud_21d", illiquidity, window=21),
    row("amihud_252d", illiquidity, window=252),
    row("amihud_change_5_63", illiquidity_change, short=5, window=63),
    row("amihud_change_21_252", illiquidity_change, short=21, window=252),
    row("amihud_cv_126d", impact_variation, window=126),
    row("amihud_down_21d", impact_asymmetry, window=21),
    row("amihud_day_63d", night_impact, window=63),
    row("adv_21d", average_amount, window=21),
    row("idle_days_63d", idle_days, window=63),
    row("roll_spread_63d", roll_spread, window=63, more=1),
    row("high_low_spread_21d", high_low_spread, window=21, more=1),
    row("close_spread_21d", close_high_low_spread, window=21, more=1),
    row("pastor_gamma_63d", volume_reversal_slope, window=63, more=126),
)

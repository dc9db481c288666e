"""Volatility, higher moments and range estimators; daily, not annualised."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.view import View


def total_volatility(v: View, window: int) -> Matrix:
    """Standard deviation of daily returns. Source: Ang, Hodrick, Xing & Zhang (2006)."""
    return k.deviation(v.ret, window)


def volatility_ratio(v: View, short: int, window: int) -> Matrix:
    """Volatility of the short window over that of the long one.

    Source: Bali & Hovakimian (2009), changes of volatility.
    """
    return k.deviation(v.ret, short) / k.deviation(v.ret, window)


def downside_volatility(v: View, window: int) -> Matrix:
    """Root mean square of negative returns. Source: Markowitz (1959); Ang, Chen & Xing (2006)."""
    return np.sqrt(k.mean(np.minimum(v.ret, 0.0) ** 2, window))


def return_skewness(v: View, window: int) -> Matrix:
    """Skewness of daily returns. Source: Amaya, Christoffersen, Jacobs & Vasquez (2015)."""
    return k.skewness(v.ret, window)


def return_kurtosis(v: View, window: int) -> Matrix:
    """Raw kurtosis of daily returns. Source: Amaya, Christoffersen, Jacobs & Vasquez (2015)."""
    return k.kurtosis(v.ret, window)


def parkinson(v: View, window: int) -> Matrix:
    """Volatility from the daily range. Source: Parkinson (1980)."""
    square = np.log(v.high / v.low) ** 2 / (4.0 * np.log(2.0))
    return np.sqrt(k.mean(square, window))


def yang_zhang(v: View, window: int) -> Matrix:
    """Volatility from overnight, intraday and range parts. Source: Yang & Zhang (2000)."""
    share = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    parts = k.variance(v.overnight, window) + share * k.variance(v.intraday, window)
    return np.sqrt(np.maximum(parts + (1.0 - share) * k.mean(_rogers_satchell(v), window), 0.0))


def _rogers_satchell(v: View) -> Matrix:
    up, down = np.log(v.high / v.open), np.log(v.low / v.open)
    return up * (up - v.intraday) + down * (down - v.intraday)

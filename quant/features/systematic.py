"""What is shared with the equal-weight market of members, and what is left."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.view import View


def beta(v: View, window: int) -> Matrix:
    """Slope of returns on the market's. Source: Sharpe (1964); Fama & MacBeth (1973)."""
    cov, _, market = k.covariance(v.ret, _market(v), window)
    return cov / market


def residual_volatility(v: View, window: int) -> Matrix:
    """Volatility that the market does not explain. Source: Ang, Hodrick, Xing & Zhang (2006)."""
    cov, own, market = k.covariance(v.ret, _market(v), window)
    return np.sqrt(np.maximum(own - cov * cov / market, 0.0))


def downside_beta(v: View, window: int) -> Matrix:
    """Slope on the market's falls alone. Source: Ang, Chen & Xing (2006)."""
    fall = np.minimum(_market(v), 0.0)
    cov, _, market = k.covariance(v.ret, fall, window)
    return cov / market


def coskewness(v: View, window: int) -> Matrix:
    """Correlation of the return with the market's squared. Source: Harvey & Siddique (2000)."""
    market = _market(v)
    return k.correlation(v.ret, market * market, window)


def residual_momentum(v: View, window: int, skip: int) -> Matrix:
    """Sum of market residuals up to `skip` sessions ago, over their volatility.

    Source: Blitz, Huij & Martens (2011), with one factor.
    """
    market = _market(v)
    cov, own, spread = k.covariance(v.ret, market, window)
    slope = cov / spread
    gap = k.mean(v.ret, window) - slope * k.mean(market, window)
    length = window - skip
    past, beside = k.lag(v.ret, skip), k.lag(market, skip)
    days = k.enough(np.isfinite(past), length)[0]
    left = k.summed(past, length) - slope * k.summed(beside, length) - days * gap
    noise = np.sqrt(np.maximum(own - cov * slope, 0.0))
    return left / (noise * np.sqrt(days))


def autocorrelation(v: View, window: int) -> Matrix:
    """Correlation of returns with the day before's. Source: Lo & MacKinlay (1988)."""
    return k.correlation(v.ret, k.lag(v.ret, 1), window)


def _market(v: View) -> Matrix:
    return np.where(np.isfinite(v.ret), v.market, np.nan)

"""What is shared with the equal-weight market of members, and what is left.

Residuals of a day are returns less beta x market, beta from the 126 sessions up to that day.
"""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import BETA_WINDOW, View, positive


def beta(v: View, window: int) -> Matrix:
    """Slope of returns on the market's. Source: Sharpe (1964); Fama & MacBeth (1973)."""
    cov, _, market = v.market_moments(window)
    return cov / market


def beta_change(v: View, short: int, window: int) -> Matrix:
    """Beta of the short window less that of the long one.

    Source: Ang & Chen (2007), time-varying betas.
    """
    return beta(v, short) - beta(v, window)


def delay(v: View, window: int) -> Matrix:
    """Share of the explained variance that the market of the day before explains.

    Source: Hou & Moskowitz (2005), price delay, with one lag.
    """
    now, own, spread = v.market_moments(window)
    then, _, past = k.covariance(v.ret, _before(v), window)
    late = then * then / past
    return late / positive(late + now * now / spread)


def residual_volatility(v: View, window: int) -> Matrix:
    """Volatility that the market does not explain. Source: Ang, Hodrick, Xing & Zhang (2006)."""
    cov, own, market = v.market_moments(window)
    return np.sqrt(np.maximum(own - cov * cov / market, 0.0))


def market_correlation(v: View, window: int) -> Matrix:
    """Correlation with the market.

    Source: Morck, Yeung & Yu (2000), synchronicity; Asness, Frazzini, Gormsen & Pedersen (2020).
    """
    cov, own, market = v.market_moments(window)
    return np.clip(cov / np.sqrt(own * market), -1.0, 1.0)


def beta_asymmetry(v: View, window: int) -> Matrix:
    """Beta on the market's falls less that on its gains. Source: Ang, Chen & Xing (2006)."""
    down, _, fall = k.covariance(v.ret, np.minimum(v.beside, 0.0), window)
    up, _, gain = k.covariance(v.ret, np.maximum(v.beside, 0.0), window)
    return down / fall - up / gain


def coskewness(v: View, window: int) -> Matrix:
    """Correlation of the return with the market's squared. Source: Harvey & Siddique (2000)."""
    return k.correlation(v.ret, v.beside * v.beside, window)


def cokurtosis(v: View, window: int) -> Matrix:
    """Correlation of the return with the market's cubed. Source: Dittmar (2002)."""
    return k.correlation(v.ret, v.beside**3, window)


def market_state(v: View, window: int) -> Matrix:
    """Beta x return of the market over the window: what the market alone made of a name.

    Source: Grundy & Martin (2001), dynamic factor exposure; Cooper, Gutierrez & Hameed (2004).
    """
    cov, _, market = v.market_moments(BETA_WINDOW)
    return cov / market * k.summed(v.beside, window)


def residual_momentum(v: View, window: int, skip: int) -> Matrix:
    """Return less beta x market up to `skip` sessions ago, over the residual volatility.

    Without the intercept of the window's own regression: with it the residuals of the whole window
    sum to zero, and what is left is the last month with the sign turned.
    Source: Blitz, Huij & Martens (2011), with one factor.
    """
    cov, own, spread = v.market_moments(window)
    slope, length = cov / spread, window - skip
    past, beside = k.lag(v.ret, skip), k.lag(v.beside, skip)
    days = k.enough(np.isfinite(past), length)[0]
    left = k.summed(past, length) - slope * k.summed(beside, length)
    noise = np.sqrt(np.maximum(own - cov * slope, 0.0))
    return left / (noise * np.sqrt(days))


def residual_return(v: View, window: int) -> Matrix:
    """Sum of daily market residuals. Source: Blitz, Huij, Lansdorp & Verbeek (2013), reversal."""
    return k.summed(v.residual, window)


def residual_skewness(v: View, window: int) -> Matrix:
    """Skewness of daily market residuals. Source: Boyer, Mitton & Vorkink (2010)."""
    return k.skewness(v.residual, window)


def residual_kurtosis(v: View, window: int) -> Matrix:
    """Kurtosis of daily market residuals. Source: Dittmar (2002)."""
    return k.kurtosis(v.residual, window)


def residual_largest(v: View, window: int) -> Matrix:
    """Largest daily market residual. Source: Bali, Cakici & Whitelaw (2011), MAX of residuals."""
    return k.highest(v.residual, window)


def residual_autocorrelation(v: View, window: int) -> Matrix:
    """Correlation of residuals with the day before's. Source: Lo & MacKinlay (1990)."""
    return k.correlation(v.residual, k.lag(v.residual, 1), window)


def residual_volatility_ratio(v: View, short: int, window: int) -> Matrix:
    """Volatility of residuals of the short window over that of the long one.

    Source: Fu (2009), time-varying idiosyncratic volatility.
    """
    return k.deviation(v.residual, short) / positive(k.deviation(v.residual, window))


def autocorrelation(v: View, window: int) -> Matrix:
    """Correlation of returns with the day before's. Source: Lo & MacKinlay (1988)."""
    return k.correlation(v.ret, k.lag(v.ret, 1), window)


def _before(v: View) -> Matrix:
    return np.where(np.isfinite(v.ret), k.lag(v.market, 1), np.nan)


ROWS = (
    row("beta_63d", beta, window=63),
    row("beta_252d", beta, window=252),
    row("beta_change_63_252", beta_change, short=63, window=252),
    row("delay_252d", delay, window=252, more=1),
    row("market_corr_252d", market_correlation, window=252),
    row("resid_vol_21d", residual_volatility, window=21),
    row("resid_vol_63d", residual_volatility, window=63),
    row("resid_vol_252d", residual_volatility, window=252),
    row("resid_vol_ratio_21_126", residual_volatility_ratio, short=21, window=126, more=126),
    row("beta_asym_252d", beta_asymmetry, window=252),
    row("coskew_252d", coskewness, window=252),
    row("cokurt_252d", cokurtosis, window=252),
    row("market_state_21d", market_state, window=21, more=126),
    row("resid_mom_6_1", residual_momentum, window=126, skip=21),
    row("resid_mom_12_1", residual_momentum, window=252, skip=21),
    row("resid_ret_5d", residual_return, window=5, more=126),
    row("resid_ret_21d", residual_return, window=21, more=126),
    row("resid_skew_126d", residual_skewness, window=126, more=126),
    row("resid_kurt_126d", residual_kurtosis, window=126, more=126),
    row("resid_max_21d", residual_largest, window=21, more=126),
    row("resid_autocorr_21d", residual_autocorrelation, window=21, more=127),
    row("autocorr_63d", autocorrelation, window=63, more=1),
)

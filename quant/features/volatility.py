"""Volatility, its term structure, higher moments and range estimators; daily, not annualised."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import View, positive


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


def bad_volatility(v: View, window: int) -> Matrix:
    """Share of squared returns that were losses, in [0, 1].

    Source: Barndorff-Nielsen, Kinnebrock & Shephard (2010); Segal, Shaliastovich & Yaron (2015).
    """
    fall = np.minimum(v.ret, 0.0)
    return k.mean(fall * fall, window) / positive(k.mean(v.ret * v.ret, window))


def return_skewness(v: View, window: int) -> Matrix:
    """Skewness of daily returns. Source: Amaya, Christoffersen, Jacobs & Vasquez (2015)."""
    return k.skewness(v.ret, window)


def return_kurtosis(v: View, window: int) -> Matrix:
    """Raw kurtosis of daily returns. Source: Amaya, Christoffersen, Jacobs & Vasquez (2015)."""
    return k.kurtosis(v.ret, window)


def parkinson(v: View, window: int) -> Matrix:
    """Volatility from the daily range. Source: Parkinson (1980)."""
    return np.sqrt(k.mean(v.width * v.width, window) / (4.0 * np.log(2.0)))


def yang_zhang(v: View, window: int) -> Matrix:
    """Volatility from overnight, intraday and range parts. Source: Yang & Zhang (2000)."""
    share = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    parts = k.variance(v.overnight, window) + share * k.variance(v.intraday, window)
    return np.sqrt(np.maximum(parts + (1.0 - share) * k.mean(_rogers_satchell(v), window), 0.0))


def range_share(v: View, window: int) -> Matrix:
    """Range volatility over that of closes: what moved inside the day and came back.

    Source: Parkinson (1980) against closes; Alizadeh, Brandt & Diebold (2002).
    """
    return parkinson(v, window) / positive(k.deviation(v.ret, window))


def range_variation(v: View, window: int) -> Matrix:
    """Coefficient of variation of the daily range.

    Source: Baltussen, van Bekkum & van der Grient (2018), volatility of volatility.
    """
    return k.deviation(v.width, window) / positive(k.mean(v.width, window))


def night_share(v: View, window: int) -> Matrix:
    """Share of the variance that falls into the night. Source: French & Roll (1986)."""
    night, day = k.variance(v.overnight, window), k.variance(v.intraday, window)
    return night / positive(night + day)


def clustering(v: View, window: int) -> Matrix:
    """Correlation of the absolute return with the day before's.

    Source: Ding, Granger & Engle (1993).
    """
    return k.correlation(v.move, k.lag(v.move, 1), window)


def leverage(v: View, window: int) -> Matrix:
    """Correlation of the return with the absolute return of the day after. Source: Black (1976)."""
    return k.correlation(v.move, k.lag(v.ret, 1), window)


def jumps(v: View, window: int) -> Matrix:
    """Share of the variance that comes in single days: 1 - bipower over realised variance.

    Source: Barndorff-Nielsen & Shephard (2004).
    """
    smooth = np.pi / 2.0 * k.mean(v.move * k.lag(v.move, 1), window)
    return 1.0 - smooth / positive(k.mean(v.ret * v.ret, window))


def variance_ratio(v: View, length: int, window: int) -> Matrix:
    """Variance of `length`-day returns over `length` times that of daily ones.

    Source: Lo & MacKinlay (1988).
    """
    path = np.log1p(v.ret)
    return k.variance(k.summed(path, length), window) / positive(length * k.variance(path, window))


def _rogers_satchell(v: View) -> Matrix:
    up, down = np.log(v.high / v.open), np.log(v.low / v.open)
    return up * (up - v.intraday) + down * (down - v.intraday)


ROWS = (
    row("vol_5d", total_volatility, window=5),
    row("vol_21d", total_volatility, window=21),
    row("vol_63d", total_volatility, window=63),
    row("vol_252d", total_volatility, window=252),
    row("vol_ratio_21_63", volatility_ratio, short=21, window=63),
    row("vol_ratio_21_252", volatility_ratio, short=21, window=252),
    row("downside_vol_63d", downside_volatility, window=63),
    row("bad_vol_21d", bad_volatility, window=21),
    row("skew_63d", return_skewness, window=63),
    row("skew_252d", return_skewness, window=252),
    row("kurt_63d", return_kurtosis, window=63),
    row("parkinson_21d", parkinson, window=21),
    row("yang_zhang_63d", yang_zhang, window=63),
    row("range_share_21d", range_share, window=21),
    row("range_cv_252d", range_variation, window=252),
    row("night_share_63d", night_share, window=63),
    row("vol_clustering_126d", clustering, window=126, more=2),
    row("leverage_126d", leverage, window=126, more=2),
    row("jumps_63d", jumps, window=63, more=2),
    row("variance_ratio_5d_126d", variance_ratio, length=5, window=126, more=5),
)

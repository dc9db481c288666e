"""The free float: how often it changes hands, what its holders paid, how it grows.

All NaN where the source knows no float (US).
"""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import View, positive


def average_turnover(v: View, window: int) -> Matrix:
    """Log of the mean traded share of the float. Source: Datar, Naik & Radcliffe (1998)."""
    return np.log(k.mean(v.turnover, window))


def turnover_ratio(v: View, short: int, window: int) -> Matrix:
    """Turnover of the short window over the long one. Source: Liu, Stambaugh & Yuan (2019), CN."""
    return k.mean(v.turnover, short) / k.mean(v.turnover, window)


def turnover_deviation(v: View, window: int) -> Matrix:
    """Standard deviation of turnover. Source: Chordia, Subrahmanyam & Anshuman (2001)."""
    return k.deviation(v.turnover, window)


def turnover_variation(v: View, window: int) -> Matrix:
    """Coefficient of variation of turnover. Source: Chordia, Subrahmanyam & Anshuman (2001)."""
    return k.deviation(v.turnover, window) / positive(k.mean(v.turnover, window))


def turnover_peak(v: View, window: int) -> Matrix:
    """Largest turnover of the window over its mean.

    Source: Gervais, Kaniel & Mingelgrin (2001); Lee & Swaminathan (2000).
    """
    return k.highest(v.turnover, window) / positive(k.mean(v.turnover, window))


def size(v: View) -> Matrix:
    """Log of the free-float capitalisation. Source: Banz (1981)."""
    return np.log(v.cap)


def float_growth(v: View, window: int) -> Matrix:
    """Log change of the adjusted free float over the window: issues and unlocked shares.

    Source: Pontiff & Woodgate (2008); Daniel & Titman (2006).
    """
    shares = k.carried(v.shares, window)
    return np.log(shares / k.lag(shares, window))


def gains_overhang(v: View, window: int) -> Matrix:
    """Close over the price that those who still hold paid, minus 1.

    Source: Grinblatt & Han (2005), capital gains overhang.
    """
    return v.last / k.holders_price(v.vwap, v.turnover, window) - 1.0


def turnover_return_correlation(v: View, window: int) -> Matrix:
    """Correlation of turnover and return. Source: Lee & Swaminathan (2000); Karpoff (1987)."""
    return k.correlation(v.ret, v.turnover, window)


ROWS = (
    row("turnover_5d", average_turnover, window=5),
    row("turnover_21d", average_turnover, window=21),
    row("turnover_252d", average_turnover, window=252),
    row("turnover_ratio_21_252", turnover_ratio, short=21, window=252),
    row("turnover_std_63d", turnover_deviation, window=63),
    row("turnover_cv_63d", turnover_variation, window=63),
    row("turnover_peak_126d", turnover_peak, window=126),
    row("corr_ret_turnover_21d", turnover_return_correlation, window=21),
    row("float_cap", size),
    row("float_growth_252d", float_growth, window=252, more=252),
    row("gains_overhang_252d", gains_overhang, window=252),
)

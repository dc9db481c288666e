"""How much trades, and whether it trades with the price."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.view import View, positive

# sessions for which the last volume or typical price stays the one to compare with
PAUSE = 10


def volume_ratio(v: View, short: int, window: int) -> Matrix:
    """Log of mean volume of the short window over the long one. Source: Qlib Alpha158 VMA."""
    return np.log(k.mean(v.volume, short) / k.mean(v.volume, window))


def abnormal_volume(v: View, window: int) -> Matrix:
    """Today's log volume in standard deviations of the window.

    Source: Gervais, Kaniel & Mingelgrin (2001), the high-volume return premium.
    """
    size = np.log(v.volume)
    return (size - k.mean(size, window)) / positive(k.deviation(size, window))


def volume_variation(v: View, window: int) -> Matrix:
    """Coefficient of variation of volume. Source: Chordia, Subrahmanyam & Anshuman (2001)."""
    return k.deviation(v.volume, window) / k.mean(v.volume, window)


def volume_trend(v: View, window: int) -> Matrix:
    """Correlation of log volume with time. Source: Llorente, Michaely, Saar & Wang (2002)."""
    slope, fit = k.trend(np.log(k.carried(v.volume, PAUSE)), window)
    return np.sign(slope) * np.sqrt(fit)


def up_volume(v: View, window: int) -> Matrix:
    """Share of the amount that traded on days with a gain. Source: Qlib Alpha158 VSUMP."""
    amount = np.where(np.isfinite(v.ret), v.amount, np.nan)
    return k.summed(amount * (v.ret > 0), window) / k.summed(amount, window)


def average_price_gap(v: View, window: int) -> Matrix:
    """Close over the window's volume-weighted price, minus 1.

    Source: Grinblatt & Han (2005), unrealised gains (with plain volume weights).
    """
    paid = k.summed(v.vwap * v.volume, window) / k.summed(v.volume, window)
    return v.close / paid - 1.0


def close_volume_correlation(v: View, window: int) -> Matrix:
    """Correlation of log close and log volume. Source: Qlib Alpha158 CORR."""
    return k.correlation(np.log(v.close), np.log(v.volume), window)


def return_volume_correlation(v: View, window: int) -> Matrix:
    """Correlation of return and change of log volume. Source: Qlib Alpha158 CORD."""
    size = np.log(v.volume)
    return k.correlation(v.ret, size - k.lag(size, 1), window)


def move_volume_correlation(v: View, window: int) -> Matrix:
    """Correlation of absolute return and log volume. Source: Karpoff (1987)."""
    return k.correlation(np.abs(v.ret), np.log(v.volume), window)


def volume_reversal(v: View) -> Matrix:
    """Minus the return, signed by the change of volume. Source: Kakushadze (2016), Alpha 12."""
    return -np.sign(v.volume - k.lag(k.carried(v.volume, PAUSE), 1)) * v.ret

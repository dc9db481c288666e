"""How much trades, and whether it trades with the price."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
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
    return (v.size - k.mean(v.size, window)) / positive(k.deviation(v.size, window))


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
    return k.correlation(np.log(v.close), v.size, window)


def return_volume_correlation(v: View, window: int) -> Matrix:
    """Correlation of return and change of log volume. Source: Qlib Alpha158 CORD."""
    return k.correlation(v.ret, v.size - k.lag(v.size, 1), window)


def move_volume_correlation(v: View, window: int) -> Matrix:
    """Correlation of absolute return and log volume. Source: Karpoff (1987)."""
    return k.correlation(v.move, v.size, window)


def volume_reversal(v: View) -> Matrix:
    """Minus the return, signed by the change of volume. Source: Kakushadze (2016), Alpha 12."""
    return -np.sign(v.volume - k.lag(k.carried(v.volume, PAUSE), 1)) * v.ret


def range_volume_correlation(v: View, window: int) -> Matrix:
    """Correlation of the daily range and log volume.

    Source: Karpoff (1987); Gallant, Rossi & Tauchen (1992).
    """
    return k.correlation(v.width, v.size, window)


def location_volume_correlation(v: View, window: int) -> Matrix:
    """Correlation of where the day closed in its range and log volume.

    Source: Chaikin, money flow; Kakushadze (2016), Alpha 2.
    """
    place = (2.0 * v.close - v.high - v.low) / positive(v.high - v.low)
    return k.correlation(place, v.size, window)


def volume_skewness(v: View, window: int) -> Matrix:
    """Skewness of log volume: rare days of high volume.

    Source: Gervais, Kaniel & Mingelgrin (2001); Bali, Peng, Shen & Tang (2014).
    """
    return k.skewness(v.size, window)


def volume_persistence(v: View, window: int) -> Matrix:
    """Correlation of log volume with the day before's. Source: Gallant, Rossi & Tauchen (1992)."""
    return k.correlation(v.size, k.lag(v.size, 1), window)


def informed_trading(v: View, window: int) -> Matrix:
    """Correlation of the return with the day before's return times its abnormal log volume.

    Source: Llorente, Michaely, Saar & Wang (2002), coefficient C2.
    """
    unusual = v.size - k.mean(v.size, window)
    return k.correlation(v.ret, k.lag(v.ret * unusual, 1), window)


def weighted_return(v: View, window: int) -> Matrix:
    """Volume-weighted mean return less the plain one.

    Source: Gervais, Kaniel & Mingelgrin (2001); Qlib Alpha158 WVMA, signed.
    """
    both = np.isfinite(v.ret) & np.isfinite(v.volume)
    volume = np.where(both, v.volume, np.nan)
    paid = k.summed(v.ret * volume, window) / positive(k.summed(volume, window))
    return paid - k.mean(v.ret, window)


def move_volume_variation(v: View, window: int) -> Matrix:
    """Coefficient of variation of |return| x volume. Source: Qlib Alpha158 WVMA."""
    both = v.move * v.volume
    return k.deviation(both, window) / positive(k.mean(both, window))


ROWS = (
    row("volume_ratio_5_21", volume_ratio, short=5, window=21),
    row("volume_ratio_5_63", volume_ratio, short=5, window=63),
    row("volume_ratio_21_252", volume_ratio, short=21, window=252),
    row("abnormal_volume_63d", abnormal_volume, window=63),
    row("volume_cv_21d", volume_variation, window=21),
    row("volume_trend_21d", volume_trend, window=21, more=PAUSE),
    row("volume_trend_63d", volume_trend, window=63, more=PAUSE),
    row("volume_skew_63d", volume_skewness, window=63),
    row("volume_persistence_63d", volume_persistence, window=63, more=1),
    row("up_volume_21d", up_volume, window=21),
    row("vwap_gap_63d", average_price_gap, window=63),
    row("vwap_gap_252d", average_price_gap, window=252),
    row("weighted_ret_21d", weighted_return, window=21),
    row("corr_close_volume_21d", close_volume_correlation, window=21),
    row("corr_ret_volume_21d", return_volume_correlation, window=21, more=1),
    row("corr_move_volume_63d", move_volume_correlation, window=63),
    row("corr_range_volume_21d", range_volume_correlation, window=21),
    row("corr_location_volume_21d", location_volume_correlation, window=21),
    row("informed_trading_126d", informed_trading, window=126, more=127),
    row("wvma_21d", move_volume_variation, window=21),
    row("volume_reversal_1d", volume_reversal, more=PAUSE),
)

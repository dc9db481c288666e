"""Inside the day and across the night: gaps, candles, who moves the price when."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import View, positive


def gap(v: View) -> Matrix:
    """Log return from the close before to the open. Source: Lou, Polk & Skouras (2019)."""
    return v.overnight


def overnight_return(v: View, window: int) -> Matrix:
    """Sum of log returns from close to open. Source: Lou, Polk & Skouras (2019)."""
    return k.summed(v.overnight, window)


def intraday_return(v: View, window: int) -> Matrix:
    """Sum of log returns from open to close. Source: Lou, Polk & Skouras (2019)."""
    return k.summed(v.intraday, window)


def tug_of_war(v: View, window: int) -> Matrix:
    """Share of days with a positive night and a negative day.

    Source: Akbas, Boehmer, Jiang & Koch (2022), daytime reversals.
    """
    both = np.isfinite(v.overnight) & np.isfinite(v.intraday)
    return k.mean(np.where(both, (v.overnight > 0) & (v.intraday < 0), np.nan), window)


def night_day_correlation(v: View, window: int) -> Matrix:
    """Correlation of the night's return with the day's. Source: Branch & Ma (2012)."""
    return k.correlation(v.overnight, v.intraday, window)


def relative_range(v: View, window: int) -> Matrix:
    """Today's high-low range over its mean. Source: Qlib Alpha158 KLEN, scaled."""
    return v.width / positive(k.mean(v.width, window))


def close_location(v: View, window: int) -> Matrix:
    """Mean place of the close in the day's range, -1 = low, 1 = high.

    Source: Williams (1972), accumulation; Qlib Alpha158 KSFT2.
    """
    return k.mean(_place(v), window)


def upper_shadow(v: View, window: int) -> Matrix:
    """Mean of the high above the candle's body, over the open. Source: Qlib Alpha158 KUP."""
    return k.mean((v.high - np.maximum(v.open, v.close)) / v.open, window)


def lower_shadow(v: View, window: int) -> Matrix:
    """Mean of the low below the candle's body, over the open. Source: Qlib Alpha158 KLOW."""
    return k.mean((np.minimum(v.open, v.close) - v.low) / v.open, window)


def average_price_close(v: View, window: int) -> Matrix:
    """Mean log of the close over the day's average price. Source: Kakushadze (2016), Alpha 42."""
    return k.mean(np.log(v.close / v.vwap), window)


def candle(v: View) -> Matrix:
    """Close less open, over the day's range.

    Source: Kakushadze (2016), Alpha 101; Qlib Alpha158 KMID2.
    """
    return (v.close - v.open) / positive(v.high - v.low)


def open_location(v: View, window: int) -> Matrix:
    """Mean place of the open in the day's range, -1 = low, 1 = high.

    Source: Kakushadze (2016), Alpha 33.
    """
    return k.mean((2.0 * v.open - v.high - v.low) / positive(v.high - v.low), window)


def night_skewness(v: View, window: int) -> Matrix:
    """Skewness of overnight returns. Source: Branch & Ma (2012); Jiang, Li & Wang (2021)."""
    return k.skewness(v.overnight, window)


def night_persistence(v: View, window: int) -> Matrix:
    """Correlation of the overnight return with that of the session before.

    Source: Lou, Polk & Skouras (2019), persistence of the night.
    """
    return k.correlation(v.overnight, k.lag(v.overnight, 1), window)


def day_persistence(v: View, window: int) -> Matrix:
    """Correlation of the intraday return with that of the session before.

    Source: Lou, Polk & Skouras (2019), persistence of the day.
    """
    return k.correlation(v.intraday, k.lag(v.intraday, 1), window)


def next_night_correlation(v: View, window: int) -> Matrix:
    """Correlation of the overnight return with the intraday return before it.

    Source: Berkman, Koch, Tuttle & Zhang (2012), attention at the open.
    """
    return k.correlation(v.overnight, k.lag(v.intraday, 1), window)


def _place(v: View) -> Matrix:
    return (2.0 * v.close - v.high - v.low) / positive(v.high - v.low)


ROWS = (
    row("gap_1d", gap),
    row("candle_1d", candle),
    row("overnight_5d", overnight_return, window=5),
    row("overnight_21d", overnight_return, window=21),
    row("overnight_252d", overnight_return, window=252),
    row("intraday_1d", intraday_return, window=1),
    row("intraday_21d", intraday_return, window=21),
    row("intraday_252d", intraday_return, window=252),
    row("tug_of_war_21d", tug_of_war, window=21),
    row("night_day_corr_63d", night_day_correlation, window=63),
    row("next_night_corr_63d", next_night_correlation, window=63, more=1),
    row("night_autocorr_63d", night_persistence, window=63, more=1),
    row("day_autocorr_63d", day_persistence, window=63, more=1),
    row("night_skew_126d", night_skewness, window=126),
    row("range_ratio_21d", relative_range, window=21),
    row("close_location_1d", close_location, window=1),
    row("close_location_5d", close_location, window=5),
    row("close_location_21d", close_location, window=21),
    row("open_location_21d", open_location, window=21),
    row("upper_shadow_21d", upper_shadow, window=21),
    row("lower_shadow_21d", lower_shadow, window=21),
    row("vwap_close_21d", average_price_close, window=21),
)

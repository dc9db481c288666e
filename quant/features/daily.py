"""Inside the day and across the night: gaps, candles, who moves the price when."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
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
    width = np.log(v.high / v.low)
    return width / positive(k.mean(width, window))


def close_location(v: View, window: int) -> Matrix:
    """Mean place of the close in the day's range, -1 = low, 1 = high.

    Source: Williams (1972), accumulation; Qlib Alpha158 KSFT2.
    """
    place = (2.0 * v.close - v.high - v.low) / positive(v.high - v.low)
    return k.mean(place, window)


def upper_shadow(v: View, window: int) -> Matrix:
    """Mean of the high above the candle's body, over the open. Source: Qlib Alpha158 KUP."""
    return k.mean((v.high - np.maximum(v.open, v.close)) / v.open, window)


def lower_shadow(v: View, window: int) -> Matrix:
    """Mean of the low below the candle's body, over the open. Source: Qlib Alpha158 KLOW."""
    return k.mean((np.minimum(v.open, v.close) - v.low) / v.open, window)


def average_price_close(v: View, window: int) -> Matrix:
    """Mean log of the close over the day's average price. Source: Kakushadze (2016), Alpha 42."""
    return k.mean(np.log(v.close / v.vwap), window)

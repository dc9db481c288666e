"""What a name did at the same time of the year, of the month, of the week."""

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import View


def same_season(v: View, window: int, length: int) -> Matrix:
    """Return over the `length` sessions that began `window` sessions ago.

    Source: Heston & Sadka (2008): the same month of an earlier year.
    """
    return k.lag(v.last, window - length) / k.lag(v.last, window) - 1.0


def season_gap(v: View, window: int, length: int) -> Matrix:
    """The month of the year before less the mean month of that year, in log.

    Source: Keloharju, Linnainmaa & Nyberg (2021), seasonal reversals.
    """
    own = same_season(v, window, length)
    year = v.last / k.lag(v.last, window) - 1.0
    return own - year * length / window


def same_phase(v: View, window: int, every: int) -> Matrix:
    """Mean return of the sessions that lie whole multiples of `every` before the next one.

    Source: Keloharju, Linnainmaa & Nyberg (2016), weekdays (every = 5); Heston & Sadka (2008).
    """
    return k.mean(k.lag(v.ret, every - 1), window // every, every)


ROWS = (
    row("seasonal_12m", same_season, window=252, length=21),
    row("seasonal_24m", same_season, window=504, length=21),
    row("seasonal_36m", same_season, window=756, length=21),
    row("seasonal_12m_week", same_season, window=252, length=5),
    row("season_gap_12m", season_gap, window=252, length=21),
    row("same_weekday_252d", same_phase, window=250, every=5),
    row("same_monthday_252d", same_phase, window=252, every=21),
)

"""Daily price limits (CN): how often a name ran into them. All NaN where there are none (US)."""

import numpy as np

from quant.core.types import Mask, Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import View

# a price is at its limit when no more than this share of it away: half a tick of a cheap name
CLOSE = 1e-3


def closes_up(v: View, window: int) -> Matrix:
    """Share of days that closed at the upper limit.

    Source: Chen, Gao, He, Jiang & Xiong (2019), daily price limits.
    """
    return _share(v, v.close >= _up(v), window)


def closes_down(v: View, window: int) -> Matrix:
    """Share of days that closed at the lower limit. Source: Kim & Rhee (1997)."""
    return _share(v, v.close <= _down(v), window)


def failed_up(v: View, window: int) -> Matrix:
    """Share of days that touched the upper limit and closed below it.

    Source: Cho, Russell, Tiao & Tsay (2003), magnet effect.
    """
    return _share(v, (v.high >= _up(v)) & (v.close < _up(v)), window)


def limit_age(v: View, window: int) -> Matrix:
    """Sessions since the last close at the upper limit, `window` where there was none.

    Source: Seasholes & Wu (2007), attention after upper limits.
    """
    bounded, hit = np.isfinite(v.limit_up), v.close >= _up(v)
    value = np.where(bounded & np.isfinite(v.close), hit.astype(float), np.nan)
    age = k.age_of_highest(value, window)
    return np.where(k.highest(value, window) > 0, age, np.where(np.isfinite(age), window, np.nan))


def _share(v: View, hit: Mask, window: int) -> Matrix:
    bounded = np.isfinite(v.limit_up) & np.isfinite(v.close)
    return k.mean(np.where(bounded, hit, np.nan), window)


def _up(v: View) -> Matrix:
    return v.limit_up * (1.0 - CLOSE)


def _down(v: View) -> Matrix:
    return v.limit_down * (1.0 + CLOSE)


ROWS = (
    row("limit_up_21d", closes_up, window=21),
    row("limit_up_252d", closes_up, window=252),
    row("limit_down_21d", closes_down, window=21),
    row("limit_down_252d", closes_down, window=252),
    row("limit_failed_63d", failed_up, window=63),
    row("limit_age_126d", limit_age, window=126),
)

"""Rolling statistics along days, for matrices of days by assets.

Windows count sessions and end with the day itself. A value that is not finite is missing (a
suspended day, a day before listing), and a result needs 60 % of its window. Sums are built by
doubling (1, 2, 4, ... sessions), so a result depends on its own window alone, to the last bit:
not on the future, not on where the sample begins, and without the cancellation of running sums.
"""

from collections.abc import Callable

import numpy as np

from quant.core.types import Mask, Matrix

Parts = tuple[Matrix, ...]  # a statistic of several matrices
MIN_VALID = 0.6
# a variance below this share of the mean square is rounding, not variation
ROUNDING = 1e-12


def lag(x: Matrix, sessions: int) -> Matrix:
    """`x` of `sessions` days before; NaN in the first rows."""
    out = np.empty(x.shape)
    out[:sessions] = np.nan
    if sessions < x.shape[0]:
        out[sessions:] = x[: x.shape[0] - sessions]
    return out


def total(x: np.ndarray, window: int, every: int = 1) -> np.ndarray:
    """Sum of `window` rows, `every` apart, rows before the first counting 0; `x` has no NaN."""
    return _doubling(x, window, np.add, every)


def known(x: Matrix) -> tuple[Matrix, Mask]:
    """`x` with 0 where it is missing, and where it is not."""
    valid = np.isfinite(x)
    return np.where(valid, x, 0.0), valid


def enough(valid: Mask, window: int, every: int = 1) -> tuple[Matrix, Mask]:
    """Number of valid observations in the window, NaN where fewer than 60 %, and whether not."""
    count = total(valid.astype(np.uint16), window, every)
    ok = count >= np.ceil(MIN_VALID * window)
    return np.where(ok, count, np.nan), ok


def mean(x: Matrix, window: int, every: int = 1) -> Matrix:
    """Mean of the valid ones of `window` observations, `every` sessions apart."""
    filled, valid = known(x)
    return total(filled, window, every) / enough(valid, window, every)[0]


def summed(x: Matrix, window: int) -> Matrix:
    """Sum of the valid observations of the window."""
    filled, valid = known(x)
    return np.where(enough(valid, window)[1], total(filled, window), np.nan)


def variance(x: Matrix, window: int) -> Matrix:
    """Variance of the valid observations (ddof 1); 0 where they do not vary."""
    filled, valid = known(x)
    count, ok = enough(valid, window)
    square = total(filled * filled, window)
    spread = square - np.square(total(filled, window)) / count
    spread = np.where(spread > ROUNDING * square, spread, 0.0)
    return np.where(ok, spread / (count - 1.0), np.nan)


def deviation(x: Matrix, window: int) -> Matrix:
    """Standard deviation of the valid observations (ddof 1)."""
    return np.sqrt(variance(x, window))


def skewness(x: Matrix, window: int) -> Matrix:
    """Third standardised moment of the valid observations (population form)."""
    m2, m3, _ = _central(x, window)
    return m3 / (m2 * np.sqrt(m2))


def kurtosis(x: Matrix, window: int) -> Matrix:
    """Fourth standardised moment of the valid observations (population form; normal = 3)."""
    m2, _, m4 = _central(x, window)
    return m4 / (m2 * m2)


def covariance(x: Matrix, y: Matrix, window: int) -> tuple[Matrix, Matrix, Matrix]:
    """Covariance of the days on which both are valid, and both variances (ddof 0).

    Variances that are rounding are NaN, so that nothing divides by them.
    """
    valid = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(valid, x, 0.0), np.where(valid, y, 0.0)
    count, ok = enough(valid, window)
    sx, sy = total(x, window) / count, total(y, window) / count
    xx, yy = total(x * x, window) / count, total(y * y, window) / count
    vx, vy = xx - sx * sx, yy - sy * sy
    vx = np.where(ok & (vx > ROUNDING * xx), vx, np.nan)
    vy = np.where(ok & (vy > ROUNDING * yy), vy, np.nan)
    return np.where(ok, total(x * y, window) / count - sx * sy, np.nan), vx, vy


def correlation(x: Matrix, y: Matrix, window: int) -> Matrix:
    """Pearson correlation of the days on which both are valid."""
    cov, vx, vy = covariance(x, y, window)
    return np.clip(cov / np.sqrt(vx * vy), -1.0, 1.0)


def highest(x: Matrix, window: int) -> Matrix:
    """Largest valid observation of the window."""
    valid = np.isfinite(x)
    ok = enough(valid, window)[1]
    return np.where(ok, _doubling(np.where(valid, x, -np.inf), window, np.maximum), np.nan)


def lowest(x: Matrix, window: int) -> Matrix:
    """Smallest valid observation of the window."""
    return -highest(-x, window)


def age_of_highest(x: Matrix, window: int) -> Matrix:
    """Sessions since the largest valid observation of the window, the latest of equals."""
    valid = np.isfinite(x)
    ok = enough(valid, window)[1]
    value = np.where(valid, x, -np.inf)
    best, age = _oldest_last(value, window)
    return np.where(ok & np.isfinite(best), age, np.nan)


def mean_of_largest(x: Matrix, window: int, count: int) -> Matrix:
    """Mean of the `count` largest valid observations of the window."""
    valid = np.isfinite(x)
    ok = enough(valid, window)[1]
    before = np.full((window - 1, x.shape[1]), -np.inf)
    rows = np.vstack([before, np.where(valid, x, -np.inf)])
    spans = np.lib.stride_tricks.sliding_window_view(rows, window, axis=0)
    largest = np.partition(spans, window - count, axis=2)[..., window - count :]
    # added in one order, whatever the partition left
    return np.where(ok, np.sort(largest, axis=2).sum(axis=2) / count, np.nan)


def holders_price(price: Matrix, share: Matrix, window: int) -> Matrix:
    """Mean price at which the window's buyers bought, by the chance that they still hold.

    Who bought on a day still holds with the product of (1 - share) of the days since.
    price, share : price and the part of the float that changed hands, in [0, 1)
    """
    valid = np.isfinite(price) & np.isfinite(share)
    ok = enough(valid, window)[1]
    part = np.where(valid, np.clip(share, 0.0, 0.99), 0.0)
    span = (1.0 - part, part, part * np.where(valid, price, 0.0))
    _, weight, paid = _held(span, window)
    return paid / np.where(ok & (weight > 0), weight, np.nan)


def trend(x: Matrix, window: int) -> tuple[Matrix, Matrix]:
    """Slope a session and R^2 of a straight line through a window without gaps."""
    filled, valid = known(x)
    full = enough(valid, window)[0] == window
    plain, weighted = _weighted(filled, window)
    middle = (window - 1) / 2.0
    spread = window * (window * window - 1.0) / 12.0
    # age runs backwards, hence the sign
    slope = -(weighted - middle * plain) / spread
    square = total(filled * filled, window)
    vary = square - plain * plain / window
    vary = np.where(vary > ROUNDING * square, vary, np.nan)
    fit = np.clip(slope * slope * spread / vary, 0.0, 1.0)
    return np.where(full, slope, np.nan), np.where(full, fit, np.nan)


def carried(x: Matrix, limit: int) -> Matrix:
    """Last finite value at or before each day, at most `limit` sessions old."""
    row = np.arange(x.shape[0])[:, None]
    seen = np.where(np.isfinite(x), row, -1)
    np.maximum.accumulate(seen, axis=0, out=seen)
    fresh = (seen >= 0) & (row - seen <= limit)
    return np.where(fresh, np.take_along_axis(x, np.maximum(seen, 0), axis=0), np.nan)


def _central(x: Matrix, window: int) -> tuple[Matrix, Matrix, Matrix]:
    filled, valid = known(x)
    count, ok = enough(valid, window)
    square = filled * filled
    m = total(filled, window) / count
    raw2 = total(square, window) / count
    raw3 = total(square * filled, window) / count
    raw4 = total(square * square, window) / count
    m2 = raw2 - m * m
    m2 = np.where(ok & (m2 > ROUNDING * raw2), m2, np.nan)
    return m2, raw3 - m * (3 * raw2 - 2 * m * m), raw4 - m * (4 * raw3 - m * (6 * raw2 - 3 * m * m))


def _doubling(x: np.ndarray, window: int, combine: np.ufunc, every: int = 1) -> np.ndarray:
    """Combine the last `window` rows: spans of 1, 2, 4, ... rows, joined by the bits of window."""
    out: np.ndarray | None = None
    covered, size = 0, 1
    while True:
        if window & size:
            out = x if out is None else _join(out, x, covered * every, combine)
            covered += size
        if 2 * size > window:
            assert out is not None  # a positive window has a highest bit
            return out
        x, size = _join(x, x, size * every, combine), 2 * size


def _join(recent: np.ndarray, older: np.ndarray, sessions: int, combine: np.ufunc) -> np.ndarray:
    """`recent` of the day, combined with `older` of `sessions` days before where there is one."""
    out = np.empty_like(recent)
    out[:sessions] = recent[:sessions]
    if sessions < recent.shape[0]:
        combine(recent[sessions:], older[:-sessions], out=out[sessions:])
    return out


def _oldest_last(value: Matrix, window: int) -> tuple[Matrix, Matrix]:
    """Largest value of the window and its age, spans joined as in `_doubling`."""

    def join(recent: Parts, older: Parts, sessions: int) -> Parts:
        best, age = recent[0].copy(), recent[1].copy()
        if sessions < best.shape[0]:
            here, then = slice(sessions, None), slice(0, -sessions)
            before = older[0][then] > best[here]
            np.copyto(age[here], older[1][then] + np.float32(sessions), where=before)
            np.maximum(best[here], older[0][then], out=best[here])
        return best, age

    best, age = _spans((value, np.zeros(value.shape, dtype=np.float32)), window, join)
    return best, age


def _held(span: Parts, window: int) -> Parts:
    """Products of what is kept, sums of what was bought and paid and is kept since."""

    def join(recent: Parts, older: Parts, sessions: int) -> Parts:
        kept, weight, paid = (x.copy() for x in recent)
        if sessions < kept.shape[0]:
            now, then = slice(sessions, None), slice(0, -sessions)
            weight[now] += kept[now] * older[1][then]
            paid[now] += kept[now] * older[2][then]
            kept[now] *= older[0][then]
        return kept, weight, paid

    return _spans(span, window, join)


def _spans(span: Parts, window: int, join: Callable[[Parts, Parts, int], Parts]) -> Parts:
    """`_doubling` for a statistic of several parts."""
    out: Parts | None = None
    covered, size = 0, 1
    while True:
        if window & size:
            out = span if out is None else join(out, span, covered)
            covered += size
        if 2 * size > window:
            assert out is not None
            return out
        span, size = join(span, span, size), 2 * size


def _weighted(x: Matrix, window: int) -> tuple[Matrix, Matrix]:
    """Sum over the window, and the sum weighted by age in sessions (0 = the day itself)."""
    plain, weighted = np.zeros(x.shape), np.zeros(x.shape)
    covered, size = 0, 1
    aged = np.zeros(x.shape)
    while True:
        if window & size:
            if covered < x.shape[0]:
                here = slice(0, x.shape[0] - covered)
                weighted[covered:] += aged[here] + covered * x[here]
                plain[covered:] += x[here]
            covered += size
        if 2 * size > window:
            return plain, weighted
        aged = _join(aged, aged + size * x, size, np.add)
        x, size = _join(x, x, size, np.add), 2 * size

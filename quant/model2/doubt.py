"""Alpha of names on which the ensemble disagrees: how far it came true in the past.

Names are cut into thirds of the day by their uncertainty. With a the curve's alpha, r what came
(less the day's mean), sums over the trailing days and names of third k,

    s_k  = sum a r / sum a^2,   s = the same of all names,   w_k = third's part of sum a^2
    g    = isotonic regression of s_k / s on k, falling, weights w        (sum_k w_k g_k = 1)
    b    = max(0, E - noise),   E = sum_k w_k (g_k - 1)^2,   noise = sum_k w_k var(g_k)
    c_k  = 1 + (g_k - 1) b / (b + noise)                                  (as in `curve`)

Newey-West variances, as there. The weighted mean of c is 1 and c_k is s_k / s where it is well
known, so that the slope of what came on c a is that on a. Where it leaves [0, 2] all of c moves
towards 1 until it does not.
"""

import numpy as np

from quant.core.crosssection import percentiles
from quant.core.types import Codes, Matrix, Vector
from quant.model2.curve import OVERLAP, newey_west

THIRDS = 3
NONE = -1  # third of a row on a day that tells no names apart


def thirds(uncertainty: Vector, day: Codes) -> Codes:
    """(n_rows,) third of the day, 0 = the surest; NONE on days of equal uncertainty.

    uncertainty, day : (n_rows,); day is ascending
    """
    rank = percentiles(uncertainty, day)
    third = np.minimum((THIRDS * rank).astype(np.int64), THIRDS - 1)
    starts = np.flatnonzero(np.r_[True, day[1:] != day[:-1]])
    low, high = (f.reduceat(uncertainty, starts) for f in (np.minimum, np.maximum))
    sizes = np.diff(np.r_[starts, day.size])
    return np.where(np.repeat(high > low, sizes), third, NONE)


def factors(alpha: Vector, came: Matrix, count: Matrix, horizon: int) -> Vector:
    """(3,) factor of the alphas of each third, not rising, in [0, 2].

    alpha : (n_bins,) curve, decimal; came : (n_dates, 3, n_bins) sums of the residual returns of
            the names of a third and bin, less the day's mean; count : as `came`, names
    """
    from sklearn.isotonic import isotonic_regression

    cross, square = came @ alpha, count @ np.square(alpha)  # (n_dates, 3)
    part, total = square.sum(axis=0), float(square.sum())
    if part.min() <= 0.0 or cross.sum() <= 0.0:
        return np.ones(THIRDS)
    pooled, slope, weight = float(cross.sum()) / total, cross.sum(axis=0) / part, part / total
    ratio = slope / pooled
    shape = isotonic_regression(ratio, sample_weight=weight, increasing=False)
    # what each day adds to slope / pooled, to first order
    whole = (cross.sum(axis=1) - pooled * square.sum(axis=1)) / total
    own = (cross - slope * square) / part - ratio * whole[:, None]
    level = np.concatenate([[0], np.cumsum(np.diff(shape) < 0.0)])
    merged = np.stack([own[:, level == k] @ weight[level == k] / weight[level == k].sum()
                       for k in range(level[-1] + 1)], axis=1)  # fmt: skip
    size = np.bincount(level, weights=weight)
    variance = OVERLAP * newey_west(merged * len(own) / pooled, lags=2 * horizon)
    noise = float(size @ variance)
    signal = max(0.0, float(weight @ np.square(shape - 1.0)) - noise)
    reach = float(np.abs(shape - 1.0).max())
    if signal == 0.0:
        return np.ones(THIRDS)
    shrink = min(signal / (signal + noise), 1.0 / reach)
    return np.clip(1.0 + shrink * (shape - 1.0), 0.0, 2.0)


def scale(factor: Vector, third: Codes) -> Vector:
    """(n_rows,) factor of each row; 1 for rows of no third."""
    return np.where(third == NONE, 1.0, factor[third])

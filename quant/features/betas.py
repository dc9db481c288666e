"""Market betas of the members, as known at each close."""

import numpy as np

from quant.core.crosssection import group_means
from quant.core.panel import Panel
from quant.core.types import Vector
from quant.features import kernels as k
from quant.features.compute import BLOCK, Members, market_return
from quant.features.view import returns

WINDOW = 252  # sessions


def betas(panel: Panel, where: Members) -> Vector:
    """Beta of every member row on the equal-weight member market, shrunk towards the day's mean.

    The slope of the trailing WINDOW sessions is weighted against the mean of the day's members by
    the variance of its error and that of the betas across members; a mean that is far more
    certain than a noisy slope wins.

    panel   : close and factor as traded
    Returns : (n_rows,); 1 where history is too short
    Source  : Vasicek (1973)
    """
    slope, error = _slopes(panel, where)
    day, n_days = where.row, panel.shape[0]
    mean = group_means(slope, day, n_days)[0][day]
    spread = group_means((slope - mean) ** 2, day, n_days)[0][day]
    noise = group_means(error, day, n_days)[0][day]
    # what the errors alone would spread is no spread of betas
    true = np.maximum(spread - noise, 0.0)
    weight = np.divide(true, true + error, out=np.zeros(true.size), where=true + error > 0)
    shrunk = mean + weight * (slope - mean)
    return np.where(np.isfinite(shrunk), shrunk, 1.0)


def _slopes(panel: Panel, where: Members) -> tuple[Vector, Vector]:
    """Slope of least squares on the market, and the variance of its error, of every row."""
    market = market_return(panel, where)[:, None]
    slope, error = np.full(where.row.size, np.nan), np.full(where.row.size, np.nan)
    for first in range(0, panel.shape[1], BLOCK):
        span = slice(first, first + BLOCK)
        rows = np.flatnonzero((where.column >= first) & (where.column < first + BLOCK))
        if not rows.size:
            continue
        ret = returns(panel["close"][:, span], panel["factor"][:, span])
        beside = np.where(np.isfinite(ret), market, np.nan)
        cov, own, spread = k.covariance(ret, beside, WINDOW)
        count = k.enough(np.isfinite(ret) & np.isfinite(beside), WINDOW)[0]
        left = np.maximum(own - cov * cov / spread, 0.0)
        cells = where.row[rows], where.column[rows] - first
        slope[rows] = (cov / spread)[cells]
        error[rows] = (left / spread / (count - 2.0))[cells]
    return slope, error

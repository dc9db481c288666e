"""The window of returns a covariance is estimated from, with its holes filled."""

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Codes, Matrix


def fill_missing(returns: Matrix, groups: Codes, enough: float = 0.6) -> Matrix:
    """Demeaned returns with no NaN, so that their covariance is positive semidefinite.

    A name with at least `enough` of the window has its missing days (suspensions) set to its own
    mean, that is to 0 after demeaning. A name with less (young or long suspended) takes the
    return of its group on the days it lacks, demeaned over the window: zeros there would call it
    riskless. The group's return is the mean over its names that traded, else over all names.
    Filling before the product keeps one matrix for all pairs; pairwise deletion would not be
    positive semidefinite.

    returns : (n_obs, n_assets) per session, NaN where there is none
    groups  : (n_assets,) int codes >= 0
    enough  : share of the window in [0, 1]
    Returns : (n_obs, n_assets) with mean 0 a column
    """
    if returns.ndim != 2 or groups.shape != (returns.shape[1],):
        raise DataError(
            f"returns are {returns.shape} and groups {groups.shape}; "
            "one code for each column is needed."
        )
    seen = np.isfinite(returns)
    if not seen.any(axis=1).all() and returns.size:
        day = int(np.flatnonzero(~seen.any(axis=1))[0])
        raise DataError(
            f"row {day} of the return window has no return at all; use sessions with data."
        )
    count = seen.sum(axis=0)
    values = np.where(seen, returns, 0.0)
    mean = values.sum(axis=0) / np.maximum(count, 1)
    filled = np.where(seen, returns - mean, 0.0)
    thin = count < enough * returns.shape[0]
    if thin.any():
        proxy = _group_returns(values, seen, groups)[:, groups[thin]]
        mixed = np.where(seen[:, thin], returns[:, thin], proxy)
        filled[:, thin] = mixed - mixed.mean(axis=0)
    return filled


def _group_returns(values: Matrix, seen: np.ndarray, groups: Codes) -> Matrix:
    """(n_obs, n_groups) mean return of the names that traded, the market's where none did."""
    n_groups = int(groups.max()) + 1
    member = np.zeros((groups.size, n_groups))
    member[np.arange(groups.size), groups] = 1.0
    traded = seen.astype(float) @ member
    market = values.sum(axis=1) / seen.sum(axis=1)
    means = (values @ member) / np.maximum(traded, 1.0)
    return np.where(traded > 0, means, market[:, None])

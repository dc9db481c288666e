"""The window of returns a covariance is estimated from, with its holes filled."""

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.types import Codes, Mask, Matrix


def close_to_close(adjusted: Matrix) -> Matrix:
    """Total returns (n_days, n_assets); the return over a suspension falls on the day it ends.

    adjusted : (n_days, n_assets) adjusted close, NaN where there is no row
    """
    prices = pd.DataFrame(adjusted)
    return prices.ffill().pct_change(fill_method=None).where(prices.notna()).to_numpy()


def window(
    returns: Matrix, t: int, names: Codes, groups: Codes, length: int, enough: float
) -> Matrix:
    """What a covariance of `names` at the close of session `t` is estimated from, holes filled.

    returns : (n_days, n_assets); names: (n_names,) columns; groups: (n_names,)
    length  : sessions up to and with `t`; those that the data lacks altogether are left out
    """
    rows = returns[t + 1 - length : t + 1, names]
    return fill_missing(rows[np.isfinite(rows).any(axis=1)], groups, enough)


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
    holes = ~seen
    filled = np.where(seen, returns, 0.0)
    count = seen.sum(axis=0)
    thin = count < enough * returns.shape[0]
    young = _mixed(filled, seen, groups, thin) if thin.any() else None
    filled -= filled.sum(axis=0) / np.maximum(count, 1)
    filled[holes] = 0.0
    if young is not None:
        filled[:, thin] = young - young.mean(axis=0)
    return filled


def _mixed(values: Matrix, seen: Mask, groups: Codes, thin: Mask) -> Matrix:
    """(n_obs, n_thin) own returns where there are any, else the group's, else the market's.

    values : (n_obs, n_assets), 0 where not seen
    """
    codes, which = np.unique(groups[thin], return_inverse=True)
    near = np.isin(groups, codes)
    member = (groups[near, None] == codes).astype(float)
    traded = seen[:, near].astype(float) @ member
    proxy = (values[:, near] @ member) / np.maximum(traded, 1.0)
    silent = (traded == 0).any(axis=1)
    if silent.any():
        market = values[silent].sum(axis=1) / seen[silent].sum(axis=1)
        proxy[silent] = np.where(traded[silent] > 0, proxy[silent], market[:, None])
    return np.where(seen[:, thin], values[:, thin], proxy[:, which])

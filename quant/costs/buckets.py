"""Liquidity buckets: percentiles of the money traded a day, within the day's universe."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.types import Mask, Matrix

TERCILES = (0.0, 100.0 / 3.0, 200.0 / 3.0, 100.0)


def median_adv(amount: Matrix, window: int = 252) -> Matrix:
    """Median money traded a day over the last `window` sessions, 0 where unknown.

    amount : (n_days, n_assets) money traded, NaN where a name has no bar
    """
    median = pd.DataFrame(amount).rolling(window, min_periods=1).median().to_numpy()
    return np.nan_to_num(median, nan=0.0)


def liquidity(adv: Matrix, member: Mask, edges: Sequence[float]) -> np.ndarray:
    """Bucket of every name on every day, (n_days, n_assets) int8; 0 = least liquid.

    adv    : (n_days, n_assets) money a day, 0 or NaN = unknown, which is bucket 0
    member : (n_days, n_assets) the day's universe; others take the bucket that they fall into
    edges  : percentiles from 0 to 100; a bucket holds its lower edge
    Source : specification 3.2
    Raises DataError for edges that do not rise from 0 to 100.
    """
    rise = len(edges) > 1 and all(a < b for a, b in pairwise(edges))  # NaN does not rise
    if not rise or edges[0] != 0 or edges[-1] != 100:
        raise DataError(
            f"the edges {list(edges)} do not rise from 0 to 100; give percentiles in that order."
        )
    inner = np.asarray(edges[1:-1], np.float64) / 100.0
    known = np.nan_to_num(adv, nan=0.0)
    bucket = np.zeros(adv.shape, np.int8)
    for t in np.flatnonzero(member.any(axis=1)):
        least = np.sort(known[t, member[t]])
        below = np.searchsorted(least, known[t], side="left")
        # compared as counts: 5 of 100 names are 5 % to the last bit
        bucket[t] = np.searchsorted(np.round(inner * least.size, 9), below, side="right")
    bucket[known <= 0.0] = 0
    return bucket


def volatility_bucket(sigma: Matrix, member: Mask) -> np.ndarray:
    """Third of the day's universe by volatility, (n_days, n_assets) int8; 0 = calmest."""
    return liquidity(sigma, member, TERCILES)

"""Fewer points, same picture: the extremes of every stretch survive."""

import numpy as np

from quant.core.types import Codes, Vector

LIMIT = 600


def extremes(values: Vector, limit: int = LIMIT) -> Codes:
    """Positions to draw: first, last, and the lowest and highest of equal stretches.

    values  : (n,) NaN are skipped within a stretch and kept where a stretch has nothing else
    Returns : (at most limit,) increasing; all of 0..n-1 where n <= limit
    """
    n = values.size
    if n <= limit:
        return np.arange(n)
    edges = np.linspace(0, n, (limit - 2) // 2 + 1).astype(int)
    kept = {0, n - 1}
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        piece = values[start:stop]
        if np.isfinite(piece).any():
            kept.update((start + int(np.nanargmin(piece)), start + int(np.nanargmax(piece))))
        else:
            kept.add(start)
    return np.array(sorted(kept))

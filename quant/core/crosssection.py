"""Statistics across the names of one day, for rows that are sorted by day."""

import numpy as np

from quant.core.types import Codes, Vector


def group_sums(values: Vector, groups: Codes, n_groups: int) -> tuple[Vector, Vector]:
    """Sum and number of the finite values of each group.

    values, groups : (n_rows,); groups in [0, n_groups)
    Returns        : two (n_groups,) vectors; rows are added one after the other, so that rows
                     of later groups can not move a bit of an earlier one
    """
    known = np.isfinite(values)
    sums = np.bincount(groups[known], weights=values[known], minlength=n_groups)
    return sums, np.bincount(groups[known], minlength=n_groups).astype(np.float64)


def group_means(values: Vector, groups: Codes, n_groups: int) -> tuple[Vector, Vector]:
    """Mean (NaN where there is none) and number of the finite values of each group."""
    sums, counts = group_sums(values, groups, n_groups)
    return np.divide(sums, counts, out=np.full(n_groups, np.nan), where=counts > 0), counts


def percentiles(values: Vector, day: Codes) -> Vector:
    """(rank - 0.5) / n among the finite values of the same day, ties at their average rank.

    values, day : (n_rows,); day is ascending
    Returns     : (n_rows,) in (0, 1); NaN where the value is not finite
    """
    if not values.size:
        return np.empty(0)
    starts = np.flatnonzero(np.r_[True, day[1:] != day[:-1]])
    sizes = np.diff(np.r_[starts, values.size])
    line = np.repeat(np.arange(starts.size), sizes)
    place = np.arange(values.size) - starts[line]
    known = np.isfinite(values)
    table = np.full((starts.size, int(sizes.max())), np.inf)
    table[line[known], place[known]] = values[known]
    rank = _average_ranks(table)[line, place]
    count = np.bincount(line[known], minlength=starts.size)[line]
    return np.where(known, (rank - 0.5) / np.maximum(count, 1), np.nan)


def _average_ranks(table: np.ndarray) -> np.ndarray:
    """Ranks 1..n along each line of `table`, ties at their average."""
    order = np.argsort(table, axis=1)
    ordered = np.take_along_axis(table, order, axis=1)
    changes = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((table.shape[0], 1), dtype=bool)
    column = np.arange(table.shape[1])
    first = np.where(np.hstack([edge, changes]), column, 0)
    np.maximum.accumulate(first, axis=1, out=first)
    last = np.where(np.hstack([changes, edge]), column, table.shape[1])
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    rank = np.empty(table.shape)
    np.put_along_axis(rank, order, (first + last) / 2.0 + 1.0, axis=1)
    return rank

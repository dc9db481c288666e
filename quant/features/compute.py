"""Features of all members: block by block of assets, kept in float32 for member rows only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.crosssection import group_means
from quant.core.errors import DataError
from quant.core.panel import Panel
from quant.core.types import Codes, Frame, Vector
from quant.features.crosswise import Section, section
from quant.features.producer import Producer
from quant.features.view import FIELDS, returns, view

# assets a block: a matrix of 10 years then is 0.3 MB, and a feature's work stays in the cache
BLOCK = 16


@dataclass(frozen=True)
class Members:
    """Where the membership rows lie in the panel, sorted by day and symbol.

    row, column : (n_rows,) indices into the panel
    section     : the same rows grouped by day, industry and group
    frame       : date and symbol of the rows
    """

    row: Codes
    column: Codes
    section: Section
    frame: Frame


def compute(
    panel: Panel,
    membership: Frame,
    producers: Sequence[Producer],
    known: Mapping[str, np.ndarray] | None = None,
) -> Frame:
    """Features of every membership row, known at the close of its date.

    panel      : fields FIELDS as traded, on all sessions and symbols
    membership : date, symbol, industry_id, group_id
    known      : columns that need not be computed, (n_rows,) in the order of the result
    Returns    : date, symbol and one float32 column a producer; NaN where history is too short
                 or an input is unknown (float_shares and price limits in the US)
    Raises     : DataError for a member that the panel does not hold, or a missing field
    """
    missing = [name for name in FIELDS if name not in panel.fields]
    if missing:
        raise DataError(f"the panel of bars lacks {missing}; features need {list(FIELDS)}.")
    where, known = members(panel, membership), known or {}
    series, wanted = _order(producers, known)
    line = {row.name: i for i, row in enumerate([*series, *wanted])}
    table = np.empty((len(line), where.row.size), dtype=np.float32)
    for name in line.keys() & known.keys():
        table[line[name]] = known[name]
    with np.errstate(all="ignore"):
        _along_time(table, panel, where, {line[r.name]: r for r in series if r.name not in known})
        for row in wanted:
            if row.name not in known:
                values = [table[line[base.name]].astype(np.float64) for base in row.bases]
                table[line[row.name]] = _finite(row.function(*values, where.section))
    names = [row.name for row in producers]
    picked = [line[name] for name in names]
    if picked != list(range(len(table))):
        table = table[picked]
    # one block of columns, not copied
    features = pd.DataFrame(table.T, columns=names, copy=False)
    features.insert(0, "symbol", where.frame["symbol"].to_numpy())
    features.insert(0, "date", where.frame["date"].to_numpy())
    return features


def members(panel: Panel, membership: Frame) -> Members:
    """Find the rows of `membership` in the panel, sorted by date and symbol.

    Raises DataError for a date or symbol that the panel does not hold.
    """
    date = membership["date"].to_numpy().astype("datetime64[D]")
    row = pd.Index(panel.dates).get_indexer(pd.Index(date))
    codes, names = pd.factorize(membership["symbol"])
    column = pd.Index(panel.symbols).get_indexer(names)[codes] if codes.size else codes
    absent = np.flatnonzero((row < 0) | (column < 0))
    if absent.size:
        first = membership.iloc[absent[0]]
        raise DataError(
            f"{absent.size} membership rows have no place in the panel of bars, the first is "
            f"{first['symbol']} on {first['date']:%Y-%m-%d}; build both from the same bars."
        )
    order = np.argsort(row * panel.shape[1] + column, kind="stable")
    groups = [
        pd.factorize(membership[name])[0][order].astype(np.int64)
        for name in ("industry_id", "group_id")
    ]
    row, column = row[order].astype(np.int64), column[order].astype(np.int64)
    frame = membership[["date", "symbol"]]
    if not (np.diff(order) == 1).all():
        frame = frame.iloc[order]
    return Members(row, column, section(row, *groups), frame)


def _order(
    producers: Sequence[Producer], known: Mapping[str, np.ndarray]
) -> tuple[list[Producer], list[Producer]]:
    """Features along time, with the bases that others need, and features across names."""
    series = {row.name: row for row in producers if not row.bases}
    wanted = [row for row in producers if row.bases]
    for row in wanted:
        if row.name not in known:
            for base in row.bases:
                series.setdefault(base.name, base)
    return list(series.values()), wanted


def market_return(panel: Panel, where: Members) -> Vector:
    """Equal-weight mean return (n_days,) of the members of each day.

    On days without members (before the first reconstitution), of all that trade.
    """
    ret = np.empty(panel.shape)
    with np.errstate(all="ignore"):
        for first in range(0, panel.shape[1], BLOCK):
            block = slice(first, first + BLOCK)
            ret[:, block] = returns(panel["close"][:, block], panel["factor"][:, block])
    mean, _ = group_means(ret[where.row, where.column], where.row, panel.shape[0])
    alone = np.flatnonzero(np.bincount(where.row, minlength=panel.shape[0]) == 0)
    day = np.repeat(np.arange(alone.size), panel.shape[1])
    mean[alone] = group_means(ret[alone].ravel(), day, alone.size)[0]
    return mean


def _along_time(
    table: np.ndarray, panel: Panel, where: Members, series: Mapping[int, Producer]
) -> None:
    """Fill the lines of `table` that `series` names, one block of assets at a time."""
    if not series:
        return
    market = market_return(panel, where)
    # a block's rows lie side by side while it is computed, and are put in order at the end
    block = where.column // BLOCK
    order = np.argsort(block, kind="stable")
    edges = np.searchsorted(block[order], np.arange(block.max(initial=-1) + 2))
    for number, (start, stop) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        if start == stop:
            continue
        span = slice(number * BLOCK, (number + 1) * BLOCK)
        v = view({name: np.ascontiguousarray(panel[name][:, span]) for name in FIELDS}, market)
        rows = order[start:stop]
        cells = where.row[rows] * v.ret.shape[1] + where.column[rows] - number * BLOCK
        for line, producer in series.items():
            table[line, start:stop] = _finite(producer.function(v).take(cells))
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    for line in series:
        table[line] = table[line].take(back)


def _finite(values: Vector) -> np.ndarray:
    """Round to float32, NaN for what is not a number there."""
    small = values.astype(np.float32)
    small[~np.isfinite(small)] = np.nan
    return small

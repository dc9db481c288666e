"""What both a run and its replay knew at a session, compared value by value."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from quant.core.tables import ALWAYS, SUMMARY, Table
from quant.core.types import Frame


@dataclass(frozen=True)
class Difference:
    """The first value that a replay does not give again.

    day    : session of the row where the table has one, else None; symbol : "" where it has none
    column : "" where a row stands in one of the two tables alone
    """

    column: str
    symbol: str
    day: Any
    whole: str
    replayed: str


@dataclass(frozen=True)
class Compared:
    """One table of a run against its replay: how much was compared, and the first difference."""

    rows: int
    values: int
    first: Difference | None


def known(frame: Frame, table: Table, cut: np.datetime64) -> Frame:
    """Rows that were known at the close of `cut`, sorted by key.

    Columns that later sessions may still fill in are left out. SUMMARY tables have no such rows.
    """
    if table.known == SUMMARY:
        return frame.iloc[:0]
    if table.known != ALWAYS:
        frame = frame[frame[table.known] <= pd.Timestamp(cut)]
    frame = frame.drop(columns=[c for c in table.moves if c in frame])
    return frame.sort_values(list(table.key), kind="stable", ignore_index=True)


def compare(whole: Frame, replayed: Frame, key: tuple[str, ...]) -> Compared:
    """Compare two tables to the last bit; NaN equals NaN.

    Of several differences the first is the one of the earliest session, then in the order of the
    columns: a value of the past that the future moved.
    """
    keys = list(key)
    columns = [c for c in whole.columns if c not in keys]
    if list(whole.columns) != list(replayed.columns):
        odd = sorted(set(whole.columns) ^ set(replayed.columns)) or list(replayed.columns)
        gap = Difference(str(odd[0]), "", None, "a column", "another set of columns")
        return Compared(len(whole), 0, gap)
    values = len(whole) * len(columns)
    alone = _unpaired(whole, replayed, keys)
    if alone is not None:
        return Compared(len(whole), values, alone)
    found: list[tuple[int, int]] = []
    for number, name in enumerate(columns):
        wrong = ~_equal(whole[name], replayed[name])
        if wrong.any():
            found.append((_earliest(whole, wrong), number))
    if not found:
        return Compared(len(whole), values, None)
    day = _days(whole)
    row, number = min(found, key=lambda f: (day[f[0]], f[1]))
    name = columns[number]
    pair = (whole[name].iloc[row], replayed[name].iloc[row])
    return Compared(len(whole), values, _difference(whole, row, name, *map(_shown, pair)))


def _unpaired(whole: Frame, replayed: Frame, keys: list[str]) -> Difference | None:
    """The first row that only one of the two has."""
    if len(whole) == len(replayed) and all(_equal(whole[k], replayed[k]).all() for k in keys):
        return None
    mine, theirs = (pd.MultiIndex.from_frame(f[keys]) for f in (whole, replayed))
    first = []
    for frame, extra, words in (
        (whole, ~mine.isin(theirs), ("a row", "no such row")),
        (replayed, ~theirs.isin(mine), ("no such row", "a row")),
    ):
        if extra.any():
            row = _earliest(frame, extra)
            first.append((_days(frame)[row], _difference(frame, row, "", *words)))
    if not first:
        return Difference("", "", None, f"{len(whole)} rows", f"{len(replayed)} rows")
    return min(first, key=lambda f: f[0])[1]


def _equal(one: pd.Series, other: pd.Series) -> np.ndarray:
    a, b = one.to_numpy(), other.to_numpy()
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        return (a == b) | (np.isnan(a) & np.isnan(b))
    both = one.isna().to_numpy() & other.isna().to_numpy()
    return np.asarray(a == b) | both


def _day_column(frame: Frame) -> str | None:
    dated = [c for c in frame.columns if frame[c].dtype.kind == "M"]
    return "date" if "date" in dated else next(iter(dated), None)


def _days(frame: Frame) -> np.ndarray:
    name = _day_column(frame)
    if name is None:
        return np.zeros(len(frame), dtype=np.int64)
    return frame[name].to_numpy().astype("datetime64[ns]").astype(np.int64)


def _earliest(frame: Frame, rows: np.ndarray) -> int:
    at = np.flatnonzero(rows)
    return int(at[np.argmin(_days(frame)[at])])


def _difference(frame: Frame, row: int, column: str, whole: str, replayed: str) -> Difference:
    day = _day_column(frame)
    return Difference(
        column,
        str(frame["symbol"].iloc[row]) if "symbol" in frame else "",
        frame[day].iloc[row] if day else None,
        whole,
        replayed,
    )


def _shown(value: Any) -> str:
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)

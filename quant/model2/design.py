"""The training matrix: features ranked within each session, aligned with labels.

Every feature becomes its rank among the day's names, mapped to [-0.5, 0.5] (ties share the mean
rank, a missing value is 0, the middle). A row uses nothing but its own session, so a matrix built
from a shorter history has the same rows, bit for bit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from quant.core import horizons
from quant.core.errors import DataError
from quant.core.types import Codes, Dates, Frame, Mask, Matrix, Vector

Design32 = npt.NDArray[np.float32]  # (n_rows, n_features)
NEVER = np.iinfo(np.int64).max  # label end of a row whose label is not known in this sample
KEY = ("date", "symbol")


@dataclass(frozen=True)
class Rows:
    """Feature rows in (date, symbol) order, with their labels; columns are views of the frame.

    One label decides: by it a model is tested and calibrated. Others may be learned from.

    names    : (n_features,) feature names
    columns  : n_features arrays of (n_rows,)
    symbols  : (n_rows,) str
    sessions : (n_sessions,) the exchange calendar
    starts   : (n_sessions + 1,) rows of session i are starts[i]:starts[i + 1]
    raw      : (n_rows,) residual return over the horizon, decimal; NaN where unknown
    label    : (n_rows,) its cross-sectional normal score; NaN where unknown
    end      : (n_rows,) session position on which the label becomes known, NEVER where unknown
    aims     : (n_rows, n_horizons) labels that are learned, NaN where unknown
    ends     : (n_rows, n_horizons) as `end`, of these
    """

    names: tuple[str, ...]
    columns: tuple[np.ndarray, ...]
    symbols: np.ndarray
    sessions: Dates
    starts: Codes
    raw: Vector
    label: Vector
    end: Codes
    aims: Matrix
    ends: np.ndarray

    @property
    def session(self) -> Codes:
        """(n_rows,) session position of every row."""
        return np.repeat(np.arange(self.sessions.size), np.diff(self.starts))

    def standardised(self, first: int, last: int) -> Design32:
        """Ranked features of all rows of the sessions first..last, both included."""
        offset = self.starts[first]
        out = np.empty((self.starts[last + 1] - offset, len(self.names)), dtype=np.float32)
        for session in range(first, last + 1):
            begin, stop = self.starts[session], self.starts[session + 1]
            if begin < stop:
                out[begin - offset : stop - offset] = self._ranked(begin, stop).T
        return out

    def _ranked(self, begin: int, stop: int) -> np.ndarray:
        values = np.empty((len(self.names), stop - begin), dtype=np.float32)
        for row, column in enumerate(self.columns):
            values[row] = column[begin:stop]
        return cross_section_ranks(values)


@dataclass(frozen=True)
class Design:
    """Labelled rows of every k-th session, in (date, symbol) order.

    x       : (n_rows, n_features) float32 ranks
    session : (n_rows,) session position of the row
    raw     : (n_rows,) residual return of the label that decides, decimal; NaN where unknown
    end     : (n_rows,) session position on which that becomes known, NEVER where unknown
    aims    : (n_rows, n_horizons) normal scores of the labels that are learned, NaN where unknown
    ends    : (n_rows, n_horizons) session positions on which these become known
    """

    x: Design32
    session: Codes
    raw: Vector
    end: Codes
    aims: Matrix
    ends: np.ndarray

    def blocks(self) -> Codes:
        """(n_rows,) number of the rows of one session whose labels become known together."""
        block = self.session
        for column in self.ends.T:
            place = np.unique(column, return_inverse=True)[1]
            block = np.unique(block * (place.max(initial=0) + 1) + place, return_inverse=True)[1]
        return block

    def complete(self, last: int) -> "Design":
        """The rows all of whose labels are known by session `last`."""
        known = (self.end <= last) & (self.ends <= last).all(axis=1)
        if known.all():
            return self
        parts = (self.x, self.session, self.raw, self.end, self.aims, self.ends)
        return Design(*(part[known] for part in parts))


def cross_section_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis, mapped to [-0.5, 0.5].

    values  : (n_features, n_names) one session, NaN = missing
    Returns : the same shape, float32; ties share their mean rank; missing, constant or lone
              values are 0
    """
    count, width = values.shape
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    opens = np.ones((count, width + 1), dtype=bool)
    opens[:, 1:-1] = ordered[:, 1:] != ordered[:, :-1]
    place = np.arange(width, dtype=np.int32)
    first = np.maximum.accumulate(np.where(opens[:, :-1], place, 0), axis=1)
    closing = np.where(opens[:, 1:], place, width)[:, ::-1]
    last = np.minimum.accumulate(closing, axis=1)[:, ::-1]
    missing = np.isnan(values)
    present = width - missing.sum(axis=1)
    scale = 0.5 / np.maximum(present - 1, 1)
    scaled = (first + last) * scale[:, None] - 0.5
    scaled[present < 2] = 0.0
    ranks = np.empty((count, width), dtype=np.float32)
    np.put_along_axis(ranks, order, scaled.astype(np.float32), axis=1)
    ranks[missing] = 0.0
    return ranks


def align(features: Frame, labels: Frame, sessions: Dates) -> Rows:
    """Put labels beside feature rows without copying the features.

    features : FEATURES table; labels : LABELS table; sessions : (n_sessions,) exchange calendar
    Raises   : DataError where a table is empty, unsorted, doubled or off the calendar, where no
               feature or no label has a value, or where a label ends before it starts
    """
    days = np.asarray(sessions).astype("datetime64[D]")
    names = tuple(c for c in features.columns if c not in KEY)
    if not names or not len(features):
        raise DataError(
            f"features have {len(features)} rows and {len(names)} columns besides date and symbol; "
            "the model needs at least one of each: check the stage that writes them."
        )
    codes, symbols = pd.factorize(features["symbol"], sort=True)
    position = _positions(features["date"], days, "features")
    key = position * len(symbols) + codes
    _check_increasing(features, key)
    raw, label, end = _labels(labels, key, pd.Index(symbols), days, position)
    columns = tuple(features[name].to_numpy() for name in names)
    if not any(np.isfinite(column).any() for column in columns):
        raise DataError(
            f"none of the features {list(names)} has a value; "
            "they need more history than the bars hold: lengthen the sample."
        )
    starts = np.searchsorted(position, np.arange(days.size + 1))
    symbol = features["symbol"].to_numpy()
    return Rows(names, columns, symbol, days, starts, raw, label, end, label[:, None], end[:, None])


def learning(rows: Rows, labels: Frame, over: Iterable[int]) -> Rows:
    """The rows with the labels over the horizons `over` (sessions) to learn from.

    labels : LABELS table
    Raises : DataError where a horizon is not in the table, or as `align` does
    """
    codes, symbols = pd.factorize(rows.symbols, sort=True)
    position = rows.session
    key = position * len(symbols) + codes
    found = [
        _labels(horizons.at(labels, h), key, pd.Index(symbols), rows.sessions, position)
        for h in over
    ]
    aims, ends = (np.stack([one[part] for one in found], axis=1) for part in (1, 2))
    return replace(rows, aims=aims, ends=ends)


def training(rows: Rows, step: int, last: int) -> Design:
    """Rows of every `step`-th session of the calendar with some label known by session `last`."""
    chosen = [s for s in range(0, rows.sessions.size, step) if rows.starts[s] < rows.starts[s + 1]]
    known = (rows.ends <= last).any(axis=1)
    keep = [np.arange(rows.starts[s], rows.starts[s + 1])[_of(known, rows, s)] for s in chosen]
    index = np.concatenate([np.empty(0, dtype=np.int64), *keep])
    x = np.empty((index.size, len(rows.names)), dtype=np.float32)
    filled = 0
    for session, row in zip(chosen, keep, strict=True):
        x[filled : filled + row.size] = rows.standardised(session, session)[
            _of(known, rows, session)
        ]
        filled += row.size
    session = np.repeat(np.asarray(chosen, dtype=np.int64), [row.size for row in keep])
    return Design(x, session, rows.raw[index], rows.end[index], rows.aims[index], rows.ends[index])


def _of(mask: Mask, rows: Rows, session: int) -> Mask:
    return mask[rows.starts[session] : rows.starts[session + 1]]


def _positions(dates: pd.Series, sessions: Dates, table: str) -> Codes:
    day = dates.to_numpy().astype("datetime64[D]")
    position = np.searchsorted(sessions, day)
    inside = position < sessions.size
    inside[inside] = sessions[position[inside]] == day[inside]
    if not inside.all():
        raise DataError(
            f"{table} has a row on {day[~inside][0]}, which is no session of the calendar; "
            "build it on the sessions of its region."
        )
    return position


def _check_increasing(features: Frame, key: Codes) -> None:
    wrong = np.flatnonzero(np.diff(key) <= 0)
    if wrong.size:
        row = features.iloc[wrong[0] + 1]
        raise DataError(
            f"features are not sorted, or doubled, at {row['symbol']} on {row['date']:%Y-%m-%d}; "
            "sort them by date and symbol and keep one row for each."
        )


def _labels(
    labels: Frame, key: Codes, symbols: pd.Index, sessions: Dates, position: Codes
) -> tuple[Vector, Vector, Codes]:
    code = symbols.get_indexer(labels["symbol"])
    wanted = _positions(labels["date"], sessions, "labels") * len(symbols) + code
    place = np.minimum(np.searchsorted(key, wanted), key.size - 1)
    hit = np.flatnonzero((code >= 0) & (key[place] == wanted))
    place = place[hit]
    if np.unique(place).size != place.size:
        raise DataError("labels have two rows for one date and symbol; keep one of each.")
    raw = np.full(key.size, np.nan)
    label, end = raw.copy(), np.full(key.size, NEVER)
    raw[place] = labels["raw"].to_numpy(dtype=np.float64)[hit]
    label[place] = labels["label"].to_numpy(dtype=np.float64)[hit]
    closing = labels["end"].to_numpy().astype("datetime64[D]")[hit]
    until = np.searchsorted(sessions, closing)  # not-a-time sorts behind every session
    end[place] = np.where(until < sessions.size, until, NEVER)
    known = np.isfinite(raw) & np.isfinite(label) & (end < NEVER)
    if not known.any():
        raise DataError(
            f"no label of {len(labels)} is known before {sessions[-1]}; the horizon is longer than "
            "the data: lengthen the sample or shorten the horizon."
        )
    if (end[known] <= position[known]).any():
        raise DataError("a label ends on or before its own date; end is the session t + 1 + h.")
    return np.where(known, raw, np.nan), np.where(known, label, np.nan), np.where(known, end, NEVER)

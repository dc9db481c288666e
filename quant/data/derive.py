"""From a vendor's rows to complete bars: order, validity, reference prices, factors, limits.

Every provider ends here, so that one set of rules decides what a bar is. `Rows` holds columns as
arrays sorted by symbol and date; symbols are codes into `names`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.tables import BARS
from quant.core.types import Codes, Dates, Frame, Mask, Vector
from quant.data import adjust, cn_rules

PRICES = ("open", "high", "low", "close")
# adjusted closes are printed to six decimals; smaller steps of adj_close / close are rounding
NOISE = 2e-4


@dataclass(frozen=True)
class Rows:
    """Rows of many symbols, sorted by symbol and date, one a day and symbol.

    code : (n,) index into names; day : (n,) datetime64[D]; first : (n,) a symbol's first row
    columns : name -> (n,) float64
    """

    names: np.ndarray
    code: Codes
    day: Dates
    columns: Mapping[str, Vector]
    notes: tuple[str, ...] = ()
    first: Mask = field(init=False)

    def __post_init__(self) -> None:
        first = np.ones(self.code.size, dtype=bool)
        first[1:] = self.code[1:] != self.code[:-1]
        object.__setattr__(self, "first", first)

    def at(self, row: int) -> str:
        """Name a row in an error."""
        return f"{self.names[self.code[row]]} on {self.day[row]}"

    def keep(self, mask: Mask, note: str | None = None) -> "Rows":
        """Rows where `mask` is true, with a further note."""
        return Rows(
            self.names,
            self.code[mask],
            self.day[mask],
            {name: values[mask] for name, values in self.columns.items()},
            self.notes + ((note,) if note else ()),
        )


def ordered(frame: Frame) -> Rows:
    """Sort a frame (date, categorical symbol, numbers) by symbol and date.

    Raises DataError where a (date, symbol) stands twice.
    """
    category = frame["symbol"].cat.remove_unused_categories()
    names = category.cat.categories.to_numpy().astype(str)
    rank = np.empty(names.size, dtype=np.int64)
    rank[np.argsort(names, kind="stable")] = np.arange(names.size)
    code = rank[category.cat.codes.to_numpy()]
    day = frame["date"].to_numpy().astype("datetime64[D]")
    key = code * 200_000 + day.astype(np.int64)
    columns = {n: frame[n].to_numpy(np.float64) for n in frame.columns if n not in _KEY}
    notes: tuple[str, ...] = ()
    if key.size and (np.diff(key) <= 0).any():
        order = np.argsort(key, kind="stable")
        # files by day or by symbol are both in order; anything else is said
        by_day = np.diff(day.astype(np.int64) * names.size + code) > 0
        if not by_day.all() and _unsorted(code, day):
            notes = ("dates were not in order and have been sorted.",)
        code, day, key = code[order], day[order], key[order]
        columns = {name: values[order] for name, values in columns.items()}
    rows = Rows(np.sort(names).astype(object), code, day, columns, notes)
    twice = np.flatnonzero(np.diff(key) == 0)
    if twice.size:
        raise DataError(
            f"{twice.size} rows are double, the first for {rows.at(int(twice[0]))}; one row a day "
            "and symbol is the rule: remove the copies."
        )
    return rows


_KEY = ("date", "symbol")


def _unsorted(code: Codes, day: Dates) -> bool:
    """Whether dates run backwards within a symbol, in the order of the file."""
    order = np.argsort(code, kind="stable")
    same = code[order][1:] == code[order][:-1]
    return bool((same & (np.diff(day[order].astype(np.int64)) < 0)).any())


def valid(rows: Rows, region: str) -> Rows:
    """Rows that are bars: days without a close or (CN) without volume are suspensions, left out.

    Raises DataError for a negative or zero price on a traded day and for negative volume.
    """
    close, volume = rows.columns["close"], rows.columns["volume"]
    empty = np.isnan(close)
    idle = ~empty & (np.nan_to_num(volume) == 0)
    if region == "us":
        idle &= np.nan_to_num(rows.columns["open"]) <= 0
    gone = empty | idle
    if gone.any():
        rows = rows.keep(
            ~gone, f"{int(gone.sum())} rows without a trade were left out as suspensions."
        )
    for name in PRICES:
        _refuse(rows, name, ~(rows.columns[name] > 0), "prices are above zero")
    _refuse(rows, "volume", ~(rows.columns["volume"] >= 0), "volume is zero or more")
    return rows


def _refuse(rows: Rows, name: str, bad: Mask, rule: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{name} is {rows.columns[name][row]:g} for {rows.at(row)} ({int(bad.sum())} such "
            f"rows); {rule}: correct or remove them."
        )


def with_factor(rows: Rows, convention: str) -> Rows:
    """Add pre_close and factor, by whatever the source has.

    In this order: an explicit factor; the exchange's reference price; dividends and splits; an
    adjusted close. Fully adjusted prices (convention "adjusted") have the factor one.
    Without any of these the source is refused: returns over ex-dates would be wrong.
    """
    have, first = rows.columns, rows.first
    prev = adjust.previous(have["close"], first)
    if convention == "adjusted":
        factor = np.ones(prev.size)
    elif "factor" in have:
        _refuse(rows, "factor", ~(have["factor"] > 0), "factors are above zero")
        factor = have["factor"]
    elif "pre_close" in have:
        factor = adjust.factor_from_reference(prev, have["pre_close"], first)
    elif "dividend" in have or "split" in have:
        factor = adjust.factor_from_reference(prev, _reference(rows, prev), first)
    elif "adj_close" in have:
        factor = adjust.factor_from_adjusted(have["close"], have["adj_close"], first, NOISE)
    else:
        raise DataError(
            "bars have no factor, pre_close, dividend, split or adj_close, so returns over "
            "ex-dates are unknown; map one of them, or say convention: adjusted."
        )
    columns = dict(have)
    columns["factor"] = factor
    if "pre_close" not in columns:
        columns["pre_close"] = prev * adjust.previous(factor, first) / factor
    return Rows(rows.names, rows.code, rows.day, columns, rows.notes)


def _reference(rows: Rows, prev: Vector) -> Vector:
    ones = np.ones(prev.size)
    dividend = np.nan_to_num(rows.columns.get("dividend", 0.0 * ones))
    split = np.nan_to_num(rows.columns.get("split", ones), nan=1.0)
    split = np.where(split == 0, 1.0, split)
    _refuse(rows, "close", split < 0, "splits are above zero")
    bad = (prev / split - dividend <= 0) | (dividend < 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"the dividend of {rows.at(row)} is {dividend[row]:g} on a price of "
            f"{prev[row] / split[row]:g}; it is zero or more and leaves a price above zero: "
            "check its unit and date."
        )
    return adjust.reference_from_actions(prev, dividend, split)


def cut(rows: Rows, start: np.datetime64, end: np.datetime64) -> Rows:
    """Rows from `start` to `end`, the factor one again on each symbol's first row."""
    inside = rows.keep((rows.day >= start) & (rows.day <= end))
    if not inside.code.size:
        return inside
    origin = inside.columns["factor"][inside.first]
    columns = dict(inside.columns)
    columns["factor"] = columns["factor"] / origin[np.cumsum(inside.first) - 1]
    return Rows(inside.names, inside.code, inside.day, columns, inside.notes)


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several sources that share no symbol; a column that one lacks is NaN (is_st: 0)."""
    names = np.concatenate([part.names for part in parts])
    order = np.argsort(names.astype(str), kind="stable")
    rank = np.empty(names.size, dtype=np.int64)
    rank[order] = np.arange(names.size)
    offset = np.cumsum([0, *[part.names.size for part in parts[:-1]]])
    code = np.concatenate([rank[p.code + o] for p, o in zip(parts, offset, strict=True)])
    day = np.concatenate([part.day for part in parts])
    sort = np.lexsort((day, code)) if len(parts) > 1 else slice(None)
    columns = {}
    for name in dict.fromkeys(["is_st", *[n for part in parts for n in part.columns]]):
        fill = 0.0 if name == "is_st" else np.nan
        values = [part.columns.get(name, np.full(part.code.size, fill)) for part in parts]
        columns[name] = np.concatenate(values)[sort]
    notes = tuple(note for part in parts for note in part.notes)
    used = np.unique(code)
    return Rows(names[order][used], np.searchsorted(used, code[sort]), day[sort], columns, notes)


def limits(rows: Rows, listed: Dates, sessions: Dates) -> tuple[Vector, Vector]:
    """CN limit prices of each row, NaN where there is no limit.

    listed : (n_names,) listing day (NaT unknown)
    A day's limit must not know what came later, so a delisting period, where ST does not narrow
    the limit, is told by its prices: an ST day that traded beyond the narrow limits had the wide
    ones. A day beyond those too had none (a resumption after a reorganisation).
    """
    boards = np.array([cn_rules.board(name) for name in rows.names])
    number = np.searchsorted(sessions, rows.day)
    start = np.searchsorted(sessions, np.where(np.isnat(listed), sessions[0], listed))
    # unknown, or listed before the calendar's start: an old name
    old = np.isnat(listed) | (listed < sessions[0])
    age = np.where(old[rows.code], 10_000, number - start[rows.code])
    st = rows.columns["is_st"] > 0.5 if "is_st" in rows.columns else np.zeros(age.size, bool)
    high, low, board = rows.columns["high"], rows.columns["low"], boards[rows.code]
    wide = np.zeros_like(st)
    for _ in range(2):
        up, down = cn_rules.daily_limits(
            rows.columns["pre_close"], board, rows.day, st, age, leaving=wide
        )
        beyond = (high > up + 0.005) | (low < down - 0.005)
        wide = st & beyond
    up[beyond], down[beyond] = np.nan, np.nan
    return up, down


def bars(rows: Rows, up: Vector | None = None, down: Vector | None = None) -> Frame:
    """BARS, sorted by date and symbol. Amount falls back to close x volume."""
    order = np.lexsort((rows.code, rows.day))
    have, size = rows.columns, rows.code.size
    nan = np.full(size, np.nan)
    amount = have["close"] * have["volume"]
    if "amount" in have:
        amount = np.where(np.isnan(have["amount"]), amount, have["amount"])
    derived = {
        "amount": amount,
        "limit_up": nan if up is None else up,
        "limit_down": nan if down is None else down,
        "is_st": have["is_st"] > 0.5 if "is_st" in have else np.zeros(size, bool),
        "float_shares": have.get("float_shares", nan),
    }
    data = {
        "date": rows.day[order].astype("datetime64[ns]"),
        "symbol": rows.names[rows.code[order]],
    }
    for name in BARS.schema.names[2:]:
        values = derived[name] if name in derived else have[name]
        data[name] = values[order]
    return pd.DataFrame(data, copy=False)

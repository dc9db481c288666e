"""Listing and delisting: when a name came, when it went, what its end was.

A source that simply ends (many names on one day) is told from a company that ends.
"""

import numpy as np
import pandas as pd

from quant.core.types import Codes, Dates, Frame, Mask, Vector
from quant.data import cn_rules

# sessions without a row at the end of the data after which a name counts as gone (no suspensions)
GONE_AFTER = 5
# names that end on the same day, at least and as a share, before it is the source that ended
MASS_END, MASS_SHARE = 5, 0.02
# a name that lost this much within a year, or ended below this price, failed
FAILED_LOSS = 0.5
FAILED_PRICE = {"us": 3.0, "cn": 1.0}
YEAR = 252


def ends(last: Dates, final: Dates) -> Mask:
    """(n_names,) True where a name stopped trading before the data did.

    last  : (n_names,) its last session; final : sessions of the whole data, sorted
    """
    position = np.searchsorted(final, last)
    return final.size - 1 - position >= GONE_AFTER


def source_ends(last: Dates, stopped: Mask) -> Mask:
    """(n_names,) True where so many names stop on one day that the source ended, not they."""
    days, inverse, count = np.unique(last, return_inverse=True, return_counts=True)
    enough = count >= max(MASS_END, MASS_SHARE * last.size)
    return stopped & enough[inverse]


def failed(close: Vector, factor: Vector, is_st: Mask, first: Mask, region: str) -> Mask:
    """(n_names,) True where a name's last year looks like a failure.

    Rows are sorted by symbol and date, `first` marks each symbol's first. It failed where it
    ended as ST, below 3.0 USD or 1.0 CNY, or having lost half its adjusted value in 252 sessions:
    the case of Shumway (1997), as opposed to a takeover at the last price.
    """
    start = np.flatnonzero(first)
    stop = np.append(start[1:], close.size) - 1
    year_ago = np.maximum(stop - YEAR, start)
    value = close * factor
    lost = value[stop] / value[year_ago] - 1.0 < -FAILED_LOSS
    return lost | (close[stop] < FAILED_PRICE[region]) | is_st[stop]


def table(names: np.ndarray, given: Frame | None, last: Dates, gone: Mask, region: str) -> Frame:
    """LISTINGS of all names: what the source says, completed by what the rows show.

    given : LISTINGS columns that the source has, or None; last : (n_names,) last traded session
    gone  : (n_names,) True where a name no longer trades
    A delisting that the source dates after the last trade counts from its own day: until then
    nobody knew that a suspended name would not come back.
    """
    frame = pd.DataFrame({"symbol": names})
    if given is not None:
        given = given.assign(symbol=given["symbol"].astype(str)).drop_duplicates("symbol")
        frame = frame.merge(given, on="symbol", how="left")
    missing = {"list_date": pd.NaT, "board": None, "delist_return": np.nan, "truncated": False}
    for name, value in missing.items():
        if name not in frame:
            frame[name] = value
    frame["list_date"] = pd.to_datetime(frame["list_date"]).astype("datetime64[ns]")
    days = pd.Series(last.astype("datetime64[ns]"), index=frame.index)
    if "delist_date" in frame:
        days = days.where(~(pd.to_datetime(frame["delist_date"]) > days), frame["delist_date"])
    frame["delist_date"] = days.where(gone)
    board = frame["board"].astype(object)
    if region == "cn":
        derived = pd.Series([cn_rules.board(name) for name in names], dtype=object)
        board = board.where(board.notna(), derived)
    frame["board"] = board.where(board.notna(), "main")
    frame["delist_return"] = frame["delist_return"].astype(float)
    frame["truncated"] = frame["truncated"].eq(True)
    order = ["symbol", "list_date", "delist_date", "board", "delist_return", "truncated"]
    return frame[order].sort_values("symbol", ignore_index=True)


def settled(frame: Frame, failed_: Mask) -> Frame:
    """Delisting returns: a name that ended without failing paid its last price (zero).

    failed_ : (n_names,) in the order of `frame`; a failure of unknown payout stays null, for the
    configured default; a truncated series has no delisting return at all
    """
    ended = frame["delist_date"].notna() & ~frame["truncated"]
    known = frame["delist_return"].notna()
    value = frame["delist_return"].where(known | ~ended | failed_, 0.0)
    return frame.assign(delist_return=value.where(~frame["truncated"] | known, np.nan))


def last_rows(code: Codes, day: Dates, n_names: int) -> Dates:
    """(n_names,) last day of each symbol; rows are sorted by symbol and date."""
    last = np.full(n_names, np.datetime64("NaT"), dtype="datetime64[D]")
    last[code] = day
    return last

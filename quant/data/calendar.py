"""Exchange calendars: sessions, month ends, early closes.

Everything is exchange-local dates, so nothing here has a time zone. Source: exchange_calendars
XNYS and XSHG (weekend make-up workdays in China are not sessions, half days are).
"""

from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.types import Dates

EXCHANGES = {"us": "XNYS", "cn": "XSHG"}
FIRST = {"us": date(1990, 1, 2), "cn": date(1990, 12, 19)}
PERIODS_PER_YEAR = {"us": 252, "cn": 243}


def _known(region: str) -> str:
    if region not in EXCHANGES:
        raise DataError(f"region {region!r} is not known; choose one of {sorted(EXCHANGES)}.")
    return region


def periods_per_year(region: str) -> int:
    """Sessions in a year, for annualising: 252 (us) or 243 (cn)."""
    return PERIODS_PER_YEAR[_known(region)]


@lru_cache(maxsize=4)
def _exchange(region: str) -> Any:
    import exchange_calendars

    return exchange_calendars.get_calendar(EXCHANGES[_known(region)], start=FIRST[region])


@lru_cache(maxsize=4)
def _all_sessions(region: str) -> Dates:
    return _exchange(region).sessions.to_numpy().astype("datetime64[D]")


def sessions(region: str, start: date | np.datetime64, end: date | np.datetime64) -> Dates:
    """Sessions of the region's exchange from `start` to `end`, both inclusive, datetime64[D].

    Raises DataError where the region is unknown, the dates are reversed, or the calendar does
    not reach that far (it is published about a year ahead).
    """
    whole = _all_sessions(region)
    low, high = np.datetime64(start, "D"), np.datetime64(end, "D")
    if low > high:
        raise DataError(f"start {low} is after end {high}; swap them.")
    if low < np.datetime64(FIRST[region], "D") or high > whole[-1]:
        raise DataError(
            f"{low} to {high} reaches outside the {EXCHANGES[region]} calendar, which is known "
            f"from {FIRST[region]} to {whole[-1]}; choose dates inside it."
        )
    return whole[np.searchsorted(whole, low) : np.searchsorted(whole, high, side="right")]


def next_session(region: str, day: date | np.datetime64) -> np.datetime64:
    """First session after `day`."""
    whole = _all_sessions(region)
    position = int(np.searchsorted(whole, np.datetime64(day, "D"), side="right"))
    if position == whole.size:
        raise DataError(f"no session is known after {day}; the calendar ends on {whole[-1]}.")
    return whole[position]


def month_ends(sessions: Dates, region: str | None = None) -> Dates:
    """Last session of every month that is complete within `sessions`.

    sessions : (n,) datetime64[D], sorted
    region   : with it, the last month counts where its last exchange session is in `sessions`;
               without it, only where a session of a later month follows
    """
    days = np.asarray(sessions).astype("datetime64[D]")
    if not days.size:
        return days
    month = days.astype("datetime64[M]")
    last = np.append(month[1:] != month[:-1], False)
    if region is not None:
        last[-1] = next_session(region, days[-1]).astype("datetime64[M]") != month[-1]
    return days[last]


def early_closes(region: str, start: date, end: date) -> Dates:
    """Sessions from `start` to `end` that close early (13:00 in New York; none in Shanghai)."""
    days = _exchange(region).early_closes.to_numpy().astype("datetime64[D]")
    inside = (days >= np.datetime64(start, "D")) & (days <= np.datetime64(end, "D"))
    return days[inside]


def days(column: pd.Series) -> Dates:
    """Return a frame's date column as datetime64[D]."""
    return column.to_numpy().astype("datetime64[D]")

"""The user's own parquet or CSV files.

What each file is and what its columns mean is a `FilesLayout`; everything that the files lack is
an empty table or is derived, and is said in the notes.
"""

import hashlib
from datetime import date

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.tables import ACTIONS
from quant.core.types import Dates, Frame
from quant.data import calendar, cn_rules, derive
from quant.data.providers import files_tables, reading
from quant.data.providers.base import RawMarket, empty
from quant.data.providers.layout import FilesLayout, TableFiles

# share of dates off the exchange calendar above which the dataset is another region's
OFF_CALENDAR = 0.01


class Files:
    """Provider `files`: one region of the user's data."""

    def __init__(self, layout: FilesLayout) -> None:
        calendar.periods_per_year(layout.region)
        self.layout = layout
        self.region = layout.region

    def fingerprint(self) -> str:
        """Digest of the layout and of every file's content."""
        total = hashlib.sha256()
        for table in self.layout.tables():
            total.update(repr((table, self.region)).encode())
            for path in reading.paths_of(self.layout.root, table):
                total.update(path.name.encode() + reading.digest(path).encode())
        for name in ("industry_source", "benchmark_name", "total_return", "notes"):
            total.update(repr(getattr(self.layout, name)).encode())
        return total.hexdigest()

    def fetch(self, start: date, end: date) -> RawMarket:
        """Everything from `start` to `end`, both inclusive.

        Raises DataError for a missing or unreadable file, missing columns, dates with a time
        zone, double rows, impossible prices, an empty month, or another region's data.
        """
        first, last = np.datetime64(start, "D"), np.datetime64(end, "D")
        notes = dict(self.layout.notes)
        parts = [derive.cut(self._part(files, last), first, last) for files in self.layout.bars]
        _refuse_shared(parts)
        rows = derive.joined(parts)
        if not rows.code.size:
            raise DataError(f"the bars have no rows from {start} to {end}; choose other dates.")
        rows = _on_calendar(rows, self.region, notes)
        if rows.notes:
            notes["rows"] = " ".join(dict.fromkeys(rows.notes))
        listings = files_tables.listed(self.layout, parts, rows, last, notes)
        return RawMarket(
            bars=self._bars(rows, listings),
            actions=_actions(rows),
            industries=files_tables.spells(self.layout, rows.names, notes),
            listings=listings,
            index_members=files_tables.index_members(self.layout),
            benchmark=files_tables.benchmark(self.layout, first, last),
            rates=files_tables.rates(self.layout, first, last),
            intraday=files_tables.intraday(self.layout, first, last),
            notes=pd.DataFrame({"topic": list(notes), "text": list(notes.values())}, dtype=object),
        )

    def _part(self, files: TableFiles, last: np.datetime64) -> derive.Rows:
        """Rows of one entry under bars, checked, with reference prices and factors."""
        frame = reading.read(self.layout.root, files)
        if frame is None or not len(frame):
            raise DataError(f"bars: {files.path} has no rows; give a file that has some.")
        frame = frame[frame["date"].to_numpy() <= last.astype("datetime64[ns]")]
        if files.convention == "raw":
            frame = files_tables.with_actions(self.layout, frame)
        rows = derive.ordered(frame)
        _check_region(rows.names, self.region)
        return derive.with_factor(derive.valid(rows, self.region), files.convention)

    def _bars(self, rows: derive.Rows, listings: Frame) -> Frame:
        if self.region != "cn":
            return derive.bars(rows)
        sessions = calendar.sessions("cn", rows.day.min(), rows.day.max())
        by_name = listings.set_index("symbol").reindex(rows.names)
        start = by_name["list_date"].to_numpy().astype("datetime64[D]")
        # no listing day known: a first row after the data's start is taken for it
        first = rows.day[rows.first]
        start = np.where(np.isnat(start) & (first > sessions[0]), first, start)
        up, down = derive.limits(rows, start, sessions)
        return derive.bars(rows, up, down)


def _check_region(names: np.ndarray, region: str) -> None:
    """Refuse symbols of the other region: only Chinese ones end in .SH, .SZ or .BJ."""
    chinese = np.array([str(name).endswith(cn_rules.SUFFIXES) for name in names], dtype=bool)
    wrong = names[~chinese if region == "cn" else chinese]
    if wrong.size:
        form = "six digits and .SH, .SZ or .BJ" if region == "cn" else "without .SH, .SZ or .BJ"
        raise DataError(
            f"region={region}, but the data has {wrong.size} symbols such as {wrong[0]!r}, which "
            f"are not of that region (its symbols are {form}); change the region or the files."
        )


def _refuse_shared(parts: list[derive.Rows]) -> None:
    seen: set[str] = set()
    for part in parts:
        shared = seen.intersection(part.names)
        if shared:
            raise DataError(
                f"{min(shared)} and {len(shared) - 1} more symbols stand in two entries under "
                "bars; keep each symbol in one (a pattern joins files of one shape)."
            )
        seen.update(part.names)


def _on_calendar(rows: derive.Rows, region: str, notes: dict[str, str]) -> derive.Rows:
    """Rows on sessions of the region's exchange; a month without any row is refused."""
    days = np.unique(rows.day)
    sessions = calendar.sessions(region, days[0], days[-1])
    strange = days[~np.isin(days, sessions)]
    if strange.size > OFF_CALENDAR * days.size:
        raise DataError(
            f"{strange.size} of {days.size} dates, the first {strange[0]}, are no sessions of the "
            f"exchange of region {region}; check the region, the dates and their time zone."
        )
    _refuse_empty_month(days, sessions)
    if strange.size:
        notes["calendar"] = (
            f"Rows on {strange.size} dates that are no sessions were left out: "
            f"{', '.join(map(str, strange[:5]))}."
        )
        rows = rows.keep(~np.isin(rows.day, strange))
    missing = sessions[~np.isin(sessions, days)]
    if missing.size:
        notes["sessions"] = f"{missing.size} sessions have no row at all, the first {missing[0]}."
    return rows


def _refuse_empty_month(days: Dates, sessions: Dates) -> None:
    months = np.setdiff1d(sessions.astype("datetime64[M]"), days.astype("datetime64[M]"))
    if months.size:
        raise DataError(
            f"the month {months[0]} is empty ({months.size} such months): no symbol has a row in "
            "it; complete the files or start after it."
        )


def _actions(rows: derive.Rows) -> Frame:
    size = rows.code.size
    dividend = np.nan_to_num(rows.columns.get("dividend", np.zeros(size)))
    split = np.nan_to_num(rows.columns.get("split", np.ones(size)), nan=1.0)
    split = np.where(split == 0, 1.0, split)
    acted = np.flatnonzero((dividend != 0) | (split != 1.0))
    if not acted.size:
        return empty(ACTIONS)
    acted = acted[np.lexsort((rows.code[acted], rows.day[acted]))]
    return pd.DataFrame(
        {
            "date": rows.day[acted].astype("datetime64[ns]"),
            "symbol": rows.names[rows.code[acted]],
            "dividend": dividend[acted],
            "split": split[acted],
        }
    )

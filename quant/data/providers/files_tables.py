"""The tables beside the bars: actions, listings, industries, index members, benchmark, rates."""

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.tables import (
    BENCHMARK,
    INDEX_MEMBERS,
    INDUSTRIES,
    INTRADAY,
    LISTINGS,
    RATES,
)
from quant.core.types import Frame, Mask
from quant.data import derive, industries, listings
from quant.data.providers import reading
from quant.data.providers.base import empty
from quant.data.providers.layout import FilesLayout


def _read(layout: FilesLayout, table: str) -> Frame | None:
    given = getattr(layout, table)
    frame = None if given is None else reading.read(layout.root, given)
    if frame is not None:
        _check(table, frame)
    return frame


# column -> (least, most, the rule); null stands for unknown
BOUNDS = {
    "benchmark": {
        "close": (1e-12, np.inf, "levels are above zero"),
        "adj_close": (1e-12, np.inf, "levels are above zero"),
    },
    "intraday": {
        "price": (1e-12, np.inf, "prices are above zero; leave intervals without trades out"),
        "volume": (0.0, np.inf, "volumes are shares, not below zero"),
        "minute": (0, 1440, "minutes of trading since the open"),
    },
    "rates": {"rf": (-0.005, 0.005, "rf is decimal a session: 5 % a year is about 0.0002")},
    "listings": {"delist_return": (-1.0, 10.0, "it is a decimal: -0.3 is a loss of 30 %")},
}
SPELLS = {"index_members": ("in_date", "out_date"), "listings": ("list_date", "delist_date")}


def _check(table: str, frame: Frame) -> None:
    """Refuse values of another unit, spells that end before they begin, and doubled listings."""
    for name, (least, most, rule) in BOUNDS.get(table, {}).items():
        values = frame[name].to_numpy(float) if name in frame else np.zeros(0)
        bad = np.flatnonzero((values < least) | (values > most))
        if bad.size:
            raise DataError(
                f"{table}: {name} is {values[bad[0]]:g} in row {bad[0]} ({bad.size} such rows); "
                f"{rule}: correct them, or map the unit under layout.{table}.units."
            )
    first, last = SPELLS.get(table, ("", ""))
    if first in frame and last in frame:
        back = np.flatnonzero((frame[last] < frame[first]).to_numpy())
        if back.size:
            row = frame.iloc[back[0]]
            raise DataError(
                f"{table}: {row['symbol']} has {last} {row[last]:%Y-%m-%d} before {first} "
                f"{row[first]:%Y-%m-%d} ({back.size} such rows); correct them."
            )
    twice = frame["symbol"].duplicated() if table == "listings" else np.zeros(1, dtype=bool)
    if twice.any():
        raise DataError(
            f"listings has two rows for {frame['symbol'][twice].iloc[0]} ({int(twice.sum())} such "
            "rows); one row a symbol is the rule: remove the others."
        )


def with_actions(layout: FilesLayout, frame: Frame) -> Frame:
    """Bars with the dividends and splits of a separate file, where there is one."""
    actions = _read(layout, "actions")
    if actions is None or "dividend" in frame or "split" in frame:
        return frame
    actions = actions.assign(symbol=actions["symbol"].astype(str))
    twice = actions.duplicated(["date", "symbol"])
    if twice.any():
        row = actions[twice].iloc[0]
        raise DataError(
            f"actions has two rows for {row['symbol']} on {row['date']:%Y-%m-%d}; add dividends "
            "up and multiply splits into one."
        )
    code = pd.Index(frame["symbol"].cat.categories).get_indexer(actions["symbol"])
    keyed = actions.assign(code=code).drop(columns="symbol")
    codes = frame["symbol"].cat.codes.to_numpy().astype(np.int64)
    joined = frame.assign(code=codes).merge(keyed, on=["date", "code"], how="left")
    return joined.drop(columns="code")


def listed(
    layout: FilesLayout,
    parts: list[derive.Rows],
    rows: derive.Rows,
    end: np.datetime64,
    notes: dict[str, str],
) -> Frame:
    """LISTINGS: what the file says, completed by where the rows of each name end.

    parts : rows by source file, to tell a source that ends from a company that does
    In China an absent row is a suspension, so only the listing itself says that a name is gone.
    """
    given = _read(layout, "listings")
    last = listings.last_rows(rows.code, rows.day, rows.names.size)
    gone = _said_gone(given, rows.names, end)
    source = np.zeros(last.size, dtype=bool)
    if layout.region == "us":
        stopped = listings.ends(last, np.unique(rows.day))
        gone |= stopped
        for part in parts:
            own = np.isin(rows.names, part.names)
            source[own] = listings.source_ends(last[own], stopped[own])
    frame = listings.table(rows.names, given, last, gone, layout.region)
    frame["truncated"] = (frame["truncated"] | source) & gone
    # where the source ends, nothing is known of what came after
    final = pd.Series(last.astype("datetime64[ns]"), index=rows.names).reindex(frame["symbol"])
    ended = frame["truncated"].to_numpy()
    frame.loc[ended, "delist_date"] = final.to_numpy()[ended]
    failed = listings.failed(
        rows.columns["close"],
        rows.columns["factor"],
        rows.columns["is_st"] > 0.5,
        rows.first,
        layout.region,
    )
    frame = listings.settled(frame, failed)
    truncated = int(frame["truncated"].sum())
    unknown = int((gone & ~frame["truncated"] & frame["delist_return"].isna()).sum())
    notes["delistings"] = (
        f"{int(gone.sum())} names stop trading: {truncated} because the source ends, {unknown} "
        "after a failure with unknown payout (the configured delisting return applies), the "
        "others are taken out at the last price."
    )
    return frame[LISTINGS.schema.names]


def _said_gone(given: Frame | None, names: np.ndarray, end: np.datetime64) -> Mask:
    if given is None or "delist_date" not in given:
        return np.zeros(names.size, dtype=bool)
    known = given.assign(symbol=given["symbol"].astype(str)).drop_duplicates("symbol")
    day = known.set_index("symbol")["delist_date"].reindex(names)
    day = day.to_numpy().astype("datetime64[D]")
    return ~np.isnat(day) & (day <= end)


def spells(layout: FilesLayout, names: np.ndarray, notes: dict[str, str]) -> Frame:
    """INDUSTRIES of the names in the bars."""
    frame = _read(layout, "industries")
    if frame is None:
        notes["industries"] = "The data has no industries: every name is in one unknown group."
        return empty(INDUSTRIES)
    frame["symbol"] = frame["symbol"].astype(str).astype(object)
    frame = frame[frame["symbol"].isin(set(names))].reset_index(drop=True)
    if {"code", "scheme", "in_date"} <= set(frame):
        if "out_date" not in frame:
            frame["out_date"] = pd.NaT
        made = industries.point_in_time(frame)
    elif "sector" in frame:
        labels = frame["industry"] if "industry" in frame else frame["sector"]
        made = industries.frozen(frame["symbol"], frame["sector"], labels, layout.industry_source)
    else:
        raise DataError(
            "industries need either sector (and industry) or code, scheme and in_date; map them "
            "under layout.industries.columns."
        )
    unknown = len(set(names) - set(made.frame["symbol"]))
    texts = [*made.notes, *([f"{unknown} names have no industry at all."] if unknown else [])]
    if texts:
        notes["industries"] = " ".join(texts)
    return made.frame


def index_members(layout: FilesLayout) -> Frame:
    """INDEX_MEMBERS as the file has them."""
    frame = _read(layout, "index_members")
    if frame is None:
        return empty(INDEX_MEMBERS)
    frame = frame.assign(symbol=frame["symbol"].astype(str).astype(object))
    if "out_date" not in frame:
        frame["out_date"] = pd.NaT
    frame["out_date"] = frame["out_date"].astype("datetime64[ns]")
    key = list(INDEX_MEMBERS.key)
    return frame[INDEX_MEMBERS.schema.names].sort_values(key, ignore_index=True)


def benchmark(layout: FilesLayout, start: np.datetime64, end: np.datetime64) -> Frame:
    """BENCHMARK: the adjusted close where the file has one, else the level as it is."""
    frame = _read(layout, "benchmark")
    if frame is None:
        return empty(BENCHMARK)
    frame = _between(frame, start, end)
    if "name" not in frame:
        frame["name"] = layout.benchmark_name
    adjusted = "adj_close" in frame
    frame["close"] = frame["adj_close" if adjusted else "close"]
    frame["total_return"] = adjusted or layout.total_return
    return frame[BENCHMARK.schema.names].sort_values(["date", "name"], ignore_index=True)


def rates(layout: FilesLayout, start: np.datetime64, end: np.datetime64) -> Frame:
    """RATES: the risk-free rate, decimal a session."""
    frame = _read(layout, "rates")
    if frame is None:
        return empty(RATES)
    return _between(frame, start, end)[["date", "rf"]].sort_values("date", ignore_index=True)


def intraday(layout: FilesLayout, start: np.datetime64, end: np.datetime64) -> Frame:
    """INTRADAY: what was traded in the course of the sessions."""
    frame = _read(layout, "intraday")
    if frame is None:
        return empty(INTRADAY)
    frame = _between(frame, start, end)
    frame = frame.assign(symbol=frame["symbol"].astype(str).astype(object))
    key = list(INTRADAY.key)
    twice = frame.duplicated(key)
    if twice.any():
        row = frame[twice].iloc[0]
        raise DataError(
            f"intraday has two rows for {row['symbol']} on {row['date']:%Y-%m-%d}, minute "
            f"{row['minute']}; join them: add volumes up, weight prices by them."
        )
    return frame[INTRADAY.schema.names].sort_values(key, ignore_index=True)


def _between(frame: Frame, start: np.datetime64, end: np.datetime64) -> Frame:
    day = frame["date"].to_numpy().astype("datetime64[D]")
    return frame[(day >= start) & (day <= end)].reset_index(drop=True)

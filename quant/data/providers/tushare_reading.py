"""From the parts of a Tushare snapshot to rows in force: versions merged, malformed set aside."""

from datetime import date

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.data import calendar, derive, listings
from quant.data.providers import quarantine, revisions, tushare_tables
from quant.data.providers.notes import Notes
from quant.data.providers.revisions import Version
from quant.data.providers.snapshot import Part, Snapshot, concat
from quant.data.providers.tushare_download import DENIED, last_of, months
from quant.data.providers.tushare_tables import COLUMNS, EXACT, PRICES

_WITHOUT = {
    "daily_basic": "The token may not use daily_basic: float shares are unknown.",
    "stk_limit": "The token may not use stk_limit: limit prices are derived from the rules.",
    "dividend": "The token may not use dividend: the actions are empty, the factors are not.",
    "index_weight": "The token may not use index_weight: index membership is unknown.",
    "sw2014": "The token may not use the Shenwan 2014 members.",
}


class Reader:
    """What a snapshot says about the days from `start` to `end`.

    notes, changes : collected while it is read
    """

    def __init__(self, snapshot: Snapshot, policy: str, start: date, end: date) -> None:
        self.snapshot = snapshot
        self.policy = policy
        self.start, self.end = start, end
        self.notes = Notes()
        self.changes: list[Frame] = []
        for kind, text in _WITHOUT.items():
            if any(DENIED in p.missing for p in snapshot.of(kind)):
                self.notes.add("permissions", text)

    def daily(self) -> Frame:
        """Rows of all stocks for `derive`: date, categorical symbol, numbers.

        A row without a price or an adjustment factor is set aside and counted.
        """
        aside, kept, names = [], [], _Names()
        for month in months(self.start, self.end):
            rows = self.month("daily", month)
            for kind in ("adj_factor", "daily_basic", "stk_limit"):
                more = self.month(kind, month)
                rows = rows.merge(more, on=["date", "symbol"], how="left")
            bad = ~(rows["factor"] > 0)
            aside.append(rows[bad].assign(reason="no adjustment factor"))
            # codes instead of text: a whole market of many years has to fit in memory
            kept.append(rows[~bad].assign(symbol=lambda r: names.codes(r["symbol"])))
        self.notes.aside(concat(aside, ["date", "symbol", "reason"]))
        frame = concat(kept, ["date", "symbol"])
        kept.clear()
        all_names = np.array(names.known, dtype=object)
        ours = tushare_tables.stocks(all_names)
        if (~ours).any():
            gone = sorted(all_names[~ours])[:10]
            self.notes.add("symbols", f"Not stocks of the three exchanges, left out: {gone}.")
            frame = frame[ours[frame["symbol"].to_numpy()]].reset_index(drop=True)
        codes = frame["symbol"].to_numpy(dtype=np.int64)
        frame["symbol"] = pd.Categorical.from_codes(codes, categories=all_names)
        self._sessions(frame)
        dated = self.facts("namechange", ["ts_code", "start_date"], ["name", "end_date"])
        spells = tushare_tables.st_spells(dated)
        frame["is_st"] = tushare_tables.in_spells(frame, spells).astype(float)
        self.notes.add("st", "ST is known by the dated names of Tushare's namechange.")
        return frame

    def month(self, kind: str, month: date) -> Frame:
        """Rows of one interface in one month that are in force."""
        parts = [p for p in self.snapshot.of(kind) if p.start == month.isoformat()]
        rows = self._merged(kind, parts)
        low, high = max(self.start, month), min(self.end, last_of(month))
        return _between(rows, low, high)

    def all_months(self, kind: str) -> Frame:
        """Rows of one interface from start to end."""
        frames = [self.month(kind, month) for month in months(self.start, self.end)]
        return concat(frames, list(_nothing(kind).columns))

    def levels(self) -> Frame:
        """Return the rows of the index."""
        rows = self._merged("index_daily", self.snapshot.of("index_daily"))
        return _between(rows, self.start, self.end)

    def facts(self, kind: str, key: list[str], fields: list[str]) -> Frame:
        """Return facts in force; text."""
        seen = [(p.seen, self.snapshot.frame(p)) for p in self.snapshot.of(kind) if p.rows]
        frame, changed = revisions.facts(kind, seen, key, fields, self.policy)
        self.changes.append(changed)
        return frame

    def members(self) -> Frame:
        """Shenwan members of both schemes."""
        key = ["ts_code", "code", "scheme", "in_date"]
        frames = [self.facts(kind, key, ["out_date"]) for kind in ("sw2014", "sw2021")]
        return concat(frames, [*key, "out_date"])

    def _merged(self, kind: str, parts: list[Part]) -> Frame:
        versions = []
        for part in parts:
            frame = self.snapshot.frame(part)
            if not len(frame):
                continue
            rows = self._usable(kind, tushare_tables.converted(kind, frame))
            start, end = np.datetime64(part.start, "D"), np.datetime64(part.end, "D")
            versions.append(Version(rows, start, end, (), part.seen))
        if not versions:
            return _nothing(kind)
        names = [ours for ours, _ in COLUMNS[kind].values()]
        tolerances = dict.fromkeys(names, EXACT)
        rows, changed = revisions.merge(kind, versions, tolerances, self.policy)
        self.changes.append(changed)
        return rows

    def _usable(self, kind: str, rows: Frame) -> Frame:
        prices = PRICES if kind == "daily" else ()
        amounts = ("volume", "amount") if kind == "daily" else ()
        good, bad = quarantine.split(rows, prices, amounts)
        self.notes.aside(bad.assign(reason=kind + ": " + bad["reason"].astype(str)))
        return good

    def _sessions(self, frame: Frame) -> None:
        """Say which sessions have no rows at all."""
        if not len(frame):
            return
        have = np.unique(frame["date"].to_numpy().astype("datetime64[D]"))
        wanted = calendar.sessions("cn", self.start, min(self.end, have[-1].item()))
        lacking = wanted[~np.isin(wanted, have)]
        if lacking.size:
            self.notes.add(
                "sessions", f"{lacking.size} sessions have no rows at all, first {lacking[0]}."
            )


class _Names:
    """Codes of names in the order in which they were met."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self._index: dict[str, int] = {}

    def codes(self, symbols: pd.Series) -> np.ndarray:
        """(n,) code of each symbol."""
        local, names = pd.factorize(symbols)
        for name in names:
            if name not in self._index:
                self._index[name] = len(self.known)
                self.known.append(str(name))
        known = np.array([self._index[name] for name in names], dtype=np.int64)
        return known[local] if len(local) else np.zeros(0, dtype=np.int64)


def listed(rows: derive.Rows, known: Frame, end: date) -> Frame:
    """LISTINGS of the names in `rows`; only what had happened by `end` counts.

    known : ts_code, list_date, delist_date as text
    """
    given = pd.DataFrame(
        {
            "symbol": known["ts_code"].astype(object),
            "list_date": tushare_tables.day(known["list_date"]),
            # Tushare names the first day off the list
            "delist_date": tushare_tables.day(known["delist_date"]) - pd.Timedelta(days=1),
        }
    )
    left = given.set_index("symbol")["delist_date"].reindex(rows.names)
    gone = (left < pd.Timestamp(end)).to_numpy()
    last = listings.last_rows(rows.code, rows.day, rows.names.size)
    table = listings.table(rows.names, given, last, gone, "cn")
    columns = rows.columns
    failed = listings.failed(
        columns["close"], columns["factor"], columns["is_st"] > 0.5, rows.first, "cn"
    )
    return listings.settled(table, failed)


def bars(rows: derive.Rows, table: Frame, notes: Notes) -> Frame:
    """BARS: the vendor's limit prices where it has them, those of the rules elsewhere."""
    sessions = calendar.sessions("cn", rows.day.min(), rows.day.max())
    by_name = table.set_index("symbol").reindex(rows.names)
    start = by_name["list_date"].to_numpy().astype("datetime64[D]")
    up, down = derive.limits(rows, start, sessions)
    vendor_up, vendor_down = rows.columns["vendor_up"], rows.columns["vendor_down"]
    close = rows.columns["close"]
    # a "limit" far away from any price says that there is none
    real = (vendor_up > 0) & (vendor_up < 5 * close) & (vendor_down > 0) & (vendor_down < vendor_up)
    share = 1.0 - float(np.mean(real)) if real.size else 0.0
    if share > 0:
        notes.add("limits", f"Limit prices of {share:.1%} of the rows are derived from the rules.")
    return derive.bars(rows, np.where(real, vendor_up, up), np.where(real, vendor_down, down))


def _nothing(kind: str) -> Frame:
    numbers = {ours: pd.Series(dtype="float64") for ours, _ in COLUMNS[kind].values()}
    dates = pd.Series(dtype="datetime64[ns]")
    return pd.DataFrame({"date": dates, "symbol": pd.Series(dtype="object"), **numbers})


def _between(rows: Frame, low: date, high: date) -> Frame:
    inside = (rows["date"] >= pd.Timestamp(low)) & (rows["date"] <= pd.Timestamp(high))
    return rows[inside].reset_index(drop=True)

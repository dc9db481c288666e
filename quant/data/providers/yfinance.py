"""US market data by the yfinance library, kept in a resumable snapshot.

Symbols come from the user's file or from Yahoo's equity screen (its union over the months, so
that a name that leaves the screen is not forgotten). Sectors come from Yahoo's profiles, frozen
at first seen. Prices are stored as received and un-split when read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from quant.core.errors import ConfigError
from quant.core.tables import INDEX_MEMBERS
from quant.core.types import Frame
from quant.data import industries
from quant.data.providers import quarantine, revisions, yfinance_tables
from quant.data.providers.base import RawMarket, empty
from quant.data.providers.download import Caller, Patience, Tick, settled
from quant.data.providers.notes import Notes
from quant.data.providers.revisions import Version
from quant.data.providers.snapshot import Part, Snapshot, concat
from quant.data.providers.symbols import common_stocks, read_symbols
from quant.data.providers.yfinance_client import TIMEZONE, Yahoo
from quant.data.providers.yfinance_download import CHART, PROFILES, SCREEN, Download, Sizes

_SURVIVORS = (
    "yfinance has no delisted names: every company that failed or was bought before the download "
    "is absent, so returns are biased upwards (survivorship). Candidates and sectors are today's, "
    "frozen when first seen."
)


@dataclass(frozen=True)
class YFinance:
    """Provider of US data.

    folder       : where the snapshot lives, e.g. data/raw/yfinance/us
    symbols_file : one symbol a line, or a CSV with a column `symbol`; None = the equity screen
    screen_size  : how many of the largest names the screen takes
    benchmark    : the fund whose total return is the benchmark
    rate         : annual yield in percent that cash earns; "" = none
    on_revision  : "keep" what was known first, or "accept" what the vendor says now
    refresh      : ask for the whole history again (to find revisions older than `overlap`)
    overlap      : days asked for again when new ones are added
    offline      : use what is there, ask nothing
    batch        : symbols a part, the most that a kill can lose
    """

    folder: Path
    symbols_file: Path | None = None
    screen_size: int = 2000
    benchmark: str = "SPY"
    rate: str = "^IRX"
    on_revision: str = "keep"
    refresh: bool = False
    overlap: int = 30
    offline: bool = False
    batch: int = 50
    threads: int = 4
    base_url: str = ""
    patience: Patience = Patience()
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    tick: Tick | None = field(default=None, repr=False)

    region: ClassVar[str] = "us"

    def __post_init__(self) -> None:
        revisions.require_policy(self.on_revision)
        if self.batch < 1 or self.threads < 1 or self.screen_size < 1 or self.overlap < 0:
            raise ConfigError(
                f"yfinance: batch {self.batch}, threads {self.threads} and screen_size "
                f"{self.screen_size} must be at least 1 and overlap {self.overlap} at least 0."
            )

    # -- what a stage calls ---------------------------------------------------------------
    def download(self, start: date, end: date) -> tuple[str, ...]:
        """Bring the snapshot up to `end`; ask only for what is missing; return the candidates."""
        snapshot = self._snapshot()
        if not self.offline:
            with snapshot.lock():
                asking = self._asking(snapshot)
                if not self.symbols_file:
                    asking.screen(self.screen_size)
                symbols = self._candidates(snapshot)
                asking.charts((*symbols, *self._references()), start, end)
                asking.profiles(symbols)
        return self._candidates(snapshot)

    def fetch(self, start: date, end: date) -> RawMarket:
        """Download what is missing and return the market from `start` to `end`, inclusive."""
        symbols = self.download(start, end)
        snapshot = self._snapshot()
        notes = Notes()
        notes.add("survivorship", _SURVIVORS)
        traded, changed = self._traded(snapshot, {*symbols, *self._references()}, notes)
        table, wrong = yfinance_tables.bars(_between(traded, start, end))
        if len(wrong):
            notes.add("dividends", f"{len(wrong)} dividends not below the price are left out.")
        ours = table["symbol"].isin(symbols)
        last = np.datetime64(min(end, settled(self.now(), TIMEZONE)), "D")
        listed = yfinance_tables.listings(table[ours], self._boards(snapshot), last, gap_days=14)
        known, moved = self._profiles(snapshot)
        known = known[known["symbol"].isin(listed["symbol"])]
        labels = industries.frozen(known["symbol"], known["sector"], known["industry"], "Yahoo")
        for text in labels.notes:
            notes.add("industries", text)
        notes.revised(revisions.stack([changed, moved]), self.on_revision, self.folder)
        notes.missing(sorted(set(symbols) - set(table["symbol"])))
        bars = table[ours].reset_index(drop=True)
        notes.require_rows(bars, "yfinance", start, end)
        rows = traded["symbol"].isin(symbols)
        return RawMarket(
            bars=bars,
            actions=_between(yfinance_tables.actions(traded[rows]), start, end),
            industries=labels.frame,
            listings=listed,
            index_members=empty(INDEX_MEMBERS),
            benchmark=yfinance_tables.benchmark(table, self.benchmark),
            rates=_between(self._rates(snapshot, notes), start, end),
            notes=notes.frame(),
        )

    def bars(self, symbols: Sequence[str], start: date, end: date) -> Frame:
        """BARS of `symbols`, downloaded where missing."""
        table, _ = yfinance_tables.bars(_between(self._of(symbols, start, end), start, end))
        return table

    def actions(self, symbols: Sequence[str], start: date, end: date) -> Frame:
        """ACTIONS of `symbols`, downloaded where missing."""
        return _between(yfinance_tables.actions(self._of(symbols, start, end)), start, end)

    def fingerprint(self) -> str:
        """Digest of the snapshot and of the settings that decide how it is read.

        It changes when `download` adds something: call `download` first.
        """
        total = sha256(self._snapshot().digest().encode())
        chosen = self._candidates(self._snapshot()) if self.symbols_file else ()
        total.update(repr((self.on_revision, self.benchmark, self.rate, chosen)).encode())
        return total.hexdigest()

    # -- reading ------------------------------------------------------------------------
    def _snapshot(self) -> Snapshot:
        return Snapshot(self.folder, "yfinance")

    def _asking(self, snapshot: Snapshot) -> Download:
        yahoo = Yahoo(Caller("yfinance", self.patience), self.base_url)
        sizes = Sizes(self.batch, self.threads, self.overlap, self.refresh)
        return Download(snapshot, yahoo, settled(self.now(), TIMEZONE), sizes, self.tick)

    def _references(self) -> tuple[str, ...]:
        return tuple(s for s in (self.benchmark, self.rate) if s)

    def _candidates(self, snapshot: Snapshot) -> tuple[str, ...]:
        if self.symbols_file:
            return read_symbols(Path(self.symbols_file))
        frames = [snapshot.frame(p) for p in snapshot.of(SCREEN)]
        return common_stocks(concat(frames, ["symbol"])["symbol"])

    def _of(self, symbols: Sequence[str], start: date, end: date) -> Frame:
        snapshot = self._snapshot()
        if not self.offline:
            with snapshot.lock():
                self._asking(snapshot).charts(symbols, start, end)
        return self._traded(snapshot, set(symbols), Notes())[0]

    def _traded(self, snapshot: Snapshot, symbols: set[str], notes: Notes) -> tuple[Frame, Frame]:
        """As-traded rows in force of `symbols`, and what changed between answers."""
        versions, aside = [], []
        for part in snapshot.of(CHART):
            frame = snapshot.frame(part)
            frame = frame[frame["symbol"].isin(symbols - {self.rate})]
            # the splits of the day in progress count, its unfinished prices do not
            rows = _between(yfinance_tables.as_traded(frame), None, date.fromisoformat(part.end))
            good, bad = quarantine.split(rows, yfinance_tables.PRICES, ["volume"])
            aside.append(bad)
            if len(good):
                versions.append(_version(part, yfinance_tables.carry_actions(good, bad)))
        notes.aside(concat(aside, ["symbol", "date", "reason"]))
        if not versions:
            return pd.DataFrame(columns=["date", "symbol", *yfinance_tables.TOLERANCES]), (
                revisions.none()
            )
        return revisions.merge(CHART, versions, yfinance_tables.TOLERANCES, self.on_revision)

    def _rates(self, snapshot: Snapshot, notes: Notes) -> Frame:
        frames = [
            _between(snapshot.frame(p), None, date.fromisoformat(p.end))
            for p in snapshot.of(CHART)
            if self.rate in p.subjects
        ]
        rows = concat(frames, ["date", "symbol", "close"])
        rows = rows[(rows["symbol"] == self.rate) & rows["close"].notna()]
        if self.rate and len(rows):
            notes.add("rates", f"Cash earns {self.rate}, percent a year / 252, of the day before.")
        rows = rows.assign(date=pd.to_datetime(rows["date"]), close=rows["close"].astype(float))
        return yfinance_tables.rates(rows.drop_duplicates("date"))

    def _profiles(self, snapshot: Snapshot) -> tuple[Frame, Frame]:
        seen = [(p.seen, snapshot.frame(p)) for p in snapshot.of(PROFILES)]
        fields = ["sector", "industry", "exchange"]
        return revisions.facts(PROFILES, seen, ["symbol"], fields, "keep")

    def _boards(self, snapshot: Snapshot) -> dict[str, str]:
        known, _ = self._profiles(snapshot)
        return dict(zip(known["symbol"], known["exchange"], strict=True))


def _version(part: Part, frame: Frame) -> Version:
    there = tuple(s for s in part.subjects if s not in part.missing)
    start, end = np.datetime64(part.start, "D"), np.datetime64(part.end, "D")
    return Version(frame, start, end, there or ("",), part.seen)


def _between(frame: Frame, start: date | None, end: date) -> Frame:
    keep = frame["date"] <= pd.Timestamp(end)
    if start is not None:
        keep &= frame["date"] >= pd.Timestamp(start)
    return frame[keep].reset_index(drop=True)

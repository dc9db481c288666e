"""Chinese market data by the tushare library, kept in a resumable snapshot.

Listings include delisted and suspended names; daily rows are asked by session for the whole
market, so that nothing depends on today's list. The token comes from the environment variable
TUSHARE_TOKEN and goes nowhere else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np

from quant.core.tables import RATES
from quant.core.types import Frame
from quant.data import derive
from quant.data.providers import revisions, tushare_reading, tushare_tables
from quant.data.providers.base import RawMarket, empty
from quant.data.providers.download import Caller, Patience, Tick, settled
from quant.data.providers.snapshot import Snapshot
from quant.data.providers.tushare_client import Pro
from quant.data.providers.tushare_download import Download
from quant.data.providers.tushare_reading import Reader

TIMEZONE = "Asia/Shanghai"
INDEX = "CSI300"
FIRST = date(1991, 1, 1)  # Shanghai opened on 1990-12-19
_COST = 180.0  # requests a minute that the lowest paid tier allows, with a margin


@dataclass(frozen=True)
class Tushare:
    """Provider of Chinese data.

    folder            : where the snapshot lives, e.g. data/raw/tushare/cn
    industry_backfill : let the first Shenwan label stand for the days before its scheme
    on_revision       : "keep" what was known first, or "accept" what the vendor says now
    refresh           : ask for everything again, to find revisions
    offline           : use what is there, ask nothing (needs no token)
    base_url          : address of the data interface; "" = the library's own
    """

    folder: Path
    industry_backfill: bool = False
    on_revision: str = "keep"
    refresh: bool = False
    offline: bool = False
    base_url: str = ""
    patience: Patience = Patience(per_minute=_COST)
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    tick: Tick | None = field(default=None, repr=False)

    region: ClassVar[str] = "cn"

    def __post_init__(self) -> None:
        revisions.require_policy(self.on_revision)

    # -- what a stage calls ---------------------------------------------------------------
    def download(self, start: date, end: date) -> None:
        """Bring the snapshot up to `end`; ask only for what is missing."""
        start, end = self._span(start, end)
        if self.offline or start > end:
            return
        pro = Pro(Caller("tushare", self.patience), self.base_url)
        snapshot = Snapshot(self.folder, "tushare")
        with snapshot.lock():
            Download(snapshot, pro, self._today(), self.refresh, self.tick).all(start, end)

    def fetch(self, start: date, end: date) -> RawMarket:
        """Download what is missing and return the market from `start` to `end`, inclusive."""
        self.download(start, end)
        start, end = self._span(start, end)
        reader = Reader(Snapshot(self.folder, "tushare"), self.on_revision, start, end)
        notes = reader.notes
        frame = reader.daily()
        notes.require_rows(frame, "tushare", start, end)
        rows = derive.cut(derive.ordered(frame), np.datetime64(start), np.datetime64(end))
        known = reader.facts("stock_basic", ["ts_code"], ["list_date", "delist_date"])
        table = tushare_reading.listed(rows, known, end)
        labels = tushare_tables.shenwan(reader.members(), rows.names, self.industry_backfill)
        for text in labels.notes:
            notes.add("industries", text)
        benchmark = tushare_tables.benchmark(reader.levels())
        if len(benchmark) and not benchmark["total_return"].all():
            notes.add("benchmark", "The CSI 300 here is a price index: its dividends are missing.")
        members = tushare_tables.index_members(reader.all_months("index_weight"), INDEX)
        actions = tushare_tables.actions(reader.all_months("dividend"))
        notes.add("rates", "Tushare is not asked for a risk-free rate: cash earns nothing.")
        notes.revised(revisions.stack(reader.changes), self.on_revision, self.folder)
        return RawMarket(
            bars=tushare_reading.bars(rows, table, notes),
            actions=actions[actions["symbol"].isin(rows.names)].reset_index(drop=True),
            industries=labels.frame,
            listings=table,
            index_members=members,
            benchmark=benchmark,
            rates=empty(RATES),
            notes=notes.frame(),
        )

    def bars(self, symbols: Sequence[str], start: date, end: date) -> Frame:
        """BARS of `symbols`; the whole market is downloaded where it is missing."""
        return _only(self.fetch(start, end).bars, symbols)

    def actions(self, symbols: Sequence[str], start: date, end: date) -> Frame:
        """ACTIONS of `symbols`; the whole market is downloaded where it is missing."""
        return _only(self.fetch(start, end).actions, symbols)

    def fingerprint(self) -> str:
        """Digest of the snapshot and of the settings that decide how it is read.

        It changes when `download` adds something: call `download` first.
        """
        total = sha256(Snapshot(self.folder, "tushare").digest().encode())
        total.update(repr((self.on_revision, self.industry_backfill)).encode())
        return total.hexdigest()

    def _today(self) -> date:
        return settled(self.now(), TIMEZONE)

    def _span(self, start: date, end: date) -> tuple[date, date]:
        """Return what there can be of start to end: from the market's first year to today."""
        return max(start, FIRST), min(end, self._today())


def _only(frame: Frame, symbols: Sequence[str]) -> Frame:
    return frame[frame["symbol"].isin(list(symbols))].reset_index(drop=True)

"""What to ask Yahoo for, in which order, and how it is stored: only what is missing."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from quant.core.errors import ProviderError
from quant.data.providers.download import Malformed, Tick, chunks
from quant.data.providers.snapshot import Ask, Snapshot, concat, covered
from quant.data.providers.yfinance_client import PROFILE, RECEIVED, Yahoo

CHART, PROFILES, SCREEN = "chart", "profile", "screen"
_TAILS = 10  # short tails are many and small: this many batches go into one part


@dataclass(frozen=True)
class Sizes:
    """batch: symbols a part; threads; overlap: days asked again; refresh: ask all again."""

    batch: int
    threads: int
    overlap: int
    refresh: bool


@dataclass(frozen=True)
class Download:
    """Fills a locked snapshot from Yahoo; a kill loses at most the batch in flight.

    today : the last exchange-local day whose bars are final
    """

    snapshot: Snapshot
    yahoo: Yahoo
    today: date
    sizes: Sizes
    tick: Tick | None = None

    def screen(self, size: int) -> None:
        """Ask for the candidates, once a month; the union of all screens is what counts."""
        months = {p.seen[:7] for p in self.snapshot.of(SCREEN)}
        if self.today.isoformat()[:7] in months and not self.sizes.refresh:
            return
        found = pd.DataFrame(self.yahoo.screen(size), columns=["symbol", "exchange"])
        if found.empty:
            raise ProviderError(
                "yfinance: the equity screen returned no names; try later, or name your symbols "
                "in a file with data.vendor.symbols_file=<path>."
            )
        ask = Ask(SCREEN, self.today, self.today, self.today)
        self.snapshot.add(ask, found.drop_duplicates("symbol"))

    def charts(self, symbols: Sequence[str], start: date, end: date) -> None:
        """Ask for the daily rows of `symbols` that the snapshot lacks between start and end."""
        wanted = self._wanted(symbols, start, min(end, self.today))
        done, total = 0, sum(len(group) for group in wanted.values())
        for (first, tail), group in sorted(wanted.items()):
            for part in chunks(group, self.sizes.batch * (_TAILS if tail else 1)):
                self._chart(tuple(part), first)
                done += len(part)
                if self.tick:
                    self.tick(done, total)

    def profiles(self, symbols: Sequence[str]) -> None:
        """Ask for the sector and industry of those of `symbols` that have prices but none yet."""
        priced = {s for p in self.snapshot.of(CHART) for s in p.subjects if s not in p.missing}
        parts = self.snapshot.of(PROFILES)
        if self.sizes.refresh:
            parts = [p for p in parts if p.seen == self.today.isoformat()]
        known = covered(parts)
        wanted = [s for s in symbols if s in priced and s not in known]
        for part in chunks(wanted, self.sizes.batch):
            found, broken = self._ask(self.yahoo.profile, part)
            asked = tuple(s for s in part if s not in broken)
            if not asked:
                continue
            missing = tuple(s for s in asked if s not in found)
            rows = [{"symbol": s, **found[s]} for s in sorted(found)]
            frame = pd.DataFrame(rows, columns=["symbol", *PROFILE]).astype("string")
            ask = Ask(PROFILES, self.today, self.today, self.today, asked, missing)
            self.snapshot.add(ask, frame)

    def _wanted(
        self, symbols: Sequence[str], start: date, end: date
    ) -> dict[tuple[date, bool], list[str]]:
        """Return the symbols to ask for, by the first day needed and whether that is a tail."""
        parts = self.snapshot.of(CHART)
        spans = covered(parts)
        fresh = {s for p in parts if p.seen == self.today.isoformat() for s in p.subjects}
        wanted: dict[tuple[date, bool], list[str]] = {}
        for symbol in sorted(set(symbols)):
            low, high = spans.get(symbol, (start, start))
            first, tail = min(low, start), False
            if (
                symbol in spans
                and start >= low
                and not (self.sizes.refresh and symbol not in fresh)
            ):
                if high >= end:
                    continue
                first, tail = max(low, high - timedelta(days=self.sizes.overlap)), True
            wanted.setdefault((first, tail), []).append(symbol)
        return wanted

    def _chart(self, symbols: tuple[str, ...], first: date) -> None:
        """Ask for one batch, for what it lacks once more, and store it."""
        found, broken = self._ask(self.yahoo.history, symbols, first)
        lacking = tuple(s for s in symbols if s not in found and s not in broken)
        again, still = self._ask(self.yahoo.history, lacking, first)
        found, broken = {**found, **again}, {**broken, **still}
        if len(broken) * 2 > len(symbols):
            name, why = next(iter(broken.items()))
            raise ProviderError(
                f"yfinance: {len(broken)} of {len(symbols)} answers can not be read ({name}: "
                f"{why}); Yahoo may have changed its format: update yfinance, then run the same "
                "command again. What was downloaded before is kept."
            )
        # those that can not be read are not entered: the next run asks for them again
        asked = tuple(s for s in symbols if s not in broken)
        missing = tuple(s for s in asked if s not in found)
        frame = concat([found[s] for s in sorted(found)], ["date", "symbol", *RECEIVED.values()])
        self.snapshot.add(Ask(CHART, first, self.today, self.today, asked, missing), frame)

    def _ask(
        self, question: Callable[..., Any], symbols: Sequence[str], *more: object
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return (answers by symbol, reasons by symbol whose answer can not be read)."""

        def one(symbol: str) -> tuple[str, Any, str]:
            try:
                return symbol, question(symbol, *more), ""
            except Malformed as error:
                return symbol, None, str(error)

        with ThreadPoolExecutor(self.sizes.threads) as pool:
            answers = list(pool.map(one, symbols))
        found = {symbol: answer for symbol, answer, _ in answers if answer is not None}
        return found, {symbol: why for symbol, _, why in answers if why}

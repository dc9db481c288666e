"""What every report must say about vendor data: collected while it is read."""

from datetime import date
from pathlib import Path

import pandas as pd

from quant.core.errors import ProviderError
from quant.core.tables import NOTES
from quant.core.types import Frame
from quant.data.providers import quarantine

REVISIONS = "revisions.csv"


class Notes:
    """Topics with a sentence each, in the order of the topics."""

    def __init__(self) -> None:
        self._rows: set[tuple[str, str]] = set()
        self._aside: list[Frame] = []

    def add(self, topic: str, text: str) -> None:
        """Say `text` under `topic`."""
        if text:
            self._rows.add((topic, text))

    def aside(self, rows: Frame) -> None:
        """Count malformed rows that were left out (date, symbol, reason)."""
        if len(rows):
            self._aside.append(rows[["date", "symbol", "reason"]])

    def missing(self, symbols: list[str]) -> None:
        """Say which of the names asked for have no prices."""
        if symbols:
            some = ", ".join(symbols[:10]) + (", ..." if len(symbols) > 10 else "")
            self.add("missing", f"The vendor has no prices of {len(symbols)} names: {some}.")

    def revised(self, changes: Frame, policy: str, folder: Path) -> None:
        """Say that vendor history changed, and list every value in a file beside the snapshot."""
        if not len(changes):
            return
        changes.to_csv(folder / REVISIONS, index=False)
        what = "what was known first stays in force" if policy == "keep" else "the new is in force"
        self.add(
            "revisions",
            f"The vendor changed {len(changes)} values of {changes['symbol'].nunique()} names "
            f"since they were first downloaded (latest seen {changes['seen'].max()}): {what}. "
            f"They are listed in {REVISIONS} beside the snapshot; data.vendor.on_revision=accept "
            "or keep chooses.",
        )

    def require_rows(self, bars: Frame, vendor: str, start: date, end: date) -> None:
        """Raise ProviderError where there is nothing to work with."""
        if len(bars):
            return
        said = " ".join(text for topic, text in self._all() if topic != "survivorship")
        raise ProviderError(
            f"{vendor} has no prices from {start} to {end}; check the dates, the symbols and the "
            f"connection. {said}".strip()
        )

    def frame(self) -> Frame:
        """NOTES."""
        return pd.DataFrame(self._all(), columns=NOTES.schema.names, dtype="object")

    def _all(self) -> list[tuple[str, str]]:
        rows = set(self._rows)
        if self._aside:
            # a row that two answers have alike is one row
            aside = pd.concat(self._aside, ignore_index=True).drop_duplicates()
            rows.add(("malformed", quarantine.text(aside)))
        return sorted(rows)

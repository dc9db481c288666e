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

    def add(self, topic: str, text: str) -> None:
        """Say `text` under `topic`."""
        if text:
            self._rows.add((topic, text))

    def aside(self, rows: Frame) -> None:
        """Say how many malformed rows were left out."""
        self.add("malformed", quarantine.text(rows))

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
            f"They are listed in {REVISIONS} beside the snapshot; data.on_revision=accept or keep "
            "chooses.",
        )

    def require_rows(self, bars: Frame, vendor: str, start: date, end: date) -> None:
        """Raise ProviderError where there is nothing to work with."""
        if len(bars):
            return
        said = " ".join(text for _, text in sorted(self._rows) if "delisted" not in text)
        raise ProviderError(
            f"{vendor} has no prices from {start} to {end}; check the dates, the symbols and the "
            f"connection. {said}".strip()
        )

    def frame(self) -> Frame:
        """NOTES."""
        rows = sorted(self._rows)
        return pd.DataFrame(rows, columns=NOTES.schema.names, dtype="object")

"""What every data provider hands over, and the protocol it speaks."""

from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from quant.core.errors import DataError
from quant.core.tables import (
    ACTIONS,
    BARS,
    BENCHMARK,
    INDEX_MEMBERS,
    INDUSTRIES,
    INTRADAY,
    LISTINGS,
    NOTES,
    RATES,
    Table,
)
from quant.core.types import Frame

TABLES = {
    "bars": BARS,
    "actions": ACTIONS,
    "industries": INDUSTRIES,
    "listings": LISTINGS,
    "index_members": INDEX_MEMBERS,
    "benchmark": BENCHMARK,
    "rates": RATES,
    "notes": NOTES,
    "intraday": INTRADAY,
}


def empty(table: Table) -> Frame:
    """Return a frame without rows that has the columns and pandas types of `table`."""
    return table.empty()


@dataclass(frozen=True)
class RawMarket:
    """One market over one stretch of time, in the schemas of `quant.core.tables`.

    A table that the source does not have is `empty(table)`, never None. Bars are raw as traded;
    `notes` say what every report must say about the data (simulated, survivorship, revisions).
    Raises DataError at birth where a table lacks a column or knows one too many.
    """

    bars: Frame
    actions: Frame
    industries: Frame
    listings: Frame
    index_members: Frame
    benchmark: Frame
    rates: Frame
    notes: Frame
    intraday: Frame = field(default_factory=lambda: empty(INTRADAY))

    def __post_init__(self) -> None:
        for name, table in TABLES.items():
            have, want = list(getattr(self, name).columns), table.schema.names
            if sorted(have) != sorted(want):
                raise DataError(f"{name} has the columns {have}; its schema is {want}.")


class Provider(Protocol):
    """A source of market data for one region."""

    region: str

    def fetch(self, start: date, end: date) -> RawMarket:
        """Return everything the source has from `start` to `end`, both inclusive."""
        ...

    def fingerprint(self) -> str:
        """Digest of whatever the data depends on: file contents, a snapshot's manifest, a seed."""
        ...

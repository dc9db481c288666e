"""Find one number in the metrics table, and one book in the NAV table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from quant.core.types import Frame
from quant.reporting.inputs import ReportInputs

PORTFOLIO, BENCHMARK, ALPHA = "portfolio", "benchmark", "alpha"


@dataclass(frozen=True)
class Metrics:
    """The metrics table as a lookup: (book, metric) -> value."""

    values: Mapping[tuple[str, str], float]

    @classmethod
    def of(cls, frame: Frame) -> "Metrics":
        """From a METRICS table; an empty frame knows nothing."""
        if not len(frame):
            return cls({})
        keys = zip(frame["book"], frame["metric"], strict=True)
        return cls(dict(zip(keys, frame["value"].astype(float), strict=True)))

    def __call__(self, metric: str, book: str = PORTFOLIO) -> float:
        """Value of `metric` of `book`, NaN where the table has none."""
        return self.values.get((book, metric), math.nan)

    def alpha(self, metric: str) -> float:
        """Value of a signal metric: of the book alpha, else of the portfolio."""
        return self.values.get((ALPHA, metric), self(metric))

    def has(self, book: str) -> bool:
        """Whether the table has any number of `book`."""
        return any(b == book for b, _ in self.values)


def book(inputs: ReportInputs, name: str) -> Frame:
    """Rows of `name` in the NAV table, by date; empty where the book is absent."""
    nav = inputs.nav
    if not len(nav):
        return pd.DataFrame(columns=["nav", "cash", "cost", "fee", "turnover", "rf", "n_held"])
    rows = nav[nav["book"] == name].sort_values("date")
    return rows.set_index("date").drop(columns="book")


def stamp(inputs: ReportInputs) -> str:
    """What every drawing of this report must bear."""
    return "SIMULATED" if inputs.meta.simulated else ""


def index_levels(inputs: ReportInputs, dates: pd.DatetimeIndex) -> tuple[str, pd.Series]:
    """Name and levels of the reference index on `dates`; an empty series where there is none.

    The name says when the index leaves dividends out. Where the table has several indices, the
    first that is a total return comes before the others, then by name.
    """
    frame = inputs.benchmark
    if not len(frame) or not len(dates):
        return "", pd.Series(dtype=float)
    order = frame.sort_values(["total_return", "name"], ascending=[False, True])
    name = str(order["name"].iloc[0])
    rows = frame[frame["name"] == name].sort_values("date")
    close = rows.set_index("date")["close"]
    levels = close.reindex(close.index.union(dates)).ffill().reindex(dates)
    full = bool(rows["total_return"].all())
    return name if full else f"{name} (price only)", levels

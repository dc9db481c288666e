"""What a backtest leaves behind: arrays for metrics and sweeps, frames for the tables."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from quant.core.types import Codes, Dates, Frame, Vector
from quant.execution.limits import REASONS

FILL_COLUMNS = ("ordered", "shares", "price", "notional", "cost", "fee")


@dataclass(frozen=True)
class Ragged:
    """Rows of days of different length: (day, asset) and columns of values.

    day, asset : (n_rows,) int64 indices into dates and symbols, sorted
    columns    : name -> (n_rows,)
    """

    day: Codes
    asset: Codes
    columns: dict[str, np.ndarray]

    def frame(self, dates: Dates, symbols: np.ndarray) -> Frame:
        """Long frame (date, symbol, columns)."""
        return pd.DataFrame(
            {
                "date": dates.astype("datetime64[ns]")[self.day],
                "symbol": symbols[self.asset],
                **self.columns,
            }
        )


@dataclass
class Recorder:
    """Collects ragged rows day by day."""

    names: tuple[str, ...]
    days: list[int] = field(default_factory=list)
    rows: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def add(self, day: int, asset: Codes, *columns: np.ndarray) -> None:
        """Keep the rows of one day; the arrays must not change afterwards."""
        self.days.append(day)
        self.rows.append((asset, *columns))

    def ragged(self) -> Ragged:
        """All rows, in the order of days and, within a day, of assets."""
        if not self.rows:
            empty = {name: np.empty(0) for name in self.names}
            return Ragged(np.empty(0, np.int64), np.empty(0, np.int64), empty)
        asset, *columns = (np.concatenate(parts) for parts in zip(*self.rows, strict=True))
        day = np.repeat(self.days, [rows[0].size for rows in self.rows])
        if not ((day[1:] > day[:-1]) | (asset[1:] > asset[:-1])).all():
            order = np.lexsort((asset, day))
            day, asset, columns = day[order], asset[order], [c[order] for c in columns]
        return Ragged(day, asset, dict(zip(self.names, columns, strict=True)))


@dataclass(frozen=True)
class Result:
    """One run of the day loop.

    dates                      : (n_days,) sessions of the run, the first one before any trade
    nav, cash                  : (n_days,) money at the close
    cost, fee                  : (n_days,) money of the session
    interest                   : (n_days,) money that cash earned over the session
    turnover                   : (n_days,) two-way value traded / NAV of the close before
    rf                         : (n_days,) decimal
    n_held                     : (n_days,) names held at the close
    target_rows, held_rows, fill_rows : see `targets`, `weights`, `fills`, built when asked for
    """

    dates: Dates
    symbols: np.ndarray
    nav: Vector
    cash: Vector
    cost: Vector
    fee: Vector
    interest: Vector
    turnover: Vector
    rf: Vector
    n_held: Codes
    target_rows: Recorder
    held_rows: Recorder
    fill_rows: Recorder

    @cached_property
    def targets(self) -> Frame:
        """Table `targets`: what was decided at the close of `date`.

        A day without rows is a day without a decision; a name that is to be sold has weight 0.
        """
        return self.target_rows.ragged().frame(self.dates, self.symbols)

    @cached_property
    def weights(self) -> Frame:
        """Table `weights`: what was held at the close of `date`, as fractions of NAV."""
        return self.held_rows.ragged().frame(self.dates, self.symbols)

    @cached_property
    def fills(self) -> Frame:
        """Table `fills`: what was ordered and traded in the session `date`, with the reason."""
        frame = self.fill_rows.ragged().frame(self.dates, self.symbols)
        frame["notional"] = np.where(frame["shares"] != 0, frame["shares"] * frame["price"], 0.0)
        frame["reason"] = np.array(REASONS, object)[frame["reason"].to_numpy(np.int64)]
        return frame[["date", "symbol", *FILL_COLUMNS, "reason"]]

    def nav_table(self, book: str) -> Frame:
        """Table `nav` with the name of the book."""
        return pd.DataFrame(
            {
                "book": book,
                "date": self.dates.astype("datetime64[ns]"),
                "nav": self.nav,
                "cash": self.cash,
                "cost": self.cost,
                "fee": self.fee,
                "turnover": self.turnover,
                "rf": self.rf,
                "n_held": self.n_held,
            }
        )

    @property
    def returns(self) -> Vector:
        """Daily returns of NAV, (n_days - 1,)."""
        return self.nav[1:] / self.nav[:-1] - 1.0

"""A dense panel: one matrix of days by assets for every field, with its axes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.types import Dates, Frame, Matrix


def sessions_of(table: Frame) -> Dates:
    """(n_days,) datetime64[D] of the table `sessions`."""
    return table["date"].to_numpy().astype("datetime64[D]")


@dataclass(frozen=True)
class Panel:
    """Fields on common axes.

    dates   : (n_days,) datetime64[D], strictly increasing
    symbols : (n_assets,) str, sorted
    fields  : name -> (n_days, n_assets) float64, NaN where there is no row
    """

    dates: Dates
    symbols: np.ndarray
    fields: Mapping[str, Matrix]

    def __getitem__(self, name: str) -> Matrix:
        return self.fields[name]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_days, n_assets)."""
        return self.dates.size, self.symbols.size

    @classmethod
    def of(
        cls,
        frame: Frame,
        columns: Iterable[str],
        dates: Dates | None = None,
        symbols: np.ndarray | None = None,
        dtype: type = np.float64,
    ) -> "Panel":
        """Spread a long frame with `date` and `symbol` into matrices.

        Rows outside the given axes are left out; missing rows are NaN.
        Raises DataError where a (date, symbol) stands twice.
        """
        day = frame["date"].to_numpy().astype("datetime64[D]")
        dates = np.unique(day) if dates is None else np.asarray(dates).astype("datetime64[D]")
        codes, names = pd.factorize(frame["symbol"], sort=True)
        names = np.asarray(names, dtype=object)
        if symbols is None:
            symbols, column = names, codes
        else:
            symbols = np.asarray(symbols, dtype=object)
            column = pd.Index(symbols).get_indexer(names)[codes]
        row = np.searchsorted(dates, day)
        row[row == dates.size] = 0
        inside = (column >= 0) & (dates[row] == day) if dates.size else np.zeros(day.size, bool)
        row, column = row[inside], column[inside]
        flat = row * symbols.size + column
        rows_of = np.bincount(flat, minlength=dates.size * symbols.size)
        if rows_of.size and rows_of.max() > 1:
            twice = int(rows_of.argmax())
            raise DataError(
                f"{symbols[twice % symbols.size]} has two rows on {dates[twice // symbols.size]}; "
                "one row a day and symbol is the rule: remove one of them."
            )
        fields = {}
        for name in columns:
            matrix = np.full((dates.size, symbols.size), np.nan, dtype=dtype)
            matrix[row, column] = frame[name].to_numpy(dtype=dtype, na_value=np.nan)[inside]
            fields[name] = matrix
        return cls(dates, symbols, fields)

    def long(self, names: Iterable[str] | None = None, keep: np.ndarray | None = None) -> Frame:
        """Return a long frame (date, symbol, fields), sorted, with the rows where `keep` is true.

        keep : (n_days, n_assets) bool; by default the rows where any field is not NaN
        """
        names = list(self.fields if names is None else names)
        if keep is None:
            keep = np.zeros(self.shape, bool)
            for name in names:
                keep |= ~np.isnan(self.fields[name])
        row, column = np.nonzero(keep)
        data = {
            "date": self.dates[row].astype("datetime64[ns]"),
            "symbol": self.symbols[column],
        }
        data.update({name: self.fields[name][row, column] for name in names})
        return pd.DataFrame(data)

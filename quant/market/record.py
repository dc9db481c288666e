"""What a simulated market leaves behind, day by day, before it becomes tables."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Mask, Matrix, Vector
from quant.market.prices import Day, Traded
from quant.market.world import World

FIELDS = (
    "open",
    "high",
    "low",
    "close",
    "pre_close",
    "volume",
    "amount",
    "factor",
    "limit_up",
    "limit_down",
    "float_shares",
)
UNLIMITED = np.int64(1) << 49


@dataclass
class Record:
    """Day matrices, (n_days, n) each.

    fields  : FIELDS in currency and shares; rows count where `trading`; close, factor and
              float_shares stand for suspended names too
    planted : expected residual return of the next session
    actions : (day, name, dividend in currency, split) of every ex-date
    """

    fields: dict[str, Matrix]
    is_st: Mask
    alive: Mask
    trading: Mask
    planted: Matrix
    actions: list[tuple[int, int, float, float]]

    @classmethod
    def empty(cls, n_days: int, n: int) -> "Record":
        """Nothing has happened yet."""
        fields = {name: np.empty((n_days, n)) for name in FIELDS}
        flags = (np.zeros((n_days, n), bool) for _ in range(3))
        return cls(fields, *flags, np.zeros((n_days, n)), [])

    def keep(self, day: int, w: World, market: Day, bar: Traded, trading: Mask) -> None:
        """Write one day down, before events of its evening change the states."""
        values = {
            "open": bar.open / 100,
            "high": bar.high / 100,
            "low": bar.low / 100,
            "close": w.close / 100,
            "pre_close": market.reference / 100,
            "volume": bar.volume,
            "amount": bar.amount,
            "factor": w.factor,
            "limit_up": np.where(market.high < UNLIMITED, market.high / 100, np.nan),
            "limit_down": np.where(market.high < UNLIMITED, market.low / 100, np.nan),
            "float_shares": w.shares,
        }
        for name, value in values.items():
            self.fields[name][day] = value
        self.is_st[day], self.alive[day], self.trading[day] = (
            w.status.is_st,
            w.status.alive,
            trading,
        )

    def act(self, day: int, trading: Mask, dividend: Vector, split: Vector) -> None:
        """Write the ex-dates of one day down; dividends are in ticks."""
        for name in np.flatnonzero(trading & ((dividend > 0) | (split != 1))):
            self.actions.append((day, int(name), dividend[name] / 100, float(split[name])))

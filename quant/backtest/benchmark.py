"""The benchmark book: the universe in equal weights, traded by the same engine at the same costs.

A costless, daily rebalanced average earns the reversal premium for free; this one is rebalanced
when the universe is reconstituted, and pays (readings 35).
"""

import numpy as np
import pandas as pd

from quant.backtest.engine import Decide, State
from quant.backtest.market import MarketArrays
from quant.core.errors import DataError
from quant.core.types import Frame, Mask, Vector


def equal_weight(market: MarketArrays, members: Frame, first: int = 0) -> Decide:
    """Policy of the benchmark: equal weights of the members, decided at each reconstitution.

    members : table `members`; decided at the close of `asof`, traded in session `effective`
    first   : session of the first decision; it uses the latest list known by then
    In between it only sells what left the universe and could not be sold before.
    Raises DataError where no list is known at `first`.
    """
    lists = _lists(market, members)
    days = np.array(sorted(lists), np.int64)
    if not days.size or days[0] > first:
        known = market.dates[days[0]] if days.size else "never"
        raise DataError(
            f"no universe is known on {market.dates[first]}; the first list is of {known}: "
            "start the backtest after it."
        )

    def decide(t: int, state: State) -> Vector | None:
        current = lists[int(days[np.searchsorted(days, t, side="right") - 1])]
        if t in lists or t == first:
            return current / current.sum()
        stuck = (state.shares > 0) & ~current & state.tradable
        return np.where(stuck, 0.0, state.weights) if stuck.any() else None

    return decide


def _lists(market: MarketArrays, members: Frame) -> dict[int, Mask]:
    """Session index of every reconstitution -> (n_assets,) who is in."""
    column = pd.Index(market.symbols).get_indexer(members["symbol"])
    day = members["asof"].to_numpy().astype("datetime64[D]")
    inside = (column >= 0) & (day >= market.dates[0]) & (day <= market.dates[-1])
    row = np.searchsorted(market.dates, day[inside])
    lists: dict[int, Mask] = {}
    for t in np.unique(row):
        lists[int(t)] = np.zeros(market.symbols.size, bool)
        lists[int(t)][column[inside][row == t]] = True
    return lists

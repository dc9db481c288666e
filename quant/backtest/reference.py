"""The recorded reference run: Qlib's exchange, executor and account replay the decisions.

Prices, factors, limits and suspensions come from the .bin dataset through Qlib's own data layer,
fills and positions from its Exchange and Account. What Qlib 0.9.7 does not know is added: cost
and fees by our formula, lots by board, interest, delistings, and buys scaled together where cash
is short. Quotes are held as dense arrays, or its cache thrashes above 512 names.
"""

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quant.backtest.market import Charges, MarketArrays
from quant.backtest.result import Result
from quant.core.errors import DataError
from quant.core.types import Codes, Frame, Vector
from quant.data import qlib_store
from quant.execution.limits import SLACK
from quant.execution.moo import market_on_open
from quant.execution.orders import Execute
from quant.execution.scheduled import Scheduled


@dataclass(frozen=True)
class Parity:
    """How far the reference is from the ledger.

    worst  : largest relative difference of NAV on any day
    final  : relative difference of the last NAV
    return_bp : largest difference of a daily return, basis points
    cost   : relative difference of all costs and fees
    """

    worst: float
    final: float
    return_bp: float
    cost: float


def replay(
    folder: Path,
    region: str,
    market: MarketArrays,
    charges: Charges,
    targets: Frame,
    capital: float,
    first: int,
    last: int,
    execute: Execute = market_on_open,
) -> Frame:
    """Replay the decisions of a ledger run in Qlib; rows of table `nav` with book "qlib".

    execute     : the run's execution style, a fresh one

    folder      : Qlib dataset of `region`, written from the bars of `market`
    targets     : table `targets`; days without rows leave the book as it is
    first, last : sessions of the ledger run; the book is cash at the close of `first`
    Raises DataError where the dataset lacks a name or the region does not match.
    """
    if not 0 <= first < last < market.dates.size:
        raise DataError(
            f"sessions {first} to {last} can not be replayed in {market.dates.size} sessions; "
            "a replay needs a first close and one session after it."
        )
    qlib_store.init(folder, region)
    # an optional dependency of Qlib prints an advertisement to stderr when it is imported
    with contextlib.redirect_stderr(io.StringIO()):
        from quant.backtest.qlib_executor import ReplayRun

    inside = (targets["date"] >= market.dates[first]) & (targets["date"] < market.dates[last])
    rows = targets.loc[inside]
    symbols = np.unique(rows["symbol"].to_numpy(object)) if len(rows) else market.symbols[:1]
    column = pd.Index(market.symbols).get_indexer(symbols)
    if (column < 0).any():
        raise DataError(
            f"{symbols[column < 0][0]} has targets but no bars; replay against the same market."
        )
    plan = Plan(
        market=market,
        charges=charges,
        column=column,
        names=[qlib_store.instrument(s) for s in symbols],
        targets=_by_session(rows, market, symbols),
        capital=float(capital),
        first=first,
        last=last,
        desk=execute if isinstance(execute, Scheduled) else None,
    )
    return plan.table(ReplayRun(plan).rows())


def compare(result: Result, reference: Frame) -> Parity:
    """Differences between a ledger run and its replay.

    reference : what `replay` returned for the targets of `result`
    """
    ours, theirs = result.nav, reference["nav"].to_numpy(np.float64)
    if ours.size != theirs.size:
        raise DataError(
            f"the ledger has {ours.size} days and the reference {theirs.size}; "
            "replay the same sessions."
        )
    gap = np.abs(theirs / ours - 1.0)
    returns = np.abs(theirs[1:] / theirs[:-1] - ours[1:] / ours[:-1])
    paid = float((result.cost + result.fee).sum())
    other = float((reference["cost"] + reference["fee"]).sum())
    return Parity(
        worst=float(gap.max()),
        final=float(gap[-1]),
        return_bp=float(returns.max(initial=0.0)) * 1e4,
        cost=abs(other / paid - 1.0) if paid else abs(other),
    )


@dataclass(frozen=True)
class Plan:
    """What a replay needs; names are the replayed subset of the market.

    column  : (n_names,) index into the market's symbols
    names   : (n_names,) instruments of the Qlib dataset
    targets : session index -> (n_names,) weights decided at its close
    desk    : what works the orders; None = they are dealt at the open
    """

    market: MarketArrays
    charges: Charges
    column: Codes
    names: list[str]
    targets: dict[int, Vector]
    capital: float
    first: int
    last: int
    desk: Scheduled | None = None

    def table(self, rows: Iterable[dict[str, Any]]) -> Frame:
        """Table `nav` from the rows of the sessions first+1 to last."""
        start = {"nav": self.capital, "cash": self.capital, "cost": 0.0, "fee": 0.0}
        frame = pd.DataFrame([start | {"turnover": 0.0, "n_held": 0}, *rows])
        span = slice(self.first, self.last + 1)
        frame.insert(0, "book", "qlib")
        frame.insert(1, "date", self.market.dates[span].astype("datetime64[ns]"))
        frame["rf"] = self.market.rf[span]
        columns = ["book", "date", "nav", "cash", "cost", "fee", "turnover", "rf", "n_held"]
        return frame[columns]


def _by_session(rows: Frame, market: MarketArrays, symbols: np.ndarray) -> dict[int, Vector]:
    session = np.searchsorted(market.dates, rows["date"].to_numpy().astype("datetime64[D]"))
    column = np.searchsorted(symbols, rows["symbol"].to_numpy(object))
    weight = rows["weight"].to_numpy(np.float64)
    out: dict[int, Vector] = {}
    for t in np.unique(session):
        out[int(t)] = np.zeros(symbols.size)
        out[int(t)][column[session == t]] = weight[session == t]
    return out


# whether a buy (a sell) is impossible at the open; the tuple form of Exchange's limit_threshold
LIMITS = (
    f"($open >= $limit_up * {1.0 - SLACK}) | ($volume <= 0)",
    f"($open <= $limit_down * {1.0 + SLACK}) | ($volume <= 0)",
)

"""The day loop: decide at the close of t from what is really held, trade in session t+1.

`decide` is any policy (optimizer, equal weights, a replay), `execute` any execution style of
`quant.execution`; with `moo.at_target` the same loop yields the optimizer's ideal book.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quant.backtest.ledger import Book, adjusted
from quant.backtest.market import Charges, MarketArrays
from quant.backtest.result import Recorder, Result
from quant.core.errors import DataError
from quant.core.types import Codes, Mask, Vector
from quant.execution.moo import market_on_open
from quant.execution.orders import Execute, Fills, Orders, from_targets

_TOLERANCE = 1e-6
# smaller targets are solver noise around zero: the position is left, odd lot included
_NOISE = 1e-8


@dataclass(frozen=True, slots=True)
class State:
    """What is known of the book at the close of a session; copies, free to keep.

    date      : the session
    nav, cash : money
    shares    : (n_assets,) raw
    weights   : (n_assets,) shares x last raw close / nav
    tradable  : (n_assets,) traded in this session
    turnover  : two-way value traded in this session / NAV of the close before
    cost      : money that trading cost in this session, fees included
    """

    date: np.datetime64
    nav: float
    cash: float
    shares: Vector
    weights: Vector
    tradable: Mask
    turnover: float = 0.0
    cost: float = 0.0


# (index of the session, state) -> (n_assets,) target weights of NAV, or None to leave the book
Decide = Callable[[int, State], Vector | None]


def run(
    market: MarketArrays,
    decide: Decide,
    execute: Execute = market_on_open,
    *,
    charges: Charges,
    capital: float,
    first: int = 0,
    last: int | None = None,
) -> Result:
    """Run one book from the close of session `first` to the close of session `last`.

    capital : money at the close of `first`, all cash; the first trade is in session first+1
    last    : by default the last session; the decision at its close is recorded, not traded
    Raises DataError for targets that are no weights, or of names that never traded.
    """
    walk = Walk(market, execute, charges=charges, capital=capital, first=first, last=last)
    walk.decide(decide(walk.t, walk.state))
    while not walk.over:
        walk.advance()
        walk.decide(decide(walk.t, walk.state))
    return walk.result()


class Walk:
    """The day loop one session at a time, for those that must stand between close and close.

    At every close: look at `state`, call `decide` once, then `advance` to the next close.

    market, execute, charges, capital, first, last : as of `run`
    """

    def __init__(
        self,
        market: MarketArrays,
        execute: Execute = market_on_open,
        *,
        charges: Charges,
        capital: float,
        first: int = 0,
        last: int | None = None,
    ) -> None:
        self.market, self.execute = market, execute
        self.t = first
        self.last = market.dates.size - 1 if last is None else last
        _check_days(market, first, self.last, capital)
        self._book = Book(market, charges, capital)
        self._log = _Log(market, first, self.last)
        self._orders: Orders | None = None
        self.state = self._close()

    @property
    def over(self) -> bool:
        """Whether the last close is reached."""
        return self.t >= self.last

    def decide(self, target: Vector | None) -> None:
        """Order what leads to `target` (n_assets,) in the next session; None leaves the book."""
        if target is None:
            return
        target = _checked(target, self.state, self.market, self.t)
        book, mark = self._book, self.market.mark[self.t]
        self._orders = from_targets(target, book.shares, mark, book.nav, self.state.weights)
        self._log.target(self.t, target, self.state)

    def advance(self) -> State:
        """Play the next session; returns the state at its close."""
        self.t += 1
        self._orders = _session(self._book, self._log, self.t, self._orders, self.execute)
        self.state = self._close()
        return self.state

    def result(self) -> Result:
        """What the run left behind."""
        return self._log.result()

    def _close(self) -> State:
        book, t, log = self._book, self.t, self._log
        book.mark(t)
        k = t - log.first
        state = State(
            self.market.dates[t],
            book.nav,
            book.cash,
            book.shares.copy(),
            book.value / book.nav,
            self.market.tradable[t],
            float(log.turnover[k]),
            float(log.cost[k] + log.fee[k]),
        )
        log.close(t, book, state.weights)
        return state


def _session(
    book: Book, log: "_Log", t: int, orders: Orders | None, execute: Execute
) -> Orders | None:
    """Play session t up to its close; orders live for one session."""
    interest, gone, shares, price = book.carry(t)
    log.exits(t, interest, gone, shares, price)
    if orders is not None:
        if gone.size or book.market.has_action[t]:
            orders = adjusted(orders, book.market.ratio[t], gone)
        before = book.nav
        fills = execute(orders, book.session(t))
        log.trade(t, fills, book.apply(fills) / before)
    return None


def _check_days(market: MarketArrays, first: int, last: int, capital: float) -> None:
    n_days = market.dates.size
    if not 0 <= first <= last < n_days:
        raise DataError(
            f"sessions {first} to {last} were asked for, but the market has 0 to {n_days - 1}; "
            "check the backtest's dates against the data."
        )
    if not capital > 0:
        raise DataError(f"a book starts with positive capital, not {capital}; set backtest.nav.")


def _checked(target: Vector, state: State, market: MarketArrays, t: int) -> Vector:
    """Targets: finite, long-only, at most fully invested, priced; noise around 0 is cut."""
    if target.shape != state.weights.shape:
        raise DataError(
            f"{state.date}: {target.shape} target weights for {state.weights.shape} names; "
            "a decision covers every name of the market."
        )
    low, total = float(target.min()), float(target.sum())
    # a NaN fails both comparisons
    if not (low >= -_TOLERANCE and total <= 1.0 + _TOLERANCE):
        raise DataError(
            f"{state.date}: target weights have minimum {low:.6g} and sum {total:.6g}; they must "
            "be finite, not negative, and sum to at most 1."
        )
    target = np.where(target > _NOISE, target, 0.0)
    unpriced = (market.mark[t] == 0.0) & (target > 0.0)
    if unpriced.any():
        raise DataError(
            f"{state.date}: a weight of {target[unpriced][0]:.6g} is wanted of "
            f"{market.symbols[unpriced][0]}, which has not traded yet; leave it out until it does."
        )
    return target


class _Log:
    """Everything a run records, by session."""

    def __init__(self, market: MarketArrays, first: int, last: int) -> None:
        self.market, self.first = market, first
        self.days = slice(first, last + 1)
        n = last - first + 1
        self.nav, self.cash = np.zeros(n), np.zeros(n)
        self.cost, self.fee, self.interest, self.turnover = np.zeros((4, n))
        self.n_held = np.zeros(n, np.int64)
        self.target_rows = Recorder(("weight",))
        self.held_rows = Recorder(("weight",))
        self.fill_rows = Recorder(("ordered", "shares", "price", "cost", "fee", "reason"))

    def target(self, t: int, target: Vector, state: State) -> None:
        named = np.flatnonzero((target != 0) | (state.shares != 0))
        self.target_rows.add(t - self.first, named, target[named])

    def exits(self, t: int, interest: float, gone: Codes, shares: Vector, price: Vector) -> None:
        self.interest[t - self.first] = interest
        if gone.size:
            zero, reason = np.zeros(gone.size), self.market.exit_reason[gone]
            self.fill_rows.add(t - self.first, gone, -shares, -shares, price, zero, zero, reason)

    def trade(self, t: int, fills: Fills, turnover: float) -> None:
        k = t - self.first
        self.turnover[k] = turnover
        if fills.asset.size:
            self.cost[k], self.fee[k] = fills.cost.sum(), fills.fee.sum()
            self.fill_rows.add(
                k, fills.asset, fills.ordered, fills.shares, fills.price, fills.cost, fills.fee,
                fills.reason,
            )  # fmt: skip

    def close(self, t: int, book: Book, weights: Vector) -> None:
        k = t - self.first
        self.nav[k], self.cash[k] = book.nav, book.cash
        held = np.flatnonzero(book.shares)
        self.n_held[k] = held.size
        self.held_rows.add(k, held, weights[held])

    def result(self) -> Result:
        m = self.market
        return Result(
            dates=m.dates[self.days],
            symbols=m.symbols,
            nav=self.nav,
            cash=self.cash,
            cost=self.cost,
            fee=self.fee,
            interest=self.interest,
            turnover=self.turnover,
            rf=m.rf[self.days],
            n_held=self.n_held,
            target_rows=self.target_rows,
            held_rows=self.held_rows,
            fill_rows=self.fill_rows,
        )

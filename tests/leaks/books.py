"""Leaky risk, policy, execution, costs and benchmark."""

import dataclasses
from typing import Any

import numpy as np

from quant.backtest import benchmark, engine, policy
from quant.backtest.engine import Decide
from quant.backtest.ledger import Book
from quant.backtest.market import Charges, MarketArrays
from quant.backtest.policy import Optimized, Signals
from quant.backtest.result import Result
from quant.core.panel import Panel
from quant.core.types import Codes, Frame, Mask
from quant.execution import moo
from quant.execution.orders import Fills, Orders, Session
from quant.risk.covariance import FactorCovariance, ledoit_wolf
from quant.risk.returns import fill_missing
from quant.stages import book
from tests.leaks.leak import instead, leak

SHARPE, ACTIVE = "Sharpe", "active Sharpe"
BOOK, SIGNALS = "backtest", policy.signals


def seen(change: Any) -> object:
    """The policy looks at signals that `change` has been over."""

    def signals(m: MarketArrays, *tables: Panel | Frame) -> Signals:
        return change(m, SIGNALS(m, *tables))

    return instead(book, "signals", signals)


# -- risk and policy ------------------------------------------------------------------------------


@leak("volatility of the sessions to come", BOOK, SHARPE)
def future_volatility():
    """The covariance is that of the month ahead: the volatility cap acts before the storm."""

    def ahead(self: Optimized, t: int, names: Codes) -> FactorCovariance:
        window = self.signals.returns[t + 1 : t + 1 + self.constants.horizon, names]
        window = window[np.isfinite(window).any(axis=1)]
        if len(window) < 5:
            window = self.signals.returns[t - self.constants.horizon : t + 1, names]
        filled = fill_missing(window, self.signals.group[t, names], self.constants.coverage)
        return ledoit_wolf(filled).scaled(self.constants.horizon)

    return instead(Optimized, "covariance", ahead)


@leak("expected returns estimated on the whole sample", BOOK, ACTIVE)
def full_sample_mean_returns():
    """The alpha of a name is its mean return, of all its sessions."""

    def mean(m: MarketArrays, s: Signals) -> Signals:
        alpha = 21.0 * np.nanmean(s.returns, axis=0) + np.zeros(s.alpha.shape)
        return dataclasses.replace(s, alpha=np.where(s.member, np.nan_to_num(alpha), np.nan))

    return seen(mean)


@leak("delisting known in advance", BOOK, SHARPE, market="us failing")
def sold_before_the_delisting():
    def leaving(m: MarketArrays, s: Signals) -> Signals:
        days = np.arange(m.dates.size)[:, None]
        soon = (m.exit_day < m.dates.size) & (m.exit_day - days <= 63)
        return dataclasses.replace(s, member=s.member & ~soon)

    return seen(leaving)


# -- execution ------------------------------------------------------------------------------------


def executing(execute: Any) -> object:
    """The day loop trades by `execute`."""
    run = engine.run

    def loop(m: MarketArrays, decide: Decide, given: Any = None, **span: Any) -> Result:
        return run(m, decide, execute, **span)

    return instead(engine, "run", loop)


@leak(
    "filled in the bar that decided", BOOK, ACTIVE, market="us bouncing", check="fills at the open"
)
def fill_at_the_close_that_decided():
    return executing(moo.at_target)


@leak("best price of the bar", BOOK, SHARPE, market="us bouncing", check="fills at the open")
def fill_at_the_better_of_open_and_close():
    session, last = Book.session, {}

    def watched(self: Book, t: int) -> Session:
        last["close"] = np.where(self.market.tradable[t], self.market.mark[t], np.nan)
        return session(self, t)

    def better(orders: Orders, s: Session) -> Fills:
        sign = np.zeros(s.open.size)
        sign[orders.asset] = np.sign(orders.shares)
        low, high = np.fmin(s.open, last["close"]), np.fmax(s.open, last["close"])
        price = np.select([sign > 0, sign < 0], [low, high], s.open)
        return moo.market_on_open(orders, dataclasses.replace(s, open=price))

    return [instead(Book, "session", watched), executing(better)]


@leak(
    "orders kept by what followed",
    BOOK,
    SHARPE,
    market="us bouncing",
    check="unfilled for a cause",
)
def only_good_trades_are_filled():
    """A limit order that would have lost by the close is taken back."""
    session, last = Book.session, {}

    def watched(self: Book, t: int) -> Session:
        last["close"] = self.market.mark[t]
        return session(self, t)

    def kept(orders: Orders, s: Session) -> Fills:
        gain = np.sign(orders.shares) * (last["close"] / s.open - 1.0)[orders.asset]
        shut = np.full(s.open.size, False)
        shut[orders.asset[gain < 0]] = True
        price = np.where(shut, np.nan, s.open)
        return moo.market_on_open(orders, dataclasses.replace(s, open=price))

    return [instead(Book, "session", watched), executing(kept)]


# -- costs, events, benchmark ---------------------------------------------------------------------


@leak("fee of a later date", BOOK, SHARPE, market="cn fees")
def todays_stamp_duty():
    """The rate in force on the last day is charged on all."""
    real = book.charges

    def charges(m: MarketArrays, *args: Any) -> Charges:
        made = real(m, *args)
        last = {n: np.full(m.dates.size, getattr(made, n)[-1]) for n in ("buy_fee", "sell_fee")}
        return dataclasses.replace(made, **last)

    return instead(book, "charges", charges)


@leak("list of the next month", BOOK, "benchmark Sharpe", market="us failing")
def benchmark_of_tomorrows_list():
    """The benchmark buys at each reconstitution what will be the next list."""
    lists = benchmark._lists

    def ahead(m: MarketArrays, members: Frame) -> dict[int, Mask]:
        known = lists(m, members)
        days = sorted(known)
        return {day: known[later] for day, later in zip(days, [*days[1:], days[-1]], strict=True)}

    return instead(benchmark, "_lists", ahead)

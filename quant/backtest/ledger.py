"""The book of one portfolio: shares, cash and NAV, moved by events and fills."""

import numpy as np

from quant.backtest.market import Charges, MarketArrays
from quant.core.types import Codes, Matrix, Vector
from quant.execution.orders import Fills, Orders, Session

_NOTHING = np.empty(0, np.int64)
_NO_VALUES = np.empty(0)


class Book:
    """Holdings of one portfolio in raw shares, valued at the last raw close.

    On an ex-date shares are multiplied by the step of the adjustment factor: dividends are
    reinvested at the exchange's reference price, splits change the count. Cash is never negative.
    """

    def __init__(self, market: MarketArrays, charges: Charges, capital: float) -> None:
        self.market = market
        self.charges = charges
        self.shares: Vector = np.zeros(market.symbols.size)
        self.value: Vector = np.zeros(market.symbols.size)
        self.cash = float(capital)
        self.nav = float(capital)
        self._leaving: dict[int, Codes] = {
            int(day): np.flatnonzero(market.exit_day == day)
            for day in np.unique(market.exit_day)
            if day < market.dates.size
        }

    def carry(self, t: int) -> tuple[float, Codes, Vector, Vector]:
        """Bring the book from the close of t-1 to the open of t.

        Returns the interest earned, and the names that left for good: index, shares, price.
        """
        interest = self.cash * float(self.market.rf[t])
        self.cash += interest
        left, shares, price = self._settle_exits(t)
        if self.market.has_action[t]:
            self.shares *= self.market.ratio[t]
        return interest, left, shares, price

    def _settle_exits(self, t: int) -> tuple[Codes, Vector, Vector]:
        gone = self._leaving.get(t, _NOTHING)
        gone = gone[self.shares[gone] > 0]
        if not gone.size:
            return gone, _NO_VALUES, _NO_VALUES
        shares = self.shares[gone]
        price = self.market.mark[t - 1, gone] * (1.0 + self.market.exit_return[gone])
        self.cash += float((shares * price).sum())
        self.shares[gone] = 0.0
        return gone, shares, price

    def session(self, t: int) -> Session:
        """What execution may see of session t; `nav` is still that of the close before."""
        m, c = self.market, self.charges
        before = m.mark[t - 1]
        return Session(
            t=t,
            open=m.open[t],
            limit_up=m.limit_up[t],
            limit_down=m.limit_down[t],
            before=before / m.ratio[t] if m.has_action[t] else before,
            held=self.shares,
            cash=self.cash,
            nav=self.nav,
            lambda1=c.lambda1[t],
            lambda2=c.lambda2[t],
            buy_fee=float(c.buy_fee[t]),
            sell_fee=float(c.sell_fee[t]),
            lots=m.lots,
        )

    def apply(self, fills: Fills) -> float:
        """Book the fills; returns the two-way value traded. One fill a name and session."""
        value = np.where(fills.shares != 0, fills.shares * fills.price, 0.0)
        left = self.shares[fills.asset] + fills.shares
        cash = self.cash - float((value + fills.cost + fills.fee).sum())
        # sells beyond the morning's holdings would be same-day round trips or shorts
        assert (left >= 0.0).all(), "a sell exceeds what was held at the open"
        assert cash >= -1e-9 * self.nav, f"cash would be {cash}"
        self.shares[fills.asset] = left
        self.cash = max(cash, 0.0)
        return float(np.abs(value).sum())

    def mark(self, t: int) -> None:
        """Value the book at the close of t."""
        np.multiply(self.shares, self.market.mark[t], out=self.value)
        # of what is held alone: names that are listed later must not move the rounding
        self.nav = self.cash + float(self.value[self.shares > 0].sum())


def adjusted(orders: Orders, ratio: Vector, gone: Codes) -> Orders:
    """Orders of yesterday's close in today's shares, without the names that left overnight."""
    shares = orders.shares * ratio[orders.asset]
    if not gone.size:
        return Orders(orders.asset, shares, orders.exit)
    stay = ~np.isin(orders.asset, gone)
    return Orders(orders.asset[stay], shares[stay], orders.exit[stay])


def replay(
    market: MarketArrays,
    traded: Matrix,
    outflow: Vector,
    capital: float,
    days: tuple[int, int],
) -> tuple[Vector, Vector]:
    """NAV and cash that follow from the fills alone, all days at once; the engine's audit.

    traded  : (n_days, n_assets) raw shares traded in each session, signed, exits included
    outflow : (n_days,) money that left the cash for those trades: value, costs and fees
    days    : first and last session of the run; the book starts with `capital` at the first close
    Returns : nav and cash at the close, (last - first + 1,)
    """
    first, last = days
    span = slice(first, last + 1)
    growth = np.cumprod(market.ratio[span], axis=0)
    shares = np.cumsum(traded[span] / growth, axis=0) * growth
    cash = np.empty(last - first + 1)
    cash[0] = capital
    for k in range(1, cash.size):
        cash[k] = cash[k - 1] * (1.0 + market.rf[first + k]) - outflow[first + k]
    return cash + np.einsum("ij,ij->i", shares, market.mark[span]), cash

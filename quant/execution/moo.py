"""Market-on-open execution, and its ideal twin that fills at the target.

Sells come before buys, so cash never turns negative; buys that cash can not cover are scaled
down together. One trade a name and session: what is bought today is sold tomorrow at the
earliest, so T+1 holds by construction.
"""

import numpy as np

from quant.core.types import Mask, Vector
from quant.costs.model import trade_costs
from quant.execution.limits import CASH, FILLED, blocked
from quant.execution.orders import Fills, Orders, Session, rounded


def market_on_open(orders: Orders, session: Session) -> Fills:
    """Fill `orders` at the session's open, in lots, within price limits, suspensions and cash."""
    orders = rounded(orders, session.lots, session.held)
    asset = orders.asset
    price = session.open[asset]
    reason = blocked(price, session.limit_up[asset], session.limit_down[asset], orders.shares > 0)
    return _settle(orders, price, reason, session, in_lots=True)


def at_target(orders: Orders, session: Session) -> Fills:
    """Fill `orders` at the decision's own prices: any fraction, no limits, costs paid.

    What the optimizer's weights would earn if they could be had; only cash still binds.
    """
    reason = np.zeros(orders.asset.size, np.int8)
    return _settle(orders, session.before[orders.asset], reason, session, in_lots=False)


def affordable(value: Vector, rate: Vector, quadratic: Vector, cash: float) -> float:
    """Common scale s <= 1 at which the buys cost no more than `cash`.

    value     : (n_buys,) money at s = 1
    rate      : (n_buys,) money of linear costs and fees at s = 1
    quadratic : (n_buys,) money of quadratic costs at s = 1
    Solves s (value + rate) + s^2 quadratic = cash.
    """
    b, a = float((value + rate).sum()), float(quadratic.sum())
    if b + a <= cash:
        return 1.0
    if cash <= 0.0:
        return 0.0
    # the last factor keeps rounding from overdrawing by a few ulp
    return 2.0 * cash / (b + np.sqrt(b * b + 4.0 * a * cash)) * (1.0 - 1e-12)


def _settle(
    orders: Orders, price: Vector, reason: np.ndarray, session: Session, in_lots: bool
) -> Fills:
    """Fills of the orders whose reason is FILLED; buys scaled down where cash is short."""
    asset, shares = orders.asset, orders.shares.copy()
    shut = np.flatnonzero(reason)
    shares[shut] = 0.0
    value = shares * price
    value[shut] = 0.0
    buys = shares > 0
    cost, fee = _charges(value, buys, asset, session)
    spent = value + cost + fee
    need = float(spent @ buys)
    free = session.cash - float(spent @ ~buys)
    if need > free:
        i = np.flatnonzero(buys)
        l1, nav = session.lambda1[asset[i]], session.nav
        linear = nav * trade_costs(value[i] / nav, l1, np.zeros(i.size)) + fee[i]
        scale = affordable(value[i], linear, cost[i] + fee[i] - linear, free)
        less = shares[i] * scale
        shares[i] = session.lots.whole(less, asset[i]) if in_lots else less
        reason[i] = np.where(shares[i] < orders.shares[i], CASH, FILLED)
        value[i] = shares[i] * price[i]
        cost, fee = _charges(value, buys, asset, session)
    return Fills(asset, orders.shares, shares, price, cost, fee, reason)


def _charges(
    value: Vector, buys: Mask, asset: np.ndarray, session: Session
) -> tuple[Vector, Vector]:
    """Trade cost and statutory fee of each trade, in money."""
    nav = session.nav
    cost = nav * trade_costs(value / nav, session.lambda1[asset], session.lambda2[asset])
    fee = np.abs(value) * (buys * session.buy_fee + ~buys * session.sell_fee)
    return cost, fee

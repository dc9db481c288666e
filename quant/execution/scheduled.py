"""Scheduled execution: parents become children, children trade on the tape of the session.

Within an interval sells come before buys, so that cash never turns negative; what is left at the
close is cancelled, and decided anew from what is really held. Every name trades in one direction
in a session, so what is bought today is sold tomorrow at the earliest (T+1).
"""

from dataclasses import dataclass, field

import numpy as np

from quant.core.types import Codes, Mask, Matrix, Vector
from quant.execution import schedule
from quant.execution.impact import INVERSE_TURNOVER, Impact
from quant.execution.limits import (
    ADV_CAP,
    CASH,
    FILLED,
    LIMIT_DOWN,
    LIMIT_UP,
    MINIMUM,
    SLACK,
    SUSPENDED,
    VOLUME,
)  # fmt: skip
from quant.execution.orders import Fills, Orders, Session, rounded
from quant.execution.tape import Tape, Tapes

STYLES = ("MOO", "POV", "VWAP")
# forgives the rounding of shares that passed through weights
_EPS = 1e-9


@dataclass(frozen=True, slots=True)
class Rules:
    """How parents are worked.

    style             : one of STYLES
    target_pov        : share of the market's volume while live (POV)
    buckets           : most children of an order (VWAP)
    min_child         : (n_days,) least money of a child; the sale of all that is left is exempt
    min_trade         : least order, fraction of NAV; the same exemption
    adv_cap           : most money of a name in a session, of its ADV; inf = none
    max_participation : of the market's volume while a child is worked; inf in the auction
    auction_share     : of the day's volume that the opening auction trades (MOO)
    times             : of spread and impact; a book at twice the costs pays twice as much
    """

    style: str
    min_child: Vector
    target_pov: float = 0.10
    buckets: int = 6
    min_trade: float = 0.0
    adv_cap: float = np.inf
    max_participation: float = 0.25
    auction_share: float = 0.05
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Liquidity:
    """What is known of the names at the close of each session; arrays are (n_days, n_assets).

    sigma  : daily volatility, decimal
    adv    : money traded a day, 0 = unknown
    shares : outstanding, NaN where unknown
    volume : shares traded in the session itself, for the auction
    """

    sigma: Matrix
    adv: Matrix
    shares: Matrix
    volume: Matrix


@dataclass(frozen=True, slots=True)
class Children:
    """Child orders of one session, (n_children,), by order and time.

    order, slot      : index of the parent among the session's fills; interval at whose end it ends
    ordered, shares  : raw shares, signed, sent and traded
    price            : at which it dealt, before spread and impact; NaN where nothing traded
    rate             : own share of the volume while it was live
    spread, impact, fee : money
    reason           : code of limits.REASONS
    """

    order: Codes
    slot: Codes
    ordered: Vector
    shares: Vector
    price: Vector
    rate: Vector
    spread: Vector
    impact: Vector
    fee: Vector
    reason: np.ndarray


@dataclass
class Scheduled:
    """Execution style of the day loop; `log` keeps the children of every session, in order."""

    rules: Rules
    tapes: Tapes
    liquidity: Liquidity
    impact: Impact
    log: list[tuple[int, Codes, Children]] = field(default_factory=list)

    def __call__(self, orders: Orders, session: Session) -> Fills:
        """Work `orders` through the session."""
        orders = rounded(orders, session.lots, session.held)
        work = _Work(self, orders, session)
        work.run()
        children = work.children()
        if children.order.size:
            self.log.append((session.t, orders.asset, children))
        return work.fills()


class _Work:
    """One session: what each parent has done so far."""

    def __init__(self, desk: Scheduled, orders: Orders, session: Session) -> None:
        self.rules, self.impact, self.session, self.orders = (
            desk.rules,
            desk.impact,
            session,
            orders,
        )
        asset, t = orders.asset, session.t
        self.asset, self.buys = asset, orders.shares > 0.0
        self.before = session.before[asset]
        lots = session.lots
        self.size = lots.size[asset]
        self.least = np.where(lots.free, 0.0, lots.minimum[asset])
        self.wanted = np.abs(orders.shares)
        liquidity = desk.liquidity
        adv = liquidity.adv[t - 1, asset]
        self.sigma = np.nan_to_num(liquidity.sigma[t - 1, asset])
        day = np.where(adv > 0.0, adv, np.inf) / self.before  # shares a day
        known = np.nan_to_num(liquidity.shares[t - 1, asset] / day)
        self.turnover = np.where(known > 0.0, known, INVERSE_TURNOVER)
        self.day = day
        limit = self.rules.adv_cap
        self.cap = limit * adv if np.isfinite(limit) else np.full(asset.size, np.inf)
        self.reason = np.full(asset.size, VOLUME, np.int8)
        self.parent = self._parents()
        self.slots, self.locked = self._slots(desk)
        self.done, self.value, self.spread, self.paid, self.fee = np.zeros((5, asset.size))
        self.cash = session.cash
        # what is left is below the least child at any price of the session
        self.top = np.nanmax(np.nan_to_num(self.slots.price), axis=1, initial=0.0)
        self.over = self._spent(np.arange(asset.size))
        self.told = np.full(asset.size, FILLED, np.int8)
        self.rows: list[tuple[np.ndarray, ...]] = []

    def _parents(self) -> Vector:
        """Shares to work: dropped where too small, cut at the ADV cap."""
        r, exits = self.rules, self.orders.exit
        money = self.wanted * self.before
        small = (money < max(r.min_trade * self.session.nav, self.minimum) - _EPS) & ~exits
        capped = self.cap < money * (1.0 - _EPS)
        parent = np.where(capped, self.cap / self.before, self.wanted)
        parent = np.where(capped, self.session.lots.whole(parent, self.asset), parent)
        self.capped = capped
        self.reason[small] = MINIMUM
        return np.where(small, 0.0, parent)

    @property
    def minimum(self) -> float:
        """Least money of a child today."""
        return float(self.rules.min_child[self.session.t])

    def _slots(self, desk: Scheduled) -> tuple[schedule.Slots, Mask]:
        """Where children may trade; where the price is locked at its limit, nothing does."""
        s, r, t = self.session, self.rules, self.session.t
        up, down = s.limit_up[self.asset] * (1.0 - SLACK), s.limit_down[self.asset] * (1.0 + SLACK)
        if r.style == "MOO":
            price = s.open[self.asset][:, None]
            volume = r.auction_share * desk.liquidity.volume[t, self.asset][:, None]
            tape = Tape(price, np.nan_to_num(volume))
        else:
            tape = desk.tapes(t, self.asset)
        shut = np.isnan(s.open[self.asset])
        bought = self.buys[:, None]
        locked = np.where(bought, tape.price >= up[:, None], tape.price <= down[:, None])
        volume = np.where(locked | shut[:, None], 0.0, tape.volume)
        self.reason[shut] = SUSPENDED
        tape = Tape(tape.price, volume)
        if r.style == "MOO":
            made = schedule.at_open(self.parent, tape.price[:, 0], volume[:, 0])
        elif r.style == "POV":
            made = schedule.percentage_of_volume(self.parent, tape, r.target_pov)
        else:
            money, n = self.parent * self.before, tape.price.shape[1]
            lot = self.size * self.before
            minimum = np.maximum(self.minimum, self.least * self.before)
            count = schedule.slices(money, lot, minimum, r.buckets, n)
            count = np.where(self.orders.exit, np.maximum(count, 1), count)
            self.parent = np.where(count > 0, self.parent, 0.0)
            whole = self.session.lots.whole(self.parent, self.asset)
            made = schedule.volume_weighted(
                self.parent, whole, self.size, np.maximum(count, 1), tape
            )
        return made, locked.any(axis=1) & ~shut

    def run(self) -> None:
        """All intervals, sells before buys in each."""
        for slot in range(self.slots.wanted.shape[1]):
            live = self.slots.due[:, slot] & (self.done < self.parent - _EPS) & ~self.over
            if not live.any():
                continue
            for side in (~self.buys, self.buys):
                i = np.flatnonzero(live & side)
                if i.size:
                    self._trade(slot, i)

    def _spent(self, i: Codes) -> Mask:
        """Orders `i` of which no child reaches the minimum any more."""
        small = (self.parent[i] - self.done[i]) * self.top[i] < self.minimum - _EPS
        full = self.cap[i] - self.value[i] < self.minimum - _EPS
        return (small & ~self.orders.exit[i]) | (full & self.capped[i])

    def _trade(self, slot: int, i: Codes) -> None:
        """Children of the orders `i` in one interval."""
        price, volume = self.slots.price[i, slot], self.slots.volume[i, slot]
        reason = np.full(i.size, FILLED, np.int8)
        sent = self._allowed(i, self.slots.wanted[i, slot], price)
        most = np.inf if self.rules.style == "MOO" else self.rules.max_participation * volume
        child = np.where(volume > 0.0, sent, 0.0)
        child = np.where(child > most, self._allowed(i, np.minimum(child, most), price), child)
        cost = self._cost(i, child, price, volume)
        if self.buys[i[0]]:
            need = float((child * price + cost.sum(axis=0))[child > 0.0].sum())
            if need > self.cash:
                share = max(self.cash, 0.0) / need * (1.0 - 1e-12)
                child = self._allowed(i, child * share, price)
                reason[child < sent] = CASH
                cost = self._cost(i, child, price, volume)
        self._book(slot, i, sent, child, price, volume, cost, reason)

    def _allowed(self, i: Codes, shares: Vector, price: Vector) -> Vector:
        """Shares of a child in lots, within parent and ADV cap, and not below the minimum."""
        left = self.parent[i] - self.done[i]
        room = np.maximum(self.cap[i] - self.value[i], 0.0) / price
        shares = np.minimum(np.minimum(shares, left), room)
        # all that is left of a position goes in one piece, odd lot included
        last = self.orders.exit[i] & (shares >= left - _EPS) & ~self.capped[i]
        shares = np.where(last, left, self.session.lots.whole(shares, self.asset[i]))
        keep = (shares * price >= self.minimum - _EPS) | last
        return np.where(keep & (shares > 0.0), shares, 0.0)

    def _cost(self, i: Codes, child: Vector, price: Vector, volume: Vector) -> Matrix:
        """Spread, impact and fee of the children, (3, n), money."""
        value = np.where(child > 0.0, child * price, 0.0)
        auction = self.rules.style == "MOO"
        half = 0.0 if auction else np.nan_to_num(self.impact.spread(price))
        moved = self.impact.of_child(
            self._rate(i, child, volume), self.done[i] / self.day[i], child / self.day[i],
            self.sigma[i], self.turnover[i],
        )  # fmt: skip
        s, times = self.session, self.rules.times
        fee = s.buy_fee if self.buys[i[0]] else s.sell_fee
        return np.stack([times * half * value, times * moved * value, fee * value])

    def _rate(self, i: Codes, child: Vector, volume: Vector) -> Vector:
        """Own share of the volume while the child is live: one that ends early ends at its pace."""
        rate = child / np.where(volume > 0.0, volume, np.inf)
        if self.rules.style == "POV":
            last = child >= self.parent[i] - self.done[i] - _EPS
            rate = np.where(last & (child > 0.0), np.maximum(rate, self.rules.target_pov), rate)
        return rate

    def _book(
        self, slot: int, i: Codes, sent: Vector, child: Vector, price: Vector, volume: Vector,
        cost: Matrix, reason: np.ndarray,
    ) -> None:  # fmt: skip
        traded = child > 0.0
        short = (child < sent) & (reason == FILLED)
        reason[short] = VOLUME
        shut = (volume == 0.0) & self.locked[i]
        reason[shut] = LIMIT_UP if self.buys[i[0]] else LIMIT_DOWN
        value = np.where(traded, child * price, 0.0)
        sign = 1.0 if self.buys[i[0]] else -1.0
        self.cash -= float(sign * value.sum() + cost.sum())
        rate = self._rate(i, child, volume)
        done = self.done[i] + child
        # the last piece ends the order to the last bit
        near = np.abs(done - self.parent[i]) <= _EPS * self.parent[i]
        self.done[i] = np.where(near, self.parent[i], done)
        self.value[i] += value
        self.spread[i] += cost[0]
        self.paid[i] += cost[1]
        self.fee[i] += cost[2]
        reason_now = np.where((sent == 0.0) & (volume > 0.0), MINIMUM, reason)
        self.reason[i] = np.where(reason_now != FILLED, reason_now, self.reason[i])
        spent = i[(child > 0.0) & self._spent(i)]
        self.over[spent] = True
        # a child that keeps finding the same obstacle is told once
        kept = np.flatnonzero((sent > 0.0) & (traded | (reason != self.told[i])))
        self.told[i] = np.where(sent > 0.0, reason, self.told[i])
        self.rows.append((
            i[kept], np.full(kept.size, slot), sign * sent[kept], sign * child[kept],
            np.where(traded, price, np.nan)[kept], rate[kept], *cost[:, kept], reason[kept],
        ))  # fmt: skip

    def children(self) -> Children:
        """All children, by order and time."""
        if not self.rows:
            none, empty = np.empty(0, np.int64), np.empty(0)
            return Children(none, none, *[empty] * 7, np.empty(0, np.int8))
        columns = [np.concatenate(parts) for parts in zip(*self.rows, strict=True)]
        order = np.lexsort((columns[1], columns[0]))
        return Children(*[c[order] for c in columns])

    def fills(self) -> Fills:
        """What became of the parents."""
        traded = self.done > 0.0
        price = self.value / np.where(traded, self.done, 1.0)
        price = np.where(traded, price, self.session.open[self.asset])
        full = self.done >= self.wanted - _EPS
        cut = ~full & self.capped & ((self.done >= self.parent - _EPS) | self.over)
        small = ~full & self.over & ~cut & (self.reason == VOLUME)
        self.reason[small] = MINIMUM
        reason = np.where(full, FILLED, np.where(cut, ADV_CAP, self.reason)).astype(np.int8)
        sign = np.where(self.buys, 1.0, -1.0)
        return Fills(
            self.asset, self.orders.shares, sign * self.done + 0.0, price, self.spread + self.paid,
            self.fee, reason,
        )  # fmt: skip

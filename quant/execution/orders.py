"""Orders in raw shares: from target weights to what an exchange accepts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Codes, Mask, Vector
from quant.data.cn_rules import LOT, STAR_MINIMUM

# trades below this share of NAV are rounding noise, not orders
DUST = 1e-10


@dataclass(frozen=True)
class Lots:
    """Trading units by name.

    size    : (n_assets,) shares are traded in multiples of it; all 0 = fractions allowed
    minimum : (n_assets,) smallest order in shares
    """

    size: Vector
    minimum: Vector

    @classmethod
    def of(cls, symbols: np.ndarray, region: str) -> "Lots":
        """Lots of an exchange: one share in the US; 100 in China, on STAR 200 and then any number.

        Source: SZSE trading rules 3.3.8, SSE STAR rules; readings 25
        """
        n = len(symbols)
        if region == "us":
            return cls(np.ones(n), np.ones(n))
        if region != "cn":
            raise DataError(f"region {region!r} has no lot rule; the known ones are 'us' and 'cn'.")
        star = np.array([s.startswith("68") and s.endswith(".SH") for s in symbols], bool)
        minimum = np.where(star, STAR_MINIMUM, LOT).astype(np.float64)
        return cls(np.where(star, 1.0, LOT), minimum)

    @classmethod
    def fractional(cls, n_assets: int) -> "Lots":
        """No lots: any fraction of a share trades."""
        return cls(np.zeros(n_assets), np.zeros(n_assets))

    @cached_property
    def free(self) -> bool:
        """Whether any fraction of a share trades."""
        return not self.size.any()

    def whole(self, shares: Vector, asset: Codes) -> Vector:
        """Largest tradable quantity not above `shares` (>= 0) of the names `asset`."""
        if self.free:
            return shares
        size = self.size[asset]
        # 1e-6 of a lot forgives the rounding of shares that passed through weights
        lots = np.floor(shares / size + 1e-6) * size
        return lots * (lots >= self.minimum[asset])


@dataclass(frozen=True, slots=True)
class Orders:
    """What a decision asks for, one order a name.

    asset  : (n_orders,) index of the name, strictly increasing
    shares : (n_orders,) raw shares wanted, signed, before lots
    exit   : (n_orders,) true where the whole position is to go
    """

    asset: Codes
    shares: Vector
    exit: Mask


@dataclass(frozen=True, slots=True)
class Session:
    """What execution sees of one session; vectors are (n_assets,).

    t                          : index of the session
    open, limit_up, limit_down : raw prices, NaN where none
    before                     : last close in today's shares (after corporate actions)
    held                       : raw shares before trading, after corporate actions
    cash, nav                  : money; NAV at the close of the decision
    lambda1, lambda2           : trade cost, see quant.costs.model
    buy_fee, sell_fee          : statutory fees as fractions of the value traded
    """

    t: int
    open: Vector
    limit_up: Vector
    limit_down: Vector
    before: Vector
    held: Vector
    cash: float
    nav: float
    lambda1: Vector
    lambda2: Vector
    buy_fee: float
    sell_fee: float
    lots: Lots


@dataclass(frozen=True, slots=True)
class Fills:
    """What became of the orders; vectors are (n_orders,).

    ordered, shares : raw shares, signed; shares is what was traded
    price           : raw, NaN where there was no price
    cost, fee       : money
    reason          : code of quant.execution.limits.REASONS
    """

    asset: Codes
    ordered: Vector
    shares: Vector
    price: Vector
    cost: Vector
    fee: Vector
    reason: np.ndarray


class Execute(Protocol):
    """An execution style: turns orders into fills during one session."""

    def __call__(self, orders: Orders, session: Session) -> Fills:
        """Fill `orders`; the cash of the session must cover them."""
        ...


def from_targets(
    target: Vector, held: Vector, price: Vector, nav: float, weights: Vector
) -> Orders:
    """Orders that lead from `held` to `target`, valued at the close of the decision.

    target  : (n_assets,) wanted weights of NAV
    held    : (n_assets,) raw shares
    price   : (n_assets,) last raw close, positive where the target is
    weights : (n_assets,) held x price / nav
    """
    trade = target - weights
    asset = np.flatnonzero(np.abs(trade) > DUST)
    at = price[asset]
    leave = target[asset] == 0
    out = np.flatnonzero(leave)
    shares = trade[asset] * nav / at
    shares[out] = -held[asset[out]]
    return Orders(asset, shares, leave)


def rounded(orders: Orders, lots: Lots, held: Vector) -> Orders:
    """Orders in whole lots, toward zero; empty ones are dropped.

    A position that is left for good is sold entirely, odd lot and fraction included; no sell
    exceeds what is held.
    """
    out = np.flatnonzero(orders.exit)
    size = lots.whole(np.abs(orders.shares), orders.asset)
    size = np.maximum(np.copysign(size, orders.shares), -held[orders.asset])
    size[out] = -held[orders.asset[out]]
    keep = np.flatnonzero(size)
    if keep.size == size.size:
        return Orders(orders.asset, size, orders.exit)
    return Orders(orders.asset[keep], size[keep], orders.exit[keep])

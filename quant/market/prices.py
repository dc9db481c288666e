"""One day's raw prices and volumes from returns: ticks, limits, ranges, turnover."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Vector
from quant.market.region import Region

MEMORY = 0.85  # autocorrelation of the noise in log volume


@dataclass(frozen=True)
class Day:
    """What a day's prices start from, in ticks (cents or fen).

    reference : (n,) last close after the day's actions; not whole after a US dividend or split
    low, high : (n,) limit prices, 1 and a huge number where none holds
    """

    reference: Vector
    low: Codes
    high: Codes


@dataclass(frozen=True)
class Traded:
    """Prices in ticks and volume in shares; meaningless where a name does not trade."""

    open: Codes
    high: Codes
    low: Codes
    close: Codes
    volume: Vector
    amount: Vector


def _tick(day: Day, ret: Vector) -> Codes:
    """Reference price moved by `ret`, rounded to the tick and kept within the limits."""
    price = np.maximum(np.rint(day.reference * (1 + ret)), 1).astype(np.int64)
    return np.clip(price, day.low, day.high)


def _range(
    day: Day, opened: Codes, closed: Codes, spread: Vector, rng: np.random.Generator
) -> tuple[Codes, Codes]:
    """Lowest and highest tick of a Brownian path pinned to open and close.

    spread : (n,) standard deviation of the intraday move, in ticks
    """
    move = (closed - opened).astype(float)
    middle = (opened + closed) / 2
    reach = np.sqrt(move**2 - 2 * spread**2 * np.log(rng.random((2, move.size)))) / 2
    high = np.maximum(np.rint(middle + reach[0]).astype(np.int64), np.maximum(opened, closed))
    low = np.minimum(np.rint(middle - reach[1]).astype(np.int64), np.minimum(opened, closed))
    return np.maximum(np.maximum(low, 1), day.low), np.minimum(high, day.high)


def trade(
    day: Day,
    ret: tuple[Vector, Vector],
    spread: Vector,
    volume: Vector,
    rng: np.random.Generator,
) -> Traded:
    """Prices and volume of one day.

    ret    : (n,) overnight and (n,) intraday return on the reference price, additive
    spread : (n,) standard deviation of the intraday return
    volume : (n,) shares wanted; fewer trade where a name is locked at its limit
    """
    opened = _tick(day, ret[0])
    closed = _tick(day, ret[0] + ret[1])
    low, high = _range(day, opened, closed, spread * day.reference, rng)
    locked = (opened == closed) & ((closed == day.low) | (closed == day.high))
    volume = np.maximum(np.rint(volume * np.where(locked, 0.3, 1.0)), 1.0)
    amount = volume * (opened + high + low + closed) / 400
    return Traded(opened, high, low, closed, volume, amount)


@dataclass
class Activity:
    """Log volume of every name above its typical one; changed in place."""

    noise: Vector
    region: Region

    def turnover(self, usual: Vector, surprise: Vector, rng: np.random.Generator) -> Vector:
        """(n,) volume by free float: it follows volatility and the size of the day's shock.

        usual : (n,) volume by free float at the day's volatility;   surprise : (n,) shock's size
        """
        noise = rng.standard_normal((2, self.noise.size))
        self.noise *= MEMORY
        self.noise += self.region.activity * np.sqrt(1 - MEMORY**2) * noise[0]
        return np.minimum(usual * surprise**0.55 * np.exp(self.noise + 0.15 * noise[1]), 0.6)

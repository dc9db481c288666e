"""Market impact in the simulator: what a trade moves the price against itself.

Kept apart from the quadratic cost that is fitted (`quant.costs`): that one has to find this one
again. All results are fractions of the price; times the value traded they are money.
"""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Vector

# Almgren, Thum, Hauptmann and Li (2005), table 3: large US stocks, standard errors 0.041,
# 0.0062, 0.038
GAMMA, ETA, BETA, DELTA = 0.314, 0.142, 0.6, 0.25
# square-root law: peak impact of an order of a whole day's volume in units of daily volatility
Y = 1.0
# turnover that is taken where the number of shares outstanding is not known: 1 / 0.5 % a day
INVERSE_TURNOVER = 200.0


def temporary(rate: Vector, sigma: Vector) -> Vector:
    """Concession for trading at `rate`, gone when the trading stops: eta sigma rate^(3/5).

    rate  : shares traded over the volume of the market in the same stretch, X / (V T)
    sigma : daily volatility, decimal
    """
    return ETA * sigma * rate**BETA


def permanent(size: Vector, sigma: Vector, inverse_turnover: Vector) -> Vector:
    """Shift of the price that stays after an order: gamma sigma (X/V) (Theta/V)^(1/4).

    size             : shares of the order over those of a day, X / V
    inverse_turnover : shares outstanding over those of a day, Theta / V
    A trade in the course of the order pays half of it on average.
    """
    return GAMMA * sigma * size * inverse_turnover**DELTA


def square_root(size: Vector, sigma: Vector) -> Vector:
    """Average concession of an order by the square-root law: 2/3 of the peak Y sigma sqrt(X/V).

    Source: Toth et al. (2011), Anomalous price impact and the critical nature of liquidity
    """
    return Y * sigma * size**0.5 / 1.5


@dataclass(frozen=True, slots=True)
class Impact:
    """Which law the simulator follows, how strongly, and the spread.

    law         : "almgren" or "square_root"
    scale       : of the impact, 1 = as published
    half_spread : least half of the spread, decimal; half a tick where that is more
    tick        : smallest step of the price, in money
    """

    law: str = "almgren"
    scale: float = 1.0
    half_spread: float = 1e-4
    tick: float = 0.01

    def spread(self, price: Vector) -> Vector:
        """Half of the spread at `price`, decimal."""
        return np.maximum(self.half_spread, 0.5 * self.tick / price)

    def of_child(
        self, rate: Vector, done: Vector, child: Vector, sigma: Vector, inverse_turnover: Vector
    ) -> Vector:
        """What a child pays for its impact, as a fraction of its value, (n,).

        rate        : of trading while the child is live, own volume over the market's
        done, child : shares of the order traded before, and by the child, over those of a day
        The children of an order pay together what the law says of the whole: half of the
        permanent shift, or the average of the square root.
        """
        after = done + child
        if self.law == "square_root":
            paid = after * square_root(after, sigma) - done * square_root(done, sigma)
        else:
            part = permanent(after, sigma, inverse_turnover) * after
            paid = 0.5 * (part - permanent(done, sigma, inverse_turnover) * done)
            paid = paid + child * temporary(rate, sigma)
        return self.scale * paid / np.where(child > 0.0, child, 1.0)

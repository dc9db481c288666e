"""Residual returns of names: fat tails, two speeds of volatility, the leverage effect.

A name's volatility falls as its own price rises (elasticity -1). Shocks are symmetric, so its
price moves symmetrically in money: mean and median of the compounded return agree, and volatility
predicts neither the mean nor the rank of what comes (without it, rank correlations would find a
low-volatility effect that no expected return contains).
"""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Vector
from quant.market.factors import LEVERAGE_MEMORY, shocks
from quant.market.region import Region

SLOW_MEMORY, FAST_MEMORY = 90.0, 8.0
LARGEST = 9.0  # shocks are cut at so many standard deviations
BOUND = 0.6  # and returns of a session at this


@dataclass
class Residual:
    """Log volatility of every name above its typical one; changed in place.

    slow, fast : (n,) the two mean-reverting parts
    level      : (n,) remembered log return, which lowers volatility
    """

    slow: Vector
    fast: Vector
    level: Vector
    region: Region

    @classmethod
    def start(cls, n: int, region: Region, rng: np.random.Generator) -> "Residual":
        """Start from the stationary law."""
        slow, fast = rng.standard_normal((2, n))
        return cls(region.slow * slow, region.fast * fast, np.zeros(n), region)

    def ratio(self) -> Vector:
        """(n,) volatility relative to the typical one."""
        spread = self.region.slow**2 + self.region.fast**2
        return np.exp(np.clip(self.slow + self.fast - spread - self.level, -1.3, 1.6))

    def draw(self, vol: Vector, rng: np.random.Generator) -> tuple[Vector, Vector, Vector]:
        """Overnight and intraday residual returns for volatility `vol`, and the random scale."""
        before, after, scale = shocks(rng, vol.size, self.region.tail, self.region.overnight)
        total = before + after
        cut = LARGEST / np.maximum(np.abs(total), LARGEST)
        return vol * before * cut, vol * after * cut, scale

    def move(self, ret: Vector, rng: np.random.Generator) -> None:
        """Move volatility on after returns `ret` beyond drift."""
        noise = rng.standard_normal((2, self.slow.size))
        for part, spread, memory, z in (
            (self.slow, self.region.slow, SLOW_MEMORY, noise[0]),
            (self.fast, self.region.fast, FAST_MEMORY, noise[1]),
        ):
            keep = 0.5 ** (1 / memory)
            part *= keep
            part += spread * np.sqrt(1 - keep**2) * z
        self.level *= 0.5 ** (1 / LEVERAGE_MEMORY)
        self.level += ret

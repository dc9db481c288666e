"""Mean and spread of every observed number, learned in the warm-up and frozen after it."""

from dataclasses import dataclass, field

import numpy as np

from quant.core.types import Matrix, Vector

CLIP = 10.0
_LEAST = 1e-6  # a number that never moved is left as it is


@dataclass
class Moments:
    """Running mean and variance over rows (Chan, Golub & LeVeque 1979); (n,) each."""

    n: int
    count: float = 0.0
    mean: Vector = field(default_factory=lambda: np.zeros(0))
    squares: Vector = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not self.mean.size:
            self.mean, self.squares = np.zeros(self.n), np.zeros(self.n)

    def add(self, rows: Matrix) -> None:
        """Take in (k, n) rows."""
        k = len(rows)
        if not k:
            return
        mean = rows.mean(axis=0)
        squares = ((rows - mean) ** 2).sum(axis=0)
        total = self.count + k
        apart = mean - self.mean
        self.squares = self.squares + squares + apart**2 * self.count * k / total
        self.mean = self.mean + apart * k / total
        self.count = total

    @property
    def spread(self) -> Vector:
        """(n,) standard deviations; 1 where a number hardly moved."""
        deviation = np.sqrt(self.squares / max(self.count, 1.0))
        return np.where(deviation > _LEAST, deviation, 1.0)


def scaled(seen: Matrix, mean: Vector, spread: Vector) -> Matrix:
    """(..., n) observations in standard deviations, clipped at 10; float32 as networks want it."""
    return np.clip((seen - mean) / spread, -CLIP, CLIP).astype(np.float32)

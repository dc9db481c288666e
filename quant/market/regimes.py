"""Regimes with known truth: Markov chains of the market and of every industry."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Matrix, Vector
from quant.market.region import YEAR


@dataclass(frozen=True)
class Chain:
    """A Markov chain and what its states mean.

    names     : state names
    duration  : (n,) mean sessions in a state
    jump      : (n, n) where a state goes when it ends; zero diagonal, rows sum to 1
    drift     : (n,) annual, decimal
    scale     : (n,) multiplier of the volatility of this level
    spill     : (n,) multiplier of the residual volatility of the names below
    """

    names: tuple[str, ...]
    duration: tuple[float, ...]
    jump: tuple[tuple[float, ...], ...]
    drift: tuple[float, ...]
    scale: tuple[float, ...]
    spill: tuple[float, ...]

    def transition(self) -> Matrix:
        """(n, n) probability of state j tomorrow given i today."""
        leave = 1 / np.asarray(self.duration)
        return np.diag(1 - leave) + leave[:, None] * np.asarray(self.jump)

    def stationary(self) -> Vector:
        """(n,) long-run share of time in each state."""
        values, vectors = np.linalg.eig(self.transition().T)
        share = np.real(vectors[:, np.argmax(np.real(values))])
        return share / share.sum()

    def path(self, n_days: int, n_paths: int, rng: np.random.Generator) -> Codes:
        """(n_days, n_paths) states, each path started from the stationary law."""
        cumulative = self.transition().cumsum(axis=1)
        state = np.searchsorted(self.stationary().cumsum(), rng.random(n_paths), side="right")
        state = np.minimum(state, len(self.names) - 1)
        path = np.empty((n_days, n_paths), dtype=np.int64)
        draws = rng.random((n_days, n_paths))
        for day in range(n_days):
            path[day] = state
            ahead = (draws[day, :, None] >= cumulative[state]).sum(axis=1)
            state = np.minimum(ahead, len(self.names) - 1)
        return path

    def daily_drift(self, path: Codes) -> Matrix:
        """Drift of each state of `path`, decimal a session."""
        return np.asarray(self.drift)[path] / YEAR


# volatility rises more at the market than below it in bad states, so correlation rises too
MARKET = Chain(
    names=("bull", "sideways", "bear", "crisis"),
    duration=(250.0, 120.0, 90.0, 30.0),
    jump=(
        (0.0, 0.60, 0.30, 0.10),
        (0.60, 0.0, 0.30, 0.10),
        (0.35, 0.40, 0.0, 0.25),
        (0.35, 0.30, 0.35, 0.0),
    ),
    drift=(0.18, 0.03, -0.16, -0.45),
    scale=(0.70, 0.95, 1.35, 2.60),
    spill=(0.92, 1.0, 1.10, 1.55),
)
TREND = Chain(
    names=("up", "flat", "down"),
    duration=(90.0, 150.0, 90.0),
    jump=((0.0, 0.8, 0.2), (0.5, 0.0, 0.5), (0.2, 0.8, 0.0)),
    drift=(0.12, 0.0, -0.12),
    scale=(1.0, 1.0, 1.0),
    spill=(1.0, 1.0, 1.0),
)
TURBULENCE = Chain(
    names=("calm", "turbulent"),
    duration=(180.0, 50.0),
    jump=((0.0, 1.0), (1.0, 0.0)),
    drift=(0.0, 0.0),
    scale=(0.85, 1.7),
    spill=(0.95, 1.3),
)


@dataclass(frozen=True)
class Regimes:
    """Paths of all chains.

    market     : (n_days,) state of MARKET
    trend      : (n_days, n_industries) state of TREND
    turbulence : (n_days, n_industries) state of TURBULENCE
    """

    market: Codes
    trend: Codes
    turbulence: Codes

    def drift(self) -> Matrix:
        """(n_days, n_industries) expected return of every name of an industry, a session."""
        return MARKET.daily_drift(self.market)[:, None] + TREND.daily_drift(self.trend)

    def spill(self) -> Matrix:
        """(n_days, n_industries) multiplier of residual volatility."""
        above = np.asarray(MARKET.spill)[self.market]
        return above[:, None] * np.asarray(TURBULENCE.spill)[self.turbulence]


def draw(n_days: int, n_industries: int, rng: np.random.Generator) -> Regimes:
    """Draw the paths of the market and of `n_industries` independent industries."""
    market = MARKET.path(n_days, 1, rng)[:, 0]
    trend = TREND.path(n_days, n_industries, rng)
    return Regimes(market, trend, TURBULENCE.path(n_days, n_industries, rng))

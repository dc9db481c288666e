"""The planted signal: an expected residual return that past prices and volumes give away.

Each day four known characteristics, ranked within industry, are mixed: short-term reversal, low
volatility, 12-1 momentum, low turnover. The mix is smoothed over about a month and becomes the
expected residual return of the next sessions, in proportion to each name's residual risk.
"""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Mask, Matrix, Vector

REVERSAL, WINDOW, SKIP, YEAR_BACK = 21, 63, 21, 252
WEIGHTS = {"reversal": 0.40, "low_volatility": 0.20, "momentum": 0.25, "low_turnover": 0.15}
MEMORY = 12.0  # half-life in sessions of the smoothing
HORIZON = 21
# sum over the horizon of the autocorrelation of the smoothed mix; measured on planted markets
PERSISTENCE = 19.0


def _rank(values: Vector, valid: Mask) -> Vector:
    """Rank of the valid values in [-sqrt 3, sqrt 3], unit variance; 0 elsewhere."""
    out = np.zeros(values.size)
    rows = np.flatnonzero(valid)
    if rows.size > 1:
        place = np.empty(rows.size)
        place[np.argsort(values[rows], kind="stable")] = np.arange(rows.size)
        out[rows] = ((place + 0.5) / rows.size - 0.5) * np.sqrt(12)
    return out


def demean(values: Vector, industry: Codes, alive: Mask) -> Vector:
    """Values less the mean of the living names of the same industry; 0 for the others."""
    count = np.bincount(industry, alive, minlength=industry.max() + 1)
    total = np.bincount(industry, np.where(alive, values, 0.0), minlength=count.size)
    return np.where(alive, values - (total / np.maximum(count, 1))[industry], 0.0)


@dataclass
class Signal:
    """What has been seen of every name, and the smoothed mix; changed in place day by day.

    level    : (n_days, n) log adjusted close, NaN before the first row
    turnover : (n_days, n) volume by free float, 0 where there was no row
    smooth   : (n,) the signal, unit variance, zero mean in every industry
    """

    level: Matrix
    turnover: Matrix
    industry: Codes
    squares: Vector
    volumes: Vector
    blend: Vector
    smooth: Vector

    @classmethod
    def start(cls, n_days: int, industry: Codes) -> "Signal":
        """A signal that has seen nothing."""
        n = industry.size
        level, turnover = np.full((n_days, n), np.nan), np.zeros((n_days, n))
        zeros = [np.zeros(n) for _ in range(4)]
        return cls(level, turnover, industry, *zeros)

    def _moved(self, day: int) -> Vector:
        if day < 1:
            return np.zeros(self.blend.size)
        return np.nan_to_num(self.level[day] - self.level[day - 1]) ** 2

    def see(self, day: int, log_close: Vector, turnover: Vector, alive: Mask) -> None:
        """Take in the close of `day` and move the signal."""
        self.level[day] = np.where(alive, log_close, np.nan)
        self.turnover[day] = np.where(alive, turnover, 0.0)
        self.squares += self._moved(day)
        self.volumes += self.turnover[day]
        if day >= WINDOW:
            self.squares -= self._moved(day - WINDOW)
            self.volumes -= self.turnover[day - WINDOW]
        mix = demean(self._mix(day, alive), self.industry, alive)
        keep = 0.5 ** (1 / MEMORY)
        self.blend = np.where(alive, keep * self.blend + (1 - keep) * mix, 0.0)
        spread = np.sqrt(np.mean(self.blend[alive] ** 2)) if alive.any() else 0.0
        self.smooth = self.blend / spread if spread > 0 else np.zeros(self.blend.size)

    def _mix(self, day: int, alive: Mask) -> Vector:
        now = self.level[day]
        month = self.level[day - REVERSAL] if day >= REVERSAL else np.full(now.size, np.nan)
        year = self.level[day - YEAR_BACK] if day >= YEAR_BACK else np.full(now.size, np.nan)
        window = alive & ~np.isnan(self.level[day - WINDOW]) if day >= WINDOW else alive & False
        return (
            WEIGHTS["reversal"] * _rank(month - now, alive & ~np.isnan(month))
            + WEIGHTS["low_volatility"] * _rank(-self.squares, window)
            + WEIGHTS["momentum"] * _rank(month - year, alive & ~np.isnan(year))
            + WEIGHTS["low_turnover"] * _rank(-self.volumes, window)
        )


def expected(signal: Signal, alpha_ic: float, risk: Vector, alive: Mask) -> Vector:
    """Expected residual return of each name in the next session, decimal.

    risk : (n,) standard deviation a session of the return beside market, sector and industry
    IC = PERSISTENCE daily / (risk sqrt(HORIZON)), solved for the daily return.
    """
    if alpha_ic == 0:
        return np.zeros(risk.size)
    daily = alpha_ic * np.sqrt(HORIZON) / PERSISTENCE * risk * signal.smooth
    return demean(daily, signal.industry, alive)

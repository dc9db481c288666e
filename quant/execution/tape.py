"""The course of a session: prices and volumes by interval, simulated from the daily bar or real.

Where only daily bars exist the path is a Brownian bridge from open to close whose excursions are
stretched to the day's high and low, and volume is high at the open and the close (Jain and Joh
1988). Everything learned from it is learned from a simulation, and labelled so.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd

from quant.core.types import Codes, Dates, Frame, Matrix, Vector

# expected range of a Brownian motion over one day, in standard deviations (Parkinson 1980)
_RANGE = np.sqrt(8.0 / np.pi)
# volume of the first and last interval over that at noon; spread of the noise around it, logs
_ENDS, _NOISE = 3.0, 0.5


@dataclass(frozen=True, slots=True)
class Tape:
    """One session of some names by interval.

    price  : (n, n_intervals) average raw price of the interval, NaN = no trading
    volume : (n, n_intervals) shares traded in it by everybody
    """

    price: Matrix
    volume: Matrix


class Tapes(Protocol):
    """A source of tapes."""

    @property
    def intervals(self) -> int:
        """Intervals of a session."""
        ...

    def __call__(self, t: int, asset: Codes) -> Tape:
        """The session `t` of the names `asset`."""
        ...


def profile(n: int) -> Vector:
    """Share of the day's volume expected in each of `n` intervals, (n,); a U that sums to 1."""
    middle = (np.arange(n) + 0.5) / n
    shape = 1.0 + (_ENDS - 1.0) * (2.0 * middle - 1.0) ** 2
    return shape / shape.sum()


@dataclass(frozen=True)
class DailyBars:
    """Raw daily bars on the axes of the market, each (n_days, n_assets), NaN where none."""

    open: Matrix
    high: Matrix
    low: Matrix
    close: Matrix
    volume: Matrix


@dataclass(frozen=True)
class SimulatedTapes:
    """Paths pinned to open, high, low, close and volume of the daily bar.

    intervals : of a session, 2 or more
    seed      : a path depends on it, the name, the date and the bar, and on nothing else: what
                else is traded, or comes later, does not move it
    """

    bars: DailyBars
    dates: Dates
    symbols: np.ndarray
    intervals: int
    seed: int

    @cached_property
    def _names(self) -> np.ndarray:
        digests = [hashlib.sha256(str(s).encode()).digest()[:8] for s in self.symbols]
        return np.frombuffer(b"".join(digests), np.uint64)

    def __call__(self, t: int, asset: Codes) -> Tape:
        """Tape of session `t`; names without a bar have no prices and no volume."""
        b, n = self.bars, self.intervals
        day = np.uint64(self.dates[t].astype("datetime64[D]").astype(np.int64))
        key = _mixed(self._names[asset] ^ _mixed(_mixed(np.uint64(self.seed)) ^ day))
        draw = _normal(key, 2 * n)
        low, high = b.low[t, asset], b.high[t, asset]
        nodes = bridge(b.open[t, asset], high, low, b.close[t, asset], draw[:, :n])
        share = profile(n) * np.exp(_NOISE * draw[:, n:])
        volume = np.nan_to_num(b.volume[t, asset])[:, None] * share
        volume /= share.sum(axis=1, keepdims=True)
        return Tape(0.5 * (nodes[:, 1:] + nodes[:, :-1]), volume)


def bridge(start: Vector, high: Vector, low: Vector, end: Vector, draw: Matrix) -> Matrix:
    """Prices at the ends of the intervals, (n, n_intervals + 1), pinned to the daily bar.

    draw : (n, n_intervals) standard normal
    First and last node are open and close; the largest and the least are high and low.
    """
    n = draw.shape[1]
    a, z = np.log(start)[:, None], np.log(end)[:, None]
    # a bar whose high is below its close is mended, not believed
    top = np.log(np.fmax(high, np.fmax(start, end)))[:, None]
    bottom = np.log(np.fmin(low, np.fmin(start, end)))[:, None]
    walk = np.concatenate([np.zeros((draw.shape[0], 1)), np.cumsum(draw, axis=1)], axis=1)
    time = np.arange(n + 1) / n
    walk -= time * walk[:, -1:]
    path = a + time * (z - a) + (top - bottom) / _RANGE / np.sqrt(n) * walk
    path = _stretched(path, np.maximum(a, z), top, 1.0)
    path = _stretched(path, np.minimum(a, z), bottom, -1.0)
    nodes = np.exp(path)
    nodes[:, 0], nodes[:, -1] = start, end
    return nodes


def _stretched(path: Matrix, edge: Matrix, extreme: Matrix, sign: float) -> Matrix:
    """Excursions of `path` beyond `edge` scaled so that the largest one ends at `extreme`."""
    beyond = np.maximum(sign * (path - edge), 0.0)
    inner = beyond[:, 1:-1]
    reach = inner.max(axis=1, keepdims=True)
    need = sign * (extreme - edge)
    scaled = edge + sign * beyond * (need / np.where(reach > 0.0, reach, 1.0))
    out = np.where(beyond > 0.0, scaled, path)
    # a path without an excursion gets one where it came closest
    none = np.flatnonzero((reach[:, 0] == 0.0) & (need[:, 0] > 0.0))
    at = 1 + (sign * path[none, 1:-1]).argmax(axis=1)
    out[none, at] = extreme[none, 0]
    return out


@dataclass(frozen=True)
class RecordedTapes:
    """Real intraday bars, joined to intervals; names and sessions without any are `otherwise`'s.

    start     : (n_days, n_assets) first row of the session, -1 where there is none
    count     : (n_days, n_assets) rows of the session
    slot      : (n_rows,) interval
    price, volume : (n_rows,)
    """

    start: Codes
    count: Codes
    slot: Codes
    price: Vector
    volume: Vector
    otherwise: Tapes

    @classmethod
    def of(
        cls, frame: Frame, dates: Dates, symbols: np.ndarray, minutes: int, otherwise: Tapes
    ) -> "RecordedTapes":
        """From table `intraday`, sorted by its key.

        minutes : of an interval; what trades after the last one is counted with it
        """
        day = np.searchsorted(dates, frame["date"].to_numpy("datetime64[D]"))
        asset = pd.Index(symbols).get_indexer(frame["symbol"])
        known = np.flatnonzero((asset >= 0) & (day < dates.size))
        cell = day[known] * symbols.size + asset[known]
        first = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]]) if cell.size else cell
        start = np.full(dates.size * symbols.size, -1, np.int64)
        count = np.zeros(dates.size * symbols.size, np.int64)
        start[cell[first]] = first
        count[cell[first]] = np.diff(np.r_[first, cell.size])
        slot = np.minimum(frame["minute"].to_numpy()[known] // minutes, otherwise.intervals - 1)
        shape = (dates.size, symbols.size)
        return cls(
            start.reshape(shape), count.reshape(shape), slot.astype(np.int64),
            frame["price"].to_numpy(np.float64)[known],
            frame["volume"].to_numpy(np.float64)[known], otherwise,
        )  # fmt: skip

    @property
    def intervals(self) -> int:
        """Intervals of a session."""
        return self.otherwise.intervals

    def __call__(self, t: int, asset: Codes) -> Tape:
        """Tape of session `t`; an interval in which nothing traded has no price."""
        tape = self.otherwise(t, asset)
        price, volume = tape.price.copy(), tape.volume.copy()
        for k in np.flatnonzero(self.count[t, asset]):
            first = self.start[t, asset[k]]
            rows = slice(first, first + self.count[t, asset[k]])
            shares = np.bincount(self.slot[rows], self.volume[rows], self.intervals)
            money = self.price[rows] * self.volume[rows]
            value = np.bincount(self.slot[rows], money, self.intervals)
            volume[k] = shares
            price[k] = value / np.where(shares > 0.0, shares, np.nan)
        return Tape(price, volume)


_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mixed(x: np.ndarray) -> np.ndarray:
    """Output function of SplitMix64 (Steele, Lea and Flood 2014): a counter becomes random bits."""
    with np.errstate(over="ignore"):
        x = x + _STEP
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _normal(key: np.ndarray, n: int) -> Matrix:
    """Standard normal numbers of each key, (n_keys, n), n even, by Box and Muller."""
    with np.errstate(over="ignore"):
        counter = key[:, None] + np.arange(n, dtype=np.uint64) * _STEP
    uniform = ((_mixed(counter) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[:, : n // 2]))
    angle = 2.0 * np.pi * uniform[:, n // 2 :]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

"""From data to pixels, and where the ticks go."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.types import Dates, Vector

NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
DECADES = (
    (1.0,),
    (1.0, 3.0),
    (1.0, 2.0, 5.0),
    (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
    (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
    (1.0, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0),
)
DAY = 86_400_000_000_000  # nanoseconds


@dataclass(frozen=True)
class Scale:
    """A straight or logarithmic map of [low, high] onto pixels [start, end]."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, values: Vector) -> Vector:
        """Pixels of `values`, same shape; NaN stays NaN."""
        data = np.asarray(values, dtype=float)
        low, high = self.low, self.high
        if self.log:
            data, low, high = np.log(data), math.log(low), math.log(high)
        return self.start + (data - low) / (high - low) * (self.end - self.start)


def nice_step(span: float, wanted: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that makes at most `wanted` steps."""
    rough = span / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(n * power for n in NICE if n * power >= rough * (1 - 1e-9))


def linear_ticks(low: float, high: float, wanted: int = 5) -> Vector:
    """Round numbers within [low, high]."""
    if high <= low:
        return np.array([low])
    step = nice_step(high - low, wanted)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.round(np.arange(first, last + 1) * step, 12)


def log_ticks(low: float, high: float, wanted: int = 6) -> Vector:
    """The finest family of round multiples with at most `wanted` of them in [low, high]."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    best = np.empty(0)
    for family in DECADES:
        ticks = np.array([m * 10.0**d for d in decades for m in family])
        ticks = np.unique(np.round(ticks[(ticks >= low * 0.999) & (ticks <= high * 1.001)], 12))
        if ticks.size > wanted and best.size:
            break
        best = ticks if ticks.size else best
    return best


def bounds(
    values: Vector, include: tuple[float, ...] = (), pad: float = 0.05, log: bool = False
) -> tuple[float, float]:
    """Smallest interval with all finite `values` and `include`, padded and never empty."""
    data = np.concatenate([np.ravel(np.asarray(values, dtype=float)), include])
    data = data[np.isfinite(data) & ((data > 0) | (not log))]
    if not data.size:
        return (0.5, 2.0) if log else (0.0, 1.0)
    low, high = float(data.min()), float(data.max())
    if log:
        room = max(math.log(high / low) * pad, 0.01)
        return low * math.exp(-room), high * math.exp(room)
    if high == low:
        room = abs(high) * 0.5 or 1.0
    else:
        room = (high - low) * pad
    # zero as an edge stays an edge
    return low - room * (low not in include), high + room * (high not in include)


def days(dates: Dates) -> Vector:
    """Dates as days since 1970, the unit of date scales."""
    return np.asarray(dates).astype("datetime64[D]").astype(np.int64).astype(float)


def date_ticks(first: float, last: float, wanted: int) -> list[tuple[float, str]]:
    """Calendar ticks between two days since 1970: (day, label) at years, quarters or months."""
    begin = pd.Timestamp(int(first) * DAY)
    end = pd.Timestamp(int(last) * DAY)
    months = (end.year - begin.year) * 12 + end.month - begin.month
    if months == 0:
        return [(first, begin.strftime("%d %b %Y"))] + (
            [(last, end.strftime("%d %b"))] if end > begin else []
        )
    for step in (12, 24, 60, 120) if months > 30 else (1, 2, 3, 6):
        if months / step <= wanted:
            break
    ticks = []
    for year in range(begin.year, end.year + 1):
        if step > 12 and year % (step // 12):
            continue
        for month in range(1, 13, min(step, 12)):
            at = pd.Timestamp(year, month, 1)
            if begin <= at <= end:
                text = at.strftime("%Y") if step >= 12 else at.strftime("%b %Y")
                ticks.append((at.value / DAY, text))
    return ticks

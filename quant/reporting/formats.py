"""How numbers are written: signs, units, missing values."""

import math
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def missing(value: object) -> bool:
    """Whether there is nothing to print: None, NaN, NaT or an infinite number."""
    if value is None or value is pd.NaT:
        return True
    if isinstance(value, (float, np.floating)):
        return not math.isfinite(value)
    return False


def number(value: float, digits: int = 2, signed: bool = False) -> str:
    """A decimal number with grouped thousands: 1,234.50."""
    if missing(value):
        return DASH
    text = f"{abs(value):,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def percent(value: float, digits: int = 1, signed: bool = False) -> str:
    """A decimal fraction as percent: 0.123 is 12.3%."""
    text = number(value * 100, digits, signed) if not missing(value) else DASH
    return text if text == DASH else text + "%"


def points(value: float, digits: int = 1) -> str:
    """A difference of two percentages, in percentage points with its sign: +0.4 pp."""
    text = number(value * 100, digits, signed=True) if not missing(value) else DASH
    return text if text == DASH else f"{text} pp"


def basis(value: float, digits: int = 0) -> str:
    """Basis points that are already in basis points: 12 bp."""
    text = number(value, digits)
    return text if text == DASH else f"{text} bp"


def count(value: float) -> str:
    """A whole number."""
    return number(value, 0)


def times(value: float, digits: int = 2) -> str:
    """A multiple: 2.41×."""
    text = number(value, digits)
    return text if text == DASH else text + "×"


def day(value: date | datetime | np.datetime64 | pd.Timestamp) -> str:
    """An ISO date, or an en dash where there is none."""
    stamp = pd.Timestamp(value) if not missing(value) else pd.NaT
    return DASH if stamp is pd.NaT else stamp.strftime("%Y-%m-%d")


def money(value: float, currency: str) -> str:
    """Money at three significant figures with its unit: 12.3 M USD."""
    if missing(value):
        return DASH
    for size, letter in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            scaled = value / size
            digits = max(0, 2 - int(math.log10(abs(scaled))))
            return f"{number(scaled, digits)}{letter} {currency}"
    return f"{number(value, 0)} {currency}"


@dataclass(frozen=True)
class Unit:
    """How the values of one quantity are written.

    scale  : factor from the stored value to the printed one; 100 for percent
    suffix : printed after the number
    digits : decimals of a single value; axis ticks take what their step needs
    """

    scale: float = 1.0
    suffix: str = ""
    digits: int = 2

    def __call__(self, value: float) -> str:
        """One value with its unit."""
        return self._text(value, self.digits)

    def tick(self, value: float, step: float) -> str:
        """A tick at `value` of an axis whose closest ticks are `step` apart: never misleading."""
        wide = abs(step) * self.scale
        digits = 0
        while digits < 8 and abs(wide * 10**digits - round(wide * 10**digits)) > 1e-6 * wide:
            digits += 1
        return self._text(value, digits)

    def _text(self, value: float, digits: int) -> str:
        if missing(value):
            return DASH
        return number(value * self.scale, digits) + self.suffix


PERCENT = Unit(100.0, "%", 1)
RATIO = Unit()
CORRELATION = Unit(digits=3)
COUNT = Unit(digits=0)
TIMES = Unit(suffix="×")
BASIS = Unit(digits=0)

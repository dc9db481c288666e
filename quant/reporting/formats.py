"""How numbers are written: signs, units, missing values."""

import math
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

"""Adjustment: ex-right reference prices, causal factors, forward and backward adjusted prices.

Adjusted price = raw price x factor. A factor is causal: 1 at a symbol's first row and stepping on
every ex-date by previous close / reference price, so that history is never rewritten. Rows of the
long arrays here are grouped by symbol and sorted by date; `first` marks the first row of a symbol.
"""

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Mask, Vector


def ex_reference(
    prev_close: Vector | float,
    cash: Vector | float = 0.0,
    bonus: Vector | float = 0.0,
    rights: Vector | float = 0.0,
    rights_price: Vector | float = 0.0,
) -> Vector:
    """Exchange reference price of an ex-date, in CNY, not rounded.

    cash          : dividend a share; bonus, rights : new shares for one old
    rights_price  : subscription price of a rights share
    Source        : SSE and SZSE trading rules; [(prev - cash) + price x rights] / (1 + new shares)
    """
    prev = np.asarray(prev_close, dtype=np.float64)
    new = np.asarray(bonus) + np.asarray(rights)
    return (prev - np.asarray(cash) + np.asarray(rights_price) * np.asarray(rights)) / (1.0 + new)


def previous(values: Vector, first: Mask) -> Vector:
    """Value of the row before within the same symbol; NaN on a symbol's first row."""
    shifted = np.empty(values.size, dtype=np.float64)
    shifted[1:] = values[:-1]
    shifted[first] = np.nan
    return shifted


def reference_from_actions(prev_close: Vector, dividend: Vector, split: Vector) -> Vector:
    """Reference price of each row from per-share actions on the ex-date: prev / split - dividend.

    split    : new shares for one old (7.0 = 7:1), 1 where there is none
    dividend : cash for one new share, 0 where there is none
    Raises DataError where a dividend is worth the whole price or more.
    """
    reference = prev_close / split - dividend
    if (reference <= 0).any():
        row = int(np.argmax(reference <= 0))
        raise DataError(
            f"row {row}: a dividend of {dividend[row]} on a price of {prev_close[row] / split[row]}"
            " leaves nothing; check its unit and date."
        )
    return reference


def factor_from_reference(prev_close: Vector, reference: Vector, first: Mask) -> Vector:
    """Causal factor from exchange reference prices: steps of prev_close / reference.

    first : True on a symbol's first row, where the factor is 1. NaN references mean no action.
    """
    step = prev_close / reference
    step[first | ~np.isfinite(step)] = 1.0
    return grouped_product(step, first)


def factor_from_adjusted(close: Vector, adjusted: Vector, first: Mask, noise: float) -> Vector:
    """Causal factor from an adjusted close, with rounding noise of the vendor taken out.

    noise : relative; a step of adjusted / close smaller than this is rounding, not an action
    """
    ratio = adjusted / close
    step = ratio / previous(ratio, first)
    step[first | ~np.isfinite(step) | (np.abs(step - 1.0) < noise)] = 1.0
    return grouped_product(step, first)


def grouped_product(step: Vector, first: Mask) -> Vector:
    """Running product of `step` within each symbol, restarting where `first` is true.

    Symbol by symbol: the rounding of one must not depend on the rows, least of all the later ones,
    of another.
    """
    product = np.empty(step.size)
    edges = np.append(np.flatnonzero(first), step.size)
    for begin, stop in zip(edges[:-1], edges[1:], strict=True):
        np.multiply.accumulate(step[begin:stop], out=product[begin:stop])
    return product


def hfq(close: Vector, factor: Vector) -> Vector:
    """Backward-adjusted price ("hou fuquan"): raw x factor; the past never changes."""
    return close * factor


def qfq(close: Vector, factor: Vector, anchor: float) -> Vector:
    """Forward-adjusted price ("qian fuquan"): raw x factor / anchor.

    anchor : factor of the last day asked for, so the same date gets another price for another
             end date: for display only, never stored
    """
    return close * factor / anchor


def backward_multipliers(close: Vector, dividend: Vector, split: Vector) -> Vector:
    """Multipliers that turn one symbol's raw closes into a vendor's adjusted close (last = 1).

    Source : Yahoo and CRSP: (1 - dividend / close before the ex-date), and 1 / split
    """
    first = np.zeros(close.size, dtype=bool)
    first[:1] = True
    prev = previous(close, first)
    reference = reference_from_actions(prev, dividend, split)
    factor = factor_from_reference(prev, reference, first)
    return factor / factor[-1]

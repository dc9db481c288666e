"""Probabilities of a tree of series: smoothed in time, bound to their parents, stored exactly.

States are ordered by growing risk where they have any: the last of (calm, turbulent, crisis) and
of (diversifying, systemic). Specification 2.5; readings 26, 27 and 30.
"""

import numba
import numpy as np

from quant.core.errors import DataError
from quant.core.types import Codes, Mask, Matrix, Vector

UNIT = 2.0**-24  # multiples of it are exact in float32, up to 1
# of what is stored, 0.15 is the largest distance to the parent: rounding moves it by < 4 UNIT
BOUND = 0.15 - 4 * UNIT
CRISIS_AT = 0.3  # probability of the risky state from which caps are tightened
WHOLE = 1e-9  # what a sum of probabilities may miss 1 by


def switched(breaks: Mask, parent: Codes, days: int = 10) -> Mask:
    """Sessions on which a series is smoothed fast: on a break and the `days` - 1 sessions after it.

    breaks : (n_days, n_series) a change was likely at the close
    parent : (n_series,) the series above, -1 for a root
    Returns (n_days, n_series). A series that breaks takes along its ancestors and its descendants,
    so that parents and children stay comparable; not its siblings. Raises DataError where parents
    form a circle.
    """
    n_days, n_series = breaks.shape
    related = np.eye(n_series, dtype=bool)
    above = parent.copy()
    for _ in range(n_series):
        rows = np.flatnonzero(above >= 0)
        if not rows.size:
            break
        related[rows, above[rows]] = True
        above[rows] = parent[above[rows]]
    else:
        if n_series:
            raise DataError(
                f"series {int(np.flatnonzero(above >= 0)[0])} is its own ancestor; parents must "
                "form a tree: give its root the parent -1."
            )
    hit = breaks.astype(np.float32) @ (related | related.T).astype(np.float32) > 0
    count = np.zeros((n_days + 1, n_series), dtype=np.int64)
    np.cumsum(hit, axis=0, out=count[1:])
    first = np.maximum(np.arange(1, n_days + 1) - days, 0)
    return count[1:] > count[first]


def smooth(
    p: Matrix, fast: Mask, half_life_slow: float = 12.0, half_life_fast: float = 3.0
) -> Matrix:
    """Exponential average of probabilities, with a half-life that depends on the session.

    p          : (n_days, n_series, n_states), rows sum to 1; NaN = no observation
    fast       : (n_days, n_series) sessions with the fast half-life
    half_lives : sessions; the weight of a session is 1 - 2^(-1 / half-life)
    Returns the shape of `p`: NaN before the first observation, which is taken as it is; without an
    observation the last value stays. Sums stay 1.
    """
    weight = 1.0 - 2.0 ** (-1.0 / np.where(fast, half_life_fast, half_life_slow))
    return _smooth(np.ascontiguousarray(p, dtype=np.float64), weight)


@numba.njit(cache=True, nogil=True)
def _smooth(p: Matrix, weight: Matrix) -> Matrix:
    n_days, n_series, k = p.shape
    out = np.empty(p.shape)
    for s in range(n_series):
        started = False
        for t in range(n_days):
            missing = np.isnan(p[t, s]).any()
            for i in range(k):
                if not started:
                    out[t, s, i] = np.nan if missing else p[t, s, i]
                elif missing:
                    out[t, s, i] = out[t - 1, s, i]
                else:
                    last = out[t - 1, s, i]
                    out[t, s, i] = last + weight[t, s] * (p[t, s, i] - last)
            started = started or not missing
    return out


def reconcile(child: Matrix, parent: Matrix, bound: float = BOUND) -> Matrix:
    """The nearest probabilities to the child's that differ from the parent's by at most `bound`.

    child, parent : (..., n_states), rows sum to 1; they broadcast
    bound         : of the largest absolute difference of a state
    Returns (..., n_states), the Euclidean projection on the simplex intersected with the box
    around the parent, exact to rounding; it is never empty, the parent lies in it. A child within
    bounds is returned to the bit. NaN where the child is NaN; the child where the parent is NaN.
    From the top down: pass the parent already reconciled.
    """
    return _each(child, parent, bound, np.inf)[0]


def reconcile_risk(
    child: Matrix, parent: Matrix, bound: float = BOUND, threshold: float = CRISIS_AT
) -> tuple[Matrix, Mask]:
    """As `reconcile`, but a child's own risk is not reasoned away.

    The last state is the risky one. Where its own probability would tighten the child's cap (from
    `threshold` on) and the reconciled one would not, it keeps its own; the other states are
    projected on what is left, and where the box leaves nothing (the excess is large), on the
    nearest point to the box. Risk is only ever raised.
    Returns (..., n_states), and (...) where that rule decided.
    """
    return _each(child, parent, bound, threshold)


def _each(child: Matrix, parent: Matrix, bound: float, threshold: float) -> tuple[Matrix, Mask]:
    if not bound >= 0:
        raise DataError(f"the bound to the parent is {bound:g}; it must be 0 or more.")
    child, parent = np.broadcast_arrays(child, parent)
    shape, k = child.shape, child.shape[-1]
    flat = [np.ascontiguousarray(a, dtype=np.float64).reshape(-1, k) for a in (child, parent)]
    made, kept = _reconcile(flat[0], flat[1], bound, threshold)
    return made.reshape(shape), kept.reshape(shape[:-1])


@numba.njit(cache=True, nogil=True)
def _reconcile(child: Matrix, parent: Matrix, bound: float, threshold: float):
    n, k = child.shape
    out, kept = child.copy(), np.zeros(n, dtype=np.bool_)
    for row in range(n):
        if np.isnan(child[row]).any():
            out[row] = np.nan
            continue
        if np.isnan(parent[row]).any():
            continue
        low = np.maximum(parent[row] - bound, 0.0)
        high = np.minimum(parent[row] + bound, 1.0)
        _project(child[row], low, high, 1.0, out[row])
        risk = child[row, k - 1]
        if risk >= threshold > out[row, k - 1]:
            kept[row] = True
            _project(child[row, :-1], low[:-1], high[:-1], 1.0 - risk, out[row, :-1])
            out[row, k - 1] = risk
    return out, kept


@numba.njit(cache=True, nogil=True)
def _project(c: Vector, low: Vector, high: Vector, mass: float, out: Vector) -> None:
    """Nearest point to `c` in the box with sum `mass`; where none is, the nearest to the box."""
    if np.all(c >= low) and np.all(c <= high) and abs(c.sum() - mass) <= 1e-12:
        out[:] = c
    elif mass >= high.sum():
        out[:] = high + (mass - high.sum()) / c.size
    elif mass <= low.sum():
        # the box's lower corner, on the simplex of what is left
        _root(low, np.zeros(c.size), low, mass, out)
    else:
        _root(c, low, high, mass, out)


@numba.njit(cache=True, nogil=True)
def _root(c: Vector, low: Vector, high: Vector, mass: float, out: Vector) -> None:
    """Solve sum(clip(c - shift, low, high)) = mass: falling and linear between sorted kinks."""
    kinks = np.sort(np.concatenate((c - high, c - low)))
    shift = kinks[-1]
    for j in range(1, kinks.size):
        if np.minimum(np.maximum(c - kinks[j], low), high).sum() <= mass:
            # between kinks j - 1 and j the same states are free
            middle = 0.5 * (kinks[j - 1] + kinks[j])
            free, fixed, total = 0, 0.0, 0.0
            for i in range(c.size):
                if c[i] - middle >= high[i]:
                    fixed += high[i]
                elif c[i] - middle <= low[i]:
                    fixed += low[i]
                else:
                    free += 1
                    total += c[i]
            shift = (total + fixed - mass) / free if free > 0 else kinks[j]
            break
    for i in range(c.size):
        out[i] = min(max(c[i] - shift, low[i]), high[i])


def quantise(p: Matrix) -> np.ndarray:
    """Probabilities in float32 whose sum in float64 is 1 to the bit.

    p : (..., n_states), rows sum to 1 within 1e-9
    Returns (..., n_states) float32, multiples of 2^-24, none negative, wrong by less than
    n_states 2^-24. All are rounded down but the last, which is the remainder: the probability of
    a risky state never falls below a threshold by rounding. NaN rows stay NaN.
    Raises DataError where a row is no probability.
    """
    p = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(p).any(axis=-1)
    wrong = known & ((np.abs(p.sum(axis=-1) - 1.0) > WHOLE) | (p < -WHOLE).any(axis=-1))
    if wrong.any():
        raise DataError(
            f"{p[wrong][0].tolist()} are no probabilities: each must be 0 or more and their sum 1 "
            f"within {WHOLE:g}; normalise them where they are made."
        )
    units = np.floor(np.where(known[..., None], np.maximum(p, 0.0), 0.0) / UNIT)
    units[..., -1] = 1.0 / UNIT - units[..., :-1].sum(axis=-1)
    return np.where(known[..., None], units * UNIT, np.nan).astype(np.float32)

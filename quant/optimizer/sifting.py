"""The default method: solve exactly over the names that move, prove the rest stay, repeat.

Costs and the turnover cap leave most names where they are. Columns (a name and a direction) enter
where the closed-form audit shows that a name would gain by moving at the present prices; the
program over the columns, solved by the interior point, gives new prices; the loop ends when the
audit of all names passes. The certificate covers the whole problem; where it is not reached the
caller falls back to the full program in Clarabel.
"""

from dataclasses import replace

import numpy as np

from quant.core.types import Mask, Vector
from quant.optimizer.audit import MAX_GAP, MAX_VIOLATION, Audit, audit, name_gaps
from quant.optimizer.columns import columns, solve_columns
from quant.optimizer.point import Point, Warm
from quant.optimizer.problem import Problem
from quant.optimizer.terms import Duals, Limits, Position, position

_ROUNDS = 30
_DUST = 1e-13  # a column that can move less than this does not exist
_FIRST = 60  # columns taken without any price to go by
_MARGIN = 0.05  # names this close to moving at the expected prices are taken too
_GROWTH = 1.3  # first columns, relative to the names that moved the day before
_DROPS = 2  # rounds after which columns that do not move leave; later they stay, so it ends
_IDLE = 1e-8


def sift(
    problem: Problem, limits: Limits, start: Vector, warm: Warm | None, enough: float = -np.inf
) -> Point | None:
    """Optimum within `limits`, or None where the working set does not reach a certificate.

    start  : (n,) feasible weights; the names it moves are in the first working set
    warm   : prices and number of movers expected, those of the day before
    enough : variance at which any point within the limits will do, optimal or not
    """
    base = np.clip(problem.held, limits.low, limits.high)
    rest = position(problem, base)
    needed, moving = _first(problem, limits, base, start, warm)
    found = _solve(problem, limits, rest, moving)
    if found is None and (needed & ~moving).any():
        moving |= needed
        found = _solve(problem, limits, rest, moving)
    for rounds in range(1, _ROUNDS + 1):
        if found is None:
            return None
        weights, duals = found
        state = audit(problem, limits, weights, duals)
        if state.violation > MAX_VIOLATION and (needed & ~moving).any():
            # a limit that the book has drifted over, and none of the columns touches
            moving |= needed
            found = _solve(problem, limits, rest, moving)
            continue
        if abs(state.gap) <= 0.2 * MAX_GAP or state.at.variance <= enough:
            return Point(weights, duals, rounds)
        more = _violators(base, state, moving)
        if not more.any():
            return Point(weights, duals, rounds)
        whole = moving | more
        if rounds <= _DROPS:
            _, wished = name_gaps(problem, limits, state.at, _eager(problem, duals))
            moving &= _directions(base, weights, _IDLE) | _directions(base, wished, _DUST)
        moving |= more
        found = _solve(problem, limits, rest, moving)
        if found is None:  # what left was needed after all
            moving = whole
            found = _solve(problem, limits, rest, moving)
    return None


def _first(
    problem: Problem, limits: Limits, base: Vector, start: Vector, warm: Warm | None
) -> tuple[Mask, Mask]:
    """Columns, (2, n), buys above and sells below: those of a feasible point, and those to try.

    What a feasible point moves is tried only where it is little: mostly the best few dozen names
    reach the limits too.
    """
    needed = _directions(base, start, _DUST)
    guess = Duals.none(problem.group_low.size) if warm is None else warm.duals
    most = _FIRST if warm is None else max(_FIRST, int(_GROWTH * warm.moved))
    gaps, best = name_gaps(problem, limits, position(problem, start), _eager(problem, guess))
    tried = _directions(base, best, 1e-9) & (gaps >= _top(gaps, most))
    few = needed.sum() <= most or not tried.any()
    return needed, tried | needed if few else tried


def _eager(problem: Problem, duals: Duals) -> Duals:
    """Prices at which a few more names move than at `duals`."""
    kink = duals.turnover - _MARGIN * (duals.turnover + float(problem.lambda1.mean()))
    return replace(duals, turnover=kink)


def _directions(base: Vector, target: Vector, least: float) -> Mask:
    return np.vstack([target > base + least, target < base - least])


def _violators(base: Vector, state: Audit, moving: Mask) -> Mask:
    """Columns that are not in the set and whose name gains by moving, the largest gains first."""
    wish = _directions(base, state.best, _DUST) & ~moving
    gains = np.where(wish.any(axis=0), state.name_gaps, 0.0)
    batch = max(30, int(moving.sum()) // 2)
    return wish & (gains >= max(_top(gains, batch), 1e-3 * float(gains.max()))) & (gains > 0)


def _top(values: Vector, count: int) -> float:
    if values.size <= count:
        return -np.inf
    return float(np.partition(values, values.size - count)[values.size - count])


def _solve(
    problem: Problem, limits: Limits, rest: Position, moving: Mask
) -> tuple[Vector, Duals] | None:
    base = rest.weights
    room = np.vstack([limits.high - base, base - limits.low])
    moving &= room > _DUST
    if not moving.any():
        return base, Duals.none(problem.group_low.size)
    split = bool(np.isfinite(limits.gross))
    return solve_columns(problem, limits, rest, columns(base, moving, room, split))

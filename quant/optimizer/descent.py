"""A feasible point by cheap moves: what a normal day needs instead of phase one.

Everything here only sells or buys towards the limits, names with the largest (smallest) marginal
risk first; its turnover is an upper bound on the smallest one.
"""

from collections.abc import Callable

import numpy as np

from quant.core.types import Vector
from quant.optimizer.audit import violation
from quant.optimizer.problem import Problem
from quant.optimizer.terms import Limits, covariance_times, exposures, variance

_BATCH = 12  # names sold at a time, between two looks at the marginal risk
_STEPS = 400
_SHRINKS = 20

Left = Callable[[Problem, Limits, Vector], float]  # share of a cap that is left


def nearby(problem: Problem, limits: Limits) -> Vector:
    """A point within box, group and budget limits, and within the caps on gross and variance if
    selling (long-only) or shrinking does it.

    The caller checks gross, variance and turnover.
    """
    weights = np.clip(problem.held, limits.low, limits.high)
    _repair(problem, limits, weights)
    if np.abs(weights).sum() > limits.gross:
        weights = _shrunk(problem, limits, weights, np.zeros(problem.n), _gross_left)
    if np.isfinite(limits.variance):
        if problem.benchmark is None and not (limits.low < 0).any():
            _sell_risk(problem, limits, weights)
        elif variance(problem, weights) > limits.variance:
            rest = weights - problem.active(weights)
            weights = _shrunk(problem, limits, weights, rest, _risk_left)
    return weights


def _gross_left(problem: Problem, limits: Limits, weights: Vector) -> float:
    return limits.gross / max(float(np.abs(weights).sum()), 1e-300)


def _risk_left(problem: Problem, limits: Limits, weights: Vector) -> float:
    return float(np.sqrt(limits.variance / max(variance(problem, weights), 1e-300)))


def _shrunk(problem: Problem, limits: Limits, weights: Vector, rest: Vector, left: Left) -> Vector:
    """`weights` drawn towards `rest` until the cap has room; as they are where that leads out."""
    drawn = weights
    for _ in range(_SHRINKS):
        share = left(problem, limits, drawn)
        if share >= 1.0:
            loose = limits.with_(tau=np.inf, variance=np.inf, gross=np.inf)
            return drawn if violation(problem, loose, drawn) <= 1e-15 else weights
        drawn = np.clip(rest + 0.999 * share * (drawn - rest), limits.low, limits.high)
    return weights


def _repair(problem: Problem, limits: Limits, weights: Vector) -> None:
    """Bring groups and then the total into their intervals, in place."""
    exposed = exposures(problem, weights)
    total = float(weights.sum())
    outside = (exposed > limits.group_high) | (exposed < limits.group_low)
    if not outside.any() and limits.total_low <= total <= limits.total_high:
        return
    marginal = covariance_times(problem, weights)
    for g in np.flatnonzero(outside):
        inside = np.flatnonzero(problem.groups == g)
        _shift(limits, weights, inside, marginal, exposed[g] - limits.group_high[g],
               limits.group_low[g] - exposed[g])  # fmt: skip
    total = float(weights.sum())
    if limits.total_low <= total <= limits.total_high:
        return
    exposed = exposures(problem, weights)
    spare_down, spare_up = exposed - limits.group_low, limits.group_high - exposed
    excess, lack = total - limits.total_high, limits.total_low - total
    for i in np.argsort(marginal, kind="stable")[:: -1 if excess > 0 else 1]:
        g = problem.groups[i]
        if excess > 0:
            step = min(weights[i] - limits.low[i], spare_down[g], excess)
            weights[i], spare_down[g], excess = (
                weights[i] - step,
                spare_down[g] - step,
                excess - step,
            )
        elif lack > 0:
            step = min(limits.high[i] - weights[i], spare_up[g], lack)
            weights[i], spare_up[g], lack = weights[i] + step, spare_up[g] - step, lack - step
        else:
            break


def _shift(
    limits: Limits, weights: Vector, names: np.ndarray, marginal: Vector, excess: float, lack: float
) -> None:
    """Sell `excess` (riskiest first) or buy `lack` (safest first) among `names`, in place."""
    order = names[np.argsort(marginal[names], kind="stable")]
    if excess > 0:
        order = order[::-1]
        room = weights[order] - limits.low[order]
        weights[order] -= _fill(room, excess)
    elif lack > 0:
        room = limits.high[order] - weights[order]
        weights[order] += _fill(room, lack)


def _fill(room: Vector, amount: float) -> Vector:
    """Take `amount` from `room` in order."""
    before = np.cumsum(room) - room
    return np.clip(amount - before, 0.0, room)


def _sell_risk(problem: Problem, limits: Limits, weights: Vector) -> None:
    """Sell the names of largest marginal risk until the variance is at its cap, in place."""
    exposed = exposures(problem, weights)
    spare = np.maximum(exposed - limits.group_low, 0.0)
    total_spare = float(weights.sum()) - limits.total_low
    for _ in range(_STEPS):
        level = variance(problem, weights)
        if level <= limits.variance or total_spare <= 0:
            return
        marginal = covariance_times(problem, weights)
        room = np.minimum(weights - limits.low, spare[problem.groups])
        score = np.where((room > 1e-12) & (marginal > 0), marginal, 0.0)
        chosen = np.argsort(-score, kind="stable")[:_BATCH]
        chosen = chosen[score[chosen] > 0]
        if chosen.size == 0:
            return
        move = np.zeros(weights.size)
        move[chosen] = room[chosen]
        move *= _fraction(problem, spare, total_spare, move)
        slope, curve = float(marginal @ move), variance(problem, move)
        if slope <= 1e-150:  # nothing left to sell but rounding
            return
        step = 1.0 if slope >= curve else slope / curve
        # the smaller root of  level - 2 step slope + step^2 curve = cap, where there is one
        inside = slope**2 - curve * (level - limits.variance)
        if inside >= 0:
            reach = (level - limits.variance) / (slope + np.sqrt(inside))
            step = min(step, reach * (1 + 1e-9))
        weights -= step * move
        spare = np.maximum(spare - step * exposures(problem, move), 0.0)
        total_spare -= step * float(move.sum())


def _fraction(problem: Problem, spare: Vector, total_spare: float, move: Vector) -> float:
    """Largest share of `move` that keeps groups and total above their lower ends."""
    asked = exposures(problem, move)
    ratio = np.where(asked > spare, spare / np.maximum(asked, 1e-300), 1.0)
    return float(min(1.0, ratio.min(), total_spare / float(move.sum())))

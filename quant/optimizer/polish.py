"""From an interior point to the vertex beside it: Newton steps on the active constraints.

The solvers stop at about 1e-9. Once it is known which names move and which limits bind, the
optimality conditions are equations; two or three Newton steps solve them to rounding. Whether the
guess was right is left to the audit, which the polished point has to pass like any other.
"""

import numpy as np

from quant.core.types import Mask, Matrix, Vector
from quant.optimizer.audit import name_gaps
from quant.optimizer.point import Point
from quant.optimizer.problem import Problem
from quant.optimizer.terms import Duals, Limits, Position, exposures, position

_NEAR = 2e-5
_STEPS = 4


def polish(problem: Problem, limits: Limits, point: Point) -> Point:
    """The point where the constraints that look active hold exactly."""
    _, best = name_gaps(problem, limits, position(problem, point.weights), point.duals)
    ends = at_end(problem, limits, best)
    pinned = ends & (np.abs(point.weights - best) <= _NEAR)
    weights = np.where(pinned, best, point.weights)
    side = np.sign(weights - problem.held)
    free = np.flatnonzero(~pinned & (side != 0))
    if free.size == 0:
        return Point(weights, point.duals, point.rounds)
    at = position(problem, weights)
    active = _Active(problem, limits, at, point.duals, free, side[free])
    prices, level = active.start, at.variance
    marginal = (at.spread + problem.ridge * problem.active(weights))[free]
    factor = problem.factor[:, free]
    gram = factor.T @ factor
    gram.flat[:: free.size + 1] += problem.ridge
    for _ in range(_STEPS):
        step, turn = active.newton(weights, prices, gram, marginal, level)
        weights = weights.copy()
        weights[free] += step
        prices = prices + turn
        bent = gram @ step
        level += float(step @ (2.0 * marginal + bent))
        marginal = marginal + bent
        if np.abs(step).max() < 1e-15:
            break
    return Point(weights, active.duals(prices), point.rounds)


def at_end(problem: Problem, limits: Limits, weights: Vector) -> Mask:
    """(n,) names at a bound, at rest, or (where gross counts) at zero."""
    ends = (weights == problem.held) | (weights == limits.low) | (weights == limits.high)
    return ends | (weights == 0.0) if np.isfinite(limits.gross) else ends


class _Active:
    """The equations of the limits that bind: rows on the free names, turnover, variance."""

    def __init__(
        self,
        problem: Problem,
        limits: Limits,
        at: Position,
        duals: Duals,
        free: np.ndarray,
        side: Vector,
    ) -> None:
        self.problem, self.limits, self.free, self.side = problem, limits, free, side
        self.known, weights, level = duals, at.weights, at.variance
        self.sign = np.sign(weights[free])
        scale = float(np.abs(problem.mu).mean() + problem.lambda1.mean()) + 1e-12
        exposed, total = exposures(problem, weights), float(weights.sum())
        self.budget = _end(duals.budget / scale, total, limits.total_low, limits.total_high)
        self.group = {
            g: end
            for g in np.unique(problem.groups[free])
            if (end := _end(duals.group[g] / scale, exposed[g], limits.group_low[g],
                            limits.group_high[g])) is not None
        }  # fmt: skip
        spent = float(np.abs(weights - problem.held).sum())
        self.turnover = duals.turnover / scale > limits.tau - spent
        size = float(np.abs(weights).sum())
        self.gross = duals.gross / scale > limits.gross - size
        self.variance = bool(
            np.isfinite(limits.variance)
            and 0.5 * duals.variance * level / scale > 1.0 - level / limits.variance
        )
        rows = [np.ones(free.size)] if self.budget is not None else []
        rows += [(problem.groups[free] == g).astype(float) for g in self.group]
        rows += [side] if self.turnover else []
        rows += [self.sign] if self.gross else []
        self.rows: Matrix = np.array(rows).reshape(len(rows), free.size)

    @property
    def start(self) -> Vector:
        """Prices of the active limits at the point given."""
        known = self.known
        prices = [known.budget] if self.budget is not None else []
        prices += [known.group[g] for g in self.group]
        prices += [known.turnover] if self.turnover else []
        prices += [known.gross] if self.gross else []
        prices += [known.variance] if self.variance else []
        return np.array(prices, dtype=float)

    def newton(
        self, weights: Vector, prices: Vector, gram: Matrix, marginal: Vector, level: float
    ) -> tuple[Vector, Vector]:
        """One step in the free weights and in the prices; `marginal` is Sigma a of the free."""
        p, free, side = self.problem, self.free, self.side
        jacobian = np.vstack([self.rows, marginal]) if self.variance else self.rows
        risk = p.gamma + (prices[-1] if self.variance else 0.0)
        linear = prices[: self.rows.shape[0]]
        trade = (weights - p.held)[free]
        residual = risk * marginal - p.mu[free] + 2.0 * p.lambda2[free] * trade
        residual += side * p.lambda1[free] + self.rows.T @ linear
        k, m = free.size, jacobian.shape[0]
        system = np.zeros((k + m, k + m))
        system[:k, :k] = risk * gram
        system[np.arange(k), np.arange(k)] += 2.0 * p.lambda2[free]
        system[k:, :k], system[:k, k:] = jacobian, jacobian.T
        right = -np.append(residual, self._miss(weights, level))
        step = _solved(system, right)
        return step[:k], step[k:]

    def duals(self, prices: Vector) -> Duals:
        """The prices by name again."""
        rest = list(prices)
        budget = rest.pop(0) if self.budget is not None else 0.0
        group = self.known.group.copy()
        group[np.unique(self.problem.groups[self.free])] = 0.0
        for g in self.group:
            group[g] = rest.pop(0)
        turnover = rest.pop(0) if self.turnover else 0.0
        gross = rest.pop(0) if self.gross else 0.0
        risk = rest.pop(0) if self.variance else 0.0
        return Duals(float(budget), group, float(turnover), float(risk), float(gross))

    def _miss(self, weights: Vector, level: float) -> Vector:
        p, limits = self.problem, self.limits
        miss = [float(weights.sum()) - self.budget] if self.budget is not None else []
        exposed = exposures(p, weights)
        miss += [exposed[g] - end for g, end in self.group.items()]
        if self.turnover:
            miss.append(float(np.abs(weights - p.held).sum()) - limits.tau)
        if self.gross:
            miss.append(float(np.abs(weights).sum()) - limits.gross)
        if self.variance:
            miss.append(0.5 * (level - limits.variance))
        return np.array(miss)


def _solved(system: Matrix, right: Vector) -> Vector:
    """The solution, of least norm where there are many (names alike, redundant limits)."""
    try:
        step = np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(system, right, rcond=1e-12)[0]
    if np.abs(step[: right.size]).max() > 1e6 * max(np.abs(right).max(), 1e-12):
        return np.linalg.lstsq(system, right, rcond=1e-12)[0]
    return step


def _end(price: float, value: float, low: float, high: float) -> float | None:
    """The end of [low, high] that binds at this price, None where neither does."""
    if low == high:
        return high
    if price > high - value:
        return high
    if -price > value - low:
        return low
    return None

"""The certificate: how far a point is from feasible and from optimal, whatever found it.

The gap is f(w) - q(duals) with q the Lagrangian dual function at the given prices, bounded from
below by linearising |F w|^2 at the point itself and minimising what is left name by name in closed
form. It needs the point, the prices and the problem, nothing of the solver: wrong prices make
it large, never small.
"""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Vector
from quant.optimizer.problem import Problem
from quant.optimizer.terms import (
    Duals,
    Limits,
    Position,
    exposures,
    magnitude,
    position,
    variance,
)

MAX_VIOLATION = 1e-6
MAX_GAP = 1e-8


@dataclass(frozen=True)
class Audit:
    """What the audit of one point says.

    violation : largest excess over a limit, in weight (volatility: relative to its cap)
    gap       : duality gap relative to the objective's magnitude
    name_gaps : (n,) part of the absolute gap that moving one name alone would close
    best      : (n,) where each name would go at these prices, alone
    at        : the point itself
    """

    violation: float
    gap: float
    name_gaps: Vector
    best: Vector
    at: Position

    @property
    def score(self) -> float:
        """The worse of violation and gap, in units of what is allowed; inf where one is NaN."""
        worst = float(np.maximum(self.violation / MAX_VIOLATION, abs(self.gap) / MAX_GAP))
        return worst if np.isfinite(worst) else np.inf

    @property
    def passed(self) -> bool:
        """Within 1e-6 of feasible and 1e-8 of optimal."""
        return self.score <= 1.0


def violation(
    problem: Problem, limits: Limits, weights: Vector, level: float | None = None
) -> float:
    """Largest excess of `weights` over any limit, >= 0; `level` is their variance, where known."""
    total = float(weights.sum())
    exposed = exposures(problem, weights)
    excess = [
        float((limits.low - weights).max()),
        float((weights - limits.high).max()),
        total - limits.total_high,
        limits.total_low - total,
        float((exposed - limits.group_high).max()),
        float((limits.group_low - exposed).max()),
        float(np.abs(weights - problem.held).sum()) - limits.tau,
        float(np.abs(weights).sum()) - limits.gross,
    ]
    if np.isfinite(limits.variance) and limits.variance > 0:
        level = variance(problem, weights) if level is None else level
        excess.append(float(np.sqrt(level / limits.variance)) - 1.0)
    return float(np.maximum(np.max(excess), 0.0))  # NaN stays NaN


def audit(problem: Problem, limits: Limits, weights: Vector, duals: Duals) -> Audit:
    """Certify `weights` against `limits` with the prices `duals`."""
    duals, at = clip(limits, duals), position(problem, weights)
    gaps, best = name_gaps(problem, limits, at, duals)
    slack = slackness(problem, limits, at, duals)
    gap = (float(gaps.sum()) + slack) / magnitude(problem, weights, at.variance)
    return Audit(violation(problem, limits, weights, at.variance), gap, gaps, best, at)


def clip(limits: Limits, duals: Duals) -> Duals:
    """Prices of the right sign, and none on a limit that does not exist."""
    budget = duals.budget
    budget = max(budget, 0.0) if np.isinf(limits.total_low) else budget
    budget = min(budget, 0.0) if np.isinf(limits.total_high) else budget
    group = np.where(np.isinf(limits.group_low), np.maximum(duals.group, 0.0), duals.group)
    group = np.where(np.isinf(limits.group_high), np.minimum(group, 0.0), group)
    turnover = 0.0 if np.isinf(limits.tau) else max(duals.turnover, 0.0)
    risk = 0.0 if np.isinf(limits.variance) else max(duals.variance, 0.0)
    gross = 0.0 if np.isinf(limits.gross) else max(duals.gross, 0.0)
    return Duals(budget, group, turnover, risk, gross)


def slackness(problem: Problem, limits: Limits, at: Position, duals: Duals) -> float:
    """Sum of price x slack over the constraints that join names; 0 at an optimum."""
    weights = at.weights
    total = float(weights.sum())
    end = limits.total_high if duals.budget > 0 else limits.total_low
    slack = duals.budget * (end - total) if duals.budget else 0.0
    price = duals.group
    priced = price != 0.0
    if priced.any():
        ends = np.where(price > 0, limits.group_high, limits.group_low)[priced]
        slack += float(price[priced] @ (ends - exposures(problem, weights)[priced]))
    if duals.turnover:
        slack += duals.turnover * (limits.tau - float(np.abs(weights - problem.held).sum()))
    if duals.variance:
        slack += 0.5 * duals.variance * (limits.variance - at.variance)
    if duals.gross:
        slack += duals.gross * (limits.gross - float(np.abs(weights).sum()))
    return slack


def name_gaps(
    problem: Problem, limits: Limits, at: Position, duals: Duals
) -> tuple[Vector, Vector]:
    """What each name alone could still gain at these prices, and where it would go for it.

    Name i minimises  slope w + curve/2 a^2 + l1 |w - held| + l2 (w - held)^2 + gross |w|  over its
    box.
    Returns : (n,) gains >= 0 and (n,) minimisers
    """
    risk = problem.gamma + duals.variance
    slope = -problem.mu + duals.budget + duals.group[problem.groups]
    if risk:
        slope += risk * at.spread
    curve = risk * problem.ridge
    # in terms of the trade d = w - held
    held = problem.held
    gradient = slope + curve * problem.active(held)
    curvature = curve + 2.0 * problem.lambda2
    kink = problem.lambda1 + duals.turnover
    low, high = limits.low - held, limits.high - held
    trade = np.clip(_rest(gradient, curvature, kink), low, high)
    if duals.gross:
        trade = _with_gross(held, (gradient, curvature, kink), duals.gross, low, high)
    actual = at.weights - held
    gain = (
        gradient * (actual - trade)
        + 0.5 * curvature * (np.square(actual) - np.square(trade))
        + kink * (np.abs(actual) - np.abs(trade))
    )
    if duals.gross:
        gain += duals.gross * (np.abs(at.weights) - np.abs(held + trade))
    return gain, held + trade


def _rest(gradient: Vector, curvature: Vector, kink: Vector) -> Vector:
    """Minimiser of  gradient d + curvature/2 d^2 + kink |d|, (n,)."""
    pull = -np.sign(gradient) * np.maximum(np.abs(gradient) - kink, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(pull == 0.0, 0.0, pull / curvature)


def _with_gross(
    held: Vector, terms: tuple[Vector, Vector, Vector], price: float, low: Vector, high: Vector
) -> Vector:
    """The minimiser once |w| has a price too: at a positive weight, at a negative one, or at 0."""
    gradient, curvature, kink = terms
    above = np.clip(_rest(gradient + price, curvature, kink), np.maximum(low, -held), high)
    below = np.clip(_rest(gradient - price, curvature, kink), low, np.minimum(high, -held))
    # convex: the answer is on the side where its own half says so, else where the halves meet
    up, down = above > -held, below < -held
    return np.where(up, above, np.where(down, below, np.clip(-held, low, high)))

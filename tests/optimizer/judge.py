"""What another solver's better objective is worth: the limits it oversteps, at their prices."""

import numpy as np

from quant.core.types import Vector
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution
from quant.optimizer.terms import exposures, variance


def overstepped(problem: Problem, solution: Solution, weights: Vector) -> float:
    """Price x excess over the joint limits at `weights`, at the prices of the solution."""
    limits, prices = solution.limits, solution.duals
    total, exposed = float(weights.sum()), exposures(problem, weights)
    worth = max(prices.budget, 0.0) * max(total - limits.total_high, 0.0)
    worth += max(-prices.budget, 0.0) * max(limits.total_low - total, 0.0)
    high = np.where(prices.group > 0, exposed - limits.group_high, 0.0)
    low = np.where(prices.group < 0, limits.group_low - exposed, 0.0)
    worth += float(np.abs(prices.group) @ np.maximum(np.maximum(high, low), 0.0))
    spent = float(np.abs(weights - problem.held).sum())
    worth += prices.turnover * max(spent - limits.tau, 0.0)
    worth += prices.gross * max(float(np.abs(weights).sum()) - limits.gross, 0.0)
    return worth + 0.5 * prices.variance * max(variance(problem, weights) - limits.variance, 0.0)

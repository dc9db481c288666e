"""The objective and the constraint values, read as the formula is written."""

from dataclasses import dataclass, replace

import numpy as np

from quant.core.types import Codes, Vector
from quant.costs.model import trade_cost
from quant.optimizer.problem import Problem


@dataclass(frozen=True)
class Position:
    """Weights with their risk, computed once for all that judge them.

    spread   : (n,) F'F a
    variance : a'Sigma a over the horizon
    """

    weights: Vector
    spread: Vector
    variance: float


def position(problem: Problem, weights: Vector) -> Position:
    """The weights and their risk."""
    active = problem.active(weights)
    exposed = problem.factor @ active
    level = float(exposed @ exposed + problem.ridge * (active @ active))
    return Position(weights, problem.factor.T @ exposed, level)


def variance(problem: Problem, weights: Vector) -> float:
    """Variance a'Sigma a over the horizon, of the weights or of the active ones."""
    active = problem.active(weights)
    exposed = problem.factor @ active
    return float(exposed @ exposed + problem.ridge * (active @ active))


def covariance_times(problem: Problem, weights: Vector) -> Vector:
    """Sigma a, (n,)."""
    active = problem.active(weights)
    return problem.factor.T @ (problem.factor @ active) + problem.ridge * active


def objective(problem: Problem, weights: Vector) -> float:
    """Value of mu'w - gamma/2 a'Sigma a - cost: what is maximised, in return over the horizon."""
    return _value(problem, weights, variance(problem, weights))


def objective_at(problem: Problem, at: Position) -> float:
    """`objective` where the risk is known."""
    return _value(problem, at.weights, at.variance)


def _value(problem: Problem, weights: Vector, level: float) -> float:
    cost = trade_cost(weights - problem.held, problem.lambda1, problem.lambda2)
    return float(problem.mu @ weights - 0.5 * problem.gamma * level - cost)


def magnitude(problem: Problem, weights: Vector, level: float | None = None) -> float:
    """Sum of the sizes of the objective's terms: what a relative gap is relative to.

    The objective itself may be 0 by cancellation. At least 1e-6, a hundredth of a basis point.

    level : variance of the weights, where it is known
    """
    cost = trade_cost(weights - problem.held, problem.lambda1, problem.lambda2)
    risk = 0.5 * problem.gamma * (variance(problem, weights) if level is None else level)
    return float(max(np.abs(problem.mu) @ np.abs(weights) + risk + cost, 1e-6))


def gradient_size(problem: Problem, weights: Vector, names: Codes) -> float:
    """Largest part of the objective's gradient among `names`: what programs are divided by; > 0."""
    slope = problem.gamma * covariance_times(problem, weights)[names]
    terms = (problem.mu[names], problem.lambda1[names], slope)
    return max(*(float(np.abs(term).max()) for term in terms), 1e-12)


def exposures(problem: Problem, weights: Vector) -> Vector:
    """(n_groups,) sum of the weights in each group."""
    return np.bincount(problem.groups, weights=weights, minlength=problem.group_low.size)


@dataclass(frozen=True)
class Limits:
    """The constraint set that is really imposed today: the problem's, where reachable.

    low, high       : (n,) box on the weights: bounds and trade caps together
    total_low, total_high : interval of sum w, that is of 1 - cash
    group_low, group_high : (n_groups,)
    tau, variance   : caps on sum |d| and on a'Sigma a
    gross           : cap on sum |w|
    """

    low: Vector
    high: Vector
    total_low: float
    total_high: float
    group_low: Vector
    group_high: Vector
    tau: float
    variance: float
    gross: float = np.inf

    def with_(self, **changes: object) -> "Limits":
        """A copy with some limits changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Duals:
    """Prices of the constraints at the optimum, in objective per unit of the limit.

    budget   : of sum w (> 0: fully invested binds; < 0: the upper end of cash binds)
    group    : (n_groups,) of the exposures (> 0 upper end, < 0 lower end)
    turnover : >= 0, of sum |d|
    variance : >= 0, of a'Sigma a / 2
    gross    : >= 0, of sum |w|
    """

    budget: float
    group: Vector
    turnover: float
    variance: float
    gross: float = 0.0

    @classmethod
    def none(cls, n_groups: int) -> "Duals":
        """Nothing binds."""
        return cls(0.0, np.zeros(n_groups), 0.0, 0.0)

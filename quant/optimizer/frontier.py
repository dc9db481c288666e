"""Frontiers: what the best expected return is as one limit moves and all else stays.

Each point is a solve of its own with its own certificate; the path only lends the prices of one
point to the next. On both paths the price of the limit is the slope of the optimal objective
(envelope theorem). Source: Markowitz (1952), J. Finance 7, 77-91; costs as in readings 13.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from quant.core.errors import ProblemError
from quant.core.types import Vector
from quant.optimizer.problem import Problem
from quant.optimizer.sensitivity import Outcome
from quant.optimizer.solve import Solution, Warm, solve

_SPAN = 1e-5  # a path shorter than this, the grid of feasibility, is one point
# aversion at which the floor of the certificate, 1e-14, is some 1e-5 of annual volatility: so that
# a least volatility of zero can be certified too
_CALM = 1e-3


@dataclass(frozen=True)
class Frontier:
    """Optima along one limit, ascending; k at most the points asked for.

    limit     : (k,) imposed: annualised volatility, or two-way turnover
    objective, expected, cost : (k,) over the horizon, as in `Outcome`
    vol, turnover, cash       : (k,) annualised; sum |trades|; fraction of NAV
    price     : (k,) d objective / d limit, >= 0: 0 once the limit no longer binds
    ratio     : (k,) annualised net return per annualised volatility; NaN without risk
    today     : at the problem as it is
    solutions : k certified solutions
    """

    limit: Vector
    objective: Vector
    expected: Vector
    cost: Vector
    vol: Vector
    turnover: Vector
    cash: Vector
    price: Vector
    ratio: Vector
    today: Outcome
    solutions: tuple[Solution, ...]

    @property
    def net(self) -> Vector:
        """(k,) expected return over the horizon after costs."""
        return self.expected - self.cost


def efficient_frontier(
    problem: Problem, solution: Solution, points: int = 40, method: str = "sifting"
) -> Frontier:
    """Move the volatility target from the least within today's turnover to where it stops binding.

    solution : of `problem`; its turnover limit stays, so the least volatility is what can be
               traded to today
    points   : >= 2, closer together where the frontier is steep
    Where the target binds the slope of the net return in the variance is (gamma + price of the
    variance) / 2; the objective and the net return are concave in the variance.
    """
    base = replace(problem, tau=solution.limits.tau, gross=solution.limits.gross)
    top = solve(replace(base, vol_target=np.inf), method, solution.warm)
    zero = np.zeros(problem.n)
    calm = replace(base, mu=zero, gamma=_CALM, lambda1=zero, lambda2=zero, vol_target=np.inf)
    least = solve(calm, method).vol if top.vol > _SPAN else top.vol
    targets = _steps(least, top.vol, points)
    found = _path(lambda v: replace(base, vol_target=v), targets, top, method)
    limit = np.array([problem.volatility(s.limits.variance) for s in found])
    prices = np.array([s.duals.variance for s in found])
    price = prices * limit / problem.horizons_per_year
    return _frontier(problem, solution, limit, price, found)


def cost_frontier(
    problem: Problem, solution: Solution, points: int = 40, method: str = "sifting"
) -> Frontier:
    """Move the turnover limit from the least that is feasible to where it stops binding.

    solution : of `problem`; its volatility limit stays
    points   : >= 2, closer together where the frontier is steep
    The objective is concave in the limit and its slope is the price of turnover.
    """
    vol = problem.volatility(solution.limits.variance)
    base = replace(problem, vol_target=vol, gross=solution.limits.gross)
    top = solve(replace(base, tau=np.inf), method, solution.warm)
    zero, one = np.zeros(problem.n), np.ones(problem.n)
    still = replace(base, mu=zero, gamma=0.0, lambda1=one, lambda2=zero, tau=np.inf)
    least = solve(still, method).turnover
    found = _path(lambda t: replace(base, tau=t), _steps(least, top.turnover, points), top, method)
    limit = np.array([s.limits.tau for s in found])
    return _frontier(problem, solution, limit, np.array([s.duals.turnover for s in found]), found)


def _steps(least: float, most: float, points: int) -> Vector:
    """Levels of a limit, ascending, close together near the least, which has no interior itself."""
    if points < 2:
        raise ProblemError(f"points is {points}; a frontier needs at least 2.")
    if most - least <= _SPAN:
        return np.array([max(most, least, _SPAN)])
    return least + (most - least) * (np.arange(1, points + 1) / points) ** 2


def _path(
    at: Callable[[float], Problem], levels: Vector, top: Solution, method: str
) -> list[Solution]:
    """Solutions at `levels`, ascending; followed downwards from `top`, where nothing binds."""
    warm: Warm = top.warm
    found = []
    for level in levels[::-1]:
        found.append(solve(at(float(level)), method, warm))
        warm = found[-1].warm
    return found[::-1]


def _frontier(
    problem: Problem, solution: Solution, limit: Vector, price: Vector, found: list[Solution]
) -> Frontier:
    # levels below what the grid of feasibility can tell apart from the least are one point
    limit, kept = np.unique(limit, return_index=True)
    found = [found[i] for i in kept]
    outcomes = [Outcome.of(problem, s) for s in found]
    columns = {
        name: np.array([getattr(outcome, name) for outcome in outcomes])
        for name in ("objective", "expected", "cost", "vol", "turnover", "cash")
    }
    net = (columns["expected"] - columns["cost"]) * problem.horizons_per_year
    ratio = np.divide(net, columns["vol"], out=np.full(net.size, np.nan), where=columns["vol"] > 0)
    return Frontier(
        limit=limit,
        price=price[kept],
        ratio=ratio,
        today=Outcome.of(problem, solution),
        solutions=tuple(found),
        **columns,
    )

"""What can be reached today, by priority: physical, groups, gross, volatility, then turnover.

A limit that can not be met is moved to the best level that can, and recorded. Phase one (the least
turnover that meets everything) is a solve only on days when cheap moves do not fit under tau.
Source: readings 16.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from quant.core.errors import ProblemError
from quant.core.types import Vector
from quant.optimizer.descent import nearby
from quant.optimizer.problem import Problem
from quant.optimizer.terms import Limits, exposures, variance

Method = Callable[[Problem, Limits, Vector, float], Vector]
_NEGLIGIBLE = 1e-9  # in weight: smaller contradictions are rounding, moved but not recorded
# least values are rounded up by one to two steps of this, 0.1 bp of NAV or of annual volatility:
# the set keeps an interior, and methods that agree to 1e-9 impose the same limit
_GRID = 1e-5


@dataclass(frozen=True)
class Relaxation:
    """One limit that was out of reach today.

    what    : "name", "cash", "group", "gross", "volatility" or "turnover", with the name or group
    limit   : what was asked for
    reached : what is imposed instead
    why     : the harder limit it gives way to
    """

    what: str
    limit: float
    reached: float
    why: str


@dataclass
class Reach:
    """Limits in force today, a point within them and what was relaxed.

    tau_min : least turnover within the other limits; NaN where it is known to be below tau only
    """

    limits: Limits
    start: Vector
    tau_min: float
    relaxations: list[Relaxation] = field(default_factory=list)


def reach(problem: Problem, method: Method) -> Reach:
    """Move what can not be reached to where it can.

    method : solves a problem within limits from a feasible start, or stops at a variance that is
             low enough; called on hard days only
    """
    relaxed: list[Relaxation] = []
    limits = _groups(problem, _budget(problem, _physical(problem, relaxed), relaxed), relaxed)
    start = nearby(problem, limits)
    if float(np.abs(start).sum()) > limits.gross:
        limits, start = _least_gross(problem, limits, start, method, relaxed)
    if variance(problem, start) > limits.variance:
        limits, start = _least_variance(problem, limits, start, method, relaxed)
    spent = float(np.abs(start - problem.held).sum())
    if spent <= limits.tau:
        return Reach(limits, start, float("nan"), relaxed)
    start = method(_only_turnover(problem), limits.with_(tau=np.inf), start, 0.0)
    tau_min = float(np.abs(start - problem.held).sum())
    if tau_min > problem.tau:
        why = _turnover_cause(problem, limits)
        limits = limits.with_(tau=_rounded_up(tau_min))
        relaxed.append(Relaxation("turnover", problem.tau, limits.tau, why))
    return Reach(limits, start, tau_min, relaxed)


def lifted_groups(problem: Problem, weights: Vector) -> list[Relaxation]:
    """Groups above their own cap because of a suspended holding, at the optimum."""
    allowance = _suspended(problem)
    exposed = exposures(problem, weights)
    above = (allowance > 0) & (exposed > problem.group_high + 1e-6)
    return [
        Relaxation(f"group {g}", float(problem.group_high[g]), float(exposed[g]),
                   "suspended holdings lift the cap by their own weight")
        for g in np.flatnonzero(above)
    ]  # fmt: skip


def _physical(problem: Problem, relaxed: list[Relaxation]) -> Limits:
    low = np.maximum(problem.lower, problem.held - problem.sell_cap)
    high = np.minimum(problem.upper, problem.held + problem.buy_cap)
    for i in np.flatnonzero(low > high):
        # a trade cap is harder than a bound on the weight
        above = problem.held[i] > problem.upper[i]
        level = low[i] if above else high[i]
        bound = problem.upper[i] if above else problem.lower[i]
        low[i] = high[i] = level
        if abs(level - bound) > _NEGLIGIBLE:
            relaxed.append(
                Relaxation(f"name {problem.names[i]}", float(bound), float(level),
                           "its trade cap comes first")
            )  # fmt: skip
    return Limits(
        low, high, 1.0 - problem.cash_high, 1.0 - problem.cash_low,
        problem.group_low, problem.group_high, problem.tau, problem.variance_cap, problem.gross,
    )  # fmt: skip


def _budget(problem: Problem, limits: Limits, relaxed: list[Relaxation]) -> Limits:
    """Where even the end of the box misses the budget, that end is the only point left."""
    least, most = float(limits.low.sum()), float(limits.high.sum())
    if least > limits.total_high:
        if least > limits.total_high + _NEGLIGIBLE:
            relaxed.append(Relaxation("cash", problem.cash_low, 1 - least, "nothing more to sell"))
        return limits.with_(high=limits.low, total_low=-np.inf, total_high=least)
    if most < limits.total_low:
        if most < limits.total_low - _NEGLIGIBLE:
            relaxed.append(Relaxation("cash", problem.cash_high, 1 - most, "nothing more to buy"))
        return limits.with_(low=limits.high, total_low=most, total_high=np.inf)
    return limits


def _groups(problem: Problem, limits: Limits, relaxed: list[Relaxation]) -> Limits:
    asked_low, asked_high = limits.group_low, limits.group_high + _suspended(problem)
    least, most = exposures(problem, limits.low), exposures(problem, limits.high)
    over, under = least > asked_high, most < asked_low
    # a group that can not come down (up) to its interval goes as far as it can
    low_box = np.where(under[problem.groups], limits.high, limits.low)
    high_box = np.where(over[problem.groups], limits.low, limits.high)
    low = np.where(under, most, np.where(over, -np.inf, asked_low))
    high = np.where(over, least, np.where(under, np.inf, asked_high))
    why = "trade caps and bounds come first"
    # together they must leave room for the budget: back in proportion
    bottom, top = np.maximum(low, least), np.minimum(high, most)
    if bottom.sum() > limits.total_high + _NEGLIGIBLE:
        share = (limits.total_high - least.sum()) / max(bottom.sum() - least.sum(), _NEGLIGIBLE)
        low = high = least + share * (bottom - least)
        low_box = limits.low  # the level says enough
        limits, why = limits.with_(total_high=np.inf), "the budget comes first"
    elif top.sum() < limits.total_low - _NEGLIGIBLE:
        share = (limits.total_low - top.sum()) / max(most.sum() - top.sum(), _NEGLIGIBLE)
        low = high = top + share * (most - top)
        high_box = limits.high
        limits, why = limits.with_(total_low=-np.inf), "the budget comes first"
    for g in range(low.size):
        name = f"group {g}"
        if max(high[g], low[g]) > asked_high[g] + _NEGLIGIBLE and np.isfinite(high[g]):
            relaxed.append(Relaxation(name, float(asked_high[g]), float(high[g]), why))
        if min(low[g], high[g]) < asked_low[g] - _NEGLIGIBLE and np.isfinite(low[g]):
            relaxed.append(Relaxation(name, float(asked_low[g]), float(low[g]), why))
    return limits.with_(low=low_box, high=high_box, group_low=low, group_high=high)


def _suspended(problem: Problem) -> Vector:
    """(n_groups,) weight held in names that can be traded neither way."""
    locked = (problem.buy_cap == 0) & (problem.sell_cap == 0)
    return exposures(problem, np.where(locked, np.maximum(problem.held, 0.0), 0.0))


def _least_gross(
    problem: Problem, limits: Limits, start: Vector, method: Method, relaxed: list[Relaxation]
) -> tuple[Limits, Vector]:
    # from an empty book, gross is turnover
    empty = replace(_only_turnover(problem), held=np.zeros(problem.n))
    free = limits.with_(tau=np.inf, variance=np.inf, gross=np.inf)
    least = method(empty, free, start, 0.0)
    reached = _rounded_up(float(np.abs(least).sum()))
    if reached <= problem.gross:
        return limits, least
    why = "trade caps, bounds, groups and net come first"
    relaxed.append(Relaxation("gross", problem.gross, reached, why))
    return limits.with_(gross=reached), least


def _least_variance(
    problem: Problem, limits: Limits, start: Vector, method: Method, relaxed: list[Relaxation]
) -> tuple[Limits, Vector]:
    zero = np.zeros(problem.n)
    # at this aversion a least volatility of zero is certified to the grid
    calm = replace(problem, mu=zero, gamma=2e-3, lambda1=zero, lambda2=zero)
    # a point this calm will do; the least variance is asked for only where it is above
    enough = max(problem.vol_target - 2 * _GRID, 0.0) ** 2 / problem.horizons_per_year
    least = method(calm, limits.with_(tau=np.inf, variance=np.inf), start, enough)
    level = variance(problem, least)
    if not np.isfinite(level):
        raise ProblemError(f"{problem.date}: the least variance is {level}; check the covariance.")
    reached = _rounded_up(problem.volatility(level))
    if reached <= problem.vol_target:
        return limits, least
    relaxed.append(
        Relaxation("volatility", problem.vol_target, reached, "trade caps and groups come first")
    )
    return limits.with_(variance=reached**2 / problem.horizons_per_year), least


def _turnover_cause(problem: Problem, limits: Limits) -> str:
    """What asks for more turnover than the limit: the first, hardest first, that already does."""
    nearest = np.clip(problem.held, limits.low, limits.high)
    if np.abs(nearest - problem.held).sum() > problem.tau:
        return "names outside their bounds are traded first"
    if variance(problem, nearest) > limits.variance:
        return "volatility comes first"
    return "groups, gross and cash come first"


def _rounded_up(value: float) -> float:
    # round figures lie on the grid: what is within 1e-3 of a line counts as on it
    return float(np.ceil(value / _GRID - 1e-3) + 1.0) * _GRID


def _only_turnover(problem: Problem) -> Problem:
    # so cheap that a least turnover of zero is certified to 1e-9 of weight
    one, zero = np.full(problem.n, 1e-5), np.zeros(problem.n)
    return replace(problem, mu=zero, gamma=0.0, lambda1=one, lambda2=zero)

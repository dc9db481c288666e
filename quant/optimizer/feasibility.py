"""What can be reached today, by priority: physical, then groups, then volatility, then turnover.

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

Method = Callable[[Problem, Limits, Vector], Vector]
_NEGLIGIBLE = 1e-9  # in weight: smaller contradictions are rounding, moved but not recorded
_SLACK_VARIANCE = 1e-4  # relative room above the least variance, so that an interior exists
_SLACK_TURNOVER = 1e-6  # relative and absolute room above the least turnover


@dataclass(frozen=True)
class Relaxation:
    """One limit that was out of reach today.

    what    : "name", "cash", "group", "volatility" or "turnover", with the name or group
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

    method : solves a problem within limits from a feasible start; called on hard days only
    """
    relaxed: list[Relaxation] = []
    limits = _groups(problem, _budget(problem, _physical(problem, relaxed), relaxed), relaxed)
    start = nearby(problem, limits)
    if variance(problem, start) > limits.variance:
        limits, start = _least_variance(problem, limits, start, method, relaxed)
    spent = float(np.abs(start - problem.held).sum())
    if spent <= limits.tau:
        return Reach(limits, start, float("nan"), relaxed)
    start = method(_only_turnover(problem), limits.with_(tau=np.inf), start)
    tau_min = float(np.abs(start - problem.held).sum())
    if tau_min > problem.tau:
        why = "volatility" if np.isfinite(limits.variance) else "groups and bounds"
        relaxed.append(Relaxation("turnover", problem.tau, tau_min, f"{why} come first"))
        limits = limits.with_(tau=tau_min * (1 + _SLACK_TURNOVER) + _SLACK_TURNOVER)
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
        problem.group_low, problem.group_high, problem.tau, problem.variance_cap,
    )  # fmt: skip


def _budget(problem: Problem, limits: Limits, relaxed: list[Relaxation]) -> Limits:
    least, most = float(limits.low.sum()), float(limits.high.sum())
    total_low, total_high = limits.total_low, limits.total_high
    if least > total_high:
        if least > total_high + _NEGLIGIBLE:
            relaxed.append(Relaxation("cash", problem.cash_low, 1 - least, "nothing more to sell"))
        total_high = least + _NEGLIGIBLE
    if most < total_low:
        if most < total_low - _NEGLIGIBLE:
            relaxed.append(Relaxation("cash", problem.cash_high, 1 - most, "nothing more to buy"))
        total_low = most - _NEGLIGIBLE
    return limits.with_(total_low=total_low, total_high=total_high)


def _groups(problem: Problem, limits: Limits, relaxed: list[Relaxation]) -> Limits:
    least, most = exposures(problem, limits.low), exposures(problem, limits.high)
    low, high = limits.group_low.copy(), limits.group_high + _suspended(problem)
    lifted = high.copy()
    why = ["trade caps and bounds come first"] * low.size
    high = np.where(least > high, least + _NEGLIGIBLE, high)
    low = np.where(most < low, most - _NEGLIGIBLE, low)
    # together they must leave room for the budget: go back in proportion
    bottom, top = np.maximum(low, least), np.minimum(high, most)
    if bottom.sum() > limits.total_high:
        share = (limits.total_high - least.sum()) / (bottom.sum() - least.sum())
        low = np.where(low > least, least + share * (low - least), low)
        why = ["the budget comes first"] * low.size
    if top.sum() < limits.total_low:
        share = (limits.total_low - top.sum()) / (most.sum() - top.sum())
        high = np.where(high < most, high + share * (most - high), high)
        why = ["the budget comes first"] * low.size
    for g in np.flatnonzero(high > lifted + 2 * _NEGLIGIBLE):
        relaxed.append(Relaxation(f"group {g}", float(lifted[g]), float(high[g]), why[g]))
    for g in np.flatnonzero(low < limits.group_low - 2 * _NEGLIGIBLE):
        relaxed.append(Relaxation(f"group {g}", float(limits.group_low[g]), float(low[g]), why[g]))
    return limits.with_(group_low=low, group_high=high)


def _suspended(problem: Problem) -> Vector:
    """(n_groups,) weight held in names that can be traded neither way."""
    locked = (problem.buy_cap == 0) & (problem.sell_cap == 0)
    return exposures(problem, np.where(locked, np.maximum(problem.held, 0.0), 0.0))


def _least_variance(
    problem: Problem, limits: Limits, start: Vector, method: Method, relaxed: list[Relaxation]
) -> tuple[Limits, Vector]:
    zero = np.zeros(problem.n)
    calm = replace(problem, mu=zero, gamma=2.0, lambda1=zero, lambda2=zero)
    least = method(calm, limits.with_(tau=np.inf, variance=np.inf), start)
    level = variance(problem, least)
    if not np.isfinite(level):
        raise ProblemError(f"{problem.date}: the least variance is {level}; check the covariance.")
    if level * (1 + _SLACK_VARIANCE) <= limits.variance:
        return limits, least
    imposed = level * (1 + _SLACK_VARIANCE)
    relaxed.append(
        Relaxation("volatility", problem.vol_target, problem.volatility(imposed),
                   "trade caps and groups come first")
    )  # fmt: skip
    return limits.with_(variance=imposed), least


def _only_turnover(problem: Problem) -> Problem:
    one, zero = np.ones(problem.n), np.zeros(problem.n)
    return replace(problem, mu=zero, gamma=0.0, lambda1=one, lambda2=zero)

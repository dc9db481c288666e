"""What would change if a knob moved: every answer solved again and certified.

Beside each stands what today's shadow prices foretell. A looser limit never gains more than its
price says (the value is concave in the limits), and a cheaper trade or risk never gains less than
the terms at today's weights say (the value is convex in the objective's coefficients).
Source: Boyd & Vandenberghe (2004), Convex Optimization, 5.6.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quant.core.errors import ProblemError
from quant.core.types import Vector
from quant.costs.model import trade_cost
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution, solve
from quant.optimizer.terms import Limits, objective

STEPS = (0.5, 0.8, 1.25, 2.0)
_MOVED = 1e-6  # of NAV, a hundredth of a basis point


@dataclass(frozen=True)
class Outcome:
    """What a set of weights promises.

    objective : mu'w - gamma/2 a'Sigma a - cost, over the horizon
    expected  : mu'w over the horizon; cost : of the trades, fraction of NAV
    vol       : annualised (with a benchmark the tracking error)
    turnover  : sum |trades|; cash : fraction of NAV
    """

    objective: float
    expected: float
    cost: float
    vol: float
    turnover: float
    cash: float

    @property
    def net(self) -> float:
        """Expected return over the horizon after the cost of trading."""
        return self.expected - self.cost

    @classmethod
    def of(cls, problem: Problem, solution: Solution) -> "Outcome":
        """The outcome of a solution."""
        cost = float(trade_cost(solution.trades, problem.lambda1, problem.lambda2))
        expected = float(problem.mu @ solution.weights)
        return cls(
            solution.objective, expected, cost, solution.vol, solution.turnover, solution.cash
        )


@dataclass(frozen=True)
class Change:
    """One knob moved by one step.

    knob     : a name of KNOBS; step : what it was multiplied by
    before, after : outcomes today and with the knob moved
    estimate : change of the objective that today's prices foretell, first order in the step
    moved    : share of the names whose weight changes by more than 1e-6
    distance : sum |w' - w|
    solution : of the moved problem; its relaxations, beyond today's, say what was out of reach
    """

    knob: str
    step: float
    before: Outcome
    after: Outcome
    estimate: float
    moved: float
    distance: float
    solution: Solution

    @property
    def gained(self) -> float:
        """Change of the objective, exact."""
        return self.after.objective - self.before.objective


def sensitivity(
    problem: Problem, solution: Solution, steps: Sequence[float] = STEPS, method: str = "sifting"
) -> list[Change]:
    """Move one knob at a time and solve again, warm from today's prices.

    solution : of `problem`
    steps    : > 0, what a knob is multiplied by; knobs the problem does not have are left out
    Raises   : ProblemError for a step that is not positive
    """
    if not all(0 < step < np.inf for step in steps):
        raise ProblemError(f"steps are {tuple(steps)}; a knob is multiplied by finite numbers > 0.")
    return [
        _change(problem, solution, knob, step, method)
        for knob, turn in KNOBS.items()
        if turn(problem, 2.0) is not None
        for step in steps
    ]


def foretold(problem: Problem, solution: Solution, moved: Problem, limits: Limits) -> float:
    """Change of the objective by today's prices, once the problem is `moved`, within `limits`.

    To first order; exact bound: from above for limits alone, from below for coefficients alone.
    Where a price jumps (a name held at its bound or in the no-trade zone) only the bound is left.
    """
    prices, before = solution.duals, solution.limits
    upward, downward = np.maximum(prices.group, 0.0), np.minimum(prices.group, 0.0)
    terms = (
        (prices.turnover, before.tau, limits.tau),
        (0.5 * prices.variance, before.variance, limits.variance),
        (prices.gross, before.gross, limits.gross),
        (max(prices.budget, 0.0), before.total_high, limits.total_high),
        (min(prices.budget, 0.0), before.total_low, limits.total_low),
        (upward, before.group_high, limits.group_high),
        (downward, before.group_low, limits.group_low),
        (np.maximum(solution.reduced, 0.0), before.high, limits.high),
        (np.minimum(solution.reduced, 0.0), before.low, limits.low),
    )
    coefficients = objective(moved, solution.weights) - solution.objective
    return coefficients + sum(_priced(*term) for term in terms)


def _priced(price: Vector | float, before: Vector | float, after: Vector | float) -> float:
    """Price times shift; a limit without a price may be infinite."""
    price, before, after = np.broadcast_arrays(price, before, after)
    on = price != 0.0
    return float(price[on] @ (after[on] - before[on]))


def _change(problem: Problem, solution: Solution, knob: str, step: float, method: str) -> Change:
    moved = KNOBS[knob](problem, step)
    assert moved is not None  # `sensitivity` leaves out knobs that are not there
    found = solve(moved, method, solution.warm)
    shift = np.abs(found.weights - solution.weights)
    return Change(
        knob=knob,
        step=step,
        before=Outcome.of(problem, solution),
        after=Outcome.of(moved, found),
        estimate=foretold(problem, solution, moved, found.limits),
        moved=float((shift > _MOVED).mean()),
        distance=float(shift.sum()),
        solution=found,
    )


def _costs(p: Problem, step: float) -> Problem | None:
    return replace(p, lambda1=step * p.lambda1, lambda2=step * p.lambda2)


def _gamma(p: Problem, step: float) -> Problem | None:
    return replace(p, gamma=step * p.gamma)


def _tau(p: Problem, step: float) -> Problem | None:
    return replace(p, tau=step * p.tau) if np.isfinite(p.tau) else None


def _vol_target(p: Problem, step: float) -> Problem | None:
    return replace(p, vol_target=step * p.vol_target) if np.isfinite(p.vol_target) else None


def _name_bound(p: Problem, step: float) -> Problem | None:
    # a holding asked for stays asked for, as far as the new bound lets it
    low = np.where(p.lower < 0.0, step * p.lower, np.minimum(p.lower, step * p.upper))
    return replace(p, lower=low, upper=step * p.upper)


def _group_cap(p: Problem, step: float) -> Problem | None:
    # a cap of all of NAV is none: names without a known industry have it
    capped = p.group_high < 1.0
    if not capped.any():
        return None
    high = np.where(capped, step * p.group_high, p.group_high)
    return replace(p, group_high=high, group_low=np.minimum(p.group_low, high))


KNOBS: dict[str, Callable[[Problem, float], Problem | None]] = {
    "costs": _costs,
    "gamma": _gamma,
    "tau": _tau,
    "vol_target": _vol_target,
    "name_bound": _name_bound,
    "group_cap": _group_cap,
}

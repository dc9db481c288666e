"""Which limits bind at an optimum and at what price, and which gave way; read off, nothing solved.

A price is the gain of the objective, in bp of NAV over the horizon, for one percentage point more
of the limit (less, where it is a least): of annual volatility, of turnover, of gross or group
exposure, of cash, of a weight.
"""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Vector
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution
from quant.optimizer.terms import exposures

BP = 1e4
PER_POINT = 0.01 * BP  # objective per unit of a limit -> bp of NAV per percentage point of it
JOINT = -1  # `which` of a limit on the whole book
_AT_END = 1e-6  # in weight
_PRICED = 1e-6  # of the mean size of returns and costs: a smaller price is rounding

# the limits of single names
ABSENT = "may not be held"
BOUND = "weight bound"
LEAST = "least weight"
TRADE_CAP = "trade cap"
LOCKED = "locked"
FORCED = "forced"


@dataclass(frozen=True)
class Binding:
    """One limit that the optimum lies on and would gain from moving.

    kind  : "volatility", "tracking error", "turnover", "gross", "cash", "group", or of a name:
            ABSENT (upper bound 0), BOUND and LEAST (its weight), TRADE_CAP, LOCKED (it can be
            traded neither way), FORCED (as far as it goes, because its group or cash asks for it)
    which : code of the group, position of the name, or JOINT
    upper : whether it is the upper end that binds
    level : what is imposed today, in the limit's own unit
    price : >= 0, bp of NAV over the horizon per percentage point
    """

    kind: str
    which: int
    upper: bool
    level: float
    price: float


@dataclass(frozen=True)
class GaveWay:
    """One limit that was out of reach today.

    kind  : as in `Binding`; of a name ABSENT, BOUND or LEAST
    which : code of the group, position of the name, or JOINT
    asked, reached : the limit, and what is imposed instead
    why   : what it gave way to
    """

    kind: str
    which: int
    asked: float
    reached: float
    why: str

    @property
    def of_name(self) -> bool:
        """Whether it is the limit of a single name."""
        return self.kind in (ABSENT, BOUND, LEAST)


def joint(problem: Problem, solution: Solution) -> list[Binding]:
    """Binding limits on the whole book and on groups, dearest first."""
    duals, limits = solution.duals, solution.limits
    found = []
    if solution.vol_binds:
        level = problem.volatility(limits.variance)
        # variance = vol^2 / horizons a year, and duals.variance is of its half
        slope = duals.variance * level / problem.horizons_per_year
        found.append(Binding(_risk(problem), JOINT, True, level, PER_POINT * slope))
    if solution.turnover_binds:
        found.append(Binding("turnover", JOINT, True, limits.tau, PER_POINT * duals.turnover))
    if solution.gross_binds:
        found.append(Binding("gross", JOINT, True, limits.gross, PER_POINT * duals.gross))
    found += _cash(problem, solution)
    exposed = exposures(problem, solution.weights)
    for g in np.flatnonzero(solution.group_binds):
        upper = bool(duals.group[g] > 0)
        price = PER_POINT * abs(float(duals.group[g]))
        found.append(Binding("group", int(g), upper, float(exposed[g]), price))
    return sorted(found, key=lambda b: -b.price)


def _risk(problem: Problem) -> str:
    return "volatility" if problem.benchmark is None else "tracking error"


def of_names(problem: Problem, solution: Solution) -> list[Binding]:
    """Names that would go further if they could, dearest first."""
    reduced, weights, limits = solution.reduced, solution.weights, solution.limits
    up = (reduced > _least(problem)) & (weights >= limits.high - _AT_END)
    down = (reduced < -_least(problem)) & (weights <= limits.low + _AT_END)
    found = [
        Binding(
            _kind(problem, solution, int(i), bool(up[i])), int(i), bool(up[i]),
            float((limits.high if up[i] else limits.low)[i]), PER_POINT * abs(float(reduced[i])),
        )
        for i in np.flatnonzero(up | down)
    ]  # fmt: skip
    return sorted(found, key=lambda b: -b.price)


def gave_way(problem: Problem, solution: Solution) -> list[GaveWay]:
    """What was out of reach today, joint limits first.

    Names that could not be brought to their bound in one day are not told apart by the optimizer
    from other relaxations; here they are, with the reason why they could not.
    """
    position = {str(name): i for i, name in enumerate(problem.names)}
    joints, names = [], []
    for r in solution.relaxations:
        kind, _, rest = r.what.partition(" ")
        if kind == "name":
            i = position[rest]
            kind, why = _of_a_name(problem, i, r.reached > r.limit)
            names.append(GaveWay(kind, i, r.limit, r.reached, why))
        else:
            which = int(rest) if kind == "group" else JOINT
            kind = _risk(problem) if kind == "volatility" else kind
            joints.append(GaveWay(kind, which, r.limit, r.reached, r.why))
    return joints + names


def tradable(problem: Problem) -> tuple[Vector, Vector]:
    """(n,) lowest and highest weight by trade caps alone."""
    return problem.held - problem.sell_cap, problem.held + problem.buy_cap


def _least(problem: Problem) -> float:
    return _PRICED * float(np.abs(problem.mu).mean() + problem.lambda1.mean())


def _cash(problem: Problem, solution: Solution) -> list[Binding]:
    price, limits = solution.duals.budget, solution.limits
    total = float(solution.weights.sum())
    upper = price < 0  # too much cash is what hurts: its upper end binds
    end = limits.total_low if upper else limits.total_high
    if abs(price) <= _least(problem) or abs(total - end) > _AT_END:
        return []
    return [Binding("cash", JOINT, upper, 1.0 - end, PER_POINT * abs(price))]


def _kind(problem: Problem, solution: Solution, i: int, up: bool) -> str:
    lowest, highest = tradable(problem)
    if problem.buy_cap[i] == 0 and problem.sell_cap[i] == 0:
        return LOCKED
    if up:
        if problem.upper[i] <= solution.limits.high[i] + _AT_END:
            return ABSENT if problem.upper[i] == 0.0 else BOUND
        return TRADE_CAP if highest[i] <= solution.limits.high[i] + _AT_END else FORCED
    if problem.lower[i] >= solution.limits.low[i] - _AT_END:
        return LEAST
    return TRADE_CAP if lowest[i] >= solution.limits.low[i] - _AT_END else FORCED


def _of_a_name(problem: Problem, i: int, above: bool) -> tuple[str, str]:
    cap = problem.sell_cap[i] if above else problem.buy_cap[i]
    verb = "sold" if above else "bought"
    why = f"can not be {verb} today" if cap == 0 else f"its trade cap lets less be {verb} in a day"
    if above:
        return ABSENT if problem.upper[i] == 0.0 else BOUND, why
    return LEAST, why

"""Why one date's answer is what it is: what each limit costs, and what carried it.

Prices (optimizer.binding) are slopes. What a limit costs in all is exact: the optimum is found
again without that one limit, all others as they were imposed, and certified like any other.
Source: Boyd & Vandenberghe (2004), Convex Optimization, 5.6; readings 13 and 16.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quant.core.errors import ProblemError
from quant.core.types import Vector
from quant.optimizer import binding
from quant.optimizer.binding import BP, Binding, GaveWay
from quant.optimizer.breakdown import Part, Trade, largest, parts
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution, optimum
from quant.optimizer.terms import Limits, objective

_FAR = 1.0  # of NAV: as far as a name without a bound may go, where no trade cap stops it
_OPEN = {
    ("volatility", True): {"variance": np.inf},
    ("tracking error", True): {"variance": np.inf},
    ("turnover", True): {"tau": np.inf},
    ("gross", True): {"gross": np.inf},
    ("cash", True): {"total_low": -np.inf},
    ("cash", False): {"total_high": np.inf},
}


@dataclass(frozen=True)
class Costly:
    """Limits of one kind, and what they cost; bp of NAV over the horizon.

    bindings  : one limit, or all names' limits of one kind
    objective : gain of the objective without them, >= 0; NaN for the least cash: not asked
    expected  : gain of the expected return mu'w, of either sign
    """

    bindings: tuple[Binding, ...]
    objective: float
    expected: float

    @property
    def kind(self) -> str:
        """The kind they share."""
        return self.bindings[0].kind


@dataclass(frozen=True)
class Explanation:
    """Why the answer is what it is.

    joint    : limits on the book and on groups, one at a time, dearest first
    kinds    : limits of single names, all of a kind at a time
    names    : the dearest limits of single names, one at a time
    gave_way : what was out of reach
    parts    : the objective term by term; the last part is their sum
    trades   : largest first
    """

    joint: tuple[Costly, ...]
    kinds: tuple[Costly, ...]
    names: tuple[Costly, ...]
    gave_way: tuple[GaveWay, ...]
    parts: tuple[Part, ...]
    trades: tuple[Trade, ...]


def explain(
    problem: Problem,
    solution: Solution,
    returns: Mapping[str, Vector] | None = None,
    names: int = 10,
    trades: int = 20,
    method: str = "sifting",
) -> Explanation:
    """Explain `solution` of `problem`.

    returns : (n,) parts of mu by name (premium, alpha), which sum to it; by default mu is one part
    names, trades : most single-name limits that are solved without, most trades
    Raises  : ProblemError where the parts do not sum to mu, SolveError where a problem without one
              of its limits can not be certified
    """
    returns = {"expected return": problem.mu} if returns is None else returns
    total = np.sum(list(returns.values()), axis=0)
    if not np.allclose(total, problem.mu, rtol=1e-9, atol=1e-12):
        raise ProblemError(
            f"{problem.date}: the parts of mu ({', '.join(returns)}) miss it by up to "
            f"{np.abs(total - problem.mu).max():.2g}; give all of them."
        )
    single = binding.of_names(problem, solution)
    kinds = dict.fromkeys(b.kind for b in single)

    def costly(*bindings: Binding) -> Costly:
        return _without(problem, solution, bindings, method)

    return Explanation(
        joint=tuple(costly(b) for b in binding.joint(problem, solution)),
        kinds=tuple(costly(*(b for b in single if b.kind == kind)) for kind in kinds),
        names=tuple(costly(b) for b in single[:names]),
        gave_way=tuple(binding.gave_way(problem, solution)),
        parts=tuple(parts(problem, solution, returns)),
        trades=tuple(largest(problem, solution, returns, single, trades)),
    )


def lifted(problem: Problem, limits: Limits, bindings: Sequence[Binding]) -> Limits:
    """The limits in force without some of them, the others as they were imposed.

    A name without its bound stops at its trade cap, and without its trade cap at its bound.
    """
    free = limits.with_(
        low=limits.low.copy(),
        high=limits.high.copy(),
        group_low=limits.group_low.copy(),
        group_high=limits.group_high.copy(),
    )
    for b in bindings:
        if b.kind == "group":
            (free.group_high if b.upper else free.group_low)[b.which] = (
                np.inf if b.upper else -np.inf
            )
            # a group out of reach holds its names at the end of what can be traded
            _widen(problem, free, problem.groups == b.which, bounds=True, caps=True)
        elif b.which == binding.JOINT:
            free = free.with_(**_OPEN[b.kind, b.upper])
        else:
            bounds = b.kind not in (binding.ABSENT, binding.BOUND, binding.LEAST)
            caps = b.kind not in (binding.TRADE_CAP, binding.LOCKED)
            ends = (True, True) if b.kind == binding.LOCKED else (not b.upper, b.upper)
            _widen(problem, free, b.which, bounds, caps, ends)
    return free


def _without(
    problem: Problem, solution: Solution, bindings: Sequence[Binding], method: str
) -> Costly:
    if any(b.kind == "cash" and not b.upper for b in bindings):
        # without a least cash money would be borrowed for nothing, which no book can do
        return Costly(tuple(bindings), np.nan, np.nan)
    limits = lifted(problem, solution.limits, bindings)
    weights = optimum(problem, limits, solution.weights, method)
    return Costly(
        bindings=tuple(bindings),
        objective=BP * (objective(problem, weights) - solution.objective),
        expected=BP * float(problem.mu @ (weights - solution.weights)),
    )


def _widen(
    problem: Problem,
    limits: Limits,
    who: np.ndarray | int,
    bounds: bool,
    caps: bool,
    ends: tuple[bool, bool] = (True, True),
) -> None:
    """Let names go as far as their bounds, or trade caps, or both allow, if not further already.

    ends : whether down and whether up
    """
    least, most = (problem.lower, problem.upper) if bounds else (-_FAR, _FAR)
    lowest, highest = binding.tradable(problem) if caps else (-np.inf, np.inf)
    low, high = np.maximum(least, lowest), np.minimum(most, highest)
    if ends[0]:
        limits.low[who] = np.minimum(limits.low, low)[who]
    if ends[1]:
        limits.high[who] = np.maximum(limits.high, high)[who]

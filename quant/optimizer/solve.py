"""One entry for every method: reach, solve, clean, audit, fall back, or raise."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from quant.core.errors import ProblemError, SolveError
from quant.core.types import Vector
from quant.optimizer.audit import Audit, audit, clip
from quant.optimizer.clarabel import solve_clarabel
from quant.optimizer.feasibility import Reach, Relaxation, lifted_groups, reach
from quant.optimizer.osqp import solve_osqp
from quant.optimizer.point import Point, Warm
from quant.optimizer.polish import at_end, polish
from quant.optimizer.problem import Problem
from quant.optimizer.sifting import sift
from quant.optimizer.terms import Duals, Limits, Position, exposures, objective_at, variance

_SNAP = 1e-7  # a name this close to its place of rest is put there
_DUST = (2e-6, 1e-10)  # trades this small are dropped where the certificate allows it
_GOOD = 1e-2  # share of the audit's tolerances below which a cleaner point wins over a closer one
_BINDS = 1e-6  # slack below which a limit with a price is called binding


@dataclass(frozen=True)
class Solution:
    """The answer for one date, with its certificate.

    weights, trades : (n,) targets and weights - held; names in the no-trade zone trade exactly 0
    cash            : 1 - sum of the weights
    status          : "optimal", or "relaxed" where a limit was out of reach today
    solver          : the method that found it; another than asked for where that, or a phase
                      before, fell back
    objective       : mu'w - gamma/2 a'Sigma a - cost, return over the horizon
    violation, gap  : the audit, against the limits in force
    duals, reduced  : prices of the joint limits; (n,) price of each name's own box
    limits          : in force today
    vol             : annualised; with a benchmark the tracking error
    turnover        : sum |trades|, two-way
    tau_eff         : turnover allowed today; tau_min is the least, NaN where it was not needed
    rounds          : programs solved (iterations for the full program)
    seconds         : wall clock, for logs; never part of a table
    """

    weights: Vector
    trades: Vector
    cash: float
    status: str
    solver: str
    objective: float
    violation: float
    gap: float
    duals: Duals
    reduced: Vector
    limits: Limits
    vol: float
    turnover: float
    tau_eff: float
    tau_min: float
    vol_binds: bool
    turnover_binds: bool
    gross_binds: bool
    group_binds: np.ndarray
    relaxations: tuple[Relaxation, ...]
    rounds: int
    seconds: float

    @property
    def warm(self) -> Warm:
        """What the next day may start from."""
        return Warm(self.duals, int(np.count_nonzero(self.trades)))

    @property
    def reason(self) -> str:
        """The relaxations in words; empty where there are none."""
        return "; ".join(
            f"{r.what} {r.limit:.6g} -> {r.reached:.6g}: {r.why}" for r in self.relaxations
        )


def solve(problem: Problem, method: str = "sifting", warm: Warm | None = None) -> Solution:
    """Optimal weights for one date, certified.

    method : "sifting" (default), "clarabel" (the reference) or "osqp"; what fails the audit falls
             back to the full Clarabel (and that to the working set)
    warm   : `Solution.warm` of the day before, for the same groups; it changes the time, not the
             answer beyond the certificate
    Raises : ProblemError for an unknown method, SolveError where nothing passes the audit
    """
    if method not in METHODS:
        raise ProblemError(f"method {method!r} is unknown; choose one of {sorted(METHODS)}.")
    began = time.perf_counter()
    warm = _usable(problem, warm)
    used: list[str] = []  # methods, of the phases before too
    within = reach(problem, partial(_weights_of, method, used))
    point, state, solver = _certified(problem, within.limits, within.start, method, warm)
    solver = next((other for other in used if other != method), solver)
    return _solution(problem, within, point, state, solver, time.perf_counter() - began)


def optimum(problem: Problem, limits: Limits, start: Vector, method: str = "sifting") -> Vector:
    """Certified optimal weights within `limits` as they are given, whatever the problem asks.

    start  : (n,) weights within them
    Raises : SolveError where nothing passes the audit
    """
    return _certified(problem, limits, start, method, None)[0].weights


def _sifting(problem: Problem, limits: Limits, start: Vector, warm: Warm | None) -> Point | None:
    return sift(problem, limits, start, warm)


def _full(problem: Problem, limits: Limits, start: Vector, warm: Warm | None) -> Point | None:
    return solve_clarabel(problem, limits)


def _osqp(problem: Problem, limits: Limits, start: Vector, warm: Warm | None) -> Point | None:
    return solve_osqp(problem, limits, None if warm is None else warm.duals)


METHODS: dict[str, Callable[[Problem, Limits, Vector, Warm | None], Point | None]] = {
    "sifting": _sifting,
    "clarabel": _full,
    "osqp": _osqp,
}


def _certified(
    problem: Problem, limits: Limits, start: Vector, method: str, warm: Warm | None
) -> tuple[Point, Audit, str]:
    best: Audit | None = None
    for name in dict.fromkeys((method, "clarabel", "sifting")):
        point = METHODS[name](problem, limits, start, warm)
        if point is None:
            continue
        cleaned = _clean(problem, limits, point)
        if cleaned is None:
            continue
        point, state = cleaned
        if state.passed:
            return point, state, name
        best = state if best is None or abs(state.gap) < abs(best.gap) else best
    found = (
        "no solver returned a point"
        if best is None
        else f"violation {best.violation:.1e}, gap {best.gap:.1e}"
    )
    raise SolveError(
        f"{problem.date}: {found}; the audit asks for 1e-6 and 1e-8. Look at the units of mu, "
        "the costs and the covariance of that date."
    )


def _weights_of(
    method: str, used: list[str], problem: Problem, limits: Limits, start: Vector, enough: float
) -> Vector:
    if method == "sifting" and enough > 0:
        point = sift(problem, limits, start, None, enough)
        if point is not None and variance(problem, point.weights) <= enough:
            return point.weights
    point, _, solver = _certified(problem, limits, start, method, None)
    used.append(solver)
    return point.weights


def _clean(problem: Problem, limits: Limits, point: Point) -> tuple[Point, Audit] | None:
    """Polish, put names that belong at rest or at a bound exactly there; keep what audits best.

    None where the point holds no numbers.
    """
    rough = Point(point.weights, clip(limits, point.duals), point.rounds)
    judged = []
    # polished before rough, cleaner before not: the first that is good enough, else the best
    for candidate in (polish(problem, limits, rough), rough):
        if not np.isfinite(candidate.weights).all():
            continue
        state = audit(problem, limits, candidate.weights, candidate.duals)
        for dust in _DUST:
            weights = _at_rest(problem, limits, candidate.weights, state.best, dust)
            snapped = Point(weights, candidate.duals, candidate.rounds)
            judged.append((snapped, audit(problem, limits, weights, candidate.duals)))
            if judged[-1][1].score <= _GOOD:
                return judged[-1]
        judged.append((candidate, state))
        if state.score <= _GOOD:
            return judged[-1]
    return min(judged, key=lambda pair: pair[1].score, default=None)


def _at_rest(
    problem: Problem, limits: Limits, weights: Vector, best: Vector, dust: float
) -> Vector:
    """`weights` with names close to a bound or to rest put there, and smaller trades dropped."""
    ends = at_end(problem, limits, best)
    placed = np.where(ends & (np.abs(weights - best) <= _SNAP), best, weights)
    small = np.abs(placed - problem.held) <= dust
    # the sum makes -0.0 a plain zero
    return np.where(small, np.clip(problem.held, limits.low, limits.high), placed) + 0.0


def _usable(problem: Problem, warm: Warm | None) -> Warm | None:
    if warm is None or warm.duals.group.size != problem.group_low.size:
        return None
    return warm


def _solution(
    problem: Problem, within: Reach, point: Point, state: Audit, solver: str, seconds: float
) -> Solution:
    weights, duals, limits, at = point.weights, point.duals, within.limits, state.at
    trades = weights - problem.held
    level, spent = at.variance, float(np.abs(trades).sum())
    exposed = exposures(problem, weights)
    price = np.abs(duals.group)
    near = np.minimum(np.abs(exposed - limits.group_high), np.abs(exposed - limits.group_low))
    relaxations = (*within.relaxations, *lifted_groups(problem, weights))
    scale = 1e-6 * float(np.abs(problem.mu).mean() + problem.lambda1.mean())
    return Solution(
        weights=weights,
        trades=trades,
        cash=1.0 - float(weights.sum()),
        status="relaxed" if relaxations else "optimal",
        solver=solver,
        objective=objective_at(problem, at),
        violation=state.violation,
        gap=state.gap,
        duals=duals,
        reduced=_reduced(problem, at, duals),
        limits=limits,
        vol=problem.volatility(level),
        turnover=spent,
        tau_eff=limits.tau,
        tau_min=within.tau_min,
        vol_binds=bool(
            duals.variance * limits.variance > scale and level >= limits.variance * (1 - _BINDS)
        )
        if np.isfinite(limits.variance)
        else False,
        turnover_binds=bool(duals.turnover > scale and spent >= limits.tau - _BINDS),
        gross_binds=bool(duals.gross > scale and np.abs(weights).sum() >= limits.gross - _BINDS),
        group_binds=(price > scale) & (near <= _BINDS),
        relaxations=relaxations,
        rounds=point.rounds,
        seconds=seconds,
    )


def _reduced(problem: Problem, at: Position, duals: Duals) -> Vector:
    """Gain per unit of weight if a name's own bound moved; 0 inside the bounds or the zone.

    Positive: the name would go up if it could. Taken from stationarity, with the subgradient of
    the costs that leaves least.
    """
    pull = problem.mu - duals.budget - duals.group[problem.groups]
    risk = problem.gamma + duals.variance
    weights = at.weights
    pull = pull - risk * (at.spread + problem.ridge * problem.active(weights))
    pull = pull - duals.gross * np.sign(weights)
    trade = weights - problem.held
    pull = pull - 2.0 * problem.lambda2 * trade
    kink = problem.lambda1 + duals.turnover
    pull = np.where(trade == 0.0, _beyond(pull, kink), pull - kink * np.sign(trade))
    return np.where(weights == 0.0, _beyond(pull, duals.gross), pull)


def _beyond(pull: Vector, kink: Vector | float) -> Vector:
    """What is left of `pull` once the subgradient of a kink has taken its part."""
    return np.sign(pull) * np.maximum(np.abs(pull) - kink, 0.0)

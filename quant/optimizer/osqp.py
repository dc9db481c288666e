"""The QP form for OSQP, which refuses cones: the price of variance is found by a root search.

At a given price kappa the problem is a QP with risk aversion gamma + kappa; the variance of its
optimum falls as kappa grows, and the right kappa brings it to the cap (or 0 leaves it below). The
search keeps a bracket and takes Illinois steps on 1/sqrt(variance). Source: readings 15.
"""

import numpy as np
import osqp
import scipy.sparse as sparse

from quant.core.types import Vector
from quant.optimizer.point import Point
from quant.optimizer.problem import Problem
from quant.optimizer.rows import Rows, as_duals, joint_rows
from quant.optimizer.terms import Duals, Limits, gradient_size, variance

_SETTINGS = {
    "eps_abs": 1e-9,
    "eps_rel": 1e-9,
    "max_iter": 20000,
    "polishing": True,
    "polish_refine_iter": 10,
    "delta": 1e-8,
    "adaptive_rho": True,
    "verbose": False,
}
_MEETS = 1e-9  # relative distance of the variance from its cap at which the search stops
_STEPS = 60


def solve_osqp(problem: Problem, limits: Limits, warm: Duals | None = None) -> Point | None:
    """Optimum within `limits`, or None where OSQP or the search does not arrive."""
    program = _Program(problem, limits)
    if program.free.size == 0:
        return Point(program.base, Duals.none(problem.group_low.size), 0)
    first = program.at(0.0)
    if first is None or not np.isfinite(limits.variance):
        return first
    if variance(problem, first.weights) <= limits.variance * (1 + _MEETS):
        return first
    return _search(problem, limits, program, first, warm)


def _search(
    problem: Problem, limits: Limits, program: "_Program", first: Point, warm: Duals | None
) -> Point | None:
    def miss(point: Point) -> float:
        return float(np.sqrt(limits.variance / variance(problem, point.weights))) - 1.0

    low, f_low = 0.0, miss(first)
    guess = warm.variance if warm is not None and warm.variance > 0 else max(problem.gamma, 1.0)
    high, point, rounds = guess, program.at(guess), 2
    while point is not None and miss(point) < 0:
        low, f_low = high, miss(point)
        high, rounds = 4.0 * high, rounds + 1
        if rounds > _STEPS:
            return None
        point = program.at(high)
    if point is None:
        return None
    f_high, side = miss(point), 0
    while abs(miss(point)) > _MEETS and rounds < 2 * _STEPS:
        middle = (low * f_high - high * f_low) / (f_high - f_low)
        if not low < middle < high or rounds % 8 == 0:
            middle = 0.5 * (low + high)
        if high - low <= 1e-14 * high:
            break
        point, rounds = program.at(middle), rounds + 1
        if point is None:
            return None
        f_middle = miss(point)
        if f_middle > 0:
            high, f_high = middle, f_middle
            f_low = 0.5 * f_low if side > 0 else f_low
            side = 1
        else:
            low, f_low = middle, f_middle
            f_high = 0.5 * f_high if side < 0 else f_high
            side = -1
    return Point(point.weights, point.duals, rounds)


class _Program:
    """The QP over (d, t, g, y), set up once and solved at several prices of variance."""

    def __init__(self, problem: Problem, limits: Limits) -> None:
        self.problem, self.limits = problem, limits
        self.free = np.flatnonzero(limits.high - limits.low > 1e-13)
        self.base = np.clip(problem.held, limits.low, limits.high)
        if self.free.size == 0:
            return
        self.low = (limits.low - self.base)[self.free]
        self.high = (limits.high - self.base)[self.free]
        self.rows: Rows = joint_rows(
            problem, limits, self.base, self.free, np.ones(self.free.size), self.low, self.high
        )
        self.unit = float(np.maximum(self.high, -self.low).max())
        self.scale = gradient_size(problem, self.base, self.free) * self.unit
        self._set_up()

    def at(self, price: float) -> Point | None:
        """Optimum at risk aversion gamma + price."""
        quadratic, linear = self._costs(price)
        self.solver.update(q=linear, Px=quadratic)
        found = self.solver.solve(raise_error=False)
        if found.info.status_val not in (osqp.SolverStatus.OSQP_SOLVED,
                                         osqp.SolverStatus.OSQP_SOLVED_INACCURATE):  # fmt: skip
            return None
        n = self.free.size
        weights = self.base.copy()
        weights[self.free] += np.clip(found.x[:n] * self.unit, self.low, self.high)
        return Point(weights, self._prices(found.y * (self.scale / self.unit), price), 1)

    def _costs(self, price: float) -> tuple[Vector, Vector]:
        p, free = self.problem, self.free
        risk = p.gamma + price
        done = (self.base - p.held)[free]
        linear = -p.mu[free] + risk * p.ridge * p.active(self.base)[free]
        linear += 2.0 * p.lambda2[free] * done
        curve = np.append(risk * p.ridge + 2.0 * p.lambda2[free], np.full(self.m, risk))
        gradient = np.concatenate([linear, p.lambda1[free], np.zeros(self.sizes + self.m)])
        return curve * (self.unit**2 / self.scale), gradient * (self.unit / self.scale)

    def _set_up(self) -> None:
        p, n = self.problem, self.free.size
        self.m = p.factor.shape[0]
        done = (self.base - p.held)[self.free]
        others = float(np.abs(self.base - p.held).sum() - np.abs(done).sum())
        own = sparse.eye_array(n)
        self.capped = bool(np.isfinite(self.limits.tau))
        self.grossed = bool(np.isfinite(self.limits.gross))
        self.sizes = n * self.grossed
        ones, at = sparse.csc_array(np.ones((1, n))), self.base[self.free]
        blocks = [
            [-sparse.csc_array(p.factor[:, self.free]), None, None, sparse.eye_array(self.m)],
            [sparse.csc_array(self.rows.matrix), None, None, None],
            *([[None, ones, None, None]] if self.capped else []),
            *([[None, None, ones, None]] if self.grossed else []),
            [own, -own, None, None],
            [-own, -own, None, None],
            *([[own, None, -own, None], [-own, None, -own, None]] if self.grossed else []),
            [own, None, None, None],
        ]
        if not self.grossed:
            blocks = [[d, t, y] for d, t, _, y in blocks]
        body = sparse.block_array(blocks, format="csc")
        exposed = p.factor @ p.active(self.base)
        lower_rows = np.where(self.rows.equal, self.rows.bound, -np.inf)
        caps = [self.limits.tau - others] if self.capped else []
        sizes = [-done, done]
        if self.grossed:
            caps.append(self.limits.gross - float(np.abs(self.base).sum() - np.abs(at).sum()))
            sizes += [-at, at]
        upper = np.concatenate([exposed, self.rows.bound, caps, *sizes, self.high])
        open_end = np.full(len(caps) + n * len(sizes), -np.inf)
        lower = np.concatenate([exposed, lower_rows, open_end, self.low])
        quadratic, linear = self._costs(0.0)
        self.solver = osqp.OSQP()
        # a diagonal without the columns of t and g, with its zeros kept, so that it can be updated
        skip = n + self.sizes
        place = np.concatenate([np.arange(n), np.arange(n + skip, n + skip + self.m)])
        after = np.arange(n, n + self.m + 1)
        ends = np.concatenate([np.arange(n + 1), np.full(skip - 1, n), after])
        size = (n + skip + self.m,) * 2
        self.solver.setup(
            P=sparse.csc_matrix((quadratic, place, ends), shape=size),
            q=linear,
            A=sparse.csc_matrix(body),
            l=lower / self.unit,
            u=upper / self.unit,
            **_SETTINGS,
        )

    def _prices(self, multipliers: Vector, price: float) -> Duals:
        after = self.m + self.rows.bound.size
        theta = float(multipliers[after]) if self.capped else 0.0
        psi = float(multipliers[after + self.capped]) if self.grossed else 0.0
        return as_duals(
            self.rows, multipliers[self.m : after], theta, price, psi, self.problem.group_low.size
        )

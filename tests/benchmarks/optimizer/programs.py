"""The same problem by cvxpy, built anew and parametrised, and by the solvers directly."""

from collections.abc import Callable

import cvxpy
import numpy as np

from quant.core.types import Matrix, Vector
from quant.costs.model import trade_cost
from quant.optimizer.clarabel import solve_clarabel
from quant.optimizer.osqp import solve_osqp
from quant.optimizer.point import Point
from quant.optimizer.problem import Problem
from quant.optimizer.terms import Limits
from tests.benchmarks.optimizer.measure import Method

FAR = 10.0  # no sum of weights is as large: stands for a limit that does not exist


def member(problem: Problem) -> Matrix:
    """(n_groups, n) membership."""
    return (problem.groups == np.arange(problem.group_low.size)[:, None]).astype(float)


def sigma(problem: Problem) -> Matrix:
    """(n, n) dense covariance over the horizon, which the default method never forms."""
    return problem.factor.T @ problem.factor + problem.ridge * np.eye(problem.n)


def near(values: Vector | float) -> Vector:
    """Limits without infinities."""
    return np.clip(values, -FAR, FAR)


def linear(w: cvxpy.Expression, d: cvxpy.Expression, p: Problem, limits: Limits) -> list:
    """All limits but the box and the volatility, for w and d = w - held."""
    rows = [cvxpy.sum(w) <= limits.total_high, member(p) @ w <= near(limits.group_high)]
    rows.append(cvxpy.norm1(d) <= limits.tau)
    if shorts(limits):
        rows.append(cvxpy.sum(w) >= limits.total_low)
        rows.append(member(p) @ w >= near(limits.group_low))
        rows.append(cvxpy.norm1(w) <= limits.gross)
    return rows


def shorts(limits: Limits) -> bool:
    """Whether a short position is allowed; a gross cap and lower ends of groups come with it."""
    return bool((limits.low < 0).any())


def rebuilt(p: Problem, limits: Limits) -> Callable[[], Vector]:
    """As a user of cvxpy would write it, dense, anew each day."""
    w = cvxpy.Variable(p.n)
    d, risk = w - p.held, cvxpy.quad_form(w, cvxpy.psd_wrap(sigma(p)))
    value = p.mu @ w - 0.5 * p.gamma * risk - trade_cost(d, p.lambda1, p.lambda2, xp=cvxpy)
    limited = [w >= limits.low, w <= limits.high, risk <= limits.variance]
    program = cvxpy.Problem(cvxpy.Maximize(value), limited + linear(w, d, p, limits))
    return lambda: _answer(program, w)


class Parametrised:
    """cvxpy with parameters (DPP) in factor form: compiled once for a number of names."""

    def __init__(self, problem: Problem, limits: Limits) -> None:
        self.problem, self.limits = problem, limits
        self.values = self._values()
        self.of = {name: cvxpy.Parameter(np.shape(v)) for name, v in self.values.items()}
        self.program, self.w = self._compile()

    def __call__(self) -> Vector:
        """Set the day's parameters and solve."""
        for name, value in self.values.items():
            self.of[name].value = value
        return _answer(self.program, self.w)

    def _values(self) -> dict[str, np.ndarray]:
        p, limits = self.problem, self.limits
        values = {
            "mu": p.mu, "factor": p.factor, "root": np.sqrt(p.ridge), "held": p.held,
            "low": limits.low, "high": limits.high, "member": member(p),
            "most": near(limits.group_high), "total": limits.total_high, "tau": limits.tau,
            "vol": np.sqrt(limits.variance),
        }  # fmt: skip
        if shorts(limits):
            values |= {"least": near(limits.group_low), "floor": limits.total_low,
                       "gross": limits.gross}  # fmt: skip
        return values

    def _compile(self) -> tuple[cvxpy.Problem, cvxpy.Variable]:
        p, of = self.problem, self.of
        w, y, z = (cvxpy.Variable(k) for k in (p.n, p.factor.shape[0], p.n))
        d = w - of["held"]
        risk = cvxpy.sum_squares(y) + cvxpy.sum_squares(z)
        limited = [
            y == of["factor"] @ w,
            z == of["root"] * w,
            w >= of["low"],
            w <= of["high"],
            cvxpy.sum(w) <= of["total"],
            of["member"] @ w <= of["most"],
            cvxpy.norm1(d) <= of["tau"],
            cvxpy.norm2(cvxpy.hstack([y, z])) <= of["vol"],
        ]
        if "gross" in of:
            limited += [cvxpy.sum(w) >= of["floor"], of["member"] @ w >= of["least"],
                        cvxpy.norm1(w) <= of["gross"]]  # fmt: skip
        cost = trade_cost(d, p.lambda1, p.lambda2, xp=cvxpy)
        value = of["mu"] @ w - 0.5 * p.gamma * risk - cost
        return cvxpy.Problem(cvxpy.Maximize(value), limited), w


def _answer(program: cvxpy.Problem, w: cvxpy.Variable) -> Vector:
    program.solve(solver=cvxpy.CLARABEL, max_threads=1)
    return np.full(w.size, np.nan) if w.value is None else w.value


def _direct(solve: Callable[[Problem, Limits], Point | None]) -> Callable:
    def program(problem: Problem, limits: Limits) -> Callable[[], Vector]:
        def run() -> Vector:
            point = solve(problem, limits)
            return np.full(problem.n, np.nan) if point is None else point.weights

        return run

    return program


METHODS = (
    Method("Clarabel, direct (cone form)", _direct(solve_clarabel)),
    Method("OSQP, direct (QP form), 1e-9", _direct(lambda p, limits: solve_osqp(p, limits, None))),
    Method("cvxpy DPP, factor form", Parametrised, compiled=True),
    Method("cvxpy rebuilt, dense", rebuilt),
)

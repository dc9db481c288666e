"""Every method joins here with one row: same optimum, certified, on the same problems."""

import cvxpy
import numpy as np
import pytest

from quant.core.errors import ProblemError
from quant.core.seeds import generator
from quant.costs.model import trade_cost
from quant.optimizer.problem import Problem
from quant.optimizer.solve import METHODS, Solution, solve
from quant.optimizer.terms import Limits, magnitude, objective
from tests.optimizer.judge import overstepped
from tests.optimizer.problems import random_problem
from tests.optimizer.twists import TWISTS, twisted

# the first-order method needs seconds where scales differ much
SLOW = {("osqp", k) for k in ("volatility beyond tau", "large return", "small units")}
OTHERS = [name for name in METHODS if name != "clarabel"]


ROWS = [
    pytest.param(
        method,
        kind,
        marks=[pytest.mark.slow] if (method, kind) in SLOW else [],
        id=f"{method}: {kind}",
    )
    for method in OTHERS
    for kind in TWISTS
]


def certified(solution: Solution) -> bool:
    return solution.violation <= 1e-6 and abs(solution.gap) <= 1e-8


@pytest.mark.parametrize(("method", "kind"), ROWS)
def test_the_optimum_is_that_of_the_reference(method, kind):
    for number in range(3):
        problem = twisted(kind, number)
        reference, solution = solve(problem, "clarabel"), solve(problem, method)
        assert certified(reference) and certified(solution)
        assert reference.solver == "clarabel", "compared with itself"
        assert solution.tau_eff == reference.tau_eff
        size = magnitude(problem, reference.weights)
        assert abs(solution.objective - reference.objective) <= 1e-8 * size
        for mine, theirs in zip(solution.relaxations, reference.relaxations, strict=True):
            assert mine.what == theirs.what
            assert mine.reached == pytest.approx(theirs.reached, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TWISTS)
def test_many_problems_need_no_fallback(kind):
    """Three in 22 may be helped, and books of one or two names, where there is nothing to sift."""
    helped = 0
    for number in range(3, 25):
        problem = twisted(kind, number)
        reference, solution = solve(problem, "clarabel"), solve(problem)
        helped += solution.solver != "sifting" and problem.n > 2
        size = magnitude(problem, reference.weights)
        assert certified(solution)
        assert abs(solution.objective - reference.objective) <= 1e-8 * size
    assert helped <= 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["plain", "gross and net", "dollar neutral", "relative"])
def test_a_method_answers_itself_on_ordinary_problems(method, kind):
    for number in range(5):
        assert solve(twisted(kind, number), method).solver == method


def by_cvxpy(problem: Problem, limits: Limits) -> np.ndarray:
    """Optimal weights of the formula as it is written, with a dense covariance."""
    w, ones = cvxpy.Variable(problem.n), np.ones(problem.n)
    sigma = problem.factor.T @ problem.factor + problem.ridge * np.eye(problem.n)
    benchmark = 0.0 * ones if problem.benchmark is None else problem.benchmark
    risk = cvxpy.quad_form(w - benchmark, cvxpy.psd_wrap(sigma))
    d = w - problem.held
    cost = trade_cost(d, problem.lambda1, problem.lambda2, xp=cvxpy)
    member = (problem.groups == np.arange(problem.group_low.size)[:, None]).astype(float)
    rows = [
        (cvxpy.norm1(d), limits.tau),
        (cvxpy.norm1(w), limits.gross),
        (risk / limits.variance, 1.0),
        (ones @ w, limits.total_high),
        (-ones @ w, -limits.total_low),
    ]
    program = cvxpy.Problem(
        cvxpy.Maximize(100.0 * (problem.mu @ w - 0.5 * problem.gamma * risk - cost)),
        [
            w >= limits.low,
            w <= limits.high,
            member @ w <= limits.group_high,
            member @ w >= limits.group_low,
            *(value <= cap for value, cap in rows if np.isfinite(cap)),
        ],
    )
    program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9)
    return w.value


@pytest.mark.parametrize(
    "kind", ["plain", "gross and net", "dollar neutral", "relative", "relative, long and short"]
)
@pytest.mark.parametrize("number", [0, 4, 5])
def test_the_optimum_is_that_of_cvxpy_on_the_dense_problem(kind, number):
    problem = twisted(kind, number, (25,))
    solution = solve(problem)
    theirs = by_cvxpy(problem, solution.limits)
    allowed = 1e-8 * magnitude(problem, solution.weights)
    lead = objective(problem, theirs) - solution.objective
    assert -allowed <= lead <= allowed + overstepped(problem, solution, theirs)
    np.testing.assert_allclose(solution.weights, theirs, atol=1e-5)


def test_the_dense_problems_bind():
    """What they agree on is not a book that nothing holds back."""
    seen = [
        solve(twisted(kind, number, (25,)))
        for kind in ("gross and net", "dollar neutral", "relative", "relative, long and short")
        for number in (0, 4, 5)
    ]
    for binds in ("vol_binds", "turnover_binds", "gross_binds"):
        assert sum(getattr(s, binds) for s in seen) >= 2, binds
    assert sum((s.weights < -1e-3).any() for s in seen) >= 6


def test_a_warm_start_changes_the_time_and_not_the_answer():
    rng = generator(5, "warm")
    first, second = (random_problem(rng, n=80, n_obs=120) for _ in range(2))
    cold, warm = solve(second), solve(second, warm=solve(first).warm)
    size = magnitude(second, cold.weights)
    assert abs(cold.objective - warm.objective) <= 1e-8 * size
    np.testing.assert_allclose(cold.weights, warm.weights, atol=1e-7)


def test_a_warm_start_of_other_groups_is_ignored():
    rng = generator(5, "warm groups")
    few, many = random_problem(rng, n=16), random_problem(rng, n=80)
    np.testing.assert_array_equal(solve(many, warm=solve(few).warm).weights, solve(many).weights)


def test_the_same_problem_twice_gives_the_same_bytes():
    problem = twisted("plain", 5)
    assert solve(problem).weights.tobytes() == solve(problem).weights.tobytes()


def test_an_unknown_method_is_refused():
    with pytest.raises(ProblemError, match=r"method 'ecos' is unknown.*clarabel.*osqp.*sifting"):
        solve(twisted("plain", 0), "ecos")

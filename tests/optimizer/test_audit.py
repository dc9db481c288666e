from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import SolveError
from quant.core.seeds import generator
from quant.optimizer import solve as solving
from quant.optimizer.audit import audit, clip, violation
from quant.optimizer.point import Point
from quant.optimizer.solve import solve
from quant.optimizer.terms import Duals, objective
from tests.optimizer.problems import random_problem
from tests.optimizer.twists import twisted


@pytest.fixture(scope="module")
def solved():
    problem = random_problem(generator(6, "audit"), n=40, tau=0.3, vol_target=0.12)
    return problem, solve(problem)


def test_the_fixture_has_prices_to_spoil(solved):
    problem, solution = solved
    assert solution.vol_binds and solution.turnover_binds
    assert solution.status == "optimal"


@pytest.mark.parametrize("name", ["budget", "turnover", "variance"])
@pytest.mark.parametrize("change", [0.5, 1.5])
def test_wrong_prices_are_not_believed(solved, name, change):
    problem, solution = solved
    value = getattr(solution.duals, name)
    wrong = replace(solution.duals, **{name: value * change if value else 1e-3})
    assert audit(problem, solution.limits, solution.weights, wrong).gap > 1e-6


def test_the_gap_bounds_what_is_lost_at_any_feasible_point(solved):
    problem, solution = solved
    rng = generator(6, "feasible")
    for _ in range(20):
        step = rng.random() * 0.5
        weights = (1 - step) * solution.weights + step * solution.weights * rng.random(problem.n)
        weights = 0.5 * weights + 0.5 * solution.weights
        if violation(problem, solution.limits, weights) > 0:
            continue
        state = audit(problem, solution.limits, weights, solution.duals)
        size = np.abs(problem.mu) @ np.abs(weights) + 1.0
        lost = solution.objective - objective(problem, weights)
        assert state.gap * size >= lost - 1e-12


def test_no_prices_at_all_still_bound_the_optimum(solved):
    problem, solution = solved
    none = Duals.none(problem.group_low.size)
    assert audit(problem, solution.limits, solution.weights, none).gap > 1e-4


@pytest.mark.parametrize(
    ("change", "excess"),
    [
        ({"tau": 0.1}, 0.2),
        ({"total_high": 0.2}, None),
        ({"high": None}, None),
        ({"group_high": None}, None),
        ({"variance": None}, 1.0),
    ],
)
def test_violation_sees_every_limit(solved, change, excess):
    problem, solution = solved
    name = next(iter(change))
    value = change[name]
    if name == "high":
        value = solution.weights - 1e-3
    if name == "group_high":
        value = np.zeros(problem.group_low.size)
    if name == "variance":
        value = solution.limits.variance / 4
    found = violation(problem, solution.limits.with_(**{name: value}), solution.weights)
    assert found > 9e-4
    if excess is not None:
        assert found == pytest.approx(excess, abs=1e-6)


def test_prices_of_limits_that_do_not_exist_are_dropped(solved):
    _, solution = solved
    limits = solution.limits.with_(tau=np.inf, variance=np.inf, total_low=-np.inf)
    kept = clip(limits, replace(solution.duals, budget=-1.0))
    assert (kept.budget, kept.turnover, kept.variance) == (0.0, 0.0, 0.0)


def test_reduced_gradients_vanish_where_names_move_freely(solved):
    problem, solution = solved
    inside = (solution.weights > solution.limits.low + 1e-9) & (
        solution.weights < solution.limits.high - 1e-9
    )
    assert np.abs(solution.reduced[inside & (solution.trades != 0)]).max() < 1e-9
    at_top = (solution.weights == solution.limits.high) & (solution.trades > 0)
    assert (solution.reduced[at_top] >= -1e-12).all()


def test_a_method_that_lies_falls_back_to_clarabel(monkeypatch):
    problem = twisted("plain", 4)
    expected = solve(problem, "clarabel")

    def liar(problem, limits, start, warm):
        return Point(problem.held * 0.9, Duals.none(problem.group_low.size), 1)

    monkeypatch.setitem(solving.METHODS, "sifting", liar)
    solution = solve(problem)
    assert solution.solver == "clarabel"
    np.testing.assert_array_equal(solution.weights, expected.weights)


def test_where_nothing_passes_the_audit_it_raises(monkeypatch):
    monkeypatch.setitem(solving.METHODS, "sifting", lambda *a: None)
    monkeypatch.setitem(solving.METHODS, "clarabel", lambda *a: None)
    with pytest.raises(SolveError, match="2015-07-08: no solver returned a point.*1e-6 and 1e-8"):
        solve(twisted("plain", 4))

from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import SolveError
from quant.core.seeds import generator
from quant.optimizer import solve as solving
from quant.optimizer.audit import audit, clip, violation
from quant.optimizer.point import Point
from quant.optimizer.solve import solve
from quant.optimizer.terms import Duals, exposures, magnitude, objective, variance
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


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["budget", "group", "turnover", "variance"])
def test_prices_that_are_no_numbers_prove_nothing(solved, name, value):
    problem, solution = solved
    wrong = replace(solution.duals, **{name: getattr(solution.duals, name) * 0 + value})
    with np.errstate(all="ignore"):
        state = audit(problem, solution.limits, solution.weights, wrong)
    assert not state.passed and state.score > 1.0


def test_weights_that_are_no_numbers_prove_nothing(solved):
    problem, solution = solved
    wrong = np.where(np.arange(problem.n) == 7, np.nan, solution.weights)
    assert not audit(problem, solution.limits, wrong, solution.duals).passed


@pytest.mark.parametrize("name", ["name_gaps", "gap", "violation"])
def test_an_audit_without_a_number_is_not_passed(solved, name):
    problem, solution = solved
    state = audit(problem, solution.limits, solution.weights, solution.duals)
    assert state.passed
    spoiled = replace(state, **{name: getattr(state, name) * np.nan})
    assert spoiled.passed == (name == "name_gaps")


BOOKS = ["plain", "gross and net", "relative", "relative, long and short"]


@pytest.mark.parametrize("kind", BOOKS)
@pytest.mark.parametrize("size", [1e-3, 1e-2, 0.1])
def test_a_feasible_point_off_the_optimum_is_marked_by_all_it_loses(kind, size):
    """The gap at the right prices is at least what the point loses, to the certificate."""
    rng, seen = generator(6, "off", kind), 0
    for number in range(16):
        problem = twisted(kind, number)
        best = solve(problem)
        middle = 0.5 * (best.limits.low + best.limits.high)
        for target in (np.clip(problem.held, best.limits.low, best.limits.high), middle):
            weights = best.weights + size * rng.random(problem.n) * (target - best.weights)
            weights = np.clip(weights, best.limits.low, best.limits.high)
            state = audit(problem, best.limits, weights, best.duals)
            lost = (best.objective - objective(problem, weights)) / magnitude(problem, weights)
            if state.violation <= 1e-6:
                assert state.gap >= lost - 1e-8
                seen += lost > 2e-8
                assert lost <= 2e-8 or not state.passed
            else:
                assert not state.passed
    assert seen


@pytest.mark.parametrize("kind", BOOKS)
def test_no_prices_make_a_point_look_better_than_it_is(kind):
    """Weak duality: at any prices the gap is no smaller than what the point loses."""
    rng = generator(6, "prices", kind)
    for number in range(8):
        problem = twisted(kind, number)
        best = solve(problem)
        stay = np.clip(problem.held, best.limits.low, best.limits.high)
        weights = best.weights + 0.3 * (stay - best.weights)
        if violation(problem, best.limits, weights) > 0.0:
            continue
        lost = (best.objective - objective(problem, weights)) / magnitude(problem, weights)
        for _ in range(20):
            prices = Duals(
                best.duals.budget + rng.normal() * 10 ** rng.uniform(-5, 0),
                best.duals.group + rng.normal(size=best.duals.group.size) * 1e-3,
                abs(best.duals.turnover + rng.normal() * 10 ** rng.uniform(-5, 0)),
                abs(best.duals.variance + rng.normal() * 10 ** rng.uniform(-2, 2)),
                abs(best.duals.gross + rng.normal() * 10 ** rng.uniform(-5, 0)),
            )
            gap = audit(problem, best.limits, weights, clip(best.limits, prices)).gap
            assert gap >= lost - 1e-8


@pytest.mark.parametrize("name", ["budget", "group", "turnover", "variance", "gross"])
def test_a_wrong_price_of_a_limit_that_binds_is_marked(name):
    """Unless other prices would do as well, which happens at corners and in small problems."""
    marked, binding = 0, 0
    for kind in (*BOOKS, "fully invested", "gross half", "narrow groups"):
        for number in range(8):
            problem = twisted(kind, number)
            best = solve(problem)
            price = getattr(best.duals, name)
            if np.abs(price).max() < 1e-4 or problem.n < 10:
                continue
            for c in (0.0, 0.9, 1.1, 2.0):
                wrong = replace(best.duals, **{name: c * price})
                state = audit(problem, best.limits, best.weights, wrong)
                assert state.gap >= -1e-8
                marked, binding = marked + (not state.passed), binding + 1
    assert marked >= max(0.8 * binding, 8), (marked, binding)


LIMITS = {
    "low": lambda p, s: s.weights + 2e-6,
    "high": lambda p, s: s.weights - 2e-6,
    "total_high": lambda p, s: s.weights.sum() - 2e-6,
    "total_low": lambda p, s: s.weights.sum() + 2e-6,
    "group_high": lambda p, s: exposures(p, s.weights) - 2e-6,
    "group_low": lambda p, s: exposures(p, s.weights) + 2e-6,
    "tau": lambda p, s: s.turnover - 2e-6,
    "gross": lambda p, s: np.abs(s.weights).sum() - 2e-6,
    "variance": lambda p, s: variance(p, s.weights) * (1 - 5e-6),
}


@pytest.mark.parametrize("kind", BOOKS)
@pytest.mark.parametrize("name", LIMITS)
def test_two_millionths_beyond_any_limit_are_marked(kind, name):
    problem = twisted(kind, 3)
    best = solve(problem)
    tight = best.limits.with_(**{name: LIMITS[name](problem, best)})
    state = audit(problem, tight, best.weights, best.duals)
    assert 1e-6 < state.violation < 4e-6 and not state.passed


LIES = {
    "a point that breaks tau": lambda p, s: Point(0.0 * p.held + p.upper, s.duals, 1),
    "a point that is not optimal": lambda p, s: Point(0.5 * (p.held + s.weights), s.duals, 1),
    "prices that are not": lambda p, s: Point(p.held, Duals.none(p.group_low.size), 1),
    "prices of NaN": lambda p, s: Point(
        0.5 * (p.held + s.weights), replace(s.duals, turnover=np.nan, variance=np.nan), 1
    ),
    "infinite prices": lambda p, s: Point(p.held, replace(s.duals, variance=np.inf), 1),
    "weights of NaN": lambda p, s: Point(np.nan * p.held, s.duals, 1),
    "infinite weights": lambda p, s: Point(p.held + np.inf, s.duals, 1),
    "nothing": lambda p, s: None,
}


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")
@pytest.mark.parametrize("lie", LIES)
def test_no_lie_leaves_the_room(monkeypatch, lie):
    """One lying method: the other's point under its own name. Both: an error, never a point."""
    problem = twisted("plain", 4)
    best = solve(problem)
    honest = dict(solving.METHODS)

    def liar(*_):
        return LIES[lie](problem, best)

    for name, other in (("sifting", "clarabel"), ("clarabel", "sifting")):
        monkeypatch.setitem(solving.METHODS, name, liar)
        solution = solve(problem, name)
        assert solution.solver == other
        assert solution.objective == pytest.approx(best.objective, rel=1e-7)
        assert abs(solution.gap) <= 1e-8 and solution.violation <= 1e-6
        monkeypatch.setitem(solving.METHODS, name, honest[name])
    monkeypatch.setitem(solving.METHODS, "sifting", liar)
    monkeypatch.setitem(solving.METHODS, "clarabel", liar)
    with pytest.raises(SolveError, match="2015-07-08: .*the audit asks for 1e-6 and 1e-8. Look"):
        solve(problem)


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

"""Sensitivities: prices bound every exact answer, and agree with it for small steps."""

from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import ProblemError
from quant.optimizer.sensitivity import KNOBS, Outcome, sensitivity
from quant.optimizer.solve import solve
from quant.optimizer.terms import magnitude, variance
from tests.optimizer.test_laws import NUMBERS, problem
from tests.optimizer.twists import TWISTS, twisted

COEFFICIENTS = ("costs", "gamma")


def tolerance(problem, solution) -> float:
    """Two certificates of 1e-8 each, and 1e-6 of violation at the prices of the joint limits."""
    prices = solution.duals
    joint = abs(prices.budget) + np.abs(prices.group).sum() + prices.turnover + prices.gross
    joint += prices.variance * solution.limits.variance if prices.variance else 0.0
    return 2e-8 * magnitude(problem, solution.weights) + 1e-8 * joint


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", TWISTS)
def test_prices_bound_every_exact_answer(kind, number):
    base = twisted(kind, number)
    solution = solve(base)
    for change in sensitivity(base, solution):
        slack = tolerance(base, solution) * max(change.step, 1.0)
        if change.knob in COEFFICIENTS:
            assert change.gained >= change.estimate - slack, (change.knob, change.step)
        else:
            assert change.gained <= change.estimate + slack, (change.knob, change.step)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("knob", KNOBS)
def test_prices_are_the_slope_for_small_steps(number, knob):
    base = problem(number, tau=0.4, vol_target=0.12)
    solution = solve(base)
    fine = sensitivity(base, solution, (1 - 1e-3, 1 + 1e-3))
    left, right = (change for change in fine if change.knob == knob)
    assert right.estimate == pytest.approx(-left.estimate, rel=0.02, abs=1e-9)
    # where a price jumps the two sides differ, and the price is between them
    gains = np.sort([right.gained, -left.gained])
    size = max(abs(gains).max(), 1e-8)
    assert gains[0] - 0.02 * size <= right.estimate <= gains[1] + 0.02 * size


def test_a_cheaper_trade_a_milder_investor_and_wider_limits_are_never_worse():
    base = problem(1)
    rising = {"tau", "vol_target", "name_bound", "group_cap"}
    steps = (0.5, 0.9, 1.1, 3.0)
    changes = sensitivity(base, solve(base), steps)
    for knob in KNOBS:
        values = [change.after.objective for change in changes if change.knob == knob]
        assert len(values) == len(steps)
        if knob in rising:
            assert (np.diff(values) >= -1e-10).all()
        else:
            assert (np.diff(values) <= 1e-10).all()


def test_an_outcome_adds_up():
    base = problem(2)
    solution = solve(base)
    outcome = Outcome.of(base, solution)
    risk = 0.5 * base.gamma * variance(base, solution.weights)
    assert outcome.net - risk == pytest.approx(solution.objective, abs=1e-15)
    assert outcome.cost > 0
    assert outcome.cash == solution.cash


def test_every_answer_is_that_of_a_cold_solve_by_the_reference():
    base = problem(3)
    for change in sensitivity(base, solve(base), (0.5, 2.0)):
        moved = KNOBS[change.knob](base, change.step)
        reference = solve(moved, "clarabel")
        size = magnitude(moved, reference.weights)
        assert abs(change.after.objective - reference.objective) <= 2e-8 * size


def test_distance_and_share_of_what_moves():
    base = problem(4)
    solution = solve(base)
    for change in sensitivity(base, solution, (1.0,)):
        assert change.distance <= 1e-9
        assert change.moved == 0.0
        assert change.gained == pytest.approx(0.0, abs=1e-12)
    tight = next(c for c in sensitivity(base, solution, (0.5,)) if c.knob == "name_bound")
    assert tight.moved > 0.1
    assert tight.distance >= 1e-6 * tight.moved * base.n


def test_knobs_that_are_not_there_are_left_out():
    base = problem(0, tau=np.inf, vol_target=np.inf, group_high=np.ones(5))
    knobs = {change.knob for change in sensitivity(base, solve(base), (2.0,))}
    assert knobs == {"costs", "gamma", "name_bound"}


def test_shorts_are_bounded_by_the_name_bound_too():
    base = problem(0)
    base = replace(base, lower=-0.5 * base.upper)
    halved = KNOBS["name_bound"](base, 0.5)
    np.testing.assert_array_equal(halved.lower, 0.5 * base.lower)


@pytest.mark.parametrize("step", [0.0, -1.0, np.inf, np.nan])
def test_steps_that_are_none_are_refused(step):
    base = problem(0)
    with pytest.raises(ProblemError, match="finite numbers > 0"):
        sensitivity(base, solve(base), (step,))

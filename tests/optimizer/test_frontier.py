"""Frontiers: concave, with the price as their slope, and the same points as any other way."""

from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import ProblemError
from quant.optimizer.frontier import cost_frontier, efficient_frontier
from quant.optimizer.solve import solve
from quant.optimizer.terms import magnitude
from tests.optimizer.test_laws import NUMBERS, problem
from tests.optimizer.twists import TWISTS, twisted

PATHS = {"volatility": efficient_frontier, "turnover": cost_frontier}


def stretched(path: str, base, frontier) -> tuple[np.ndarray, np.ndarray]:
    """(k,) the limit in which the objective is concave, and its price."""
    if path == "turnover":
        return frontier.limit, frontier.price
    per = base.horizons_per_year
    return frontier.limit**2 / per, frontier.price * per / (2 * frontier.limit)


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", TWISTS)
@pytest.mark.parametrize("path", PATHS)
def test_no_point_is_above_the_tangent_of_another(path, kind, number):
    """Concavity and the envelope theorem at once: the price is a slope of the whole frontier."""
    base = twisted(kind, number)
    frontier = PATHS[path](base, solve(base), 8)
    limit, price = stretched(path, base, frontier)
    value = frontier.objective
    tangent = value[:, None] + price[:, None] * (limit[None, :] - limit[:, None])
    size = max(magnitude(base, s.weights) for s in frontier.solutions)
    slack = 4e-8 * size + 1e-6 * (price * limit)[:, None]
    assert (value[None, :] <= tangent + slack).all()
    assert (np.diff(value) >= -4e-8 * size).all()
    assert (np.diff(frontier.limit) > 0).all()
    assert all(abs(s.gap) <= 1e-8 and s.violation <= 1e-6 for s in frontier.solutions)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_net_return_rises_with_the_variance_ever_more_slowly(number):
    base = problem(number)
    frontier = efficient_frontier(base, solve(base), 12)
    slope = np.diff(frontier.net) / np.diff(frontier.limit**2)
    assert (slope > 0).all()
    assert (np.diff(slope) <= 1e-5 * slope[:-1]).all()
    np.testing.assert_allclose(frontier.vol, frontier.limit, rtol=1e-6)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("path", PATHS)
def test_the_price_is_the_slope(path, number):
    base = problem(number)
    solution = solve(base)
    frontier = PATHS[path](base, solution, 100)
    limit, price = stretched(path, base, frontier)
    slope = np.diff(frontier.objective) / np.diff(limit)
    between = 0.5 * (price[1:] + price[:-1])
    # the price jumps where a name reaches its bound; the mean over the path does not
    assert np.average(np.abs(slope - between), weights=np.diff(limit)) <= 0.02 * slope.mean()
    assert frontier.price[-1] <= 1e-3 * frontier.price[0]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("path", PATHS)
def test_every_point_is_that_of_a_cold_solve_by_the_reference(path, number):
    base = problem(number)
    solution = solve(base)
    frontier = PATHS[path](base, solution, 6)
    for limit, found in zip(frontier.limit, frontier.solutions, strict=True):
        moved = {"tau": limit} if path == "turnover" else {"vol_target": limit}
        reference = solve(replace(base, **moved), "clarabel")
        size = magnitude(base, reference.weights)
        assert abs(found.objective - reference.objective) <= 2e-8 * size
        # curvature by ridge and costs makes the weights unique
        np.testing.assert_allclose(found.weights, reference.weights, atol=2e-5)


@pytest.mark.parametrize("path", PATHS)
def test_today_is_on_the_frontier(path):
    base = problem(1, tau=0.5, vol_target=0.08)
    solution = solve(base)
    assert solution.vol_binds
    frontier = PATHS[path](base, solution, 40)
    limit, _ = stretched(path, base, frontier)
    today = frontier.today
    at = today.turnover if path == "turnover" else today.vol**2 / base.horizons_per_year
    assert limit[0] < at < limit[-1]
    # a chord of a concave function lies below it, by little where points are dense
    below = np.interp(at, limit, frontier.objective)
    assert below - 1e-9 <= today.objective <= below + 2e-3 * np.ptp(frontier.objective)


@pytest.mark.parametrize("path", PATHS)
def test_the_last_point_is_where_the_limit_stops_binding(path):
    base = problem(2)
    frontier = PATHS[path](base, solve(base), 10)
    name = "tau" if path == "turnover" else "vol_target"
    free = solve(replace(base, **{name: np.inf}))
    assert frontier.objective[-1] == pytest.approx(free.objective, rel=1e-7)
    assert frontier.limit[-1] == pytest.approx(free.turnover if name == "tau" else free.vol)


def test_costs_rise_with_turnover_and_the_return_before_them_is_higher():
    base = problem(3, vol_target=np.inf)
    frontier = cost_frontier(base, solve(base), 15)
    assert (np.diff(frontier.cost) > 0).all()
    assert (frontier.expected > frontier.net).all()
    np.testing.assert_allclose(frontier.turnover, frontier.limit, rtol=1e-6)


def test_the_frontier_of_a_book_that_can_not_be_traded_is_one_point():
    base = problem(4)
    zero = np.zeros(base.n)
    base = replace(base, buy_cap=zero, sell_cap=zero)
    solution = solve(base)
    for path in PATHS.values():
        frontier = path(base, solution, 10)
        assert frontier.limit.shape == frontier.price.shape == (1,)
        np.testing.assert_array_equal(frontier.solutions[0].weights, solution.weights)


def test_the_ratio_is_annualised_return_per_annualised_volatility():
    base = problem(5)
    frontier = efficient_frontier(base, solve(base), 5)
    annual = frontier.net * base.horizons_per_year
    np.testing.assert_allclose(frontier.ratio, annual / frontier.vol)


def test_a_frontier_of_one_point_is_refused():
    base = problem(0)
    with pytest.raises(ProblemError, match="points is 1; a frontier needs at least 2"):
        efficient_frontier(base, solve(base), 1)

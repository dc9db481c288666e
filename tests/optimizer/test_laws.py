"""Laws of the optimum that hold whatever the numbers."""

from dataclasses import replace

import numpy as np
import pytest

from quant.core.seeds import generator
from quant.optimizer.problem import Problem
from quant.optimizer.solve import solve
from quant.optimizer.terms import exposures, magnitude, variance
from tests.optimizer.problems import random_problem

NUMBERS = range(6)


def problem(number: int, **changes) -> Problem:
    fields = {"n": 40, "tau": 0.5, "vol_target": 0.2} | changes
    return random_problem(generator(7, "laws", str(number)), **fields)


@pytest.mark.parametrize("number", NUMBERS)
def test_turnover_never_rises_with_the_linear_cost(number):
    base = problem(number, tau=np.inf, vol_target=np.inf)
    spent = [solve(replace(base, lambda1=f * base.lambda1)).turnover for f in (0, 1, 2, 4, 8, 40)]
    assert (np.diff(spent) <= 1e-9).all()
    assert spent[0] > spent[-1]


@pytest.mark.parametrize("number", NUMBERS)
def test_turnover_never_rises_as_its_cap_falls(number):
    base = problem(number)
    spent = [solve(replace(base, tau=tau)).turnover for tau in (2.0, 1.0, 0.5, 0.2, 0.1)]
    assert (np.diff(spent) <= 1e-9).all()


@pytest.mark.parametrize("number", NUMBERS)
def test_the_objective_never_falls_as_a_limit_is_widened(number):
    base = problem(number)
    values = [solve(replace(base, tau=tau)).objective for tau in (0.3, 0.6, 1.2)]
    assert (np.diff(values) >= -1e-10).all()
    values = [solve(replace(base, vol_target=v, tau=1.5)).objective for v in (0.1, 0.15, 0.3)]
    assert (np.diff(values) >= -1e-10).all()


@pytest.mark.parametrize("number", NUMBERS)
def test_the_volatility_target_is_met(number):
    for target in (0.06, 0.1, 0.15):
        solution = solve(problem(number, vol_target=target))
        assert not [r for r in solution.relaxations if r.what == "volatility"]
        assert solution.vol <= target * (1 + 1e-6)


@pytest.mark.parametrize("number", NUMBERS)
def test_units_of_the_objective_do_not_matter(number):
    base = problem(number)
    solution = solve(base)
    scaled = solve(
        replace(
            base,
            mu=100 * base.mu,
            gamma=100 * base.gamma,
            lambda1=100 * base.lambda1,
            lambda2=100 * base.lambda2,
        )
    )
    np.testing.assert_allclose(scaled.weights, solution.weights, atol=1e-8)
    assert scaled.objective == pytest.approx(100 * solution.objective, rel=1e-7)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_order_of_names_does_not_matter(number):
    base = problem(number)
    order = generator(7, "order").permutation(base.n)
    names = ("mu", "held", "lambda1", "lambda2", "lower", "upper", "buy_cap", "sell_cap", "groups")
    moved = {name: getattr(base, name)[order] for name in names}
    shuffled = solve(replace(base, factor=base.factor[:, order], **moved))
    np.testing.assert_allclose(shuffled.weights, solve(base).weights[order], atol=1e-8)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_dominated_name_is_not_bought(number):
    """One more name, riskless and losing, changes nothing for the others."""
    base = problem(number)
    copied = ("lambda1", "lambda2", "lower", "upper", "buy_cap", "sell_cap", "groups")
    more = {name: np.append(getattr(base, name), getattr(base, name)[0]) for name in copied}
    solution = solve(
        replace(
            base,
            mu=np.append(base.mu, -0.01),
            held=np.append(base.held, 0.0),
            factor=np.pad(base.factor, ((0, 0), (0, 1))),
            **more,
        )
    )
    assert solution.weights[-1] == 0.0
    np.testing.assert_allclose(solution.weights[:-1], solve(base).weights, atol=1e-8)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_optimum_is_where_trading_stops(number):
    """Held at the optimum, the optimizer trades nothing at all: exact zeros, not dust."""
    base = problem(number, tau=np.inf, lambda2=np.zeros(40))
    again = solve(replace(base, held=solve(base).weights))
    assert again.turnover <= 1e-7
    assert (again.trades == 0.0).mean() > 0.9


@pytest.mark.parametrize("number", NUMBERS)
def test_shadow_prices_predict_the_gain_from_a_wider_limit(number):
    base = problem(number, tau=0.3, vol_target=0.12)
    solution = solve(base)
    if solution.relaxations:
        base = replace(base, tau=1.0)
        solution = solve(base)
    assert solution.vol_binds or solution.turnover_binds
    step = 1e-6
    more = solve(replace(base, tau=base.tau + step))
    gain = (more.objective - solution.objective) / step
    assert gain == pytest.approx(solution.duals.turnover, abs=2e-5 + 0.02 * gain)
    cap = base.variance_cap * (1 + 1e-5)
    more = solve(replace(base, vol_target=base.volatility(cap)))
    gain = (more.objective - solution.objective) / (base.variance_cap * 1e-5)
    assert 2 * gain == pytest.approx(solution.duals.variance, abs=1e-2 + 0.02 * gain)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_solution_reports_what_it_is(number):
    base = problem(number)
    s = solve(base)
    assert s.cash == pytest.approx(1 - s.weights.sum(), abs=1e-15)
    np.testing.assert_array_equal(s.trades, s.weights - base.held)
    assert s.turnover == pytest.approx(np.abs(s.trades).sum())
    assert s.vol == pytest.approx(base.volatility(variance(base, s.weights)))
    assert magnitude(base, s.weights) >= abs(s.objective)
    assert s.group_binds.shape == base.group_high.shape
    near = np.abs(exposures(base, s.weights) - s.limits.group_high) <= 1e-6
    assert (near | ~s.group_binds).all()

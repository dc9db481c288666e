"""Readings 16: what is hardest comes first, what gives way is counted and explained."""

from dataclasses import replace

import numpy as np
import pytest

from quant.core.seeds import generator
from quant.optimizer import solve as solving
from quant.optimizer.descent import nearby
from quant.optimizer.feasibility import reach
from quant.optimizer.problem import Problem
from quant.optimizer.solve import solve
from quant.optimizer.terms import Limits, exposures, variance
from tests.optimizer.problems import random_problem


def problem(**changes) -> Problem:
    fields = {"n": 40, "tau": 0.2, "vol_target": 0.3, "group_high": np.full(5, 1.0)} | changes
    base = random_problem(generator(8, "feasibility"), **fields)
    return replace(base, held=np.minimum(base.held * (0.9 / base.held.sum()), 0.1))


def whats(solution) -> list[str]:
    return [r.what for r in solution.relaxations]


def never(*_):
    raise AssertionError("phase one was solved on a day that does not need it")


def test_a_normal_day_needs_no_phase_one():
    base = problem()
    within = reach(base, never)
    np.testing.assert_array_equal(within.start, base.held)
    assert within.limits.tau == base.tau and within.relaxations == []


def test_a_little_too_much_volatility_needs_no_phase_one_either():
    base = problem(tau=0.4)
    level = base.volatility(variance(base, base.held))
    within = reach(replace(base, vol_target=0.95 * level), never)
    assert variance(base, within.start) <= (0.95 * level) ** 2 / base.horizons_per_year * (1 + 1e-8)


def test_volatility_comes_before_turnover():
    base = problem()
    level = base.volatility(variance(base, base.held))
    jump = replace(base, vol_target=level * 8 / 30, tau=0.35)
    solution = solve(jump)
    assert whats(solution) == ["turnover"]
    assert solution.status == "relaxed"
    assert solution.vol == pytest.approx(jump.vol_target, rel=1e-6)
    assert solution.tau_min > 0.35
    assert solution.tau_min <= solution.tau_eff <= solution.tau_min + 2.1e-5
    assert solution.turnover <= solution.tau_eff + 1e-6
    assert "volatility comes first" in solution.reason


def test_the_least_turnover_is_the_least():
    base = problem(vol_target=0.05)
    solution = solve(base)
    zero, one = np.zeros(base.n), np.ones(base.n)
    cheapest = replace(base, mu=zero, gamma=0.0, lambda1=one, lambda2=zero, tau=np.inf)
    reference = solve(cheapest, "clarabel")
    assert solution.tau_min == pytest.approx(-reference.objective, abs=1e-7)


def test_trade_caps_come_before_volatility_which_is_traded_down_as_far_as_it_goes():
    base = problem(vol_target=0.05, sell_cap=np.full(40, 0.002), buy_cap=np.zeros(40))
    solution = solve(base)
    assert "volatility" in whats(solution) and "turnover" not in whats(solution)
    np.testing.assert_allclose(solution.weights, np.maximum(base.held - 0.002, 0.0), atol=5e-4)
    lowest = base.volatility(variance(base, np.maximum(base.held - 0.002, 0.0)))
    assert lowest - 1e-9 <= solution.vol <= lowest + 2.1e-5


def test_groups_come_before_volatility_and_turnover():
    base = problem(tau=0.01)
    held = exposures(base, base.held)
    caps = np.where(np.arange(5) == np.argmax(held), held.max() / 2, 1.0)
    solution = solve(replace(base, group_high=caps))
    assert whats(solution) == ["turnover"]
    assert solution.tau_min == pytest.approx(held.max() / 2, abs=1e-7)
    assert exposures(base, solution.weights).max() <= max(caps[caps < 1].max(), held.max()) + 1e-6
    assert exposures(base, solution.weights)[np.argmax(held)] <= caps.min() + 1e-6


def test_trade_caps_come_before_groups():
    base = problem(sell_cap=np.full(40, 1e-3))
    held = exposures(base, base.held)
    worst = int(np.argmax(held))
    caps = np.where(np.arange(5) == worst, held[worst] / 2, 1.0)
    solution = solve(replace(base, group_high=caps))
    reached = np.maximum(base.held - 1e-3, 0.0)[base.groups == worst].sum()
    assert f"group {worst}" in whats(solution)
    assert exposures(base, solution.weights)[worst] == pytest.approx(reached, abs=1e-8)


def test_a_suspended_holding_lifts_the_cap_of_its_group_by_its_own_weight():
    base = problem(tau=2.0, vol_target=1.0)
    name = int(np.argmax(base.held))
    group = base.groups[name]
    locked = np.where(np.arange(40) == name, 0.0, 1.0)
    held = np.where(np.arange(40) == name, 0.09, base.held * 0.8)
    high = np.where(np.arange(5) == group, 0.05, 1.0)
    mu = base.mu + 0.05
    solution = solve(
        replace(base, mu=mu, held=held, group_high=high, buy_cap=locked, sell_cap=locked)
    )
    assert solution.weights[name] == 0.09
    assert solution.limits.group_high[group] == pytest.approx(0.14)
    assert exposures(base, solution.weights)[group] <= 0.14 + 1e-9
    lifted = [r for r in solution.relaxations if r.what == f"group {group}"]
    assert lifted and "own weight" in lifted[0].why and lifted[0].limit == 0.05


def test_a_locked_name_does_not_move_that_way():
    base = problem(tau=2.0, gamma=0.1)
    up, down = np.arange(40) % 3 == 0, np.arange(40) % 3 == 1
    solution = solve(
        replace(
            base,
            buy_cap=np.where(up, 0.0, base.buy_cap),
            sell_cap=np.where(down, 0.0, base.sell_cap),
        )
    )
    assert (solution.trades[up] <= 0).all() and (solution.trades[down] >= 0).all()
    assert (solution.trades != 0).sum() > 5


def test_all_suspended_holds_everything_and_says_why():
    base = problem(vol_target=0.02, tau=0.0)
    solution = solve(replace(base, buy_cap=np.zeros(40), sell_cap=np.zeros(40)))
    np.testing.assert_array_equal(solution.weights, base.held)
    assert whats(solution) == ["volatility"]
    assert solution.turnover == 0.0


def test_a_leaver_is_sold_as_fast_as_its_cap_allows():
    base = problem()
    upper = np.where(np.arange(40) == 3, 0.0, base.upper)
    cap = np.where(np.arange(40) == 3, 0.4 * base.held[3], base.sell_cap)
    solution = solve(
        replace(base, upper=upper, sell_cap=cap, symbols=np.array([f"S{i}" for i in range(40)]))
    )
    assert solution.weights[3] == pytest.approx(0.6 * base.held[3], abs=1e-12)
    assert whats(solution) == ["name S3"]
    solution = solve(replace(base, upper=upper))
    assert solution.weights[3] == 0.0 and solution.relaxations == ()


def test_an_overdrawn_book_sells_what_it_can():
    base = problem(tau=1.0, sell_cap=np.full(40, 1e-3))
    held = base.held * (1.06 / base.held.sum())
    solution = solve(replace(base, held=held, upper=np.ones(40)))
    assert whats(solution) == ["cash"]
    np.testing.assert_allclose(solution.weights, np.maximum(held - 1e-3, 0), atol=1e-9)


def test_group_floors_give_way_to_the_budget_in_proportion():
    base = problem(tau=3.0, vol_target=1.0, upper=np.ones(40), buy_cap=np.ones(40))
    low = np.array([0.5, 0.4, 0.3, 0.2, 0.1])
    solution = solve(replace(base, group_low=low))
    np.testing.assert_allclose(exposures(base, solution.weights), low / 1.5, atol=1e-8)
    assert whats(solution) == [f"group {g}" for g in range(5)]
    assert "the budget comes first" in solution.reason


def test_group_caps_give_way_to_a_fully_invested_budget():
    base = problem(tau=3.0, vol_target=1.0, upper=np.full(40, 0.5), buy_cap=np.ones(40))
    solution = solve(replace(base, cash_high=0.0, group_high=np.full(5, 0.1)))
    assert solution.cash == pytest.approx(0.0, abs=1e-8)
    assert len(whats(solution)) == 5


@pytest.mark.parametrize("number", range(10))
def test_cheap_moves_stay_inside_the_limits(number):
    rng = generator(8, "nearby", str(number))
    base = random_problem(rng, n=40)
    limits = Limits(
        low=np.maximum(base.lower, base.held - 0.02),
        high=np.minimum(base.upper, base.held + 0.02),
        total_low=-np.inf,
        total_high=base.held.sum() - 0.05,
        group_low=np.zeros(5),
        group_high=exposures(base, base.held) * np.where(np.arange(5) == number % 5, 0.9, 1.5),
        tau=np.inf,
        variance=0.9 * variance(base, base.held),
    )
    weights = nearby(base, limits)
    assert (weights >= limits.low - 1e-15).all() and (weights <= limits.high + 1e-15).all()
    assert weights.sum() <= limits.total_high + 1e-12
    assert (exposures(base, weights) <= limits.group_high + 1e-12).all()
    assert variance(base, weights) <= limits.variance * (1 + 1e-8)


def test_phase_one_uses_the_method_that_was_asked_for(monkeypatch):
    called = []
    original = solving.METHODS["osqp"]
    monkeypatch.setitem(solving.METHODS, "osqp", lambda *a: called.append(1) or original(*a))
    solve(problem(vol_target=0.05), "osqp")
    assert len(called) == 2

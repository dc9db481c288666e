"""Optimizer behaviour, specification section 1: knobs do what they say (readings 13, 16, 17)."""

from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import ProblemError
from quant.core.seeds import generator
from quant.optimizer.solve import solve
from quant.optimizer.terms import exposures, variance
from tests.optimizer.problems import Rules, days, random_problem, simulated_market
from tests.optimizer.twists import TWISTS, twisted


def fixture(**changes):
    """A book far from its optimum, so that turnover and volatility bind at every level asked."""
    fields = {"n": 60, "vol_target": 0.5, "tau": 2.0, "group_high": np.ones(7)} | changes
    return random_problem(generator(10, "behaviour"), **fields)


def test_tightening_tau_strictly_decreases_turnover_where_it_binds():
    solutions = [solve(fixture(tau=tau)) for tau in (0.40, 0.30, 0.20, 0.10, 0.05)]
    assert all(s.turnover_binds for s in solutions)
    assert (np.diff([s.turnover for s in solutions]) < -0.04).all()


def test_lowering_the_volatility_target_strictly_decreases_the_variance_where_it_binds():
    base = fixture()
    solutions = [solve(replace(base, vol_target=v)) for v in (0.12, 0.11, 0.10, 0.09, 0.08)]
    assert all(s.vol_binds for s in solutions)
    variances = [variance(base, s.weights) for s in solutions]
    assert (np.diff(variances) < 0).all()
    assert variances == pytest.approx([s.limits.variance for s in solutions], rel=1e-6)


def test_raising_the_linear_cost_strictly_decreases_turnover_outside_the_no_trade_zone():
    """Where tau does not bind; nothing trades in the end."""
    base = fixture(tau=np.inf)
    solutions = [solve(replace(base, lambda1=c * base.lambda1)) for c in (0.5, 1.0, 2.0, 4.0, 8.0)]
    turnover = [s.turnover for s in solutions]
    assert (np.diff(turnover) < -1e-4).all()
    assert (np.diff([s.objective for s in solutions]) < 0).all()
    free = replace(base, vol_target=np.inf, lambda1=np.full(60, 10.0), upper=np.ones(60))
    assert solve(free).turnover == 0.0


def short_fixture(**changes):
    """Long and short around net 0, held at a gross of 1, far from its optimum."""
    base = twisted("gross and net", 7, (60,))
    return replace(base, tau=np.inf, vol_target=np.inf, **changes)


def test_lowering_gross_strictly_decreases_it_and_the_objective_where_it_binds():
    solutions = [solve(short_fixture(gross=gross)) for gross in (1.0, 0.8, 0.6, 0.4, 0.2)]
    assert all(s.gross_binds and s.duals.gross > 0 for s in solutions)
    sizes = [np.abs(s.weights).sum() for s in solutions]
    assert sizes == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2], abs=1e-6)
    assert (np.diff([s.objective for s in solutions]) < 0).all()
    assert all((s.weights < -1e-3).any() and (s.weights > 1e-3).any() for s in solutions)


@pytest.mark.parametrize("net", [-0.2, 0.0, 0.3])
def test_net_stays_in_its_interval(net):
    solution = solve(short_fixture(cash_low=1.0 - net, cash_high=1.0 - net))
    assert solution.weights.sum() == pytest.approx(net, abs=1e-6)
    assert np.abs(solution.weights).sum() <= 0.9 + 1e-6


def test_lowering_the_tracking_error_strictly_brings_the_book_to_the_benchmark():
    base = replace(twisted("relative", 7, (60,)), tau=np.inf, upper=np.ones(60))
    solutions = [solve(replace(base, vol_target=te)) for te in (0.05, 0.04, 0.03, 0.02, 0.01)]
    assert all(s.vol_binds for s in solutions)
    assert [s.vol for s in solutions] == pytest.approx([0.05, 0.04, 0.03, 0.02, 0.01], rel=1e-6)
    assert (np.diff([s.objective for s in solutions]) < 0).all()
    away = [float(np.square(base.active(s.weights)).sum()) for s in solutions]
    assert (np.diff(away) < 0).all()


def test_industry_caps_are_respected_within_1e_6():
    free = fixture()
    wide = exposures(free, solve(free).weights)
    for cap in (0.9 * wide.max(), 0.7 * wide.max(), 0.5 * wide.max()):
        capped = replace(free, group_high=np.full(7, cap))
        solution = solve(capped)
        assert (exposures(capped, solution.weights) <= cap + 1e-6).all()
        assert solution.group_binds.any()


@pytest.mark.parametrize("kind", TWISTS)
def test_no_limit_is_violated_by_more_than_1e_6(kind):
    for number in range(4):
        problem = twisted(kind, number)
        s = solve(problem)
        assert np.abs(s.weights).sum() <= s.limits.gross + 1e-6
        assert (exposures(problem, s.weights) >= s.limits.group_low - 1e-6).all()
        w, d, limits = s.weights, s.trades, s.limits
        assert w.sum() <= max(1.0 - problem.cash_low, limits.total_high) + 1e-6
        assert (d <= problem.buy_cap + 1e-6).all() and (d >= -problem.sell_cap - 1e-6).all()
        assert (exposures(problem, w) <= limits.group_high + 1e-6).all()
        assert np.abs(d).sum() <= s.tau_eff + 1e-6
        assert np.sqrt(variance(problem, w)) <= np.sqrt(limits.variance) * (1 + 1e-6)
        if s.status == "optimal":
            assert s.tau_eff == problem.tau
            assert (w <= problem.upper + 1e-6).all() and (w >= problem.lower - 1e-6).all()
            assert s.vol <= problem.vol_target * (1 + 1e-6)
            assert np.abs(w).sum() <= problem.gross + 1e-6
            assert problem.cash_low - 1e-6 <= s.cash <= problem.cash_high + 1e-6


def test_consecutive_days_of_a_market_are_certified_warm():
    rules = Rules(names=120, window=120, bound=0.05, nav=1e7)
    warm, seen = None, []
    market = simulated_market(generator(10, "market"), 190, n=160)
    for day in days(market, 150, 30, rules):
        solution = solve(day.problem, warm=warm)
        warm, day.target = solution.warm, solution.weights
        seen.append(solution)
    assert all(s.solver == "sifting" for s in seen)
    assert max(s.violation for s in seen) <= 1e-6
    assert max(abs(s.gap) for s in seen) <= 1e-8
    assert np.mean([s.turnover for s in seen[5:]]) < 0.2
    assert np.mean([s.vol_binds or s.turnover_binds for s in seen]) > 0.3


def test_nan_and_misaligned_input_is_refused_before_solving():
    base = fixture()
    with pytest.raises(ProblemError, match="mu is nan at 7"):
        replace(base, mu=np.where(np.arange(60) == 7, np.nan, base.mu))
    with pytest.raises(ProblemError, match="align both|align and clean"):
        replace(base, held=base.held[:-1])

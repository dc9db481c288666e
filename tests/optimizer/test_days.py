"""Day after day: the same bytes twice, and an answer that does not depend on where it started."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quant.optimizer.point import Warm
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution, solve
from quant.optimizer.terms import Duals, magnitude, objective
from tests.optimizer.twists import twisted
from tests.optimizer.year import year

ROOT = Path(__file__).resolve().parents[2]


def digest_of_a_fresh_process(count: int, seed: str) -> str:
    own = {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.optimizer.year", str(count)],
        cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=True, timeout=540,
    )  # fmt: skip
    return done.stdout


@pytest.mark.slow
def test_a_year_of_daily_solves_twice_gives_identical_bytes():
    first, second = (digest_of_a_fresh_process(250, seed) for seed in ("1", "2"))
    assert len(first) == 64 and first == second


@pytest.mark.slow
def test_a_year_is_certified_every_day_and_its_limits_bind():
    seen = [solution for _, solution in year(250)]
    assert {s.solver for s in seen} == {"sifting"}
    assert max(s.violation for s in seen) <= 1e-6
    assert max(abs(s.gap) for s in seen) <= 1e-8
    assert np.mean([s.vol_binds for s in seen]) > 0.2
    assert np.mean([s.turnover_binds for s in seen]) > 0.02


def agree(problem: Problem, one: Solution, other: Solution) -> None:
    """Certified both, the same limits, as good as each other, and within 0.2 bp of NAV."""
    for solution in (one, other):
        assert solution.violation <= 1e-6 and abs(solution.gap) <= 1e-8
    assert one.tau_eff == other.tau_eff and one.limits.variance == other.limits.variance
    allowed = 2e-8 * magnitude(problem, one.weights)
    assert abs(one.objective - other.objective) <= allowed
    np.testing.assert_allclose(one.weights, other.weights, atol=2e-5)


def test_warm_days_are_cold_days_though_names_enter_leave_and_are_suspended():
    """63 days: members change each month, names are suspended for weeks."""
    before, changes, locked = None, 0, 0
    for problem, solution in year(63):
        agree(problem, solution, solve(problem))
        if before is not None:
            changes += not np.array_equal(problem.symbols, before.symbols)
            tied = problem.buy_cap == 0.0
            locked += bool((tied[np.isin(problem.symbols, before.symbols)]).any())
        before = problem
    assert changes >= 2 and locked > 30


def test_a_chain_of_warm_days_and_one_of_cold_days_end_alike():
    """Small differences inside the certificate do not pile up over the days."""
    for (problem, warm), (_, cold) in zip(year(21), year(21, warmly=False), strict=True):
        assert abs(warm.vol - cold.vol) <= 1e-5
        assert np.abs(warm.weights - cold.weights).sum() <= 1e-4
        assert abs(objective(problem, warm.weights) - warm.objective) <= 1e-15


GARBAGE: dict[str, Callable[[Solution, np.random.Generator], Warm]] = {
    "nothing binds": lambda s, rng: Warm(Duals.none(s.duals.group.size), 0),
    "no mover": lambda s, rng: Warm(s.duals, 0),
    "all movers": lambda s, rng: Warm(s.duals, 10**9),
    "fewer than none": lambda s, rng: Warm(s.duals, -(10**9)),
    "huge prices": lambda s, rng: Warm(
        Duals(1e9, np.full(s.duals.group.size, 1e9), 1e9, 1e9, 1e9), 5
    ),
    "negative prices": lambda s, rng: Warm(
        Duals(-1e3, np.full(s.duals.group.size, -1e3), -1e3, -1e3, -1e3), 5
    ),
    "prices with the wrong sign": lambda s, rng: Warm(
        Duals(-s.duals.budget, -s.duals.group, -s.duals.turnover, -s.duals.variance), 50
    ),
    "random prices": lambda s, rng: Warm(
        Duals(rng.normal(), rng.normal(size=s.duals.group.size), *rng.normal(size=3) * 10), 20
    ),
    "prices of nothing": lambda s, rng: Warm(
        Duals(1e-300, np.full(s.duals.group.size, 1e-300), 1e-300, 1e-300, 1e-300), 1
    ),
}


@pytest.mark.parametrize("method", ["sifting", "osqp"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_the_answer_is_certified_whatever_it_starts_from(method, garbage):
    rng = np.random.default_rng(list(GARBAGE).index(garbage))
    for kind in ("plain", "gross and net", "relative", "suspensions", "leavers"):
        for number in range(3 if method == "sifting" else 1):
            problem = twisted(kind, number, (30, 80))
            cold = solve(problem, method)
            warm = solve(problem, method, GARBAGE[garbage](cold, rng))
            assert warm.solver == method or method == "osqp"  # its search may not arrive
            agree(problem, cold, warm)


def test_yesterdays_groups_do_not_count_where_there_are_more_today():
    problem = twisted("plain", 5, (80,))
    n_groups = problem.group_low.size
    more = replace(
        problem,
        groups=np.where(np.arange(80) % 5 == 0, n_groups, problem.groups),
        group_low=np.append(problem.group_low, 0.0),
        group_high=np.append(problem.group_high, 0.1),
    )
    few, many = solve(problem), solve(more)
    agree(more, many, solve(more, warm=few.warm))
    agree(problem, few, solve(problem, warm=many.warm))

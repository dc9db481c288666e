from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import ProblemError
from quant.core.seeds import generator
from quant.optimizer.premium import expected_return
from quant.optimizer.solve import solve
from quant.risk.covariance import FactorCovariance
from tests.optimizer.problems import random_problem

N = 30
EQUAL = np.full(N, 1 / N)


def free_problem(**changes):
    """No alpha, no costs, nothing binding but what a test adds."""
    base = random_problem(generator(9, "premium"), n=N)
    covariance = FactorCovariance(base.factor, base.ridge)
    changes = {
        "mu": expected_return(covariance, EQUAL, base.gamma, np.zeros(N)),
        "lambda1": np.zeros(N),
        "lambda2": np.zeros(N),
        "tau": np.inf,
        "vol_target": np.inf,
        "upper": np.ones(N),
        "buy_cap": np.ones(N),
        "group_high": np.ones(base.group_high.size),
    } | changes
    return replace(base, **changes), covariance


def test_no_alpha_and_no_costs_give_the_benchmark():
    problem, _ = free_problem()
    np.testing.assert_allclose(solve(problem).weights, EQUAL, atol=1e-8)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_the_volatility_target_scales_the_benchmark_down(share):
    problem, covariance = free_problem()
    level = problem.volatility(covariance.quad(EQUAL))
    solution = solve(replace(problem, vol_target=share * level))
    np.testing.assert_allclose(solution.weights, share * EQUAL, atol=1e-7)
    assert solution.cash == pytest.approx(1 - share, abs=1e-6)
    assert solution.vol_binds


def test_the_parts_add_up():
    problem, covariance = free_problem()
    alpha = generator(9, "alpha").normal(size=N) * 0.01
    mu = expected_return(covariance, EQUAL, 4.0, alpha, np.full(N, 0.002))
    np.testing.assert_allclose(mu, 4.0 * covariance.dense() @ EQUAL + alpha + 0.002, rtol=1e-10)
    assert solve(replace(problem, mu=mu)).weights @ alpha > EQUAL @ alpha


def test_bad_alphas_are_refused():
    _, covariance = free_problem()
    with pytest.raises(ProblemError, match=rf"alpha has shape \(3,\) and must be {N}"):
        expected_return(covariance, EQUAL, 8.0, np.zeros(3))
    with pytest.raises(ProblemError, match="finite numbers"):
        expected_return(covariance, EQUAL, 8.0, np.full(N, np.nan))

"""Cost knobs, specification section 3.4, as readings 18 and 19 settle it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quant.core.seeds import generator
from quant.optimizer.problem import Problem
from quant.optimizer.solve import solve
from quant.optimizer.terms import variance
from tests.optimizer.problems import random_problem

ANSWER = json.loads((Path(__file__).parent / "answers/mean_variance_costs.json").read_text())
N = 600
SCALE = 0.01  # of the gradients
RISK = 0.4  # gamma sigma^2, the same for every name


def separable(lambda1: float, lambda2: float, gradient: np.ndarray) -> Problem:
    """Independent names of equal curvature, nothing held, no limit near."""
    n = gradient.size
    return Problem(
        date=np.datetime64("2019-01-02"),
        mu=gradient,
        factor=np.zeros((1, n)),
        ridge=RISK / 8.0,
        held=np.zeros(n),
        gamma=8.0,
        lambda1=np.full(n, lambda1),
        lambda2=np.full(n, lambda2),
        lower=np.full(n, -1.0),
        upper=np.full(n, 1.0),
        buy_cap=np.full(n, 1.0),
        sell_cap=np.full(n, 1.0),
        groups=np.zeros(n, int),
        group_low=np.array([-np.inf]),
        group_high=np.array([np.inf]),
        tau=np.inf,
        vol_target=np.inf,
        horizons_per_year=12.0,
        cash_low=-np.inf,
    )


def exponential() -> np.ndarray:
    """Gradients whose size is exponential with scale SCALE, by quantiles, of random sign."""
    size = -SCALE * np.log1p(-(np.arange(N) + 0.5) / N)
    return size * generator(11, "sign").choice([-1.0, 1.0], N)


def test_doubling_lambda1_halves_turnover_on_the_exponential_fixture():
    lambda1 = SCALE * np.log(2)
    once = solve(separable(lambda1, 0.0, exponential())).turnover
    twice = solve(separable(2 * lambda1, 0.0, exponential())).turnover
    assert once > 0
    assert twice / once == pytest.approx(0.5, rel=0.10)
    assert twice / once == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("row", ANSWER["double_lambda1"]["ratios"])
def test_one_asset_ratios_of_the_reference(row):
    lambda1 = 0.002
    gradient = np.array([row["G_over_l1"] * lambda1])
    once = solve(separable(lambda1, 0.01, gradient)).turnover
    twice = solve(separable(2 * lambda1, 0.01, gradient)).turnover
    assert twice / once == pytest.approx(row["ratio"], abs=1e-9)


@pytest.mark.parametrize("number", range(6))
def test_turnover_never_increases_with_lambda1(number):
    base = random_problem(generator(11, "monotone", str(number)), n=40)
    spent = [solve(replace(base, lambda1=k * base.lambda1)).turnover for k in (0.5, 1, 2, 4, 16)]
    assert (np.diff(spent) <= 1e-8).all()


@pytest.mark.parametrize("eps", [0.1, 0.05, 0.01])
def test_doubling_lambda2_halves_the_impact_cost_where_it_dominates(eps):
    lambda2 = RISK / (2 * eps)
    gradient = exponential()
    first, second = (solve(separable(0.0, k * lambda2, gradient)) for k in (1, 2))
    cost = [k * lambda2 * np.square(s.trades).sum() for k, s in ((1, first), (2, second))]
    law = 0.5 * ((1 + eps) / (1 + eps / 2)) ** 2
    assert cost[1] / cost[0] == pytest.approx(law, rel=1e-6)
    assert cost[1] / cost[0] == pytest.approx(0.5, rel=0.10)


def test_doubling_lambda2_lowers_the_risk_taken():
    lambda2 = RISK / 0.2
    problems = [separable(0.0, k * lambda2, exponential()) for k in (1, 2)]
    risk = [variance(p, solve(p).weights) for p in problems]
    # from cash the dominant quadratic cost quarters the variance; reported, not a law
    assert risk[1] < risk[0]
    assert risk[1] / risk[0] == pytest.approx((1.1 / 2.1) ** 2 * 1.0, rel=0.35)


@pytest.mark.parametrize("number", range(4))
def test_turnover_never_increases_with_lambda2(number):
    base = random_problem(
        generator(11, "impact", str(number)), n=40, lambda2=np.full(40, 1e-3), tau=np.inf
    )
    spent = [solve(replace(base, lambda2=k * base.lambda2)).turnover for k in (1, 4, 16, 64)]
    assert spent[-1] < spent[0]

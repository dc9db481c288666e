"""Published answers: no-trade zones of one and two assets, and random problems."""

import json
from pathlib import Path

import numpy as np
import pytest

from quant.optimizer.problem import Problem
from quant.optimizer.solve import solve
from tests.shared import need

ANSWER = json.loads((Path(__file__).parents[1] / "answers/mean_variance_costs.json").read_text())
METHODS = ["sifting", "clarabel", "osqp"]
WIDE = 10.0


def unconstrained(mu, covariance, held, lambda1, lambda2, gamma) -> Problem:
    mu, held = np.atleast_1d(np.asarray(mu, float)), np.atleast_1d(np.asarray(held, float))
    n = mu.size
    return Problem(
        date=np.datetime64("2019-01-02"),
        mu=mu,
        factor=np.linalg.cholesky(np.atleast_2d(covariance)).T,
        ridge=0.0,
        held=held,
        gamma=gamma,
        lambda1=np.broadcast_to(np.asarray(lambda1, float), (n,)).copy(),
        lambda2=np.broadcast_to(np.asarray(lambda2, float), (n,)).copy(),
        lower=np.full(n, -WIDE),
        upper=np.full(n, WIDE),
        buy_cap=np.full(n, WIDE),
        sell_cap=np.full(n, WIDE),
        groups=np.zeros(n, int),
        group_low=np.array([-np.inf]),
        group_high=np.array([np.inf]),
        tau=np.inf,
        vol_target=np.inf,
        horizons_per_year=1.0,
        cash_low=-np.inf,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("row", range(len(ANSWER["one_asset"]["w"])))
def test_one_asset(method, row):
    c, w = ANSWER["one_asset"]["cases"][row], ANSWER["one_asset"]["w"][row]
    problem = unconstrained(c["mu"], c["var"], c["w0"], c["l1"], c["l2"], c["gamma"])
    solution = solve(problem, method)
    assert solution.weights[0] == pytest.approx(w, abs=1e-9)
    low, high = ANSWER["one_asset"]["zone"][row]
    if low <= c["w0"] <= high:
        assert solution.trades[0] == 0.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("row", range(len(ANSWER["two_asset"]["w"])))
def test_two_correlated_assets(method, row):
    c = ANSWER["two_asset"]
    problem = unconstrained(c["mu"], c["Sigma"], c["w0"][row], c["l1"], c["l2"], c["gamma"])
    solution = solve(problem, method)
    np.testing.assert_allclose(solution.weights, c["w"][row], atol=1e-8)
    # starts on the boundary of the zone are given to 16 digits: either side is right
    rounded = np.where(np.abs(solution.trades) < 1e-12, 0.0, solution.trades)
    np.testing.assert_array_equal(np.sign(rounded), c["signs"][row])


def constrained(p: dict) -> Problem:
    n, covariance = p["n"], np.array(p["S"])
    values, vectors = np.linalg.eigh(covariance)
    caps = p["ncap"]
    return Problem(
        date=np.datetime64("2019-01-02"),
        mu=np.array(p["mu"]),
        factor=(vectors * np.sqrt(np.maximum(values, 0.0))).T,
        ridge=0.0,
        held=np.array(p["w0"]),
        gamma=p["gamma"],
        lambda1=np.array(p["l1"]),
        lambda2=np.array(p["l2"]),
        lower=np.zeros(n),
        upper=np.full(n, p["box"]),
        buy_cap=np.full(n, WIDE),
        sell_cap=np.full(n, WIDE),
        groups=np.array(p["ind"]),
        group_low=np.zeros(caps),
        group_high=np.full(caps, p["cap"]),
        tau=np.inf if p["tau"] is None else p["tau"],
        vol_target=np.inf if p["vol"] is None else p["vol"],
        horizons_per_year=1.0,
        cash_high=0.0,
    )


def check(p: dict, expected: dict, method: str) -> None:
    problem = constrained(p)
    solution = solve(problem, method)
    assert solution.solver == method
    assert -solution.objective == pytest.approx(expected["objective"], abs=1e-8)
    np.testing.assert_allclose(solution.weights, expected["w"], atol=1e-5)
    assert solution.violation <= 1e-7


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("row", range(len(ANSWER["random"]["problems"])))
def test_small_random_problems(method, row):
    check(ANSWER["random"]["problems"][row], ANSWER["random"]["solutions"][row], method)


@pytest.mark.parametrize("method", METHODS)
def test_all_random_problems_of_the_reference(method):
    case = json.loads(need("cases/08_qp_random_dev.json").read_text())
    solutions = case["expected"]["solutions"]
    for p, expected in zip(case["inputs"]["problems"], solutions, strict=True):
        check(p, expected, method)

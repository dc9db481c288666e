"""Published answers: no-trade zones of one and two assets, and random problems.

The answers are kept beside the tests; where the shared folder is there, its own files are read too.
"""

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
    told = case("08_qp_random_dev")
    solutions = told["expected"]["solutions"]
    for p, expected in zip(told["inputs"]["problems"], solutions, strict=True):
        check(p, expected, method)


def case(name: str) -> dict:
    return json.loads(need(f"cases/{name}.json").read_text())


def test_every_case_of_this_topic_is_read_here():
    source = Path(__file__).read_text()
    names = sorted(path.stem for path in need("cases").glob("08_*.json"))
    assert len(names) >= 4
    assert [name for name in names if f'case("{name}")' not in source] == []


@pytest.mark.parametrize("method", METHODS)
def test_the_case_of_one_asset(method):
    told = case("08_qp_one_asset")
    expected = told["expected"]
    for c, w, zone in zip(
        told["inputs"]["cases"], expected["w"], expected["no_trade_interval"], strict=True
    ):
        rest = (c["mu"], c["var"], c["l1"], c["l2"], c["gamma"])

        def trade(held, rest=rest):
            mu, variance, l1, l2, gamma = rest
            return solve(unconstrained(mu, variance, held, l1, l2, gamma), method).trades[0]

        assert c["w0"] + trade(c["w0"]) == pytest.approx(w, abs=told["tolerance"]["abs"])
        # inside the zone nothing trades, exactly; outside the trade goes towards it
        width = zone[1] - zone[0]
        assert trade(zone[0] + 0.05 * width) == trade(zone[1] - 0.05 * width) == 0.0
        assert trade(zone[0] - 0.1 * width) > 0.0 > trade(zone[1] + 0.1 * width)


@pytest.mark.parametrize("method", METHODS)
def test_the_case_of_two_assets(method):
    told = case("08_qp_two_asset")
    c, expected = told["inputs"], told["expected"]

    def at(held, l1):
        return solve(unconstrained(c["mu"], c["Sigma"], held, l1, c["l2"], c["gamma"]), method)

    for held, w in zip(c["w0"], expected["w"], strict=True):
        np.testing.assert_allclose(at(held, c["l1"]).weights, w, atol=told["tolerance"]["abs"])
    free = at([0.0, 0.0], [0.0, 0.0]).weights
    np.testing.assert_allclose(free, expected["frictionless"], atol=1e-8)
    # far out along each diagonal, the answer is a corner of the parallelogram
    corners = expected["no_trade_corners_signs_pp_pm_mm_mp"]
    for (up, right), corner in zip([(1, 1), (1, -1), (-1, -1), (-1, 1)], corners, strict=True):
        far = [corner[0] - 0.2 * up, corner[1] - 0.2 * right]
        np.testing.assert_allclose(at(far, c["l1"]).weights, corner, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_the_case_of_doubled_costs(method):
    """Doubling lambda1 halves the trade of one asset only where |gradient| = 3 lambda1."""
    told = case("08_spec_double_lambda_claims")["expected"]
    variance, gamma, l1 = 0.04, 5.0, 1e-3

    def trade(mu, l1, l2=0.0):
        return solve(unconstrained(mu, variance, 0.0, l1, l2, gamma), method).trades[0]

    for row in told["l1_ratio_examples"]:
        slope = row["G_over_l1"] * l1
        ratio = trade(slope, 2 * l1) / trade(slope, l1)
        assert ratio == pytest.approx(row["ratio"], abs=1e-8)
    # from cash the risk taken is (dw)^2 var: halved at one lambda2, quartered where it dominates
    half = gamma * variance * 0.3535533906
    assert (trade(0.05, 0.0, 2 * half) / trade(0.05, 0.0, half)) ** 2 == pytest.approx(
        0.5, rel=1e-8
    )
    large = 1e4 * gamma * variance
    ratio = (trade(50.0, 0.0, 2 * large) / trade(50.0, 0.0, large)) ** 2
    assert ratio == pytest.approx(0.25, rel=1e-3)
    # never more with either cost, and less outside the zone
    for changes in (
        [(cost, 0.0) for cost in (0, 1e-3, 1e-2, 1)],
        [(l1, cost) for cost in (0, 1e-2, 1)],
    ):
        trades = [trade(0.05, *costs) for costs in changes]
        assert (np.diff(trades) <= 0.0).all() and trades[0] > trades[-1]

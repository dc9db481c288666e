import cvxpy
import numpy as np
import pytest

from quant.core.seeds import generator
from quant.costs.model import trade_cost, trade_costs

TRADE = np.array([0.01, -0.02, 0.0])
LAMBDA1, LAMBDA2 = np.array([5e-4, 1e-3, 1.0]), np.array([1e-2, 2e-2, 1.0])


def test_worked_example():
    # 0.01 x 5 bp + 0.02 x 10 bp + 0.01 x 0.01^2 + 0.02 x 0.02^2
    assert trade_cost(TRADE, LAMBDA1, LAMBDA2) == pytest.approx(5e-6 + 2e-5 + 1e-6 + 8e-6)


def test_names_sum_to_the_whole():
    assert trade_costs(TRADE, LAMBDA1, LAMBDA2).sum() == pytest.approx(
        trade_cost(TRADE, LAMBDA1, LAMBDA2), rel=1e-14
    )


def test_buying_costs_what_selling_costs_and_nothing_costs_nothing():
    assert trade_cost(-TRADE, LAMBDA1, LAMBDA2) == trade_cost(TRADE, LAMBDA1, LAMBDA2)
    assert trade_cost(0 * TRADE, LAMBDA1, LAMBDA2) == 0.0


def test_the_same_expression_in_cvxpy():
    rng = generator(3, "cvxpy cost")
    trade = cvxpy.Variable(3)
    trade.value = rng.normal(size=3)
    expression = trade_cost(trade, LAMBDA1, LAMBDA2, xp=cvxpy)
    assert expression.is_convex()
    assert expression.value == pytest.approx(trade_cost(trade.value, LAMBDA1, LAMBDA2), rel=1e-12)

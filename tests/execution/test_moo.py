import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.core.seeds import generator
from quant.costs.model import trade_cost
from quant.execution.limits import REASONS
from quant.execution.moo import affordable, at_target, market_on_open
from quant.execution.orders import Lots, Orders, Session


def session(n: int = 4, **changes) -> Session:
    base = Session(
        t=1,
        open=np.full(n, 10.0),
        limit_up=np.full(n, np.nan),
        limit_down=np.full(n, np.nan),
        before=np.full(n, 9.5),
        held=np.full(n, 1000.0),
        cash=20_000.0,
        nav=60_000.0,
        lambda1=np.full(n, 5e-4),
        lambda2=np.full(n, 1e-2),
        buy_fee=1e-4,
        sell_fee=1e-3,
        lots=Lots(np.full(n, 100.0), np.full(n, 100.0)),
    )
    return dataclasses.replace(base, **changes)


def orders(*shares: float) -> Orders:
    wanted = np.array(shares)
    return Orders(np.arange(wanted.size), wanted, np.zeros(wanted.size, bool))


def spent(fills) -> float:
    return float((np.nan_to_num(fills.shares * fills.price) + fills.cost + fills.fee).sum())


def test_fills_are_at_the_open_in_lots_with_costs_and_fees_by_side():
    s = session()
    fills = market_on_open(orders(550.0, -320.0, 30.0, 0.0), s)
    np.testing.assert_array_equal(fills.asset, [0, 1])
    np.testing.assert_array_equal(fills.shares, [500.0, -300.0])
    np.testing.assert_array_equal(fills.price, [10.0, 10.0])
    trade = fills.shares * fills.price / s.nav
    assert fills.cost.sum() == pytest.approx(
        s.nav * trade_cost(trade, s.lambda1[:2], s.lambda2[:2])
    )
    np.testing.assert_allclose(fills.fee, [5000 * 1e-4, 3000 * 1e-3])
    np.testing.assert_array_equal(fills.reason, [0, 0])


def test_every_unfilled_order_has_its_reason():
    s = session(
        open=np.array([np.nan, 11.0, 9.0, 11.0]),
        limit_up=np.full(4, 11.0),
        limit_down=np.full(4, 9.0),
    )
    fills = market_on_open(orders(100.0, 100.0, -100.0, -100.0), s)
    assert [REASONS[k] for k in fills.reason] == ["suspended", "limit up", "limit down", ""]
    np.testing.assert_array_equal(fills.ordered, [100, 100, -100, -100])
    np.testing.assert_array_equal(fills.shares, [0, 0, 0, -100])
    assert fills.cost[:3].sum() == fills.fee[:3].sum() == 0


def test_sells_pay_for_buys_of_the_same_session():
    fills = market_on_open(orders(2500.0, -1000.0, 0.0, 0.0), session())
    np.testing.assert_array_equal(fills.shares, [2500.0, -1000.0])


def test_short_of_cash_all_buys_shrink_together_and_say_so():
    fills = market_on_open(orders(2000.0, 1000.0, -500.0, 100.0), session())
    assert [REASONS[k] for k in fills.reason] == ["cash", "cash", "", "cash"]
    assert fills.shares[0] == pytest.approx(2 * fills.shares[1], abs=100)
    assert 0 <= session().cash - spent(fills) < 3 * 100 * 10.0 * 1.01
    assert fills.shares[3] == 0  # less than a lot is left of it


def test_the_ideal_fill_ignores_market_and_lots_but_not_costs():
    s = session(open=np.full(4, np.nan))
    fills = at_target(orders(12.5, -3.25, 0.1, 7.0), s)
    np.testing.assert_array_equal(fills.shares, [12.5, -3.25, 0.1, 7.0])
    np.testing.assert_array_equal(fills.price, s.before)
    assert (fills.cost > 0).all()


def test_affordable_solves_its_equation():
    value, rate, quadratic = np.array([60.0, 50.0]), np.array([0.3, 0.2]), np.array([2.0, 1.0])
    s = affordable(value, rate, quadratic, 80.0)
    assert s * (value + rate).sum() + s * s * quadratic.sum() == pytest.approx(80.0)
    assert affordable(value, rate, quadratic, 113.6) == 1.0
    assert affordable(value, rate, quadratic, 0.0) == 0.0


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 100.0]), st.floats(0, 1e5))
def test_cash_never_turns_negative_and_no_sell_exceeds_the_holding(seed, lot, cash):
    rng = generator(seed, "test", "moo")
    n = 8
    price = rng.uniform(1, 300, n) * np.where(rng.random(n) < 0.1, np.nan, 1)
    held = np.floor(rng.exponential(400, n)) * (rng.random(n) > 0.3)
    s = session(
        n,
        open=price,
        held=held,
        cash=cash,
        nav=cash + float(np.nansum(held * price)) + 1.0,
        limit_up=price * np.where(rng.random(n) < 0.2, 1.0, 1.1),
        limit_down=price * np.where(rng.random(n) < 0.2, 1.0, 0.9),
        lambda2=rng.uniform(0, 0.5, n),
        lots=Lots(np.full(n, lot), np.full(n, lot)),
    )
    wanted = np.maximum(rng.normal(0, 800, n), -held)
    for execute in (market_on_open, at_target):
        fills = execute(Orders(np.arange(n), wanted, wanted == -held), s)
        assert cash - spent(fills) >= -1e-9 * s.nav
        assert (held[fills.asset] + fills.shares >= 0).all()
        assert (np.abs(fills.shares) <= np.abs(fills.ordered)).all()
        assert (fills.shares * fills.ordered >= 0).all()
        whole = np.abs(fills.shares) == np.abs(fills.ordered)
        assert (whole == (fills.reason == 0)).all()

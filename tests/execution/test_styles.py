"""The same orders by several styles, and the verdict on them."""

import numpy as np
import pytest

from quant.execution.orders import Orders, Session
from quant.execution.styles import OneSession, desks, gate, worked
from tests.desks import N, desk, given


def session(market, t: int) -> Session:
    return Session(
        t=t, open=market.open[t], limit_up=market.limit_up[t], limit_down=market.limit_down[t],
        before=market.mark[t - 1] / market.ratio[t], held=np.zeros(N), cash=0.0, nav=1e7,
        lambda1=np.zeros(N), lambda2=np.zeros(N), buy_fee=0.0, sell_fee=0.0, lots=market.lots,
    )  # fmt: skip


def test_styles_get_the_same_parents_and_scenarios_touch_what_they_say():
    market, bars = given("us", 3)
    base = desk(market, bars, "POV", "us")
    base.tapes = OneSession(base.tapes)
    made = desks(base, OneSession(desk(market, bars, "POV", "us").tapes))
    t, asset = 20, np.arange(4, N)
    shares = np.where(np.arange(asset.size) % 2, 3000.0, -2000.0)
    orders = Orders(asset, shares, np.zeros(asset.size, bool))
    days = {key: worked(d, orders, session(market, t), market.mark[t]) for key, d in made.items()}
    cost = {key: day.shortfall_bp for key, day in days.items()}
    assert cost[("auction 2 %", "MOO")] > cost[("base", "MOO")] > cost[("auction 10 %", "MOO")]
    assert cost[("impact x 2", "POV")] > cost[("base", "POV")]
    assert cost[("spread x 2", "POV")] > cost[("base", "POV")]
    assert days[("base", "MOO")].filled == pytest.approx(1)
    # in an auction the shortfall against the open is the impact: never a gain
    assert cost[("base", "MOO")] > 0


def test_what_is_not_filled_is_valued_at_the_close():
    market, bars = given("us", 3)
    shut = desk(market, bars, "POV", "us", adv_cap=1e-9)
    t = 20
    i = int(np.flatnonzero(~np.isnan(market.open[t]))[-1])
    orders = Orders(np.array([i]), np.array([1000.0]), np.zeros(1, bool))
    day = worked(shut, orders, session(market, t), market.mark[t])
    assert day.filled == 0
    moved = market.mark[t, i] / market.open[t, i] - 1
    assert day.shortfall_bp == pytest.approx(moved * 1e4)


@pytest.mark.parametrize(
    ("gain", "spread", "verdict"),
    [(-10.0, 0.5, "PASS"), (-10.0, 1.2, "FAIL"), (2.0, 0.5, "FAIL"), (-5.0, 0.5, "INCONCLUSIVE")],
)
def test_the_verdict_follows_the_intervals(gain, spread, verdict):
    rng = np.random.default_rng(1)
    moo = rng.normal(5, 10, 750)
    pov = 5 + gain + spread * rng.normal(0, 10, 750)
    found = gate(pov, moo, 21, 500, np.random.default_rng(2))
    assert found.verdict == verdict and found.days == 750
    assert found.low <= found.difference <= found.high
    assert found.ratio_low <= found.iqr_ratio <= found.ratio_high
    assert found.difference == pytest.approx(np.median(pov) - np.median(moo))
    quarter = np.quantile(pov, (0.25, 0.75)), np.quantile(moo, (0.25, 0.75))
    assert found.iqr_ratio == pytest.approx(np.diff(quarter[0])[0] / np.diff(quarter[1])[0])


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng, hit = np.random.default_rng(5), 0
    for _ in range(100):
        pair = rng.normal(0, 10, (400, 2)) + rng.normal(0, 5, (400, 1))
        found = gate(pair[:, 0] - 3, pair[:, 1], 5, 200, rng)
        hit += found.low <= -3 <= found.high
    assert 85 <= hit <= 100


def test_without_orders_that_can_trade_there_is_no_day():
    market, bars = given("us", 3)
    none = Orders(np.empty(0, np.int64), np.empty(0), np.empty(0, bool))
    assert worked(desk(market, bars), none, session(market, 20), market.mark[20]) is None

"""Acceptance: child orders by percentage of volume and by volume-weighted slices (section 3.4)."""

import numpy as np
import pytest

from quant.execution.impact import Impact
from quant.execution.limits import REASONS, SUSPENDED
from quant.execution.orders import Lots, Orders, Session
from quant.execution.schedule import apportioned, slices
from quant.execution.scheduled import Liquidity, Rules, Scheduled
from quant.execution.tape import profile
from tests.desks import GivenTape

# Source: percentage of volume by definition; ../shared/cases/07_pov_schedule.json
VOLUME = np.array([[12000, 8000, 5000, 4000, 6000, 15000.0]])
PRICE = np.array([[20.0, 20.1, 20.05, 19.95, 20.2, 20.15]])


def work(shares, price, volume, style, lot=1.0, minimum=1000.0, exits=False, cash=1e12, **rules):
    """Children (n, n_intervals) and fills of one order a name; before = first price."""
    price, volume = np.atleast_2d(price), np.atleast_2d(volume)
    shares, n = np.atleast_1d(np.asarray(shares, float)), price.shape[0]
    nan, flat = np.full(n, np.nan), np.zeros((2, n))
    liquidity = Liquidity(flat + 0.02, flat + 1e9, flat + np.nan, flat + 1e6)
    desk = Scheduled(
        Rules(style, np.full(2, minimum), **rules), GivenTape(price, volume), liquidity, Impact()
    )
    session = Session(
        t=1, open=price[:, 0], limit_up=nan, limit_down=nan, before=price[:, 0],
        held=np.maximum(-shares, 0.0), cash=cash, nav=1e9, lambda1=nan, lambda2=nan,
        buy_fee=0.0, sell_fee=0.0, lots=Lots(np.full(n, lot), np.full(n, lot)),
    )  # fmt: skip
    fills = desk(Orders(np.arange(n), shares, np.full(n, exits)), session)
    sent = np.zeros(price.shape)
    if desk.log:
        made = desk.log[0][2]
        sent[made.order, made.slot] = made.shares
    return sent, fills


@pytest.mark.parametrize(
    ("order", "lot", "thinner", "children", "unfilled"),
    [
        (3500, 1, 1, [1200, 800, 500, 400, 600, 0], 0),
        (6000, 100, 1, [1200, 800, 500, 400, 600, 1500], 1000),
        (6000, 1, 100, [0] * 6, 6000),
    ],
)
def test_the_published_schedule_by_percentage_of_volume(order, lot, thinner, children, unfilled):
    sent, fills = work(order, PRICE, VOLUME / thinner, "POV", lot)
    assert sent[0].tolist() == children
    assert fills.ordered[0] - fills.shares[0] == unfilled


@pytest.mark.parametrize("target", [0.05, 0.1, 0.2])
def test_participation_while_live_is_the_target_within_two_points(target):
    rng = np.random.default_rng(int(100 * target))
    n = 200
    price = rng.uniform(5, 100, (n, 48))
    volume = rng.lognormal(11, 0.7, (n, 48))
    size = rng.uniform(0.01, 0.6, n) * target * volume.sum(axis=1)
    sent, fills = work(np.floor(size / 100) * 100, price, volume, "POV", 100.0, target_pov=target)
    assert (fills.reason == 0).mean() > 0.8
    done = np.cumsum(sent, axis=1)
    for i in np.flatnonzero(done[:, -1] > 0):
        last = np.flatnonzero(sent[i])[-1]
        # the last child may end within its interval: it is live for a part of it
        live = volume[i, :last].sum() + sent[i, last] / target
        assert done[i, -1] / live == pytest.approx(target, abs=0.02)
        assert (sent[i] <= target * volume[i] + 1e-6).all()


def test_children_know_nothing_of_later_volume():
    rng = np.random.default_rng(3)
    price, volume = rng.uniform(5, 100, (20, 24)), rng.lognormal(11, 0.7, (20, 24))
    size = np.floor(0.08 * volume.sum(axis=1))
    other = volume.copy()
    other[:, 12:] = rng.lognormal(12, 1, (20, 12))
    one, two = (work(size, price, v, "POV")[0] for v in (volume, other))
    assert (one[:, :12] == two[:, :12]).all() and (one != two).any()
    # a slice is sized by what is expected: volume that comes later does not move any of them
    one, two = (work(size, price, v, "VWAP", max_participation=1.0)[0] for v in (volume, other))
    assert (one[:, :12] == two[:, :12]).all()


@pytest.mark.parametrize(
    ("total", "expected"),
    [(1000, [250, 150, 100, 100, 150, 250]), (1001, [251, 150, 100, 100, 150, 250]),
     (1003, [251, 151, 100, 100, 150, 251]), (7, [2, 1, 1, 0, 1, 2]), (0, [0] * 6)],
)  # fmt: skip
def test_slices_are_apportioned_by_largest_remainder(total, expected):
    weights = np.array([[25, 15, 10, 10, 15, 25.0]])
    assert apportioned(np.array([total * 1.0]), weights, np.ones(1))[0].tolist() == expected


def test_odd_profiles_and_lots_add_up_exactly():
    odd = apportioned(np.array([1000.0]), np.array([[7, 5, 3, 3, 5, 9.0]]), np.ones(1))
    assert odd[0].tolist() == [219, 156, 94, 94, 156, 281]
    rng = np.random.default_rng(0)
    weights, size = rng.dirichlet(np.ones(6), 500), rng.choice([1.0, 100.0], 500)
    total = size * rng.integers(0, 10_000, 500)
    made = apportioned(total, weights, size)
    assert (made.sum(axis=1) == total).all() and (made % size[:, None] == 0).all()
    assert (np.abs(made - weights * total[:, None]) < size[:, None]).all()


def test_an_order_has_as_many_slices_as_reach_the_minimum():
    """The largest k up to six; every slice reaches the minimum, and k + 1 slices would not."""
    price, volume = np.full((60, 48), 10.0), np.full((60, 48), 1e6)
    value = np.linspace(500, 20_000, 60)
    sent, fills = work(np.floor(value / 10), price, volume, "VWAP")
    count = (sent > 0).sum(axis=1)
    assert set(count) == set(range(7))
    assert (sent[sent > 0] * 10.0 >= 1000.0).all()
    assert (fills.shares[count > 0] == fills.ordered[count > 0]).all()
    for i in np.flatnonzero((count > 0) & (count < 6)):
        ends = np.round(np.arange(1, count[i] + 2) * 48 / (count[i] + 1)).astype(int)
        parts = np.add.reduceat(profile(48), np.r_[0, ends[:-1]])
        assert value[i] * parts.min() < 1000.0 + 2 * 10.0  # one share may round away
    assert slices(np.array([1e9]), np.ones(1), np.full(1, 1e3), 6, 48)[0] == 6


def test_a_slice_deals_at_the_average_price_of_its_stretch():
    price = np.array([[10.0, 10.2, 10.1]])
    volume = np.array([[100.0, 300.0, 600.0]])
    _, fills = work(50, price, volume, "VWAP", minimum=0.0, buckets=1)
    assert fills.price[0] == pytest.approx(10.12, abs=1e-12)


def test_at_the_open_the_whole_order_trades_in_the_auction():
    sent, fills = work(5000, PRICE, VOLUME, "MOO")
    assert fills.shares[0] == 5000 and fills.price[0] == 20.0
    assert fills.cost[0] > 0  # impact, and no spread: an auction has one price


def test_the_sale_of_all_that_is_left_is_exempt_from_the_minimum():
    few = np.array([-30.0])
    for style in ("POV", "VWAP"):
        kept = work(few, PRICE, VOLUME, style)[1]
        sold = work(few, PRICE, VOLUME, style, exits=True)[1]
        assert kept.shares[0] == 0 and kept.reason[0] != 0
        assert sold.shares[0] == -30 and sold.reason[0] == 0


def test_an_odd_lot_goes_with_the_last_piece():
    for style in ("POV", "VWAP"):
        sent, fills = work([-3_550.0], PRICE, VOLUME, style, lot=100.0, exits=True)
        assert fills.shares[0] == -3_550 and abs(sent[0][sent[0] != 0][-1]) % 100 == 50


@pytest.mark.parametrize("style", ["MOO", "POV", "VWAP"])
def test_what_is_sold_pays_for_what_is_bought_in_the_same_interval(style):
    """A book without cash that goes from one name to another is filled from the first child on."""
    volume = np.full((2, 6), 1e7)
    sent, fills = work(
        [-1000.0, 990.0], np.full((2, 6), 20.0), volume, style, cash=0.0, max_participation=1.0
    )
    assert fills.shares[0] == -1000.0
    assert 900.0 < fills.shares[1] <= 990.0  # spread and impact are paid from it too
    first = np.flatnonzero(sent[0])[0]
    assert sent[1, first] > 0.0


@pytest.mark.parametrize("style", ["MOO", "POV", "VWAP"])
def test_a_name_without_an_open_is_not_traded_whatever_the_tape_says(style):
    """Bars of one's own may go on through a suspension of the daily ones."""
    price = np.full((2, 6), 20.0)
    n = 2
    liquidity = Liquidity(*(np.full((2, n), v) for v in (0.02, 1e9, np.nan, 1e6)))
    desk = Scheduled(
        Rules(style, np.full(2, 1.0)), GivenTape(price, np.full((n, 6), 1e7)), liquidity, Impact()
    )
    session = Session(
        t=1, open=np.array([np.nan, 20.0]), limit_up=np.full(n, np.nan),
        limit_down=np.full(n, np.nan), before=price[:, 0], held=np.zeros(n), cash=1e9, nav=1e9,
        lambda1=np.full(n, np.nan), lambda2=np.full(n, np.nan), buy_fee=0.0, sell_fee=0.0,
        lots=Lots(np.ones(n), np.ones(n)),
    )  # fmt: skip
    fills = desk(Orders(np.arange(n), np.full(n, 1000.0), np.zeros(n, bool)), session)
    assert fills.shares.tolist() == [0.0, 1000.0]
    assert REASONS[fills.reason[0]] == REASONS[SUSPENDED]


def session_of(price, shares, **fees):
    n = price.shape[0]
    nan = np.full(n, np.nan)
    return Session(
        t=1, open=price[:, 0], limit_up=nan, limit_down=nan, before=price[:, 0],
        held=np.maximum(-shares, 0.0), cash=1e12, nav=1e9, lambda1=nan, lambda2=nan,
        lots=Lots(np.ones(n), np.ones(n)), **({"buy_fee": 0.0, "sell_fee": 0.0} | fees),
    )  # fmt: skip


def worked(style, shares, sigma=(0.02, 0.02), times=1.0, **fees):
    """One order a name on the same flat tape, and its children."""
    shares = np.asarray(shares, float)
    n = shares.size
    price, volume = np.full((n, 6), 20.0), np.full((n, 6), 1e6)
    day = np.repeat(np.array(sigma)[:, None], n, axis=1)
    flat = np.ones((2, n))
    liquidity = Liquidity(day, 1e9 * flat, np.nan * flat, 1e6 * flat)
    rules = Rules(style, np.full(2, 1.0), times=times)
    desk = Scheduled(rules, GivenTape(price, volume), liquidity, Impact())
    fills = desk(Orders(np.arange(n), shares, shares < 0), session_of(price, shares, **fees))
    return fills, desk.log[0][2]


@pytest.mark.parametrize("style", ["MOO", "POV", "VWAP"])
def test_each_side_pays_its_own_statutory_fee(style):
    fills, children = worked(style, [5000.0, -5000.0], buy_fee=1e-5, sell_fee=1e-3)
    np.testing.assert_allclose(fills.fee, 1e5 * np.array([1e-5, 1e-3]), rtol=1e-9)
    assert children.fee.sum() == pytest.approx(fills.fee.sum())


@pytest.mark.parametrize("style", ["MOO", "POV", "VWAP"])
def test_impact_is_of_the_volatility_known_before_the_session(style):
    calm, later, before = (
        worked(style, [5e5], sigma)[0].cost[0]
        for sigma in ((0.02, 0.02), (0.02, 0.50), (0.50, 0.02))
    )
    assert calm == later < before


def test_an_order_that_ends_within_an_interval_pays_for_its_pace():
    """A tenth of the interval at 10 % of its volume is no participation of 1 %."""
    _, children = worked("POV", [1e4])
    assert children.rate.tolist() == [0.10]


@pytest.mark.parametrize("style", ["MOO", "POV", "VWAP"])
def test_twice_the_costs_are_twice_the_spread_and_twice_the_impact(style):
    (once, one), (twice, two) = (worked(style, [5e5], times=k) for k in (1.0, 2.0))
    assert twice.cost[0] == pytest.approx(2.0 * once.cost[0], rel=1e-12)
    np.testing.assert_allclose(two.impact, 2.0 * one.impact, rtol=1e-12)
    np.testing.assert_allclose(two.spread, 2.0 * one.spread, rtol=1e-12)
    assert one.impact.sum() > 0.0

"""Acceptance: caps, minimums, locks and conservation on random markets (section 3.4)."""

from dataclasses import replace

import numpy as np
import pytest

from quant.backtest import engine
from quant.backtest.ledger import replay
from quant.backtest.market import FIELDS, market_arrays
from quant.core.panel import Panel
from quant.execution.limits import REASONS
from tests.data.shared_market import shared_market
from tests.desks import N_DAYS, N, costs_of, desk, given, wandering

STYLES = ("MOO", "POV", "VWAP")


def played(style, seed, region="cn", capital=5e6, share=0.9, **rules):
    market, bars = given(region, seed)
    worked = desk(market, bars, style, region, **rules)
    result = engine.run(
        market, wandering(market, seed, share), worked, charges=costs_of(market, region),
        capital=capital,
    )  # fmt: skip
    return market, bars, worked, result


def children_of(worked, market):
    """Every child that traded: session, asset, shares, price, costs, whether it was alone."""
    for t, asset, made in worked.log:
        for j in np.flatnonzero(made.shares):
            yield t, int(asset[made.order[j]]), made, j


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(8))
def test_no_child_is_above_its_cap_or_below_its_minimum(style, seed):
    cap = 0.004
    market, _, worked, result = played(style, seed, adv_cap=cap, min_trade=2e-4)
    least = worked.rules.min_child
    traded = np.zeros((N_DAYS, N))
    fills = result.fills.set_index(["date", "symbol"])
    n = 0
    for t, i, made, j in children_of(worked, market):
        value = abs(made.shares[j]) * made.price[j]
        traded[t, i] += value
        n += 1
        if value < least[t] - 1e-6:
            # allowed only where it ends a position
            key = (market.dates[t].astype("datetime64[ns]"), market.symbols[i])
            assert fills.loc[key, "shares"] == fills.loc[key, "ordered"] < 0
    assert n > 100
    limit = cap * market.adv[:-1]
    assert (traded[1:] <= limit * (1 + 1e-9)).all()
    capped = fills[fills["reason"] == "ADV cap"]
    assert len(capped) > 5


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(8))
def test_nothing_trades_that_is_suspended_or_locked_at_its_limit(style, seed):
    market, bars, worked, result = played(style, seed)
    fills = result.fills
    day = np.searchsorted(market.dates, fills["date"].to_numpy("datetime64[D]"))
    at = np.searchsorted(market.symbols.astype(str), fills["symbol"].to_numpy(str))
    moved = fills["shares"].to_numpy() != 0
    ordinary = ~fills["reason"].isin(["delisted", "source ended"]).to_numpy()
    assert (moved & ordinary)[np.isnan(market.open[day, at])].sum() == 0
    low, high = bars["low"][day, at], bars["high"][day, at]
    buys = fills["ordered"].to_numpy() > 0
    locked_up = buys & (low >= market.limit_up[day, at] - 1e-9)
    locked_down = ~buys & (high <= market.limit_down[day, at] + 1e-9)
    shut = (locked_up | locked_down) & ordinary
    assert not moved[shut].any()
    # every child pays a price that is not at the wrong limit
    for t, i, made, j in children_of(worked, market):
        if made.shares[j] > 0:
            assert not made.price[j] >= market.limit_up[t, i]
        else:
            assert not made.price[j] <= market.limit_down[t, i]
    short = np.abs(fills["ordered"] - fills["shares"]) > 1e-9 * fills["ordered"].abs()
    assert (fills.loc[short, "reason"] != "").all() and set(fills["reason"]) <= set(REASONS)
    assert fills.loc[~short & ordinary, "reason"].eq("").all()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("region", "seed"), [("cn", s) for s in range(6)] + [("us", 1), ("us", 2)])
def test_cash_shares_and_costs_balance_to_the_cent(style, region, seed):
    """NAV and cash follow from the children alone, added up by other code than the day loop's."""
    market, _, worked, result = played(style, seed, region, share=0.999)
    traded, outflow = np.zeros((N_DAYS, N)), np.zeros(N_DAYS)
    for t, i, made, j in children_of(worked, market):
        traded[t, i] += made.shares[j]
        outflow[t] += made.shares[j] * made.price[j]
        outflow[t] += made.spread[j] + made.impact[j] + made.fee[j]
    gone = result.fills[result.fills["reason"].isin(["delisted", "source ended"])]
    for row in gone.itertuples():
        t = int(np.searchsorted(market.dates, row.date.to_datetime64().astype("datetime64[D]")))
        i = int(np.flatnonzero(market.symbols == row.symbol)[0])
        # shares before the session's corporate actions, which the replay applies first
        traded[t, i] += row.shares * market.ratio[t, i]
        outflow[t] += row.shares * row.price
    nav, cash = replay(market, traded, outflow, 5e6, (0, N_DAYS - 1))
    assert np.abs(cash - result.cash).max() < 0.01
    assert np.abs(nav - result.nav).max() < 0.01
    assert result.cash.min() >= 0
    assert result.cost.sum() + result.fee.sum() == pytest.approx(
        sum(float(m.spread.sum() + m.impact.sum() + m.fee.sum()) for _, _, m in worked.log)
    )


@pytest.mark.parametrize("style", STYLES)
def test_short_of_cash_buys_shrink_and_say_so(style):
    results = [played(style, seed, share=1.0)[3] for seed in range(6)]
    assert sum((r.fills["reason"] == "cash").sum() for r in results) > 0
    assert min(r.cash.min() for r in results) >= 0


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("capital", [1_000.0, 1e11])
def test_a_book_of_a_thousand_or_of_a_hundred_billion_runs(style, capital):
    market, _, worked, result = played(style, 5, capital=capital, adv_cap=0.05)
    assert np.isfinite(result.nav).all() and (result.nav > 0).all()
    if capital < 1e4:  # no lot is affordable, no child reaches its minimum
        assert result.fills.empty or (result.fills["shares"] == 0).all()
    else:  # caps let a trickle through
        held = result.cash[-1] / result.nav[-1]
        assert held > 0.5 and (result.fills["reason"] == "ADV cap").any()


@pytest.mark.parametrize("style", STYLES)
def test_no_volume_an_adv_of_a_lot_and_a_locked_month(style):
    market, bars = given("cn", 6)
    worked = desk(market, bars, style, adv_cap=0.1)
    quiet = slice(20, 42)
    bars["volume"][quiet, 4] = 0.0
    worked.liquidity.adv[:, 5] = 100 * market.mark[:, 5]  # one lot
    market.limit_up[quiet, 6] = np.nan_to_num(market.open[quiet, 6], nan=1.0) * 0.5
    market.limit_down[quiet, 6] = np.nan_to_num(market.open[quiet, 6], nan=1.0) * 2.0
    if style == "MOO":
        bars["volume"][quiet, 4] = 0.0
    result = engine.run(
        market, wandering(market, 6), worked, charges=costs_of(market, "cn"), capital=5e6
    )
    assert np.isfinite(result.nav).all()
    fills = result.fills
    for column in ("shares", "cost", "fee"):
        assert np.isfinite(fills[column]).all()
    month = market.dates[quiet].astype("datetime64[ns]")
    inside = fills[fills["date"].isin(month)]
    locked = inside[inside["symbol"] == market.symbols[6]]
    assert len(locked) > 5 and (locked["shares"] == 0).all()
    assert set(locked["reason"]) <= {"limit up", "limit down", "suspended", "below the minimum"}
    dry = inside[inside["symbol"] == market.symbols[4]]
    assert len(dry) > 5 and (dry["shares"] == 0).all()
    tiny = fills[(fills["symbol"] == market.symbols[5]) & (fills["shares"] > 0)]
    assert tiny.empty  # a tenth of a lot a day is no order


def test_what_is_not_filled_is_decided_anew_from_what_is_held():
    """A wish above the cap fills day by day, never more than the wish."""
    market, bars = given("us", 2)
    steady = np.zeros(N)
    steady[[5, 6]] = 0.4
    worked = desk(market, bars, "POV", "us", adv_cap=0.01)
    result = engine.run(
        market, lambda t, s: steady, worked, charges=costs_of(market, "us"), capital=5e7
    )
    held = result.weights.pivot(index="date", columns="symbol", values="weight").fillna(0.0)
    mine = held[market.symbols[5]].to_numpy()
    assert 0 < mine[2] < mine[20] and mine.max() < 0.45


def test_a_cap_of_the_session_before_is_what_counts():
    """The ADV of the session itself is not known when its orders are sent."""
    market, bars = given("us", 2)
    worked = desk(market, bars, "POV", "us", adv_cap=0.01)
    later = replace(worked.liquidity, adv=worked.liquidity.adv.copy())
    later.adv[30] = 1.0
    other = desk(market, bars, "POV", "us", adv_cap=0.01)
    other.liquidity = later
    one, two = (
        engine.run(market, wandering(market, 1), d, charges=costs_of(market, "us"), capital=5e7)
        for d in (worked, other)
    )
    assert (one.nav[:31] == two.nav[:31]).all() and one.nav[31] != two.nav[31]


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_all_of_china_in_2015_balances_and_obeys(style):
    """The real year of limit-down days and mass suspensions: 800 names, targets that move daily."""
    raw = shared_market("cn")
    frame = raw.bars[(raw.bars["date"] >= "2014-10-08") & (raw.bars["date"] <= "2015-12-31")]
    bars = Panel.of(frame, (*FIELDS, "high", "low", "float_shares"))
    market = market_arrays(bars, raw.listings, raw.rates, "cn")
    worked = desk(market, bars, style, "cn", intervals=48, adv_cap=0.01, min_trade=2e-5)

    def decide(t, state):
        top = np.argsort(-market.adv[t], kind="stable")[:800]
        wish = np.zeros(market.symbols.size)
        wish[top] = np.random.default_rng(t).dirichlet(np.ones(800)) * 0.9
        return np.where(market.mark[t] > 0, 0.9 * state.weights + 0.1 * wish, 0.0)

    first, capital = market.index("2015-01-05"), 5e7
    result = engine.run(
        market, decide, worked, charges=costs_of(market, "cn"), capital=capital, first=first
    )
    n_days = market.dates.size
    traded, outflow = np.zeros((n_days, market.symbols.size)), np.zeros(n_days)
    money = np.zeros_like(traded)
    for t, asset, made in worked.log:
        at, value = asset[made.order], np.nan_to_num(made.price) * made.shares
        np.add.at(traded[t], at, made.shares)
        np.add.at(money[t], at, np.abs(value))
        outflow[t] += value.sum() + made.spread.sum() + made.impact.sum() + made.fee.sum()
        done = made.shares != 0
        up, down = market.limit_up[t, at], market.limit_down[t, at]
        assert not np.isnan(market.open[t, at][done]).any()
        assert not (done & (made.shares > 0) & (made.price >= up)).any()
        assert not (done & (made.shares < 0) & (made.price <= down)).any()
        small = done & (np.abs(value) < worked.rules.min_child[t] - 1e-6)
        assert (made.shares[small] < 0).all()  # what ends a position, and nothing else
    for row in result.fills[result.fills["reason"].isin(["delisted", "source ended"])].itertuples():
        t, i = market.index(row.date), int(np.flatnonzero(market.symbols == row.symbol)[0])
        traded[t, i] += row.shares * market.ratio[t, i]
        outflow[t] += row.shares * row.price
    assert (money[1:] <= 0.01 * market.adv[:-1] * (1 + 1e-9) + 1e-6).all()
    nav, cash = replay(market, traded, outflow, capital, (first, n_days - 1))
    assert np.abs(cash - result.cash).max() < 0.01 and np.abs(nav - result.nav).max() < 0.01
    reasons = result.fills["reason"].value_counts()
    assert reasons["suspended"] > 5_000
    # slices are worked for an hour or longer: a name has to be locked as long
    assert reasons.get("limit down", 0) > 50 or style == "VWAP"
    assert (traded != 0).sum() > 5_000

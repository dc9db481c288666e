import dataclasses

import numpy as np
import pandas as pd
import pytest

from quant.backtest import engine, ledger
from quant.backtest.market import FIELDS, charges, market_arrays
from quant.core import tables
from quant.core.errors import DataError
from quant.core.panel import Panel
from quant.execution.moo import at_target
from quant.execution.orders import Lots
from tests.backtest import markets

CAPITAL = 3e6


def random_run(region: str = "cn", **changes):
    market = markets.random_market(region)
    terms = {"charges": markets.costs(market, region), "capital": CAPITAL} | changes
    return market, engine.run(market, markets.random_targets(market), **terms)


def fractional(market, **changes):
    lots = Lots.fractional(market.symbols.size)
    return dataclasses.replace(market, lots=lots, **changes)


def once(weights):
    return lambda t, state: np.asarray(weights, float) if t == 0 else None


def test_frames_fit_their_tables_and_hold_no_look_ahead():
    market, result = random_run()
    tables.TARGETS.check(result.targets)
    tables.WEIGHTS.check(result.weights)
    tables.FILLS.check(result.fills)
    tables.NAV.check(result.nav_table("portfolio"))
    assert result.targets["date"].max() <= pd.Timestamp(market.dates[-1])
    assert result.fills["date"].min() > result.targets["date"].min()
    held = result.weights.groupby("date")["weight"].sum().reindex(result.dates).fillna(0.0)
    np.testing.assert_allclose(held + result.cash / result.nav, 1.0, rtol=1e-12)
    traded = result.fills[~result.fills["reason"].isin(["delisted", "source ended"])]
    value = traded.groupby("date")["notional"].apply(lambda v: v.abs().sum())
    two_way = value.reindex(result.dates[1:]).fillna(0.0) / result.nav[:-1]
    np.testing.assert_allclose(result.turnover[1:], two_way, rtol=1e-12)


@pytest.mark.parametrize("region", ["us", "cn"])
@pytest.mark.parametrize("execute", [engine.market_on_open, at_target])
def test_nav_changes_by_pnl_less_costs_and_fees_plus_interest(region, execute):
    """The accounting identity, from the fills and prices alone, to 1e-9 of NAV."""
    market, result = random_run(region, execute=execute)
    n_days, n = market.mark.shape
    traded, paid = np.zeros((n_days, n)), np.zeros((n_days, n))
    rows, fills = result.fill_rows.ragged(), result.fills
    # a delisting and an order can not fall on one name and day, so assignment is enough
    traded[rows.day, rows.asset] = fills["shares"]
    paid[rows.day, rows.asset] = fills["notional"]
    held = np.zeros(n)
    for t in range(1, n_days):
        before = held * market.ratio[t]
        pnl = (before * market.mark[t] - held * market.mark[t - 1]).sum()
        pnl += (traded[t] * market.mark[t]).sum() - paid[t].sum()
        held = before + traded[t]
        change = pnl - result.cost[t] - result.fee[t] + result.interest[t]
        assert result.nav[t] - result.nav[t - 1] == pytest.approx(change, abs=1e-9 * CAPITAL)
    assert result.cost.sum() > 0 and result.interest.sum() > 0
    assert (result.fee.sum() > 0) == (region == "cn")

    outflow = paid.sum(axis=1) + result.cost + result.fee
    nav, cash = ledger.replay(market, traded, outflow, CAPITAL, (0, n_days - 1))
    np.testing.assert_allclose(nav, result.nav, rtol=1e-9)
    np.testing.assert_allclose(cash, result.cash, atol=1e-9 * CAPITAL)


@pytest.mark.parametrize("capital", [2e4, 3e5, 3e9])
def test_cash_is_never_negative_and_shares_come_in_lots(capital):
    market, result = random_run(capital=capital)
    assert (result.cash >= 0).all()
    buys = result.fills[result.fills["shares"] > 0]
    star = buys["symbol"].str.startswith("688")
    assert (buys.loc[~star, "shares"] % 100 == 0).all()
    assert (buys.loc[star, "shares"] >= 200).all()


def test_free_buy_and_hold_is_the_total_return_index():
    """Without costs a book of one name earns its adjusted close, over splits and suspensions."""
    bars = markets.random_bars("us")
    names = np.array(markets.symbols_of("us", 12), object)
    panel = Panel.of(bars, FIELDS, markets.business_days(60), names)
    market = market_arrays(panel, markets.no_listings(), markets.rates_of(60, 0.0), "us")
    market, free = fractional(market), charges(market, 0.0, 0.0)
    for i in (0, 5, 11):
        result = engine.run(market, once(np.eye(12)[i]), at_target, charges=free, capital=1.0)
        own = bars[bars["symbol"] == names[i]].set_index("date")
        index = (own["close"] * own["factor"]).reindex(pd.DatetimeIndex(market.dates)).ffill()
        assert index.iloc[-1] != index.iloc[0]
        np.testing.assert_allclose(result.nav, index / index.iloc[0], rtol=1e-12)


def test_twice_the_capital_holds_the_same_weights_without_lots():
    market = fractional(markets.random_market())
    decide, terms = markets.random_targets(market), markets.costs(market)
    one, two = (
        engine.run(market, decide, charges=terms, capital=c) for c in (CAPITAL, 2 * CAPITAL)
    )
    np.testing.assert_allclose(two.nav, 2 * one.nav, rtol=1e-12)
    np.testing.assert_allclose(two.weights["weight"], one.weights["weight"], rtol=1e-9)


@pytest.mark.parametrize("cut", [7, 25, 34, 41])
def test_cutting_the_future_leaves_the_past_unchanged(cut):
    bars, dates = markets.random_bars(), markets.business_days(60)
    names = np.array(markets.symbols_of("cn", 12), object)

    def result(last: int):
        panel = Panel.of(bars[bars["date"] <= dates[last]], FIELDS, dates[: last + 1], names)
        market = market_arrays(panel, markets.listings_of("cn"), markets.rates_of(), "cn")
        decide = markets.random_targets(markets.random_market())
        return engine.run(market, decide, charges=markets.costs(market), capital=CAPITAL)

    whole, short = result(59), result(cut)
    for name in ("targets", "weights", "fills"):
        past = getattr(whole, name)
        past = past[past["date"] <= dates[cut]]
        pd.testing.assert_frame_equal(past, getattr(short, name), check_exact=True)
    past = whole.nav_table("p").iloc[: cut + 1]
    pd.testing.assert_frame_equal(past, short.nav_table("p"), check_exact=True)


def test_the_same_run_twice_is_bitwise_the_same():
    one, two = random_run()[1], random_run()[1]
    pd.testing.assert_frame_equal(one.fills, two.fills, check_exact=True)
    assert (one.nav == two.nav).all()


def test_a_delisting_pays_its_return_and_a_truncated_series_its_last_price():
    close = np.full((6, 2), 10.0)
    close[3:] = np.nan
    market = markets.plain_market(close, close)
    exits = {"exit_day": np.array([4, 4]), "exit_return": np.array([-0.3, 0.0])}
    exits["exit_reason"] = np.array([5, 6], np.int8)
    market = dataclasses.replace(market, **exits)
    free = charges(market, 0.0, 0.0)
    # the order of day 3 to sell what is gone by day 4 is void
    result = engine.run(
        market,
        lambda t, s: [np.array([0.5, 0.5]), None, None, np.zeros(2), None, None][t],
        charges=free,
        capital=1000.0,
    )
    np.testing.assert_allclose(result.nav, [1000, 1000, 1000, 1000, 850, 850])
    assert result.cash[-1] == 850
    gone = result.fills[result.fills["date"] == market.dates[4]]
    assert gone["reason"].tolist() == ["delisted", "source ended"]
    assert gone["price"].tolist() == [7.0, 10.0]
    assert gone["shares"].tolist() == [-50.0, -50.0]


def test_decisions_see_drifted_weights_and_are_traded_at_the_next_open():
    open_ = np.array([[10.0, 10], [10, 10], [12, 5], [12, 5]])
    close = np.array([[10.0, 10], [12, 5], [12, 5], [12, 5]])
    market = markets.plain_market(open_, close)
    seen = []

    def decide(t, state):
        seen.append(state)
        return np.array([0.4, 0.4]) if t in (0, 1) else None

    result = engine.run(market, decide, charges=charges(market, 0, 0), capital=1000.0)
    np.testing.assert_allclose(seen[1].weights, [480 / 880, 200 / 880])
    assert (seen[0].nav, seen[1].nav, seen[1].cash) == (1000, 880, 200)
    np.testing.assert_allclose(seen[2].shares, [40 - 10, 40 + 30])  # 352 / 12 and 352 / 5, whole
    assert result.fills["date"].unique().tolist() == [pd.Timestamp(market.dates[t]) for t in (1, 2)]
    assert result.turnover[2] == pytest.approx((10 * 12 + 30 * 5) / 880)


def test_a_decision_lives_for_one_session():
    nan = np.nan
    open_ = np.array([[10.0], [nan], [10.0], [10.0]])
    market = markets.plain_market(open_, open_)
    result = engine.run(market, once([0.5]), charges=charges(market, 0, 0), capital=1000.0)
    assert result.fills["reason"].tolist() == ["suspended"]
    assert result.n_held.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([0.7, 0.7], "sum 1.4"),
        ([-0.1, 0.2], "minimum -0.1"),
        ([np.nan, 0.2], "must be finite"),
        ([0.1], "covers every name"),
        ([0.0, 0.5], "wanted of N001, which has not traded yet"),
    ],
)
def test_what_is_no_target_is_refused(target, message):
    close = np.array([[10.0, np.nan], [10.0, 10.0]])
    market = markets.plain_market(close, close)
    with pytest.raises(DataError, match=message):
        engine.run(market, once(target), charges=charges(market, 0, 0), capital=1e3)


def test_impossible_runs_are_refused():
    market = markets.random_market()
    terms = markets.costs(market)
    with pytest.raises(DataError, match="sessions 5 to 99 were asked for"):
        engine.run(market, once(np.zeros(12)), charges=terms, capital=1.0, first=5, last=99)
    with pytest.raises(DataError, match="positive capital"):
        engine.run(market, once(np.zeros(12)), charges=terms, capital=0.0)


def test_a_book_that_never_trades_earns_the_interest():
    market = markets.random_market()
    result = engine.run(
        market, lambda t, s: None, charges=markets.costs(market), capital=100.0, first=10
    )
    np.testing.assert_allclose(result.nav, 100 * 1.0001 ** np.arange(50), rtol=1e-12)
    assert result.fills.empty and result.weights.empty and result.targets.empty
    tables.FILLS.check(result.fills)


@pytest.mark.parametrize("execute", [engine.market_on_open, at_target])
def test_an_order_follows_a_split_over_night(execute):
    close = np.array([[10.0], [10.0], [5.0], [5.0]])
    market = markets.plain_market(close, close)
    split = {"ratio": np.array([[1.0], [1.0], [2.0], [1.0]])}
    split["has_action"] = np.array([False, False, True, False])
    market = dataclasses.replace(market, **split)
    result = engine.run(
        market,
        lambda t, s: np.array([[0.4], [0.6], [0.6], [0.6]])[t],
        execute,
        charges=charges(market, 0, 0),
        capital=1000.0,
    )
    # 40 shares become 80, and the order for 20 more one for 40
    assert result.fills["shares"].tolist() == pytest.approx([40.0, 40.0])
    assert result.fills["price"].tolist() == [10.0, 5.0]
    np.testing.assert_allclose(result.nav, 1000.0)
    assert result.weights["weight"].tolist() == pytest.approx([0.4, 0.6, 0.6])


@pytest.mark.parametrize("noise", [1e-9, -1e-9])
def test_solver_noise_around_zero_leaves_the_position_for_good(noise):
    close = np.full((4, 1), 10.0)
    market = markets.plain_market(close, close, "cn")
    market.ratio[2], market.has_action[2] = 1.015, True  # an odd lot: 101.5 shares
    result = engine.run(
        market,
        lambda t, s: np.array([[1.0], [1.0], [noise], [0.0]])[t],
        charges=charges(market, 0, 0),
        capital=1100.0,
    )
    assert result.fills["shares"].tolist() == pytest.approx([100.0, -101.5])
    assert result.n_held[-1] == 0

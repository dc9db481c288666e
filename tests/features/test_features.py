"""Features: invariances, values by hand, and what compute refuses."""

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.panel import Panel
from quant.features import FIELDS, PRODUCERS, compute, turnover
from quant.features.crosswise import peer_mean, section
from quant.features.producers import FAMILIES
from quant.features.view import CARRY
from tests.features import market

BARS = market.bars()
MEMBERS = market.membership(BARS)
WHOLE = compute(market.panel(BARS), MEMBERS)
NAMES = [p.name for p in PRODUCERS]
PRICES = ["open", "high", "low", "close"]
# in currency, so a change of the price unit moves them
IN_CURRENCY = {"amihud_21d", "amihud_252d", "adv_21d", "float_cap", "ind_amihud_21d"}
IN_CURRENCY |= {"nominal_price"}
# a split is what changes the price that a holder sees
NOMINAL = {"nominal_price", "ind_nominal_price", "lottery_index"}


def close(one: pd.DataFrame, other: pd.DataFrame, names: list[str]) -> None:
    """Equal but for float32 and the cancellation in spreads of levels."""
    pd.testing.assert_frame_equal(one[names], other[names], rtol=2e-4, atol=2e-5)


def test_there_are_enough_features_and_each_has_a_source():
    assert len(PRODUCERS) >= 150
    assert len(set(NAMES)) == len(NAMES)
    assert all(p.source for p in PRODUCERS)
    assert all(p.text for p in PRODUCERS)
    for family in FAMILIES:
        assert {row.family for row in family.ROWS} == {family.__name__.rpartition(".")[2]}


def test_rows_are_the_membership_in_float32():
    assert WHOLE[["date", "symbol"]].equals(MEMBERS[["date", "symbol"]])
    assert list(WHOLE.columns) == ["date", "symbol", *NAMES]
    assert set(WHOLE[NAMES].dtypes) == {np.dtype("float32")}
    assert not np.isinf(WHOLE[NAMES].to_numpy()).any()


def test_every_feature_is_known_once_its_history_is_there():
    bars = market.bars(800)
    whole = compute(market.panel(bars), market.membership(bars))
    late = whole[whole["date"] > np.datetime64(market.DAYS[770], "ns")]
    steady = late[~late["symbol"].isin(["S002", "S004"])]
    known = steady[NAMES].notna().mean()
    assert known.min() > 0.8, known.nsmallest(5)
    assert (steady[NAMES].std() > 0).all()


def test_the_order_of_membership_rows_is_irrelevant():
    shuffled = MEMBERS.sample(frac=1.0, random_state=3)
    pd.testing.assert_frame_equal(compute(market.panel(BARS), shuffled), WHOLE, check_exact=True)


def test_a_subset_of_features_is_the_same_columns():
    picked = [p for p in PRODUCERS if p.name in ("month_x_vol", "ret_5d", "ind_ret_21d")][::-1]
    names = ["date", "symbol", *(p.name for p in picked)]
    pd.testing.assert_frame_equal(
        compute(market.panel(BARS), MEMBERS, picked), WHOLE[names], check_exact=True
    )


def test_a_split_leaves_every_feature_unchanged():
    """From a day on: half the price, twice the shares and the factor."""
    bars = BARS.copy()
    after = (bars["symbol"] == "S010") & (bars["date"] >= np.datetime64(market.DAYS[200], "ns"))
    bars.loc[after, [*PRICES, "limit_up", "limit_down"]] /= 2.0
    bars.loc[after, ["factor", "volume", "float_shares"]] *= 2.0
    moved = compute(market.panel(bars), MEMBERS)
    close(moved, WHOLE, [name for name in NAMES if name not in NOMINAL])
    change = (moved["nominal_price"] - WHOLE["nominal_price"])[MEMBERS["symbol"] == "S010"]
    assert np.allclose(change[change != 0], -np.log(2.0)) and (change != 0).any()


def test_the_unit_of_the_factor_is_irrelevant():
    """Another first row of the vendor's history rescales a symbol's whole factor."""
    bars = BARS.copy()
    bars.loc[bars["symbol"] == "S010", "factor"] *= 4.0
    close(compute(market.panel(bars), MEMBERS), WHOLE, NAMES)


def test_the_unit_of_prices_moves_only_what_is_in_currency():
    bars = BARS.copy()
    bars[[*PRICES, "limit_up", "limit_down", "amount"]] *= 8.0
    close(compute(market.panel(bars), MEMBERS), WHOLE, [n for n in NAMES if n not in IN_CURRENCY])
    moved = compute(market.panel(bars), MEMBERS)
    change = (moved["adv_21d"] - WHOLE["adv_21d"]).dropna()
    np.testing.assert_allclose(change, np.log(8.0), atol=1e-4)


def test_a_suspension_gives_the_return_since_the_last_trade_and_is_no_move():
    bars = BARS[BARS["symbol"].isin(["S010", "S011"])].copy()
    gap = (bars["symbol"] == "S010") & bars["date"].between(
        pd.Timestamp(market.DAYS[100]), pd.Timestamp(market.DAYS[104])
    )
    bars = bars[~gap]
    rows = bars[(bars["symbol"] == "S010")].reset_index(drop=True)
    at = rows.index[rows["date"] > pd.Timestamp(market.DAYS[104])][0]
    adjusted = rows["close"] * rows["factor"]
    members = MEMBERS[MEMBERS["symbol"].isin(["S010", "S011"])]
    ours = compute(market.panel(bars), members.merge(bars[["date", "symbol"]]))
    line = ours[(ours["symbol"] == "S010") & (ours["date"] == rows["date"][at])].iloc[0]
    assert line["ret_1d"] == pytest.approx(adjusted[at] / adjusted[at - 1] - 1, rel=1e-5)
    assert line["idle_days_63d"] > 5 / 63 - 1e-6


def test_values_by_hand():
    name = BARS[BARS["symbol"] == "S012"].reset_index(drop=True)
    adjusted = name["close"] * name["factor"]
    ret = adjusted.pct_change()
    at = name.index[name["date"] == pd.Timestamp(market.DAYS[320])]
    at = at[0] if len(at) else name.index[-5]
    line = WHOLE[(WHOLE["symbol"] == "S012") & (WHOLE["date"] == name["date"][at])].iloc[0]
    # windows count sessions, so take the sessions and not the rows
    session = np.flatnonzero(market.DAYS == np.datetime64(name["date"][at], "D"))[0]
    window = name["date"] > pd.Timestamp(market.DAYS[session - 21])
    inside = window & (name["date"] <= name["date"][at])
    assert line["vol_21d"] == pytest.approx(ret[inside].std(), rel=1e-5)
    assert line["max_ret_21d"] == pytest.approx(ret[inside].max(), rel=1e-5)
    assert line["adv_21d"] == pytest.approx(np.log(name["amount"][inside].mean()), rel=1e-6)
    amihud = np.log((ret.abs() / name["amount"])[inside].mean())
    assert line["amihud_21d"] == pytest.approx(amihud, rel=1e-5)
    turnover = np.log((name["volume"] / name["float_shares"])[inside].mean())
    assert line["turnover_21d"] == pytest.approx(turnover, rel=1e-5)
    night = np.log(name["open"] * name["factor"] / adjusted.shift())
    assert line["overnight_21d"] == pytest.approx(night[inside].sum(), rel=1e-4, abs=1e-6)
    park = np.sqrt((np.log(name["high"] / name["low"]) ** 2)[inside].mean() / (4 * np.log(2)))
    assert line["parkinson_21d"] == pytest.approx(park, rel=1e-5)


def test_the_market_is_the_mean_of_members_and_has_beta_one():
    rows = WHOLE[WHOLE["date"] == pd.Timestamp(market.DAYS[320])]
    assert rows["beta_252d"].mean() == pytest.approx(1.0, abs=0.1)
    assert (rows["resid_vol_252d"] < rows["vol_252d"]).all()


def test_industry_features_sum_to_zero():
    rows = WHOLE.merge(MEMBERS, on=["date", "symbol"])
    large = rows.groupby(["date", "industry_id"])["ind_ret_21d"].agg(["mean", "count"])
    means = large.loc[large["count"] >= 5, "mean"]
    assert len(means) and means.abs().max() < 1e-6


def test_small_industries_take_their_group_then_everybody():
    s = section(
        np.zeros(13, int),
        np.array([0] * 6 + [1] * 2 + [2] * 4 + [3]),
        np.array([0] * 6 + [0] * 2 + [1] * 4 + [1]),
    )
    values = np.arange(13.0)
    values[0] = np.nan
    ours = peer_mean(values, s)
    assert ours[1] == np.mean(values[1:6])
    assert ours[6] == np.mean(values[1:8])
    assert ours[8] == np.mean(values[8:13])
    small = peer_mean(values[6:10], section(*(np.zeros(4, int),) * 3))
    assert small == pytest.approx(np.full(4, values[6:10].mean()))


def test_unknown_float_leaves_only_its_own_features_empty():
    bars = BARS.assign(float_shares=np.nan)
    ours = compute(market.panel(bars), MEMBERS)
    empty = {name for name in NAMES if ours[name].isna().all() and WHOLE[name].notna().any()}
    float_based = {row.name for row in turnover.ROWS}
    across = {row.name for row in PRODUCERS if float_based & {base.name for base in row.bases}}
    assert empty == float_based | across and across


def test_a_name_forgotten_for_longer_than_the_carry_has_no_return():
    days = np.arange("2010-01-01", "2013-01-01", dtype="datetime64[D]")[: CARRY + 40]
    one = BARS[BARS["symbol"] == "S010"].iloc[:40].copy()
    for wait, known in ((CARRY + 1, True), (CARRY + 2, False)):
        dates = np.r_[days[:20], days[19 + wait : 39 + wait]][: len(one)]
        bars = one.iloc[: dates.size].assign(date=dates.astype("datetime64[ns]"))
        ours = compute(
            Panel.of(bars, FIELDS, dates=days),
            bars[["date", "symbol"]].assign(industry_id="i", group_id="g"),
        )
        assert np.isfinite(ours["gap_1d"].to_numpy()[20]) == known


def test_faults_are_named():
    panel = market.panel(BARS)
    stray = pd.concat([MEMBERS, MEMBERS.iloc[:1].assign(symbol="ZZZ")])
    with pytest.raises(DataError, match="1 membership rows have no place.*ZZZ on 2015-01-29"):
        compute(panel, stray)
    with pytest.raises(DataError, match=r"lacks \['factor'\]"):
        fields = {k: v for k, v in panel.fields.items() if k != "factor"}
        compute(Panel(panel.dates, panel.symbols, fields), MEMBERS)


def test_no_members_give_no_rows():
    ours = compute(market.panel(BARS), MEMBERS.iloc[:0])
    assert list(ours.columns) == ["date", "symbol", *NAMES] and ours.empty


def path_of(symbol: str) -> pd.DataFrame:
    """Bars of one name on the sessions of the fixture, gaps as NaN."""
    days = pd.DatetimeIndex(market.DAYS[:330])
    bars = BARS[BARS["symbol"] == symbol].set_index("date").reindex(days)
    return bars.assign(last=(bars["close"] * bars["factor"]).ffill())


def at(name: str, day: int, symbol: str = "S012", table: pd.DataFrame = WHOLE) -> float:
    row = table[(table["symbol"] == symbol) & (table["date"] == pd.Timestamp(market.DAYS[day]))]
    return float(row[name].iloc[0])


@pytest.mark.parametrize("day", [300, 312, 321])
def test_new_features_by_hand(day):
    b = path_of("S012").iloc[: day + 1]
    if not np.isfinite(b["close"].iloc[-1]):
        pytest.skip("the name does not trade on this day")
    ret = (b["close"] * b["factor"]) / b["last"].shift() - 1
    loss = np.minimum(ret, 0) ** 2
    assert at("bad_vol_21d", day) == pytest.approx(
        loss[-21:].mean() / (ret**2)[-21:].mean(), rel=1e-4
    )
    assert at("max5_ret_21d", day) == pytest.approx(ret[-21:].nlargest(5).mean(), rel=1e-5)
    bounded = (b["close"] >= b["limit_up"] * 0.999)[-21:][b["close"][-21:].notna()]
    assert at("limit_up_21d", day) == pytest.approx(bounded.mean(), abs=1e-6)
    season = b["last"].iloc[day - 231] / b["last"].iloc[day - 252] - 1
    assert at("seasonal_12m", day) == pytest.approx(season, rel=1e-4)
    weekdays = ret.iloc[[day + 1 - 5 * i for i in range(1, 51)]]
    assert at("same_weekday_252d", day) == pytest.approx(weekdays.mean(), rel=1e-3, abs=1e-7)
    assert at("nominal_price", day) == pytest.approx(np.log(b["close"].iloc[-1]), rel=1e-6)


def test_limits_count_closes_there_and_touches_that_failed():
    wide = {n: BARS.pivot(index="date", columns="symbol", values=n) for n in BARS.columns[2:]}
    closed = wide["close"] >= wide["limit_up"] * 0.999
    failed = (wide["high"] >= wide["limit_up"] * 0.999) & ~closed
    traded = wide["close"].notna()
    assert closed.to_numpy().sum() > 20 and failed.to_numpy().sum() > 20
    for name, hits, window in (("limit_up_21d", closed, 21), ("limit_failed_63d", failed, 63)):
        share = hits.where(traded).astype(float).rolling(window, min_periods=1).mean()
        ours = WHOLE.pivot(index="date", columns="symbol", values=name)
        expected = share.reindex_like(ours).where(ours.notna())
        pd.testing.assert_frame_equal(ours.astype(float), expected, atol=1e-6)
        assert ours.notna().to_numpy().sum() > 4000 and (expected > 0).to_numpy().any()


def test_a_limit_that_was_never_reached_is_a_window_old():
    bars = BARS.assign(limit_up=BARS["close"] * 1.1, limit_down=BARS["close"] * 0.9)
    ours = compute(market.panel(bars), MEMBERS)
    assert set(ours["limit_age_126d"].dropna()) == {126.0}
    assert set(ours["limit_up_21d"].dropna()) == {0.0}


def test_residuals_have_no_market_left_and_momentum_of_them_is_not_the_last_month():
    """Residual momentum with the window's own intercept would be minus the last month's return."""
    rows = WHOLE[WHOLE["date"] > pd.Timestamp(market.DAYS[280])]
    ranks = rows.groupby("date")[["resid_mom_12_1", "resid_ret_21d", "mom_12_1"]].rank()
    found = ranks.corr()["resid_mom_12_1"]
    assert abs(found["resid_ret_21d"]) < 0.4 and found["mom_12_1"] > 0.7
    shocked = BARS.copy()
    late = shocked["date"] >= pd.Timestamp(market.DAYS[315])
    prices = [*PRICES, "limit_up", "limit_down"]
    shocked.loc[late, prices] *= 1.05  # the market's day: every name with a beta of one or so
    after = compute(market.panel(shocked), MEMBERS)
    moved = at("ret_5d", 316, table=after) - at("ret_5d", 316)
    left = at("resid_ret_5d", 316, table=after) - at("resid_ret_5d", 316)
    assert moved > 0.04 and abs(left) < 0.6 * moved


def test_leaders_are_the_more_traded_half_of_the_industry():
    day = WHOLE[WHOLE["date"] == pd.Timestamp(market.DAYS[320])]
    rows = day.merge(MEMBERS, on=["date", "symbol"])
    rows = rows[rows["industry_id"] == rows["industry_id"].mode()[0]]
    assert 5 <= len(rows) < 10  # the leaders alone are fewer than a mean needs
    large = rows["adv_21d"] >= rows["adv_21d"].mean()
    expected = rows.loc[large, "ret_5d"].mean() - rows["ret_5d"]
    np.testing.assert_allclose(rows["leaders_gap_5d"], expected, atol=1e-6)

"""Laws of every simulated bar."""

import numpy as np
import pandas as pd

from quant.core import tables
from quant.market import SimulatedMarket

KINDS = {
    "bars": tables.BARS,
    "actions": tables.ACTIONS,
    "industries": tables.INDUSTRIES,
    "listings": tables.LISTINGS,
    "index_members": tables.INDEX_MEMBERS,
    "benchmark": tables.BENCHMARK,
    "rates": tables.RATES,
    "notes": tables.NOTES,
}


def cents(values: pd.Series) -> np.ndarray:
    return np.rint(values.to_numpy() * 100).astype(np.int64)


def test_tables_fit_their_schemas(either: SimulatedMarket) -> None:
    for name, table in KINDS.items():
        frame = getattr(either, name)
        assert table.check(frame).num_rows == len(frame)
        assert frame.equals(frame.sort_values(list(table.key), kind="stable")), name


def test_prices_are_consistent_and_whole_cents(either: SimulatedMarket) -> None:
    bars = either.bars
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(bars[name] * 100, cents(bars[name]), rtol=0, atol=1e-6)
        assert (bars[name] > 0).all()
    assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()
    # days do move after the open, and not always by the whole range
    assert ((bars["high"] > bars["low"]).mean()) > 0.9
    assert 0.2 < ((bars["close"] - bars["open"]).abs() / (bars["high"] - bars["low"])).mean() < 0.8


def test_amount_is_volume_at_a_price_of_the_day(either: SimulatedMarket) -> None:
    bars = either.bars
    assert (bars["volume"] >= 1).all() and (bars["volume"] % 1 == 0).all()
    vwap = bars["amount"] / bars["volume"]
    assert (vwap >= bars["low"] - 1e-6).all() and (vwap <= bars["high"] + 1e-6).all()
    assert (bars["volume"] <= bars["float_shares"]).all()


def test_closes_stay_within_the_limits(cn: SimulatedMarket) -> None:
    bars = cn.bars[cn.bars["limit_up"].notna()]
    for name in ("open", "high", "low", "close"):
        assert (cents(bars[name]) <= cents(bars["limit_up"])).all(), name
        assert (cents(bars[name]) >= cents(bars["limit_down"])).all(), name
    at_limit = (cents(bars["close"]) == cents(bars["limit_up"])) | (
        cents(bars["close"]) == cents(bars["limit_down"])
    )
    assert 0.003 < at_limit.mean() < 0.06  # real 2010-2019: 0.022


def test_limits_are_those_of_the_exchange(cn: SimulatedMarket) -> None:
    from quant.data.cn_rules import daily_limits

    bars = cn.bars.merge(cn.listings[["symbol", "board", "list_date"]], on="symbol")
    age = bars.groupby("symbol").cumcount().to_numpy()
    first = bars["list_date"] < bars["date"].min()
    # sessions since listing count suspended days too, so young names are compared on day 0 only
    keep = (first | (age == 0) | (age > 60)).to_numpy()
    bars, age = bars[keep], np.where(first, 1000, age)[keep]
    up, down = daily_limits(
        bars["pre_close"].to_numpy(),
        bars["board"].to_numpy(),
        bars["date"].to_numpy(),
        bars["is_st"].to_numpy(),
        age,
        np.zeros(len(bars), bool),
    )
    np.testing.assert_allclose(bars["limit_up"], up, rtol=0, atol=1e-9)
    np.testing.assert_allclose(bars["limit_down"], down, rtol=0, atol=1e-9)
    assert bars["limit_up"].isna().any() and (age == 0).any()


def test_us_has_neither_limits_nor_special_treatment(us: SimulatedMarket) -> None:
    assert us.bars["limit_up"].isna().all() and us.bars["limit_down"].isna().all()
    assert not us.bars["is_st"].any()


def test_factor_and_reference_price_agree_with_the_actions(either: SimulatedMarket) -> None:
    bars = either.bars.merge(either.actions, on=["date", "symbol"], how="left")
    bars = bars.fillna({"dividend": 0.0, "split": 1.0}).sort_values(["symbol", "date"])
    before = bars.groupby("symbol")[["close", "factor"]].shift()
    known = before["close"].notna()
    bars, before = bars[known], before[known]
    due = (before["close"] - bars["dividend"]) / bars["split"]
    np.testing.assert_allclose(bars["pre_close"], due, rtol=0, atol=0.005 + 1e-9)
    step = bars["factor"] / before["factor"]
    np.testing.assert_allclose(step, before["close"] / bars["pre_close"], rtol=1e-12)
    # total return across any two rows, ex-dates included, is close over reference price
    gain = bars["close"] * bars["factor"] / (before["close"] * before["factor"])
    np.testing.assert_allclose(gain, bars["close"] / bars["pre_close"], rtol=1e-12)
    ex = (bars["dividend"] > 0) | (bars["split"] != 1)
    assert ex.sum() > 100 and (bars["split"] != 1).sum() > 5
    assert (step[~ex.to_numpy()] == 1).all()
    assert (either.bars.groupby("symbol")["factor"].first() == 1).all()


def test_dividend_days_do_not_fall_by_the_dividend_in_total_return(us: SimulatedMarket) -> None:
    bars = us.bars.merge(us.actions, on=["date", "symbol"])
    paid = bars[(bars["split"] == 1) & (bars["dividend"] > 0)]
    gain = (paid["close"] / paid["pre_close"] - 1).mean()
    assert abs(gain) < 0.4 * (paid["dividend"] / paid["close"]).mean() + 0.001

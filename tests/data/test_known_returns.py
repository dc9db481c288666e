"""Numbers that are known of the shared data, reproduced through the provider."""

import numpy as np
import pandas as pd
import pytest

from quant.core.panel import Panel
from quant.data import calendar, cn_rules, industries
from tests.data.shared_market import shared_market
from tests.shared import need

pytestmark = pytest.mark.slow


def equal_weight(returns: np.ndarray, held: np.ndarray) -> tuple[float, float]:
    """Arithmetic mean x 252 and compounded rate of the daily mean over `held`, in percent."""
    daily = np.nanmean(np.where(held, returns, np.nan), axis=1)
    return 100 * daily.mean() * 252, 100 * ((1 + daily).prod() ** (252 / daily.size) - 1)


def us_returns() -> tuple[Panel, np.ndarray]:
    panel = Panel.of(shared_market("us").bars, ["close", "factor"])
    value = panel["close"] * panel["factor"]
    return panel, value[1:] / value[:-1] - 1


def test_equal_weight_with_point_in_time_membership_earns_12_3_percent():
    panel, returns = us_returns()
    spells = shared_market("us").index_members
    member = industries.snapshot(spells, panel.symbols, panel.dates) >= 0
    mean, compounded = equal_weight(returns, member[:-1])
    assert mean == pytest.approx(12.3, abs=0.3)
    assert compounded == pytest.approx(10.7, abs=0.3)


def test_equal_weight_without_it_earns_16_6_percent():
    panel, returns = us_returns()
    names = pd.read_parquet(need("data/us_dev.parquet"), columns=["symbol"])["symbol"].unique()
    backfilled = np.isin(panel.symbols.astype(str), np.asarray(names, dtype=str))
    mean, compounded = equal_weight(returns, np.broadcast_to(backfilled, returns.shape))
    assert mean == pytest.approx(16.6, abs=0.3)
    assert compounded == pytest.approx(15.7, abs=0.3)


def prices(region: str, symbol: str) -> pd.DataFrame:
    bars = shared_market(region).bars
    return bars[bars["symbol"] == symbol].set_index("date")


def test_us_spot_prices():
    apple = prices("us", "AAPL")
    assert apple.loc["2014-06-06", "close"] == pytest.approx(645.57, abs=0.005)
    assert apple.loc["2014-06-09", "close"] == pytest.approx(93.70, abs=0.005)
    assert apple.loc["2015-12-31", "close"] == pytest.approx(105.26, abs=0.005)
    # over the 7:1 split the total return is an ordinary day
    value = apple["close"] * apple["factor"]
    assert abs(value["2014-06-09"] / value["2014-06-06"] - 1) < 0.03
    step = apple["factor"] / apple["factor"].shift()
    assert step["2014-06-09"] == pytest.approx(7.0)


def test_the_factor_agrees_with_the_vendor_s_adjusted_close():
    table = pd.read_parquet(need("data/us_dev.parquet"), columns=["date", "symbol", "adj_close"])
    table = table[table["symbol"].isin(["AAPL", "XOM", "JNJ", "KO"])]
    table["date"], table["symbol"] = pd.to_datetime(table["date"]), table["symbol"].astype(str)
    joined = table.merge(shared_market("us").bars, on=["date", "symbol"])
    ratio = joined["close"] * joined["factor"] / joined["adj_close"]
    by_symbol = ratio.groupby(joined["symbol"])
    assert len(by_symbol) == 4
    # a reinvested dividend differs from a held one by second order only
    assert (by_symbol.max() / by_symbol.min() - 1).max() < 0.01


def test_the_us_benchmark_earns_its_dividends():
    benchmark = shared_market("us").benchmark
    assert benchmark["name"].unique().tolist() == ["SPY"]
    assert benchmark["total_return"].all()
    growth = benchmark["close"].iloc[-1] / benchmark["close"].iloc[0]
    assert 8.0 < 100 * (growth ** (252 / len(benchmark)) - 1) < 10.0
    assert not shared_market("us").rates["rf"].isna().any()


def test_cn_spot_prices_and_the_suspension_of_vanke():
    moutai = prices("cn", "600519.SH")
    assert moutai.loc["2015-07-16", "close"] == pytest.approx(251.59, abs=0.005)
    assert moutai.loc["2015-07-17", "close"] == pytest.approx(228.29, abs=0.005)
    assert moutai.loc["2019-12-31", "close"] == pytest.approx(1183.0, abs=0.005)
    assert moutai.loc["2015-07-17", "factor"] > moutai.loc["2015-07-16", "factor"]
    days = prices("cn", "000002.SZ").index
    assert not ((days >= "2015-12-21") & (days <= "2016-07-01")).any()
    assert pd.Timestamp("2015-12-18") in days and pd.Timestamp("2016-07-04") in days


def test_on_2015_07_08_about_60_percent_closed_limit_down():
    bars = shared_market("cn").bars
    day = bars[bars["date"] == "2015-07-08"]
    state = cn_rules.limit_state(
        day["close"].to_numpy(), day["limit_up"].to_numpy(), day["limit_down"].to_numpy()
    )
    assert (state == -1).mean() == pytest.approx(0.60, abs=0.02)


def test_derived_limits_agree_with_the_recorded_states():
    bars = shared_market("cn").bars
    known = pd.read_parquet(need("data/cn_dev.parquet"), columns=["date", "symbol", "limit_state"])
    known["symbol"] = known["symbol"].astype(str)
    known = known.sort_values(["date", "symbol"], ignore_index=True)
    assert (known["symbol"].to_numpy() == bars["symbol"].to_numpy()).all()
    state = cn_rules.limit_state(
        bars["close"].to_numpy(), bars["limit_up"].to_numpy(), bars["limit_down"].to_numpy()
    )
    # first days and resumptions have no limit here, a derived state there
    assert (state != known["limit_state"].to_numpy()).sum() < 300
    traded = bars[bars["limit_up"].notna()]
    assert (traded["high"] <= traded["limit_up"] + 1e-9).all()
    assert (traded["low"] >= traded["limit_down"] - 1e-9).all()


def test_the_factor_follows_the_ex_events():
    events = pd.read_csv(need("data/cn_ex_events.csv"), parse_dates=["date"])
    bars = shared_market("cn").bars.sort_values(["symbol", "date"])
    step = bars["factor"] / bars.groupby("symbol")["factor"].shift()
    joined = bars.assign(step=step).merge(events, on=["symbol", "date"])
    assert len(joined) > 10_000
    assert (joined["step"] / joined["ratio"] - 1).abs().max() < 1e-6
    assert (calendar.days(bars["date"]) <= np.datetime64("2019-12-31")).all()

import dataclasses

import numpy as np
import pandas as pd
import pytest

from quant.backtest.market import FIELDS, charges, market_arrays
from quant.core.errors import DataError
from quant.core.panel import Panel
from tests.backtest import markets

N_DAYS, N = 60, 12


def panel() -> Panel:
    symbols = np.array(markets.symbols_of("cn", N), object)
    return Panel.of(markets.random_bars(), FIELDS, markets.business_days(N_DAYS), symbols)


def test_marks_carry_the_last_close_over_suspensions():
    p = panel()
    m = markets.random_market()
    close = pd.DataFrame(p["close"]).ffill().fillna(0.0).to_numpy()
    np.testing.assert_array_equal(m.mark, close)
    assert (~m.tradable & (m.mark > 0)).any()
    assert (np.isnan(m.open) == ~m.tradable).all()


def test_the_share_ratio_compounds_to_the_factor():
    p, m = panel(), markets.random_market()
    factor = pd.DataFrame(p["factor"]).ffill().to_numpy()
    first = np.argmax(~np.isnan(p["factor"]), axis=0)
    total = factor[-1] / factor[first, np.arange(N)]
    np.testing.assert_allclose(m.ratio.prod(axis=0), total, rtol=1e-12)
    np.testing.assert_array_equal(m.has_action, (m.ratio != 1).any(axis=1))
    assert m.has_action.any()


def test_exits_follow_the_listing_and_never_precede_the_last_bar():
    m = markets.random_market()
    after = N_DAYS // 2 + 3 + 1
    np.testing.assert_array_equal(m.exit_day[[1, 2]], [after, after])
    assert (np.delete(m.exit_day, [1, 2]) == N_DAYS).all()
    np.testing.assert_array_equal(m.exit_return[[1, 2]], [-0.30, 0.0])
    late = markets.listings_of("cn").assign(delist_return=[-1.0] * N)
    late.loc[:, "delist_date"] = pd.Timestamp(markets.business_days(N_DAYS)[3])
    m = market_arrays(panel(), late, markets.rates_of(), "cn")
    assert (m.exit_day == N_DAYS - np.argmax(m.tradable[::-1], axis=0)).all()
    np.testing.assert_array_equal(m.exit_return, np.where(late["truncated"], 0.0, -1.0))


def test_adv_is_the_trailing_median_of_money_traded():
    p, m = panel(), markets.random_market()
    column = p["amount"][:, 0]
    assert m.adv[40, 0] == np.nanmedian(column[:41])
    short = market_arrays(p, markets.no_listings(), markets.rates_of(), "cn", adv_window=5)
    assert short.adv[40, 0] == np.nanmedian(column[36:41])
    assert (m.adv[0] > 0).sum() == (m.mark[0] > 0).sum()


def test_bars_without_volume_do_not_trade():
    p = panel()
    volume = p["volume"].copy()
    volume[5] = 0.0
    still = Panel(p.dates, p.symbols, dict(p.fields) | {"volume": volume})
    m = market_arrays(still, markets.no_listings(), markets.rates_of(), "cn")
    assert not m.tradable[5].any() and np.isnan(m.open[5]).all()
    assert (m.mark[5] > 0).any()


def test_impossible_bars_are_refused_by_name():
    for name, value in (("factor", 0.0), ("factor", np.nan), ("close", -1.0), ("open", 0.0)):
        p = panel()
        p[name][0, 0] = value
        with pytest.raises(DataError, match=f"600000.SH has {name} .* on 2014-01-06"):
            market_arrays(p, markets.no_listings(), markets.rates_of(), "cn")


def test_rates_default_to_zero_and_align_by_date():
    m = market_arrays(panel(), markets.no_listings(), markets.rates_of().iloc[:0], "cn")
    assert not m.rf.any()
    m = market_arrays(panel(), markets.no_listings(), markets.rates_of().iloc[10:20], "cn")
    np.testing.assert_array_equal(np.flatnonzero(m.rf), np.arange(10, 20))


def test_charges_carry_the_statutory_fees_of_the_day():
    m = dataclasses.replace(markets.random_market(), dates=np.array(["2023-08-25", "2023-08-28"]))
    m = dataclasses.replace(m, dates=m.dates.astype("datetime64[D]"))
    c = charges(m, 5e-4, np.arange(N) * 1e-5, "cn")
    np.testing.assert_allclose(c.sell_fee, [1.01e-3, 0.51e-3])
    np.testing.assert_allclose(c.buy_fee, [1e-5, 1e-5])
    assert c.lambda1.shape == c.lambda2.shape == (2, N)
    assert not charges(m, 5e-4, 1e-5, None).sell_fee.any()


def test_index_finds_the_session_on_or_after_a_date():
    m = markets.random_market()
    assert m.index("2014-01-11") == m.index("2014-01-13") == 5
    with pytest.raises(DataError, match="after the last session"):
        m.index("2030-01-01")

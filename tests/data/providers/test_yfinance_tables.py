"""Un-splitting: laws, and the numbers that Yahoo prints on its help page."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.data.providers import yfinance_tables as tables

DAYS = pd.bdate_range("2003-02-13", periods=7)


def received(close, splits=None, dividends=None, symbol="X", days=None) -> pd.DataFrame:
    """What Yahoo would send of these as-traded closes."""
    n = len(close)
    ratio, paid = np.ones(n), np.zeros(n)
    for at, value in (splits or {}).items():
        ratio[at] = value
    for at, value in (dividends or {}).items():
        paid[at] = value
    later = np.array([np.prod(ratio[i + 1 :]) for i in range(n)])
    price = np.asarray(close, dtype=float) / later
    frame = pd.DataFrame({"date": pd.bdate_range("2003-02-13", periods=n), "symbol": symbol})
    for name in tables.PRICES:
        frame[name] = price
    frame["volume"] = 1e6 * later
    frame["dividend"] = paid / later
    frame["split"] = np.where(ratio == 1, 0.0, ratio)
    return frame


def test_the_example_of_yahoos_help_page():
    # sln28256: 2:1 split on 2/18, dividend 0.08 on 2/21; published adjusted closes
    close = [46.99, 48.3, 24.96, 24.91, 24.95, 24.53, 24.54]
    published = [23.42, 24.07, 24.88, 24.83, 24.87, 24.53, 24.54]
    traded = tables.as_traded(received(close, {2: 2.0}, {5: 0.08}))
    np.testing.assert_allclose(traded["close"], close, rtol=1e-12)
    bars, wrong = tables.bars(traded)
    assert wrong.empty
    adjusted = bars["close"] * bars["factor"] / bars["factor"].iloc[-1]
    np.testing.assert_allclose(adjusted, published, atol=0.005)
    assert adjusted[0] == pytest.approx(23.419665330661324, rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    close=st.lists(st.floats(5, 500).map(lambda v: round(v, 2)), min_size=3, max_size=12),
    data=st.data(),
)
def test_unsplitting_is_the_inverse_of_splitting(close, data):
    ratios = st.sampled_from([2.0, 3.0, 7.0, 1.5, 0.25, 0.1])
    splits = data.draw(st.dictionaries(st.integers(1, len(close) - 1), ratios, max_size=3))
    paid = data.draw(st.dictionaries(st.integers(1, len(close) - 1), st.just(0.31), max_size=2))
    traded = tables.as_traded(received(close, splits, paid))
    np.testing.assert_allclose(traded["close"], close, rtol=1e-9)
    np.testing.assert_allclose(traded["volume"], 1e6, rtol=1e-6)
    assert dict(traded["dividend"][traded["dividend"] > 0]) == pytest.approx(paid)


def test_one_symbols_splits_leave_another_alone():
    both = pd.concat(
        [received([10.0, 5.0], {1: 2.0}, symbol="A"), received([8.0, 9.0], symbol="B")]
    )
    traded = tables.as_traded(both)
    assert traded["close"].tolist() == [10.0, 5.0, 8.0, 9.0]


def test_a_dividend_as_large_as_the_price_is_left_out_and_returned():
    traded = tables.as_traded(received([10.0, 10.0, 10.0], dividends={1: 10.0}))
    bars, wrong = tables.bars(traded)
    assert wrong["dividend"].tolist() == [10.0]
    assert bars["factor"].tolist() == [1.0, 1.0, 1.0]


def test_actions_of_an_unusable_row_move_to_the_next_one():
    traded = tables.as_traded(received([10.0, 10.0, 5.0, 5.0], {2: 2.0}, {2: 0.5}))
    good = tables.carry_actions(traded.drop(index=2), traded.loc[[2]])
    assert good[["dividend", "split"]].iloc[-1].tolist() == [0.5, 2.0]
    assert good["split"].iloc[:-1].tolist() == [1.0, 1.0]


def test_the_rate_of_a_session_is_known_the_day_before():
    frame = pd.DataFrame({"date": DAYS[:3], "close": [2.52, 5.04, 9.0]})
    rates = tables.rates(frame)
    assert rates["rf"].tolist() == pytest.approx([1e-4, 2e-4], rel=1e-12)
    assert rates["date"].tolist() == list(DAYS[1:3])

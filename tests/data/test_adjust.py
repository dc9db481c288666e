import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import DataError
from quant.data import adjust
from tests.data.answers import RULES

YAHOO = RULES["11_adjclose_yahoo"]
TUSHARE = RULES["11_tushare_adj_factor"]


def first_of(size: int) -> np.ndarray:
    first = np.zeros(size, dtype=bool)
    first[0] = True
    return first


def yahoo_actions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    close = np.array(YAHOO["inputs"]["close_as_traded"])
    dates = YAHOO["inputs"]["dates"]
    dividend, split = np.zeros(close.size), np.ones(close.size)
    split[dates.index("2/18")] = 2.0
    dividend[dates.index("2/21")] = 0.08
    return close, dividend, split


def test_adjusted_close_of_yahoo():
    close, dividend, split = yahoo_actions()
    adjusted = close * adjust.backward_multipliers(close, dividend, split)
    np.testing.assert_allclose(adjusted, YAHOO["expected"]["adj_with_prev_close"], rtol=1e-12)
    np.testing.assert_allclose(adjusted, YAHOO["expected"]["published_adj_close"], atol=0.005)


def test_published_dividend_multipliers():
    for dividend, price, multiplier in YAHOO["expected"]["other_published_multipliers"]:
        found = (
            adjust.reference_from_actions(np.array([price]), np.array([dividend]), np.ones(1))
            / price
        )
        assert found[0] == pytest.approx(multiplier, abs=5e-5)


def test_the_factor_is_causal_and_gives_the_same_returns():
    close, dividend, split = yahoo_actions()
    first = first_of(close.size)
    prev = adjust.previous(close, first)
    reference = adjust.reference_from_actions(prev, dividend, split)
    factor = adjust.factor_from_reference(prev, reference, first)
    assert factor[0] == 1.0
    for size in range(1, close.size):
        short = adjust.factor_from_reference(prev[:size], reference[:size], first[:size])
        np.testing.assert_array_equal(short, factor[:size])
    # across the ex-date the dividend is reinvested at the previous close
    ret = close[5] * factor[5] / (close[4] * factor[4]) - 1
    assert ret == pytest.approx(-0.0136710897, abs=1e-9)


def test_tushare_reference_price_and_factor():
    asked, known = TUSHARE["inputs"], TUSHARE["expected"]
    close, day = np.array(asked["close_raw"]), asked["ex_day_index"]
    reference = adjust.ex_reference(
        close[day - 1], cash=asked["cash_per_share"], bonus=asked["bonus_per_share"]
    )
    # the exchange publishes it in whole fen
    assert round(float(reference), 2) == known["ex_reference_price"]
    first = first_of(close.size)
    prev = adjust.previous(close, first)
    pre_close = prev.copy()
    pre_close[day] = reference
    factor = asked["factor_before"] * adjust.factor_from_reference(prev, pre_close, first)
    expected = np.array(known["adj_factor"])
    np.testing.assert_allclose(factor, expected, rtol=1e-3)
    rounded = pre_close.copy()
    rounded[day] = known["ex_reference_price"]
    exact = asked["factor_before"] * adjust.factor_from_reference(prev, rounded, first)
    np.testing.assert_allclose(exact, expected, rtol=1e-9)


def test_tushare_adjusted_prices():
    close = np.array(TUSHARE["inputs"]["close_raw"])
    known, factor = TUSHARE["expected"], np.array(TUSHARE["expected"]["adj_factor"])
    np.testing.assert_allclose(adjust.hfq(close, factor), known["hfq"], rtol=1e-9)
    np.testing.assert_allclose(
        adjust.qfq(close, factor, factor[-1]), known["qfq_end_last"], rtol=1e-9
    )
    np.testing.assert_allclose(
        adjust.qfq(close[:2], factor[:2], factor[1]), known["qfq_end_day1"], rtol=1e-9
    )
    hfq = adjust.hfq(close, factor)
    assert hfq[2] / hfq[1] - 1 == pytest.approx(known["ex_day_return"], rel=1e-9)


def test_rights_enter_the_reference_price():
    # (10 - 0.2 + 5 x 0.3) / 1.3
    found = adjust.ex_reference(10.0, cash=0.2, rights=0.3, rights_price=5.0)
    assert float(found) == pytest.approx(11.3 / 1.3)


def test_an_adjusted_close_s_rounding_is_not_an_action():
    close = np.linspace(20, 30, 50)
    true = np.where(np.arange(50) < 25, 0.8, 1.0)
    adjusted = np.round(close * true, 6)
    factor = adjust.factor_from_adjusted(close, adjusted, first_of(50), 2e-4)
    assert (factor[:25] == 1.0).all()
    np.testing.assert_allclose(factor[25:], 1.25, rtol=1e-6)
    assert np.unique(factor[25:]).size == 1


def test_a_dividend_on_the_day_of_a_split_is_for_a_new_share():
    found = adjust.reference_from_actions(np.array([20.0]), np.array([1.0]), np.array([2.0]))
    assert found[0] == 9.0


def test_a_dividend_above_the_price_is_refused():
    with pytest.raises(DataError, match="dividend of 30.0 on a price of 20.0 leaves nothing"):
        adjust.reference_from_actions(np.array([20.0]), np.array([30.0]), np.ones(1))


@given(st.lists(st.tuples(st.floats(0.2, 5), st.booleans()), min_size=1, max_size=40))
def test_the_grouped_product_restarts_at_every_symbol(rows):
    step = np.array([s for s, _ in rows])
    first = np.array([f for _, f in rows])
    first[0] = True
    step[first] = 1.0
    expected, running = [], 1.0
    for value, start in zip(step, first, strict=True):
        running = value if start else running * value
        expected.append(running)
    np.testing.assert_allclose(adjust.grouped_product(step, first), expected, rtol=1e-9)


def test_a_factor_does_not_change_by_a_bit_when_more_rows_follow():
    rng = np.random.default_rng(3)
    n_symbols, n_days = 30, 400
    code, day = np.repeat(np.arange(n_symbols), n_days), np.tile(np.arange(n_days), n_symbols)
    step = np.where(rng.random(code.size) < 0.02, rng.uniform(1.0, 1.1, code.size), 1.0)

    def factor(keep):
        first = np.append(True, np.diff(code[keep]) != 0)
        return adjust.grouped_product(np.where(first, 1.0, step[keep]), first)

    known = day < 300
    np.testing.assert_array_equal(factor(np.ones(code.size, bool))[known], factor(known))

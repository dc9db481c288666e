from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest

from quant.core.errors import DataError
from quant.data import cn_rules
from tests.data.answers import RULES

LIMITS = RULES["11_cn_price_limits"]
LOTS = RULES["11_cn_lots_tplus1"]


def test_limit_percent_by_board_date_and_st():
    queries = LIMITS["inputs"]["queries"]
    percent = cn_rules.limit_percent(
        np.array([cn_rules.board(q["code"]) for q in queries]),
        np.array([q["date"] for q in queries], dtype="datetime64[D]"),
        np.array([q["is_st"] for q in queries]),
    )
    assert (percent / 100).tolist() == LIMITS["expected"]["ratios"]


def test_published_limit_prices():
    percent = np.rint(np.array(LIMITS["inputs"]["rounding_pct"]) * 100).astype(int)
    prices = np.array(LIMITS["inputs"]["rounding_prev_close"])
    found = np.stack(cn_rules.price_limits(prices, percent, percent), axis=1)
    assert found.tolist() == LIMITS["expected"]["limits"]


def test_limits_are_half_up_where_floats_round_wrongly():
    for case in LIMITS["expected"]["float_round_failure_examples"]:
        percent = np.array([round(case["pct"] * 100)])
        up, down = cn_rules.price_limits(np.array([case["prev"]]), percent, percent)
        assert [up[0], down[0]] == case["right"]
        assert case["right"] != case["python_round"]


def test_every_price_from_one_to_thirty_against_decimal_arithmetic():
    fen = np.arange(100, 3001)
    failures = 0
    for percent in (5, 10):
        whole = np.full(fen.size, percent)
        up, down = cn_rules.price_limits(fen / 100, whole, whole)
        for number, price in enumerate(fen):
            for found, sign in ((up, 1), (down, -1)):
                exact = Decimal(int(price)) / 100 * (100 + sign * percent) / 100
                right = float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))
                assert found[number] == right
            naive = [round(float(price / 100) * (1 + s * percent / 100), 2) for s in (1, -1)]
            failures += naive != [up[number], down[number]]
    assert failures == LIMITS["expected"]["float_round_failures_count_1_to_30_yuan"]


@pytest.mark.parametrize(
    ("symbol", "board"),
    [
        ("600519.SH", "main"),
        ("605111.SH", "main"),
        ("688981.SH", "star"),
        ("689009.SH", "star"),
        ("900901.SH", "b"),
        ("000001.SZ", "main"),
        ("001289.SZ", "main"),
        ("003816.SZ", "main"),
        ("300750.SZ", "chinext"),
        ("301001.SZ", "chinext"),
        ("302132.SZ", "chinext"),
        ("200011.SZ", "b"),
        ("830799.BJ", "bse"),
        ("920799.BJ", "bse"),
    ],
)
def test_boards(symbol, board):
    assert cn_rules.board(symbol) == board


@pytest.mark.parametrize("symbol", ["AAPL", "600519", "000300.SH", "60051A.SH", "SH600519"])
def test_what_is_no_chinese_stock_is_refused(symbol):
    with pytest.raises(DataError, match=f"'{symbol}' is not a Chinese stock"):
        cn_rules.board(symbol)


def limits_of(board, day, age, pre_close=10.0, is_st=False, leaving=False):
    up, down = cn_rules.daily_limits(
        np.array([pre_close]),
        np.array([board]),
        np.array([day], dtype="datetime64[D]"),
        np.array([is_st]),
        np.array([age]),
        np.array([leaving]),
    )
    return up[0], down[0]


@pytest.mark.parametrize(
    ("board", "day", "age", "limits"),
    [
        ("main", "2012-05-02", 0, None),
        ("main", "2015-05-04", 0, (14.4, 6.4)),
        ("main", "2015-05-05", 1, (11.0, 9.0)),
        ("main", "2023-04-10", 4, None),
        ("main", "2023-04-10", 5, (11.0, 9.0)),
        ("chinext", "2020-08-21", 1, (11.0, 9.0)),
        ("chinext", "2020-08-24", 1, None),
        ("chinext", "2020-08-24", 5, (12.0, 8.0)),
        ("star", "2019-07-22", 0, None),
        ("star", "2019-07-29", 5, (12.0, 8.0)),
        ("bse", "2022-01-04", 0, None),
        ("bse", "2022-01-05", 1, (13.0, 7.0)),
    ],
)
def test_first_days(board, day, age, limits):
    found = limits_of(board, day, age)
    if limits is None:
        assert np.isnan(found).all()
    else:
        assert found == limits


def test_the_delisting_period_is_not_narrowed_by_st():
    assert limits_of("main", "2018-06-05", 5000, is_st=True) == (10.5, 9.5)
    assert limits_of("main", "2018-06-05", 5000, is_st=True, leaving=True) == (11.0, 9.0)


def test_no_reference_price_no_limit():
    assert np.isnan(limits_of("main", "2018-06-05", 5000, pre_close=np.nan)).all()


def test_a_limit_is_at_least_one_fen_away():
    percent = np.array([5])
    assert cn_rules.price_limits(np.array([0.05]), percent, percent)[0][0] == 0.06
    assert cn_rules.price_limits(np.array([0.01]), percent, percent)[1][0] == 0.01


def test_limit_state():
    up, down = np.array([11.0, 11.0, 11.0, np.nan]), np.array([9.0, 9.0, 9.0, np.nan])
    state = cn_rules.limit_state(np.array([11.0, 9.0, 10.0, 50.0]), up, down)
    assert state.tolist() == [1, -1, 0, 0]


def test_lots():
    found = [cn_rules.buyable(board, shares) for board, shares in LOTS["inputs"]["buy_requests"]]
    assert found == LOTS["expected"]["buy_accepted"]


def test_sales_under_t_plus_one():
    positions, known = LOTS["inputs"]["positions"], LOTS["expected"]
    accepted = [
        cn_rules.sell_accepted(p["board"], p["held"], p["bought_today"], p["sell"])
        for p in positions
    ]
    assert accepted == known["sell_ok"]
    free = [cn_rules.sellable(p["held"], p["bought_today"]) for p in positions]
    assert free == known["sellable"]

import json

import numpy as np
import pytest

from quant.core.errors import DataError
from quant.execution.orders import Lots, Orders, from_targets, rounded
from tests.shared import need

CN = np.array(["600519.SH", "688001.SH", "000001.SZ"], object)


def all_of(n: int) -> np.ndarray:
    return np.arange(n)


def test_buys_follow_the_boards_lots():
    case = json.loads(need("cases/11_cn_lots_tplus1.json").read_text())
    symbols = {"main": "600519.SH", "star": "688001.SH", "chinext": "300001.SZ"}
    for (board, asked), accepted in zip(
        case["inputs"]["buy_requests"], case["expected"]["buy_accepted"], strict=True
    ):
        lots = Lots.of(np.array([symbols[board]], object), "cn")
        assert lots.whole(np.array([float(asked)]), all_of(1))[0] == accepted


def test_lots_of_the_regions():
    lots = Lots.of(CN, "cn")
    np.testing.assert_array_equal(lots.size, [100, 1, 100])
    np.testing.assert_array_equal(lots.minimum, [100, 200, 100])
    np.testing.assert_array_equal(Lots.of(np.array(["AAPL"]), "us").size, [1])
    with pytest.raises(DataError, match="region 'jp' has no lot rule"):
        Lots.of(CN, "jp")


def test_rounding_is_toward_zero_and_forgives_float_noise():
    lots = Lots.of(CN, "cn")
    whole = lots.whole(np.array([299.9999999, 350.7, 199.0]), all_of(3))
    np.testing.assert_array_equal(whole, [300, 350, 100])
    free = Lots.fractional(3).whole(np.array([0.3, 1.7, 99.5]), all_of(3))
    np.testing.assert_array_equal(free, [0.3, 1.7, 99.5])


def test_an_exit_sells_odd_lots_and_fractions_a_reduction_only_whole_lots():
    lots, held = Lots.of(CN, "cn"), np.array([1050.25, 1050.25, 1050.25])
    wanted = np.array([-1050.25, -150.0, -150.0])
    orders = rounded(Orders(all_of(3), wanted, np.array([True, False, False])), lots, held)
    # STAR sells 200 at least: the order of 150 is dropped
    np.testing.assert_array_equal(orders.asset, [0, 2])
    np.testing.assert_array_equal(orders.shares, [-1050.25, -100.0])


def test_orders_lead_from_what_is_held_to_the_target():
    held, price, nav = np.array([10.0, 0.0, 5.0, 2.0]), np.array([5.0, 4.0, 10.0, 25.0]), 200.0
    target = np.array([0.5, 0.1, 0.0, 0.25])
    orders = from_targets(target, held, price, nav, held * price / nav)
    np.testing.assert_array_equal(orders.asset, [0, 1, 2])  # the last one is there already
    np.testing.assert_allclose((held[:3] + orders.shares) * price[:3] / nav, target[:3])
    np.testing.assert_array_equal(orders.exit, [False, False, True])

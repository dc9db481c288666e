import numpy as np

from quant.execution.limits import REASONS, blocked

NAN = np.nan


def reasons(price, up, down, buys):
    codes = blocked(np.array(price), np.array(up), np.array(down), np.array(buys))
    return [REASONS[code] for code in codes]


def test_limits_block_the_side_that_can_not_trade():
    price = [11.0, 11.0, 9.0, 9.0, 10.99, 9.01]
    buys = [True, False, True, False, True, False]
    got = reasons(price, [11.0] * 6, [9.0] * 6, buys)
    assert got == ["limit up", "", "", "limit down", "", ""]


def test_beyond_the_limit_and_float_noise_count_as_at_the_limit():
    assert reasons([11.5], [11.0], [9.0], [True]) == ["limit up"]
    assert reasons([0.1 + 0.2], [0.3], [NAN], [True]) == ["limit up"]
    assert reasons([0.3], [NAN], [0.1 + 0.2], [False]) == ["limit down"]


def test_no_price_is_a_suspension_and_no_limit_never_blocks():
    assert reasons([NAN, NAN], [NAN, 11.0], [NAN, 9.0], [True, False]) == ["suspended"] * 2
    assert reasons([1e9, 1e-9], [NAN, NAN], [NAN, NAN], [True, False]) == ["", ""]

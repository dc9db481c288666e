"""What gamblers like: a large gain of late, and a low price."""

import numpy as np

from quant.core.types import Matrix
from quant.features import kernels as k
from quant.features.producer import row
from quant.features.view import View, positive


def largest_return(v: View, window: int) -> Matrix:
    """Largest daily return. Source: Bali, Cakici & Whitelaw (2011), MAX."""
    return k.highest(v.ret, window)


def largest_returns(v: View, window: int, days: int) -> Matrix:
    """Mean of the `days` largest daily returns. Source: Bali, Cakici & Whitelaw (2011), MAX(5)."""
    return k.mean_of_largest(v.ret, window, days)


def smallest_return(v: View, window: int) -> Matrix:
    """Smallest daily return. Source: Bali, Cakici & Whitelaw (2011), MIN."""
    return k.lowest(v.ret, window)


def scaled_largest(v: View, window: int) -> Matrix:
    """Largest daily return over the volatility of the window.

    Source: Asness, Frazzini, Gormsen & Pedersen (2020), SMAX.
    """
    return k.highest(v.ret, window) / positive(k.deviation(v.ret, window))


def nominal_price(v: View) -> Matrix:
    """Log of the close as traded, in currency.

    Source: Birru & Wang (2016), nominal price illusion; Kumar (2009), lotteries.
    """
    return np.log(v.price)


ROWS = (
    row("max_ret_21d", largest_return, window=21),
    row("max5_ret_21d", largest_returns, window=21, days=5),
    row("max_ret_126d", largest_return, window=126),
    row("max_scaled_21d", scaled_largest, window=21),
    row("min_ret_21d", smallest_return, window=21),
    row("nominal_price", nominal_price),
)

"""What a feature sees: adjusted prices, adjusted volume and returns of some assets."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Matrix, Vector
from quant.features.kernels import carried, lag

# sessions for which the last traded price stays known through a suspension
CARRY = 252
FIELDS = ("open", "high", "low", "close", "volume", "amount", "factor", "float_shares")


@dataclass(frozen=True)
class View:
    """Matrices (n_days, n_assets); NaN on days without a trade unless said otherwise.

    open, high, low, close : adjusted prices, raw x factor
    vwap     : adjusted average price of the day, amount / volume x factor
    volume   : adjusted shares, raw / factor
    amount   : currency traded
    turnover : traded share of the free float, decimal; NaN where the float is unknown
    cap      : free-float capitalisation in currency; NaN where the float is unknown
    last     : adjusted close, carried through at most CARRY sessions of suspension
    before   : `last` of the session before
    ret      : total return since `before`, decimal
    overnight, intraday : log(open / before), log(close / open)
    market   : (n_days, 1) equal-weight mean of `ret` over the members of the day; over all that
               trade on days before there are members
    """

    open: Matrix
    high: Matrix
    low: Matrix
    close: Matrix
    vwap: Matrix
    volume: Matrix
    amount: Matrix
    turnover: Matrix
    cap: Matrix
    last: Matrix
    before: Matrix
    ret: Matrix
    overnight: Matrix
    intraday: Matrix
    market: Matrix


def returns(close: Matrix, factor: Matrix) -> Matrix:
    """Total return since the last traded close, through at most CARRY sessions of suspension.

    close, factor : (n_days, n_assets) raw close and adjustment factor
    """
    adjusted = positive(close * factor)
    return adjusted / lag(carried(adjusted, CARRY), 1) - 1.0


def positive(x: Matrix) -> Matrix:
    """`x` where it is above zero, else NaN."""
    return np.where(x > 0, x, np.nan)


def view(raw: dict[str, Matrix], market: Vector) -> View:
    """Adjust the raw fields of a block of assets.

    raw    : the FIELDS, each (n_days, n_assets), as traded
    market : (n_days,) mean return of the members of each day
    """
    factor = positive(raw["factor"])
    prices = {name: positive(raw[name]) * factor for name in ("open", "high", "low", "close")}
    volume, amount = positive(raw["volume"]), positive(raw["amount"])
    shares = positive(raw["float_shares"])
    last = carried(prices["close"], CARRY)
    before = lag(last, 1)
    return View(
        **prices,
        vwap=amount / volume * factor,
        volume=volume / factor,
        amount=amount,
        turnover=volume / shares,
        cap=positive(raw["close"]) * shares,
        last=last,
        before=before,
        ret=prices["close"] / before - 1.0,
        overnight=np.log(prices["open"] / before),
        intraday=np.log(prices["close"] / prices["open"]),
        market=market[:, None],
    )

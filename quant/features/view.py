"""What a feature sees: adjusted prices, adjusted volume and returns of some assets."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quant.core.types import Matrix, Vector
from quant.features.kernels import carried, covariance, lag

# sessions for which the last traded price stays known through a suspension
CARRY = 252
# sessions from which the beta behind daily residuals is estimated
BETA_WINDOW = 126
FIELDS = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "amount",
    "factor",
    "limit_up",
    "limit_down",
    "float_shares",
)


@dataclass(frozen=True)
class View:
    """Matrices (n_days, n_assets); NaN on days without a trade unless said otherwise.

    open, high, low, close : adjusted prices, raw x factor
    price    : close as traded, in currency
    limit_up, limit_down : adjusted price limits of the day; NaN where there is none
    vwap     : adjusted average price of the day, amount / volume x factor
    volume   : adjusted shares, raw / factor
    amount   : currency traded
    shares   : adjusted free float; NaN where it is unknown
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
    price: Matrix
    limit_up: Matrix
    limit_down: Matrix
    vwap: Matrix
    volume: Matrix
    amount: Matrix
    shares: Matrix
    turnover: Matrix
    cap: Matrix
    last: Matrix
    before: Matrix
    ret: Matrix
    overnight: Matrix
    intraday: Matrix
    market: Matrix

    # what many features ask for is computed once
    @cached_property
    def beside(self) -> Matrix:
        """The market's return on the days on which the asset has one."""
        return np.where(np.isfinite(self.ret), self.market, np.nan)

    @cached_property
    def move(self) -> Matrix:
        """Absolute return."""
        return np.abs(self.ret)

    @cached_property
    def size(self) -> Matrix:
        """Log of adjusted shares traded."""
        return np.log(self.volume)

    @cached_property
    def width(self) -> Matrix:
        """Log of the day's high over its low."""
        return np.log(self.high / self.low)

    @cached_property
    def impact(self) -> Matrix:
        """Absolute return per currency unit traded."""
        return self.move / self.amount

    @cached_property
    def residual(self) -> Matrix:
        """Return less beta x market, beta from the BETA_WINDOW sessions up to the day."""
        cov, _, spread = self.market_moments(BETA_WINDOW)
        return self.ret - cov / spread * self.market

    def market_moments(self, window: int) -> tuple[Matrix, Matrix, Matrix]:
        """Covariance of return and market, variance of the return, of the market (ddof 0)."""
        name = f"_moments_{window}"
        if name not in self.__dict__:
            self.__dict__[name] = covariance(self.ret, self.beside, window)
        return self.__dict__[name]


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
    adjusted = ("open", "high", "low", "close", "limit_up", "limit_down")
    prices = {name: positive(raw[name]) * factor for name in adjusted}
    volume, amount = positive(raw["volume"]), positive(raw["amount"])
    shares = positive(raw["float_shares"])
    last = carried(prices["close"], CARRY)
    before = lag(last, 1)
    return View(
        **prices,
        price=positive(raw["close"]),
        vwap=amount / volume * factor,
        volume=volume / factor,
        amount=amount,
        shares=shares / factor,
        turnover=volume / shares,
        cap=positive(raw["close"]) * shares,
        last=last,
        before=before,
        ret=prices["close"] / before - 1.0,
        overnight=np.log(prices["open"] / before),
        intraday=np.log(prices["close"] / prices["open"]),
        market=market[:, None],
    )

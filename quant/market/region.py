"""The numbers that make one simulated market look like the US and another like China.

Volatilities are annual and decimal, durations are sessions, rates of events are per session.
They were set so that the stylised facts fall into the bands of `tests/market/test_facts.py`.
"""

from dataclasses import dataclass

YEAR = 252


@dataclass(frozen=True)
class Region:
    """Dynamics of one market.

    market_vol, sector_vol, industry_vol, style_vol : typical volatility of each factor
    idio_vol, idio_spread : median residual volatility, and the spread of its logarithm
    tail                  : degrees of freedom of residual shocks
    slow, fast            : spread of the two parts of log volatility
    overnight             : share of a day's variance that falls before the open
    cap, cap_spread       : median free-float value in currency; spread of its log10
    turnover, turnover_spread : median daily volume by free float; spread of its log10
    activity              : spread of the daily noise in log volume
    price                 : median first price
    payers, dividend_yield, payouts : share of names that pay; yearly yield; times a year
    merger, failure       : rate of taken-over names; rate of failing ones while in distress
    failure_return        : mean delisting return of a failed name
    suspension, suspension_mean : rate, and mean length in sessions
    """

    market_vol: float
    sector_vol: float
    industry_vol: float
    style_vol: float
    idio_vol: float
    idio_spread: float
    tail: float
    slow: float
    fast: float
    overnight: float
    cap: float
    cap_spread: float
    turnover: float
    turnover_spread: float
    activity: float
    price: float
    payers: float
    dividend_yield: float
    payouts: int
    merger: float
    failure: float
    failure_return: float
    suspension: float
    suspension_mean: float


US = Region(
    market_vol=0.165,
    sector_vol=0.05,
    industry_vol=0.06,
    style_vol=0.035,
    idio_vol=0.18,
    idio_spread=0.27,
    tail=4.5,
    slow=0.26,
    fast=0.20,
    overnight=0.30,
    cap=3e9,
    cap_spread=0.62,
    turnover=0.006,
    turnover_spread=0.30,
    activity=0.38,
    price=32.0,
    payers=0.65,
    dividend_yield=0.022,
    payouts=4,
    merger=0.015 / YEAR,
    failure=0.25 / YEAR,
    failure_return=-0.30,
    suspension=2e-5,
    suspension_mean=3.0,
)
CN = Region(
    market_vol=0.30,
    sector_vol=0.06,
    industry_vol=0.08,
    style_vol=0.05,
    idio_vol=0.29,
    idio_spread=0.15,
    tail=4.0,
    slow=0.42,
    fast=0.32,
    overnight=0.17,
    cap=4e9,
    cap_spread=0.66,
    turnover=0.013,
    turnover_spread=0.28,
    activity=0.55,
    price=12.0,
    payers=0.75,
    dividend_yield=0.014,
    payouts=1,
    merger=0.003 / YEAR,
    failure=0.15 / YEAR,
    failure_return=-0.40,
    suspension=0.0025,
    suspension_mean=15.0,
)


def region(name: str) -> Region:
    """Dynamics of the region `name`, which a MarketSpec has checked."""
    return {"us": US, "cn": CN}[name]

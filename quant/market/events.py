"""What happens to names: suspensions, distress and ST, delistings, dividends and splits."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Dates, Mask, Vector
from quant.market.names import Names
from quant.market.region import YEAR, Region

ST_IN, ST_OUT = -1.0, -0.25  # log return over a year that brings and ends special treatment
ST_RATE, ST_END_RATE = 0.004, 0.01
DISTRESS = -0.60  # log return over a year below which a US name may fail


@dataclass
class Status:
    """Who is listed, in what state; changed in place.

    alive     : (n,) has its first row behind it or today, and is not gone
    suspended : (n,) sessions of suspension left
    is_st     : (n,) special treatment
    gone      : (n,) last session, or -1
    payoff    : (n,) delisting return, NaN where not delisted
    """

    alive: Mask
    suspended: Codes
    is_st: Mask
    gone: Codes
    payoff: Vector

    @classmethod
    def start(cls, n: int) -> "Status":
        """Nobody is listed yet."""
        return cls(
            np.zeros(n, bool),
            np.zeros(n, int),
            np.zeros(n, bool),
            np.full(n, -1),
            np.full(n, np.nan),
        )


def hazard(status: Status, year_return: Vector, region: Region, cn: bool) -> Vector:
    """Rate at which each name fails in a session, known the day before.

    year_return : (n,) log return over 252 sessions, NaN where unknown
    """
    weak = status.is_st if cn else np.nan_to_num(year_return) < DISTRESS
    return np.where(weak, region.failure, 0.0)


def delist(
    status: Status, day: int, rate: Vector, region: Region, rng: np.random.Generator
) -> None:
    """Let names go after the close of `day`: failures at `rate`, the others taken over."""
    draw, loss = rng.random(rate.size), rng.uniform(0.5, 1.5, rate.size)
    able = status.alive & (status.suspended == 0)
    fails = able & (draw < rate)
    leaves = able & ~fails & (draw < rate + region.merger)
    status.payoff[fails] = np.round(region.failure_return * loss[fails], 4)
    status.payoff[leaves] = 0.0
    status.gone[fails | leaves] = day
    status.alive &= ~(fails | leaves)


def treat(status: Status, year_return: Vector, rng: np.random.Generator) -> None:
    """Begin and end special treatment (CN) for the next session."""
    draw = rng.random(year_return.size)
    year_return = np.nan_to_num(year_return)
    enters = (year_return < ST_IN) & (draw < ST_RATE)
    leaves = (year_return > ST_OUT) & (draw < ST_END_RATE)
    status.is_st[:] = status.alive & ((status.is_st & ~leaves) | enters)


def suspend(status: Status, region: Region, rng: np.random.Generator) -> None:
    """Count suspensions down and begin new ones, from the next session on."""
    n = status.alive.size
    starts = rng.random(n) < region.suspension
    length = rng.geometric(1 / region.suspension_mean, n)
    status.suspended[:] = np.where(
        status.suspended > 0, status.suspended - 1, np.where(starts & status.alive, length, 0)
    )


@dataclass(frozen=True)
class Calendar:
    """Ex-dates: for each name the sessions on which it pays and splits, if it does.

    year  : (n_days,) session number within its calendar year;   offset : (n,)
    """

    year: Codes
    offset: Codes
    payer: Mask
    region: Region

    @classmethod
    def draw(
        cls, sessions: Dates, names: Names, region: Region, rng: np.random.Generator
    ) -> "Calendar":
        """Ex-dates spread over the quarter (US) or from May to July (CN)."""
        years = sessions.astype("datetime64[Y]")
        first = np.searchsorted(years, years)
        # a first year that is incomplete counts its sessions from January
        missing = np.busday_count(years[0].astype("datetime64[D]"), sessions[0]) - 5
        number = np.arange(sessions.size) - first + np.where(first == 0, max(0, missing), 0)
        low, high = (85, 140) if region.payouts == 1 else (0, 63)
        return cls(number, rng.integers(low, high, names.size), names.payer, region)

    def due(self, day: int) -> Mask:
        """Names whose ex-date `day` is."""
        number = self.year[day]
        if self.region.payouts == 1:
            return self.offset == number
        return (number < 63 * self.region.payouts) & (self.offset == number % 63)


def actions(
    calendar: Calendar, day: int, close: Vector, rng: np.random.Generator
) -> tuple[Vector, Vector]:
    """Cash a share and new shares for one old, of names that trade on their ex-date.

    close : (n,) last close in ticks;   Returns (dividend in ticks, split)
    """
    region, n = calendar.region, close.size
    draw, generosity = rng.random(n), rng.uniform(0.5, 1.5, n)
    due = calendar.due(day)
    paid = np.rint(close * region.dividend_yield / region.payouts * generosity)
    dividend = np.where(due & calendar.payer, np.minimum(paid, 0.2 * close), 0.0)
    pick = rng.random(n)
    if region.payouts == 1:
        ratio = np.select([pick < 0.4, pick < 0.7, pick < 0.9], [1.2, 1.5, 2.0], 1.3)
        return dividend, np.where(due & (close > 1500) & (draw < 0.30), ratio, 1.0)
    ratio = np.select([pick < 0.7, pick < 0.85], [2.0, 3.0], 1.5)
    split = np.where((close > 11000) & (draw < 0.6 / YEAR), ratio, 1.0)
    return dividend, np.where((close < 300) & (draw < 5 / YEAR), 0.1, split)

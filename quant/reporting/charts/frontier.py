"""Frontiers as drawings: the best return along one limit, with today's choice on it."""

import numpy as np

from quant.core.types import Vector
from quant.reporting.charts.points import Cloud, Scatter
from quant.reporting.formats import PERCENT, Unit

BP = Unit(1e4, "", 1)  # the titles say the unit


def efficient(
    vol: Vector, net: Vector, today: tuple[float, float], vol_name: str = "expected volatility"
) -> Scatter:
    """The efficient frontier: expected return after costs against volatility.

    vol, net : (k,) annualised; over the horizon; both decimal
    today    : the same two of what was chosen
    vol_name : what the horizontal axis measures, for a tracking error
    """
    here, there = (
        f"{PERCENT(v)} and {BP(r)} bp" for v, r in ((vol[0], net[0]), (vol[-1], net[-1]))
    )
    return Scatter(
        "Expected return after costs by volatility, bp over the horizon",
        [
            Cloud("best that can be traded to today", vol, net, 0, joined=True),
            _dot("chosen", *today, 2),
        ],
        f"{vol_name}, annualised",
        PERCENT,
        BP,
        f"From {here} to {there}; chosen: {PERCENT(today[0])} and {BP(today[1])} bp.",
    )


def cost(
    turnover: Vector, expected: Vector, net: Vector, today: tuple[float, float, float]
) -> Scatter:
    """The cost frontier: expected return before and after costs against turnover.

    turnover      : (k,) two-way, decimal
    expected, net : (k,) before and after costs, decimal over the horizon
    today         : the same three of what was chosen
    """
    spent, gross, left = today
    ends = ((turnover[0], net[0]), (turnover[-1], net[-1]))
    here, there = (f"{BP(r)} bp at {PERCENT(t)}" for t, r in ends)
    return Scatter(
        "Expected return by turnover, bp over the horizon",
        [
            Cloud("before costs", turnover, expected, 1, joined=True),
            Cloud("after costs", turnover, net, 0, joined=True),
            _dot("", spent, gross, 2),
            _dot("chosen", spent, left, 2),
        ],
        "turnover, two-way",
        PERCENT,
        BP,
        f"After costs from {here} to {there}; chosen: {BP(left)} bp at {PERCENT(spent)}.",
    )


def _dot(name: str, x: float, y: float, tone: int) -> Cloud:
    return Cloud(name, np.array([x]), np.array([y]), tone)

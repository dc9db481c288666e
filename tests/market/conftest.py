"""Small markets that several tests look at; made once."""

import numpy as np
import pytest

from quant.market import MarketSpec, SimulatedMarket, simulate


def days(start: str, end: str) -> np.ndarray:
    whole = np.arange(np.datetime64(start), np.datetime64(end), dtype="datetime64[D]")
    return whole[np.is_busday(whole)]


@pytest.fixture(scope="session")
def us() -> SimulatedMarket:
    return simulate(MarketSpec("us", days("2012-01-03", "2016-01-01"), 120), 7)


@pytest.fixture(scope="session")
def cn() -> SimulatedMarket:
    # the range spans the industry scheme and the first-day rule of 2014
    return simulate(MarketSpec("cn", days("2012-01-04", "2016-01-01"), 160), 7)


@pytest.fixture(scope="session", params=["us", "cn"])
def either(request: pytest.FixtureRequest) -> SimulatedMarket:
    return request.getfixturevalue(request.param)

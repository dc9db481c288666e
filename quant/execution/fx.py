"""What a dollar is worth, for limits that are given in dollars."""

import numpy as np

from quant.core.errors import ConfigError
from quant.core.types import Dates, Vector

# CNY for one USD, average of the year
# Source: National Bureau of Statistics of China, Statistical Yearbook, table 18-8
_CNY = {
    2004: 8.2768, 2005: 8.1917, 2006: 7.9718, 2007: 7.6040, 2008: 6.9451, 2009: 6.8310,
    2010: 6.7695, 2011: 6.4588, 2012: 6.3125, 2013: 6.1932, 2014: 6.1428, 2015: 6.2284,
    2016: 6.6423, 2017: 6.7518, 2018: 6.6174, 2019: 6.8985, 2020: 6.8976, 2021: 6.4515,
    2022: 6.7261, 2023: 7.0467, 2024: 7.1217,
}  # fmt: skip


def per_dollar(region: str, dates: Dates) -> Vector:
    """Money of `region` for one USD on each date, (n_days,): the average of the year before.

    The average of a year is known when it is over; before the first one, the first is taken, and
    after the last one the last. Raises ConfigError for an unknown region.
    """
    if region == "us":
        return np.ones(dates.size)
    if region != "cn":
        raise ConfigError(f"region {region!r} has no rate; the known ones are 'us' and 'cn'.")
    year = dates.astype("datetime64[Y]").astype(np.int64) + 1970 - 1
    years = np.array(sorted(_CNY))
    rates = np.array([_CNY[y] for y in years.tolist()])
    return rates[np.clip(np.searchsorted(years, year, side="right") - 1, 0, years.size - 1)]

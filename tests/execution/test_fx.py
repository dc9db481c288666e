"""Limits in dollars elsewhere: the rate is the one that was known."""

import numpy as np
import pytest

from quant.core.errors import ConfigError
from quant.execution.fx import per_dollar


def test_the_rate_is_the_average_of_the_year_before():
    days = np.array(["2015-01-05", "2015-12-31", "2016-01-04", "1999-01-04"], "datetime64[D]")
    # Source: National Bureau of Statistics: 6.1428 in 2014, 6.2284 in 2015
    assert per_dollar("cn", days).tolist() == [6.1428, 6.1428, 6.2284, 8.2768]
    assert per_dollar("us", days).tolist() == [1.0] * 4
    late = np.array(["2025-06-02", "2031-01-02"], "datetime64[D]")
    assert per_dollar("cn", late).tolist() == [7.1217, 7.1217]


def test_an_unknown_region_is_refused():
    with pytest.raises(ConfigError, match="region 'uk' has no rate"):
        per_dollar("uk", np.array(["2015-01-05"], "datetime64[D]"))

import json
from pathlib import Path

import numpy as np
import pytest

from quant.core.errors import ConfigError
from quant.costs.fees import fee_rate, stamp_duty, transfer_fee

ANSWER = json.loads((Path(__file__).parents[1] / "answers/cn_fees.json").read_text())
DAY = np.datetime64("2015-08-03")


@pytest.mark.parametrize(
    ("query", "stamp", "transfer"),
    list(zip(ANSWER["queries"], ANSWER["stamp"], ANSWER["transfer"], strict=True)),
)
def test_published_rates_by_date_and_side(query, stamp, transfer):
    date, side = np.datetime64(query[0]), query[1]
    assert stamp_duty("cn", date, side) == stamp
    if transfer is not None:
        assert transfer_fee("cn", date, side) == transfer


def test_fees_add_up_and_accept_other_date_types():
    assert fee_rate("cn", DAY, "sell") == 0.001 + 2e-5
    assert fee_rate("cn", DAY.astype("datetime64[ns]"), "buy") == 2e-5


def test_no_fee_in_the_united_states():
    assert fee_rate("us", DAY, "buy") == fee_rate("us", DAY, "sell") == 0.0


def test_unknown_region_side_and_date_are_refused():
    with pytest.raises(ConfigError, match="region 'jp' has no fee table"):
        stamp_duty("jp", DAY, "buy")
    with pytest.raises(ConfigError, match="side 'short' is unknown"):
        transfer_fee("cn", DAY, "short")
    with pytest.raises(ConfigError, match="before 2001-11-16 is not in the table"):
        stamp_duty("cn", np.datetime64("1999-01-04"), "buy")

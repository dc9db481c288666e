import numpy as np

from quant.data import us_rules
from tests.data.answers import RULES

CASE = RULES["11_us_rules"]


def test_settlement():
    found = [us_rules.settlement_days(np.datetime64(day)) for day in CASE["inputs"]["queries"]]
    assert found == CASE["expected"]["settlement_days"]
    assert us_rules.settlement_days(np.datetime64("1990-01-02")) == 5


def test_lot_limit_round_trip_and_tick():
    assert CASE["expected"]["lot"] == us_rules.LOT
    assert CASE["expected"]["price_limit"] is us_rules.PRICE_LIMIT
    assert CASE["expected"]["same_day_round_trip_allowed"] is us_rules.SAME_DAY_ROUND_TRIP
    assert (us_rules.tick(1.0), us_rules.tick(0.99)) == (0.01, 0.0001)

"""What `optimize` and `backtest` share."""

import numpy as np

from quant.settings import Costs
from quant.stages import book
from tests.backtest import markets


def test_twice_the_costs_are_twice_everything_fees_included():
    market = markets.random_market()
    once, twice = (book.fixed({"costs": Costs(multiplier=m)}, market, "cn") for m in (1.0, 2.0))
    assert once.sell_fee.min() > 0 and once.lambda2.min() > 0
    for name in ("lambda1", "lambda2", "buy_fee", "sell_fee"):
        np.testing.assert_array_equal(2.0 * getattr(once, name), getattr(twice, name))
    free = book.fixed({"costs": Costs(statutory=False)}, market, "cn")
    assert not free.sell_fee.any() and free.lambda1.min() == 5e-4

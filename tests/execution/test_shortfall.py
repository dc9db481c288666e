"""Implementation shortfall against the published example, and its identity."""

from dataclasses import astuple

import numpy as np
import pytest

from quant.execution.shortfall import PARTS, perold


def test_the_published_order_loses_what_the_curriculum_says():
    """1,000 shares decided at 10.00, arrived at 10.05, 700 filled at 10.07, cancelled at 10.08.

    Source: Perold (1988) by the CFA curriculum; paper gain 80, real gain -7, shortfall 87.
    """
    one = np.ones(1)
    found = perold(
        1000 * one, 700 * one, 10.0 * one, 10.05 * one, 10.07 * one, 10.08 * one, 0 * one,
        0 * one, 14 * one,
    )  # fmt: skip
    bp = {name: float(getattr(found, name)[0]) / 10_000 * 1e4 for name in PARTS}
    assert bp["fee"] == pytest.approx(14, abs=1e-9)
    assert bp["delay"] == pytest.approx(35, abs=1e-9)
    assert bp["timing"] + bp["spread"] + bp["impact"] == pytest.approx(14, abs=1e-9)
    assert bp["opportunity"] == pytest.approx(24, abs=1e-9)
    assert found.total[0] == pytest.approx(87, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_are_the_paper_gain_less_the_real_one(seed):
    rng = np.random.default_rng(seed)
    n = 200
    ordered = rng.normal(0, 1000, n).round()
    filled = np.round(ordered * rng.choice([0, 0.3, 1.0], n))
    decision, arrival, price, cancelled = 10 * np.exp(rng.normal(0, 0.05, (4, n)))
    arrival[filled == 0] = np.nan  # it never reached the market
    spread, impact, fee = rng.uniform(0, 5, (3, n)) * (filled != 0)
    found = perold(ordered, filled, decision, arrival, price, cancelled, spread, impact, fee)
    paper = ordered * (cancelled - decision)
    real = filled * (cancelled - price) - spread - impact - fee
    np.testing.assert_allclose(found.total, paper - real, atol=1e-9)
    assert np.isfinite(astuple(found)).all()
    # a sale is the mirror of a purchase
    other = perold(-ordered, -filled, decision, arrival, price, cancelled, spread, impact, fee)
    np.testing.assert_allclose(other.delay, -found.delay)
    np.testing.assert_allclose(other.opportunity, -found.opportunity)

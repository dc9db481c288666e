"""The six knobs: bounds of the specification, clipping, and multipliers of fitted costs."""

import numpy as np
import pytest

from quant.core.errors import ProblemError
from quant.optimizer import knobs
from quant.optimizer.knobs import BOUNDS, HIGH, LOW, Knobs, within


def test_the_bounds_are_those_of_the_specification():
    assert BOUNDS == {
        "gamma": (4.0, 20.0), "lambda1": (1e-4, 2e-3), "lambda2": (1e-6, 1e-4),
        "tau": (0.05, 0.35), "caps": (0.5, 1.0), "vol_target": (0.08, 0.15),
    }  # fmt: skip


def test_proposals_outside_are_clipped_and_inside_are_kept():
    assert (within(HIGH * 10).vector() == HIGH).all() and (within(-HIGH).vector() == LOW).all()
    inside = 0.3 * LOW + 0.7 * HIGH
    np.testing.assert_array_equal(within(inside).vector(), inside)


@pytest.mark.parametrize("bad", [np.full(6, np.nan), np.full(5, 1.0), np.array([np.inf] * 6)])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ProblemError, match="6 finite numbers"):
        within(bad)


def test_the_middle_of_the_bounds_leaves_fitted_costs_as_they_are():
    still = knobs.constant(8.0, 0.2, 0.12)
    assert still.cost_multipliers == pytest.approx((1.0, 1.0))
    assert (still.gamma, still.tau, still.caps, still.vol_target) == (8.0, 0.2, 1.0, 0.12)
    turned = Knobs(8.0, 2e-3, 1e-6, 0.2, 1.0, 0.12)
    # a / sqrt(low x high)
    assert turned.cost_multipliers == pytest.approx((20**0.5, 0.1))

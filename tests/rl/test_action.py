"""Squashing: whatever a network says, its knobs are within their bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import ProblemError
from quant.optimizer.knobs import HIGH, LOW, constant, within
from quant.rl.action import hits, knobs_of, raw_of, share

RAW = st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6)


@given(RAW)
def test_knobs_are_always_within(raw):
    values = knobs_of(np.array(raw)).vector()
    assert ((values >= LOW) & (values <= HIGH)).all()


def test_nought_is_the_middle_of_each_range_on_its_scale():
    made = knobs_of(np.zeros(6))
    assert made.gamma == pytest.approx((4 * 20) ** 0.5)
    assert made.lambda1 == pytest.approx((1e-4 * 2e-3) ** 0.5)
    assert made.lambda2 == pytest.approx(1e-5)
    assert (made.tau, made.caps, made.vol_target) == pytest.approx((0.20, 0.75, 0.115))


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_there_and_back(raw):
    np.testing.assert_allclose(raw_of(knobs_of(np.array(raw))), np.clip(raw, -0.5494, 0.5494),
                               atol=1e-4)  # fmt: skip


def test_more_said_is_a_larger_knob():
    low, high = (knobs_of(np.full(6, x)).vector() for x in (-0.3, 0.4))
    assert (high > low).all()


def test_a_bound_hit_is_within_a_thousandth_of_the_range():
    middle = constant(8.0, 0.2, 0.12)
    assert hits([middle]).tolist() == [[False, False, False, False, True, False]]  # caps at 1
    near = within(LOW + np.array([0, 0, 0, 0.00029, 0.00049, 0.00006]))
    assert hits([near]).all()
    off = within(np.array([4.1, 1.1e-4, 1.1e-6, 0.0504, 0.501, 0.0801]))
    assert not hits([off]).any()
    assert (share(off) > 0).all()


def test_what_is_no_number_is_refused():
    with pytest.raises(ProblemError, match="must be finite"):
        knobs_of(np.array([0, 0, np.nan, 0, 0, 0.0]))

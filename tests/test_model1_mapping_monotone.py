"""Mapping, specification section 2.5: risk never widens caps nor raises the target; tilts rise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.core.errors import ConfigError
from quant.model1 import mapping

some = settings(max_examples=400, deadline=None, derandomize=True)
chance = st.floats(0, 1)
close = st.one_of(chance, st.sampled_from([0.3, 0.5, 0.3 - 2.0**-24, 0.5 - 2.0**-24]))
weights = st.tuples(chance, chance).map(sorted).map(tuple)
targets = st.tuples(st.floats(0.01, 0.3), st.floats(0.01, 0.3)).map(sorted)


@st.composite
def trends(draw):
    p = np.array([draw(st.floats(0, 1)) for _ in range(3)]) + 1e-9
    return p / p.sum()


@some
@given(st.floats(0, 1), chance, st.floats(0, 0.1), close, close, close, close)
def test_caps_never_widen_with_risk(cap, factor, widen, one, other, crisis, more):
    low, high = sorted((one, other))
    calm, worse = sorted((crisis, more))
    quiet = mapping.caps(cap, low, calm, factor, widen)
    for p_systemic, p_crisis in ((high, calm), (low, worse), (high, worse)):
        assert mapping.caps(cap, p_systemic, p_crisis, factor, widen) <= quiet


@some
@given(targets, weights, chance, chance)
def test_the_target_never_rises_with_crisis(levels, weight, one, other):
    floor, base = levels
    low, high = sorted((one, other))
    quiet, crisis = mapping.vol_target(np.array([low, high]), base, floor, weight)
    assert crisis <= quiet
    assert floor - 1e-15 <= crisis and quiet <= base


@some
@given(trends(), trends(), st.floats(0.1, 100))
def test_the_tilt_rises_strictly_with_bull_less_bear(one, other, kappa):
    gap = [p[2] - p[0] for p in (one, other)]
    tilt = [float(mapping.tilt_bp(p, kappa)) for p in (one, other)]
    assert all(abs(t) <= kappa for t in tilt)
    if abs(gap[1] - gap[0]) > 1e-15:
        assert (tilt[1] > tilt[0]) == (gap[1] > gap[0])
        assert tilt[1] != tilt[0]


def test_the_tilt_is_strict_from_one_stored_probability_to_the_next():
    unit = 2.0**-24
    bull = np.arange(2**20) * unit
    p = np.stack([np.full(bull.size, 0.25), 0.75 - bull, bull], axis=1)
    assert (np.diff(mapping.tilt_bp(p)) > 0).all()
    fear = np.stack([bull, 0.75 - bull, np.full(bull.size, 0.25)], axis=1)
    assert (np.diff(mapping.tilt_bp(fear)) < 0).all()


def test_caps_tighten_once_and_exactly():
    p_systemic = np.array([0.0, 0.5, 0.0, 0.5, 0.5 - 2.0**-24])
    p_crisis = np.array([0.0, 0.0, 0.3, 0.3, 0.3 - 2.0**-24])
    np.testing.assert_array_equal(
        mapping.caps(0.2, p_systemic, p_crisis), [0.2, 0.1, 0.1, 0.1, 0.2]
    )
    made = mapping.caps(0.2, p_systemic, p_crisis, 0.25, 0.01)
    np.testing.assert_allclose(made, [0.21, 0.05, 0.05, 0.05, 0.21], atol=1e-15)
    # a market's state and the groups' own
    made = mapping.caps(np.full((5, 2), 0.2), p_systemic[:, None], np.array([[0.0, 0.4]]))
    np.testing.assert_array_equal(made[:, 0], [0.2, 0.1, 0.2, 0.1, 0.2])
    np.testing.assert_array_equal(made[:, 1], [0.1] * 5)
    assert np.isnan(mapping.caps(0.2, np.nan, 0.4))


def test_the_target_is_a_straight_line():
    p = np.array([0.0, 0.25, 1.0])
    np.testing.assert_allclose(mapping.vol_target(p), [0.12, 0.11, 0.08], atol=1e-16)
    # half of the way down with no crisis, the whole of it with one
    np.testing.assert_allclose(
        mapping.vol_target(p, 0.12, 0.08, (0.5, 1.0)), [0.10, 0.095, 0.08], atol=1e-16
    )


def test_a_controller_only_lowers_the_target():
    model1 = np.array([0.12, 0.09, 0.20])
    np.testing.assert_array_equal(mapping.effective_target(model1), model1)
    action = np.array([0.10, 0.30, 0.30])
    np.testing.assert_array_equal(mapping.effective_target(model1, action), [0.10, 0.09, 0.15])


def test_the_tilt_is_the_likely_direction_in_basis_points():
    # bear, sideways, bull
    p = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(mapping.tilt_bp(p), [10, -10, 1, 0], atol=1e-15)


@pytest.mark.parametrize(
    "wrong,text",
    [
        (lambda: mapping.tilt_bp(np.ones(3) / 3, 0.0), "kappa_trend_bp is 0"),
        (lambda: mapping.caps(0.2, 0.1, 0.1, 1.5), "crisis_tighten_factor is 1.5"),
        (lambda: mapping.caps(0.2, 0.1, 0.1, 0.5, -1e-4), "cap_widen_bp is -1"),
        (lambda: mapping.vol_target(np.zeros(1), 0.08, 0.12), "vol_target_floor is 0.12"),
        (lambda: mapping.vol_target(np.zeros(1), weights=(0.5, 0.2)), "vol_target_map"),
    ],
)
def test_settings_that_would_reward_risk_are_refused(wrong, text):
    with pytest.raises(ConfigError, match=text):
        wrong()

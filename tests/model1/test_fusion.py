"""Fusion: averages by hand, projections by certificate and by a solver, rounding to the bit."""

import cvxpy
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.model1 import fusion

some = settings(max_examples=200, deadline=None, derandomize=True)
numbers = st.integers(0, 10**6)
sizes = st.integers(2, 6)
UNIT = 2.0**-24


def simplex(number: int, rows: int, k: int) -> np.ndarray:
    """Rows of probabilities: flat, near the corners and near the edges."""
    rng = generator(number, "tests", "simplex")
    p = rng.gamma(rng.choice([0.02, 0.3, 1.0, 20.0], (rows, 1)), size=(rows, k)) + 1e-300
    return p / p.sum(axis=1, keepdims=True)


def pair(number: int, rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    p = simplex(number, 2 * rows, k)
    return p[:rows], p[rows:]


def box(parent: np.ndarray, bound: float) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(parent - bound, 0), np.minimum(parent + bound, 1)


def best_vertex(score: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Largest score'y over the box with sum 1: fill the best states first."""
    y, left = low.copy(), 1 - low.sum()
    for i in np.argsort(-score):
        y[i] += min(left, high[i] - low[i])
        left -= y[i] - low[i]
    return float(score @ y)


# --- switching


def test_a_break_takes_ancestors_and_descendants_along_for_ten_sessions():
    #           0 market, 1 and 2 sectors, 3 and 4 under 1, 5 under 2
    parent = np.array([-1, 0, 0, 1, 1, 2])
    breaks = np.zeros((40, 6), dtype=bool)
    breaks[5, 3] = True
    expected = np.zeros((40, 6), dtype=bool)
    expected[5:15, [0, 1, 3]] = True
    np.testing.assert_array_equal(fusion.switched(breaks, parent), expected)
    breaks[20, 0] = breaks[27, 0] = True
    expected[20:37] = True
    np.testing.assert_array_equal(fusion.switched(breaks, parent), expected)
    breaks[39, 2] = True
    expected[39, [0, 2, 5]] = True
    np.testing.assert_array_equal(fusion.switched(breaks, parent), expected)
    assert fusion.switched(breaks, parent, days=1).sum() == 3 + 6 + 6 + 3


def test_no_session_is_fast_for_a_break_to_come():
    rng = generator(1, "tests", "switched")
    breaks, parent = rng.random((100, 6)) < 0.02, np.array([-1, 0, 0, 1, 1, 2])
    whole = fusion.switched(breaks, parent)
    np.testing.assert_array_equal(fusion.switched(breaks[:60], parent), whole[:60])


def test_a_circle_of_parents_is_refused():
    with pytest.raises(DataError, match="its own ancestor"):
        fusion.switched(np.zeros((3, 3), dtype=bool), np.array([-1, 2, 1]))


# --- smoothing


def test_an_impulse_has_halved_after_a_half_life():
    p = np.tile([1.0, 0.0], (40, 1, 1))
    p[0, 0] = [0.0, 1.0]
    for fast, half_life in ((True, 3), (False, 12)):
        made = fusion.smooth(p, np.full((40, 1), fast))[:, 0, 1]
        np.testing.assert_allclose(made[[0, half_life, 2 * half_life]], [1, 0.5, 0.25], rtol=1e-12)


@pytest.mark.parametrize("fast", [False, True])
def test_one_half_life_is_the_average_of_pandas(fast):
    p = simplex(2, 300, 3)
    p[:7] = p[40] = p[100:120] = np.nan
    ours = fusion.smooth(p[:, None], np.full((300, 1), fast), 12.0, 3.0)[:, 0]
    frame = pd.DataFrame(p)
    theirs = frame.ewm(halflife=3 if fast else 12, adjust=False, ignore_na=True).mean().ffill()
    np.testing.assert_allclose(ours, theirs, atol=1e-14)


def test_the_half_life_may_change_from_day_to_day():
    p = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])[:, None]
    fast = np.array([False, True, False, True])[:, None]
    slow_weight, fast_weight = 1 - 0.5 ** (1 / 12), 1 - 0.5 ** (1 / 3)
    second = 1 - fast_weight
    third = second * (1 - slow_weight)
    fourth = third + fast_weight * (1 - third)
    made = fusion.smooth(p, fast)[:, 0, 0]
    np.testing.assert_allclose(made, [1.0, second, third, fourth], atol=1e-15)


@some
@given(numbers, sizes)
def test_smoothed_probabilities_are_probabilities_and_know_no_future(number, k):
    rng = generator(number, "tests", "smooth")
    p, fast = simplex(number, 60 * 3, k).reshape(60, 3, k), rng.random((60, 3)) < 0.3
    p[rng.random((60, 3)) < 0.2] = np.nan
    made = fusion.smooth(p, fast)
    begun = np.maximum.accumulate(~np.isnan(p).any(axis=2), axis=0)
    np.testing.assert_array_equal(np.isnan(made).any(axis=2), ~begun)
    np.testing.assert_allclose(made[begun].sum(axis=1), 1, atol=1e-14)
    assert (made[begun] >= 0).all()
    cut = int(rng.integers(1, 60))
    np.testing.assert_array_equal(fusion.smooth(p[:cut], fast[:cut]), made[:cut])


# --- reconciliation


@some
@given(numbers, sizes, st.sampled_from([0.0, 1e-3, 0.05, 0.15, 0.5, 2.0]))
def test_reconciled_is_feasible_and_nearest(number, k, bound):
    child, parent = pair(number, 8, k)
    made = fusion.reconcile(child, parent, bound)
    np.testing.assert_allclose(made.sum(axis=1), 1, atol=1e-13)
    assert (made >= 0).all()
    assert (np.abs(made - parent) <= bound + 1e-13).all()
    for c, q, x in zip(child, parent, made, strict=True):
        # (c - x)'(y - x) <= 0 for every feasible y: x is the projection, and the only one
        assert best_vertex(c - x, *box(q, bound)) - (c - x) @ x <= 1e-12


@pytest.mark.parametrize("k", [2, 3, 5])
def test_reconciled_is_what_a_solver_finds(k):
    child, parent = pair(3, 12, k)
    ours = fusion.reconcile(child, parent, 0.15)
    for c, q, x in zip(child, parent, ours, strict=True):
        y = cvxpy.Variable(k)
        limits = [y >= 0, cvxpy.sum(y) == 1, cvxpy.abs(y - q) <= 0.15]
        cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(y - c)), limits).solve(cvxpy.CLARABEL)
        np.testing.assert_allclose(x, y.value, atol=2e-5)
        assert ((x - c) ** 2).sum() <= ((y.value - c) ** 2).sum() + 1e-7


def test_a_child_within_bounds_stays_to_the_bit_and_twice_is_once():
    child, parent = pair(4, 400, 3)
    near = parent + 0.2 * (child - parent)
    inside = np.abs(near - parent).max(axis=1) <= 0.14
    assert inside.sum() > 100
    made = fusion.reconcile(near, parent)
    np.testing.assert_array_equal(made[inside], near[inside])
    np.testing.assert_allclose(fusion.reconcile(made, parent), made, atol=1e-15)


def test_clipping_and_normalising_breaks_the_bound_that_the_projection_keeps():
    child, parent = pair(5, 400, 3)
    clipped = np.clip(child, *box(parent, 0.15))
    clipped /= clipped.sum(axis=1, keepdims=True)
    assert (np.abs(clipped - parent).max(axis=1) > 0.15 + 1e-6).mean() > 0.1
    assert (np.abs(fusion.reconcile(child, parent) - parent) <= 0.15).all()


def test_shapes_broadcast_and_missing_rows_stay_missing():
    child = simplex(6, 20, 3).reshape(5, 4, 3)
    parent = simplex(7, 5, 3)
    child[0, 0] = np.nan
    parent[1] = np.nan
    made = fusion.reconcile(child, parent[:, None])
    assert np.isnan(made[0, 0]).all()
    np.testing.assert_array_equal(made[1], child[1])
    np.testing.assert_array_equal(made[3, 2], fusion.reconcile(child[3, 2], parent[3]))
    with pytest.raises(DataError, match="0 or more"):
        fusion.reconcile(child, parent[:, None], -0.1)


# --- what a parent may not reason away


def nearest_of_the_other_two(child, parent, bound):
    """The first state where the last keeps `child[2]`, by search: least distance to the box, then
    to the child."""
    first = np.linspace(0, 1 - child[2], 20_001)
    y = np.stack([first, 1 - child[2] - first], axis=1)
    low, high = box(parent, bound)
    outside = (np.clip(y, low[:2], high[:2]) - y) ** 2
    far = outside.sum(axis=1)
    ties = far <= far.min() + 1e-9
    off = ((y - child[:2]) ** 2).sum(axis=1)
    return first[np.flatnonzero(ties)[off[ties].argmin()]]


def test_an_own_crisis_is_kept_and_the_rest_is_nearest():
    child, parent = pair(8, 600, 3)
    made, kept = fusion.reconcile_risk(child, parent, 0.15)
    plain = fusion.reconcile(child, parent, 0.15)
    np.testing.assert_array_equal(kept, (child[:, 2] >= 0.3) & (plain[:, 2] < 0.3))
    assert 30 < kept.sum() < 500
    np.testing.assert_array_equal(made[~kept], plain[~kept])
    np.testing.assert_array_equal(made[kept, 2], child[kept, 2])
    np.testing.assert_allclose(made.sum(axis=1), 1, atol=1e-13)
    assert (made >= 0).all()
    for row in np.flatnonzero(kept)[:60]:
        expected = nearest_of_the_other_two(child[row], parent[row], 0.15)
        assert made[row, 0] == pytest.approx(expected, abs=2e-4)


def test_an_override_by_hand():
    made, kept = fusion.reconcile_risk(
        np.array([[0.1, 0.2, 0.7], [0.6, 0.35, 0.05]]), np.array([0.9, 0.1, 0.0]), 0.15
    )
    # first: the box asks for 0.75 of calm at least, and 0.3 is left beside the crisis
    # second: calm is raised to 0.75, turbulent would be 0.275 but may be 0.25
    np.testing.assert_allclose(made, [[0.3, 0.0, 0.7], [0.75, 0.25, 0.0]], atol=1e-15)
    assert kept.tolist() == [True, False]


@some
@given(numbers, sizes)
def test_risk_is_only_ever_raised_by_the_rule(number, k):
    child, parent = pair(number, 30, k)
    made, kept = fusion.reconcile_risk(child, parent)
    plain = fusion.reconcile(child, parent)
    assert (made[:, -1] >= plain[:, -1]).all()
    # a cap that its own states would tighten is tightened
    assert (made[child[:, -1] >= 0.3, -1] >= 0.3).all()
    within = np.abs(made - parent).max(axis=1) <= 0.15
    assert (within | kept).all()


# --- storage


@pytest.mark.parametrize("k", [2, 3, 5])
def test_stored_probabilities_sum_to_one_to_the_bit(k):
    p = simplex(9, 100_000, k)
    made = fusion.quantise(p)
    assert made.dtype == np.float32
    assert (made.astype(np.float64).sum(axis=1) == 1.0).all()
    assert (made >= 0).all()
    assert np.abs(made.astype(np.float64) - p).max() <= k * UNIT
    units = made.astype(np.float64) / UNIT
    assert (units == np.round(units)).all()
    np.testing.assert_array_equal(fusion.quantise(made), made)


def test_rounding_never_takes_a_risk_below_its_threshold():
    for threshold in (0.3, 0.5):
        risk = threshold + np.concatenate([[0.0], np.logspace(-12, -1, 500)])
        share = generator(10, "tests", "share").random(risk.size)
        p = np.stack([(1 - risk) * share, (1 - risk) * (1 - share), risk], axis=1)
        assert (fusion.quantise(p)[:, 2].astype(np.float64) >= threshold).all()
        two = np.stack([1 - risk, risk], axis=1)
        assert (fusion.quantise(two)[:, 1].astype(np.float64) >= threshold).all()


def test_corners_and_missing_rows_are_stored():
    p = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [np.nan, 0.5, 0.5], [1.0, -1e-17, 1e-17]])
    made = fusion.quantise(p)
    np.testing.assert_array_equal(made[[0, 1, 3]], [[1, 0, 0], [0, 0, 1], [1, 0, 0]])
    assert np.isnan(made[2]).all()


@pytest.mark.parametrize("row", [[0.5, 0.4], [0.5, 0.6], [1.2, -0.2]])
def test_what_is_no_probability_is_refused(row):
    with pytest.raises(DataError, match="no probabilities"):
        fusion.quantise(np.array([[0.5, 0.5], row]))


def test_the_bound_holds_of_what_is_stored():
    child, parent = pair(11, 20_000, 3)
    stored = fusion.quantise(parent).astype(np.float64)
    for above in (parent, stored):
        made = fusion.quantise(fusion.reconcile(child, above)).astype(np.float64)
        assert np.abs(made - stored).max() <= 0.15

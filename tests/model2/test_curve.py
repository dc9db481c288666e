import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from quant.core.seeds import generator
from quant.model2.curve import OVERLAP, Curve, fit_curve, newey_west

BINS, HORIZON = 10, 5
SHAPE = np.array([-6.0, -1.0, 0, 0, 0, 0, 0, 1.0, 2.0, 4.0]) * 1e-3


def _overlapping(n, seed, scale=0.01):
    """Sums of HORIZON independent values: what overlapping labels are made of."""
    draws = generator(seed, "curve").normal(0.0, scale, (n + HORIZON, BINS))
    total = np.cumsum(draws, axis=0)
    return total[HORIZON:] - total[:-HORIZON]


def _fit(means):
    return fit_curve(means, np.arange(BINS, dtype=float), np.full(BINS, 9), HORIZON)


def test_newey_west_of_independent_values_is_the_classic_variance():
    x = generator(1, "nw").standard_normal((4000, 3))
    assert_allclose(newey_west(x, lags=0), x.var(axis=0) / 4000)
    assert_allclose(newey_west(x, lags=5), x.var(axis=0) / 4000, rtol=0.2)


def test_newey_west_matches_a_direct_sum():
    x = generator(2, "nw").standard_normal((50, 1)).cumsum(axis=0)
    c = (x - x.mean())[:, 0]
    weights = np.maximum(0, 1 - np.abs(np.subtract.outer(np.arange(50), np.arange(50))) / 5)
    assert_allclose(newey_west(x, lags=4)[0], c @ weights @ c / 50**2)


def test_newey_west_covers_the_overlap_of_labels():
    """The mean of sums of h values varies about h^2 sigma^2 / n: h times the naive answer."""
    x = _overlapping(20_000, seed=3)
    estimate = newey_west(x, lags=2 * HORIZON).mean()
    assert_allclose(OVERLAP * estimate, HORIZON**2 * 1e-4 / 20_000, rtol=0.1)
    assert estimate > 3 * x.var(axis=0).mean() / 20_000


def test_without_noise_the_curve_is_the_shape():
    curve = _fit(np.tile(SHAPE, (300, 1)))
    assert_allclose(curve.alpha, SHAPE - SHAPE.mean(), atol=1e-12)
    assert curve.shrink == pytest.approx(1.0)


def test_the_curve_is_monotone_centred_and_between_zero_and_the_shape():
    for seed in range(20):
        curve = _fit(SHAPE + _overlapping(300, seed))
        assert (np.diff(curve.alpha) >= 0).all()
        assert abs(curve.alpha.sum()) < 1e-12
        assert 0.0 <= curve.shrink <= 1.0


def test_a_clear_shape_survives_and_noise_does_not():
    signal = np.mean([_fit(SHAPE + _overlapping(2000, s)).shrink for s in range(20)])
    nothing = [_fit(_overlapping(2000, s)) for s in range(60)]
    assert signal > 0.85
    assert np.mean([c.shrink for c in nothing]) < 0.25
    assert np.mean([np.abs(c.alpha).mean() for c in nothing]) < 0.1 * np.abs(SHAPE).mean()


def test_a_score_that_points_the_wrong_way_gets_no_alpha():
    curve = _fit(np.tile(SHAPE[::-1], (300, 1)))
    assert_array_equal(curve.alpha, np.zeros(BINS))


def test_a_common_move_of_all_names_is_no_signal():
    common = generator(4, "curve").normal(0.01, 0.05, (300, 1))
    noise = _overlapping(300, 5)
    assert_allclose(_fit(noise + common).alpha, _fit(noise).alpha, atol=1e-12)


def test_alpha_is_read_by_quantile_and_flat_beyond_the_outer_centres():
    curve = Curve(np.zeros(2), np.zeros(2), np.array([-1.0, 1.0]), np.ones(2, int), 1.0)
    quantiles = np.array([0.01, 0.25, 0.5, 0.75, 0.99])
    assert_allclose(curve.at(quantiles), [-1.0, -1.0, 0.0, 1.0, 1.0])

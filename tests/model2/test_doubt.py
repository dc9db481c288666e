"""Factors of alphas by the ensemble's uncertainty, against worlds where the answer is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from quant.core.seeds import generator
from quant.model2 import doubt
from quant.model2.calibration import CalibrationSpec, calibrate
from tests.model2.synthetic import sample
from tests.model2.test_calibration import _scored, _slope

ALPHA = np.linspace(-0.01, 0.01, 10)
DAYS, H, PER_CELL = 800, 5, 4


def world(times, seed=1, noise=0.02):
    """Returns of `times` the curve in each third, and noise that overlaps."""
    rng = generator(seed, "tests", "doubt")
    total = np.cumsum(rng.normal(0, noise, (DAYS + H, 3, ALPHA.size)), axis=0)
    count = np.full((DAYS, 3, ALPHA.size), float(PER_CELL))
    signal = np.asarray(times)[:, None] * ALPHA
    return PER_CELL * signal + total[H:] - total[:-H], count


def made(times, **more):
    return doubt.factors(ALPHA, *world(times, **more), H)


def test_factors_never_rise_keep_the_size_and_stay_within_zero_and_two():
    for seed in range(20):
        times = generator(seed, "times").normal(1, 1, 3)
        found = made(times, seed=seed)
        assert (np.diff(found) <= 0).all() and found.min() >= 0 and found.max() <= 2
        assert found.mean() == pytest.approx(1.0, abs=1e-12)  # thirds of equal weight


def test_without_noise_they_are_the_slopes():
    assert_allclose(made((1.5, 1.0, 0.5), noise=0.0), [1.5, 1.0, 0.5])
    assert_allclose(made((1.0, 1.4, 0.6), noise=0.0), [1.2, 1.2, 0.6])  # pools what would rise


def test_slopes_that_leave_the_range_are_shrunk_into_it():
    high, low = made((4.0, 0.1, -0.5), noise=0.0), made((1.5, 1.4, -1.0), noise=0.0)
    assert_allclose([high.max(), low.min()], [2.0, 0.0], atol=1e-12)


def test_where_names_in_doubt_are_noise_they_get_little():
    found = np.mean([made((1.5, 1.5, 0.0), seed=s) for s in range(10)], axis=0)
    assert found[2] < 0.4 and found[0] > 1.2


def test_where_doubt_says_nothing_factors_are_near_one():
    found = np.array([made((1, 1, 1), seed=s, noise=0.05) for s in range(40)])
    assert np.abs(found - 1).mean() < 0.05
    backward = np.array([made((0.5, 1, 1.5), seed=s) for s in range(10)])
    assert np.abs(backward - 1).mean() < 0.05


def test_the_surest_third_is_the_first_and_equal_doubt_is_none():
    day = np.repeat([0, 1, 2], 6)
    values = np.r_[np.arange(6.0), np.zeros(6), np.arange(6.0)[::-1]]
    third = doubt.thirds(values, day)
    assert_array_equal(third, [0, 0, 1, 1, 2, 2, *[doubt.NONE] * 6, 2, 2, 1, 1, 0, 0])
    assert_array_equal(doubt.scale(np.array([1.5, 1, 0.5]), third[4:8]), [0.5, 0.5, 1, 1])


# -- through calibration --------------------------------------------------------------------------

SPEC = CalibrationSpec(horizon=H, bins=10, min_dates=250)


def in_doubt(seed=7, useful=True):
    """Half of the rows have a score that means nothing; their uncertainty says so, or does not."""
    data = sample(1500, 100, horizon=H, strength=0.002, seed=seed)
    scores = _scored(data)
    rng = generator(seed, "tests", "in doubt")
    false = rng.random(len(scores)) < 0.5
    scores["score"] = np.where(false, rng.standard_normal(len(scores)), scores["score"])
    told = false if useful else rng.random(len(scores)) < 0.5
    scores["uncertainty"] = told + rng.random(len(scores))
    return data, scores


def calibrated(data, scores):
    return calibrate(scores, data.labels, data.sessions, SPEC, data.membership)


def last(result):
    return result.curves.iloc[-1][["factor_low", "factor_middle", "factor_high"]].to_numpy(float)


def test_alphas_shrunk_by_doubt_are_unbiased_and_say_more():
    data, scores = in_doubt()
    shrunk, plain = calibrated(data, scores), calibrated(data, scores.assign(uncertainty=0.0))
    found = last(shrunk)
    assert found[2] < 0.4 and found[0] > 1.3
    value, error = _slope(shrunk, data)
    assert error < 0.1 and abs(value - 1) < 3 * error
    both = [r.alpha.merge(data.labels, on=["date", "symbol"]).dropna() for r in (shrunk, plain)]
    before, after = (rows["alpha"].corr(rows["raw"]) for rows in both[::-1])
    assert after > 1.1 * before


def test_doubt_that_says_nothing_moves_little():
    assert_allclose(last(calibrated(*in_doubt(useful=False))), 1.0, atol=0.15)


def test_one_member_leaves_the_curve_as_it_is():
    data, scores = in_doubt()
    result = calibrated(data, scores.assign(uncertainty=0.0))
    columns = ["factor_low", "factor_middle", "factor_high"]
    assert (result.curves[columns] == 1.0).all(axis=None)


def test_only_labels_known_at_a_refit_reach_its_factors():
    data, scores = in_doubt()
    refit = data.sessions[100 + 60 * 8]
    corrupt = data.labels.copy()
    late = corrupt["end"] > refit
    corrupt.loc[late, "raw"] = generator(1, "late").standard_normal(late.sum())
    other = scores.copy()
    after = scores["date"] > refit
    other.loc[after, "uncertainty"] = generator(2, "late").random(after.sum())
    before = calibrated(data, scores).curves
    now = calibrate(other, corrupt, data.sessions, SPEC, data.membership).curves
    same = before["fold"] <= 8
    assert before.loc[same, "factor_high"].iloc[-1] < 1.0
    assert before[same].equals(now[same]) and not before[~same].equals(now[~same])

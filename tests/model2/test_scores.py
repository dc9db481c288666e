import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from quant.core.errors import ConfigError
from quant.core.seeds import generator
from quant.model2 import scores

STARTS = np.array([0, 0, 6, 10, 11])


def test_each_session_has_mean_zero_and_deviation_one():
    z = scores.standardise(generator(1, "z").normal(5.0, 3.0, 11), STARTS)
    for begin, stop in ((0, 6), (6, 10)):
        assert_allclose(z[begin:stop].mean(), 0.0, atol=1e-12)
        assert_allclose(z[begin:stop].std(), 1.0)
    assert z[10] == 0.0  # a lone name


def test_equal_predictions_score_zero():
    assert_array_equal(scores.standardise(np.full(11, 0.1), STARTS), np.zeros(11))


def test_the_ensemble_ignores_scale_and_is_the_mean():
    rng = generator(2, "z")
    a, b = rng.standard_normal(11), rng.standard_normal(11)
    both = scores.ensemble([a, b], STARTS)
    halves = (scores.standardise(a, STARTS) + scores.standardise(b, STARTS)) / 2
    assert_array_equal(both, halves)
    assert_allclose(scores.ensemble([a * 100, b + 3], STARTS), both, atol=1e-12)


def test_candidates_are_each_model_and_their_ensemble():
    assert scores.candidates(["a", "b"]) == {"a": ("a",), "b": ("b",), "ensemble": ("a", "b")}
    assert scores.candidates(["a"]) == {"a": ("a",)}
    assert scores.members("ensemble", ["a", "b"]) == ("a", "b")
    with pytest.raises(ConfigError, match="'c' is unknown; choose one of"):
        scores.members("c", ["a", "b"])

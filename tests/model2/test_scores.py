import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from quant.core.errors import ConfigError
from quant.core.seeds import generator
from quant.model2 import scores
from quant.model2.models import Member

STARTS = np.array([0, 0, 6, 10, 11])


def test_each_session_has_mean_zero_and_deviation_one():
    z = scores.standardise(generator(1, "z").normal(5.0, 3.0, 11), STARTS)
    for begin, stop in ((0, 6), (6, 10)):
        assert_allclose(z[begin:stop].mean(), 0.0, atol=1e-12)
        assert_allclose(z[begin:stop].std(), 1.0)
    assert z[10] == 0.0  # a lone name


def test_equal_predictions_score_zero():
    assert_array_equal(scores.standardise(np.full(11, 0.1), STARTS), np.zeros(11))


def test_the_ensemble_ignores_scale():
    rng = generator(2, "z")
    a, b = rng.standard_normal(11), rng.standard_normal(11)
    members = [Member("a", 21), Member("b", 21)]
    score, _ = scores.ensemble(members, [a, b], STARTS)
    halves = (scores.standardise(a, STARTS) + scores.standardise(b, STARTS)) / 2
    assert_allclose(score, halves, atol=1e-15)
    assert_allclose(scores.ensemble(members, [a * 100, b + 3], STARTS)[0], score, atol=1e-12)


def test_models_count_alike_then_horizons_then_draws():
    """By the definition: the mean of means of means, however many members a model has."""
    members = [Member("ridge", 5), Member("ridge", 21),
               *(Member("trees", 5, d) for d in range(3)), Member("trees", 21)]  # fmt: skip
    rng = generator(3, "z")
    made = [rng.standard_normal(11) for _ in members]
    z = [scores.standardise(one, STARTS) for one in made]
    trees = (np.mean(z[2:5], axis=0) + z[5]) / 2
    expected = ((z[0] + z[1]) / 2 + trees) / 2
    score, uncertainty = scores.ensemble(members, made, STARTS)
    assert_allclose(score, expected, atol=1e-12)
    share = np.array([1 / 4, 1 / 4, 1 / 12, 1 / 12, 1 / 12, 1 / 4])
    assert_allclose(scores.weights(members), share)
    assert_allclose(uncertainty, np.sqrt(share @ np.square(np.array(z) - expected)), atol=1e-12)


def test_one_member_is_certain_and_more_are_not():
    rng = generator(4, "z")
    a, b = rng.standard_normal(11), rng.standard_normal(11)
    assert_array_equal(scores.ensemble([Member("a", 5)], [a], STARTS)[1], np.zeros(11))
    both = [Member("a", 5), Member("a", 5, 1)]
    assert (scores.ensemble(both, [a, b], STARTS)[1][:10] > 0).all()
    assert_allclose(scores.ensemble(both, [a, 2 * a], STARTS)[1], 0.0, atol=1e-12)


def test_candidates_are_each_model_and_their_ensemble():
    assert scores.candidates(["a", "b"]) == {"a": ("a",), "b": ("b",), "ensemble": ("a", "b")}
    assert scores.candidates(["a"]) == {"a": ("a",)}
    assert scores.members("ensemble", ["a", "b"]) == ("a", "b")
    with pytest.raises(ConfigError, match="'c' is unknown; choose one of"):
        scores.members("c", ["a", "b"])


def test_the_order_of_the_members_moves_no_bit():
    rng = generator(9, "z")
    members = [Member(m, h) for m in ("xgboost", "mlp", "ridge") for h in (5, 10, 21)]
    said = [rng.standard_normal(11) for _ in members]
    score, uncertainty = scores.ensemble(members, said, STARTS)
    other = [4, 0, 8, 2, 6, 1, 5, 7, 3]
    again = scores.ensemble([members[i] for i in other], [said[i] for i in other], STARTS)
    assert_array_equal(again[0], score)
    assert_array_equal(again[1], uncertainty)

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.model2.models import LightGBM, Ridge

SMALL = LightGBM(rounds=10, leaves=7, min_leaf=20, threads=1)
LEARNERS = [Ridge(), SMALL]
N = 600


def _data(seed=1, n=N):
    rng = generator(seed, "models")
    x = rng.uniform(-0.5, 0.5, (n, 5)).astype(np.float32)
    y = x[:, 0] + 0.5 * x[:, 1] + 0.5 * rng.standard_normal(n)
    return x, y, np.arange(n) // 50


@pytest.mark.parametrize("learner", LEARNERS)
def test_what_is_planted_is_found(learner):
    x, y, block = _data()
    fresh, truth, _ = _data(seed=2)
    predicted = learner.bind(x, y, block).fit(np.unique(block), 1).predict(fresh)
    assert np.corrcoef(predicted, truth)[0, 1] > 0.4  # the best possible is 0.54


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_fit_sees_its_blocks_only(learner):
    x, y, block = _data()
    some = np.array([0, 2, 5, 7])
    inside = np.isin(block, some)
    other_x, other_y = x.copy(), y.copy()
    other_x[~inside] = other_x[~inside][::-1]
    other_y[~inside] = 1e6
    alone = learner.bind(x[inside], y[inside], block[inside]).fit(some, 1).predict(x)
    within = learner.bind(x, y, block).fit(some, 1).predict(x)
    beside = learner.bind(other_x, other_y, block).fit(some, 1).predict(x)
    assert_array_equal(within, alone)
    assert_array_equal(within, beside)


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_same_seed_gives_the_same_bits(learner):
    x, y, block = _data()
    first, second = (learner.bind(x, y, block).fit(np.unique(block), 42) for _ in range(2))
    assert_array_equal(first.predict(x), second.predict(x))
    assert first.to_text() == second.to_text()


def test_the_seed_reaches_the_trees():
    x, y, block = _data()
    first, second = (SMALL.bind(x, y, block).fit(np.unique(block), s) for s in (1, 2))
    assert not np.array_equal(first.predict(x), second.predict(x))


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_score_does_not_depend_on_the_batch(learner):
    x, y, block = _data()
    model = learner.bind(x, y, block).fit(np.unique(block), 1)
    assert_array_equal(model.predict(x)[100:103], model.predict(x[100:103]))


def test_ridge_solves_its_normal_equations():
    x, y, block = _data()
    some = np.array([1, 3, 4])
    model = Ridge(penalty=0.3).bind(x, y, block).fit(some, 0)
    a, b = x[np.isin(block, some)].astype(float), y[np.isin(block, some)]
    level = 0.3 * np.trace(a.T @ a) / a.shape[1]
    expected = np.linalg.solve(a.T @ a + level * np.eye(a.shape[1]), a.T @ b)
    assert_allclose(model.weights, expected, rtol=1e-10)
    assert json.loads(model.to_text())["weights"] == model.weights.tolist()


def test_ridge_of_features_that_are_all_missing_says_nothing():
    x, y, block = _data()
    model = Ridge().bind(np.zeros_like(x), y, block).fit(np.unique(block), 0)
    assert_array_equal(model.predict(x), np.zeros(N))


def test_blocks_need_not_be_sorted():
    x, y, block = _data()
    order = generator(5, "order").permutation(N)
    one = Ridge().bind(x, y, block).fit(np.array([0, 3]), 0)
    other = Ridge().bind(x[order], y[order], block[order]).fit(np.array([0, 3]), 0)
    assert_allclose(one.weights, other.weights, rtol=1e-12)


@pytest.mark.parametrize("learner", LEARNERS)
def test_nothing_to_learn_from_is_an_error(learner):
    with pytest.raises(DataError, match="no labelled row"):
        learner.bind(*_data()).fit(np.array([], dtype=np.int64), 1)


@pytest.mark.parametrize("make", [lambda: Ridge(0.0), lambda: LightGBM(rounds=0)])
def test_impossible_settings_are_refused(make):
    with pytest.raises(ConfigError, match="must be"):
        make()

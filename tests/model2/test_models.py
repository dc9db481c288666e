from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.model2 import models
from quant.model2.learners import MLP, LightGBM, Ridge, Rule, XGBoost, load
from quant.model2.models import Member

TREES = {"rounds": 10, "leaves": 7, "min_leaf": 20, "threads": 1}
BOOSTED = [LightGBM(**TREES), XGBoost(**TREES)]
LEARNERS = [Ridge(), *BOOSTED, MLP(epochs=20, penalty=0.01, learning_rate=0.01, batch=100)]
EVERY = [*LEARNERS, Rule("b", -1.0)]
NAMES = tuple("abcde")
N = 600


def _data(seed=1, n=N):
    """A label that is told by the first two features, and another one that is its opposite."""
    rng = generator(seed, "models")
    x = rng.uniform(-0.5, 0.5, (n, 5)).astype(np.float32)
    y = x[:, 0] + 0.5 * x[:, 1] + 0.5 * rng.standard_normal(n)
    return x, np.stack([y, -y], axis=1), np.arange(n) // 50


def _fit(learner, data, blocks=None, label=0, seed=1):
    x, y, block = data
    blocks = np.unique(block) if blocks is None else blocks
    return learner.bind(x, y, block, NAMES).fit(label, blocks, seed)


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("label", [0, 1])
def test_what_is_planted_is_found_in_either_label(learner, label):
    fresh, truth, _ = _data(seed=2)
    predicted = _fit(learner, _data(), label=label).predict(fresh)
    assert np.corrcoef(predicted, truth[:, label])[0, 1] > 0.4  # the best possible is 0.54


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_fit_sees_its_blocks_and_its_label_only(learner):
    x, y, block = _data()
    some = np.array([0, 2, 5, 7])
    inside = np.isin(block, some)
    other_x, other_y = x.copy(), y.copy()
    other_x[~inside] = np.round(other_x[~inside][::-1] * 3) / 6  # few distinct values: other bins
    other_y[~inside] = 1e6
    other_y[:, 1] = np.nan
    alone = _fit(learner, (x[inside], y[inside], block[inside]), some)
    within = _fit(learner, (x, y, block), some)
    beside = _fit(learner, (other_x, other_y, block), some)
    assert within.to_bytes() == alone.to_bytes() == beside.to_bytes()
    assert_array_equal(within.predict(x), beside.predict(x))


@pytest.mark.parametrize("learner", BOOSTED)
def test_every_split_is_on_the_grid_whatever_the_data(learner):
    """Cuts at the grid (XGBoost) or half way between its points (LightGBM)."""
    booster = _fit(learner, _data()).booster
    if isinstance(learner, XGBoost):
        cuts = booster.trees_to_dataframe()["Split"].dropna().to_numpy()
    else:
        cuts = booster.trees_to_dataframe()["threshold"].dropna().to_numpy()
    steps = (cuts + 0.5) * (learner.bins - 1) * 2
    assert cuts.size > 20
    assert_allclose(steps, np.round(steps), atol=1e-3)


@pytest.mark.parametrize("learner", EVERY)
def test_the_same_seed_gives_the_same_bytes(learner):
    first, second = (_fit(learner, _data(), seed=42) for _ in range(2))
    assert first.to_bytes() == second.to_bytes()


@pytest.mark.parametrize("learner", BOOSTED)
def test_two_threads_twice_give_the_same_bytes(learner):
    two = replace(learner, threads=2)
    first, second = (_fit(two, _data(n=6000), seed=42) for _ in range(2))
    assert first.to_bytes() == second.to_bytes()


@pytest.mark.parametrize("learner", EVERY)
def test_a_learner_says_whether_its_seed_matters(learner):
    x = _data()[0]
    first, second = (_fit(learner, _data(), seed=s).predict(x) for s in (1, 2))
    assert learner.random == (not np.array_equal(first, second))


@pytest.mark.parametrize("learner", EVERY)
def test_a_score_does_not_depend_on_the_batch(learner):
    x = _data()[0]
    model = _fit(learner, _data())
    assert_array_equal(model.predict(x)[100:103], model.predict(x[100:103]))


@pytest.mark.parametrize("learner", EVERY)
def test_a_stored_model_predicts_the_same_bits(learner, tmp_path):
    model = _fit(learner, _data())
    file = models.save(model, tmp_path / f"fold003-{Member('any', 21).name}")
    assert file.name.startswith("fold003-any-h21-d0.")
    fresh = _data(seed=2)[0]
    assert_array_equal(load(file).predict(fresh), model.predict(fresh))


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.pkl", "a.pkl is no model"), ("a", "a is no model"), ("a.ridge.json", "damaged"),
     ("a.rule.json", "damaged"), ("a.lgb.txt", "damaged"), ("a.xgb.ubj", "damaged")],
)  # fmt: skip
def test_a_file_that_is_no_model_is_named(name, message, tmp_path):
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(DataError, match=message):
        load(tmp_path / name)


def test_ridge_solves_its_normal_equations():
    x, y, block = _data()
    some = np.array([1, 3, 4])
    model = _fit(Ridge(penalty=0.3), (x, y, block), some)
    a, b = x[np.isin(block, some)].astype(float), y[np.isin(block, some), 0]
    level = 0.3 * np.trace(a.T @ a) / a.shape[1]
    expected = np.linalg.solve(a.T @ a + level * np.eye(a.shape[1]), a.T @ b)
    assert_allclose(model.weights, expected, rtol=1e-10)


@pytest.mark.parametrize("learner", LEARNERS)
def test_features_that_are_all_missing_say_nothing(learner):
    x, y, block = _data()
    model = _fit(learner, (np.zeros_like(x), y, block))
    assert np.ptp(model.predict(x)) == 0.0


@pytest.mark.parametrize("learner", LEARNERS)
def test_labels_that_are_all_equal_say_nothing(learner):
    x, y, block = _data()
    model = _fit(learner, (x, np.zeros_like(y), block))
    assert np.ptp(model.predict(x)) == 0.0


def test_blocks_need_not_be_sorted():
    x, y, block = _data()
    order = generator(5, "order").permutation(N)
    some = np.array([0, 3])
    one = _fit(Ridge(), (x, y, block), some)
    other = _fit(Ridge(), (x[order], y[order], block[order]), some)
    assert_allclose(one.weights, other.weights, rtol=1e-12)


def test_a_rule_is_the_signed_rank_of_its_feature_and_needs_it():
    x = _data()[0]
    assert_array_equal(_fit(Rule("b", -1.0), _data()).predict(x), -x[:, 1].astype(float))
    with pytest.raises(ConfigError, match="needs the feature mom_12_1, which is not among the 5"):
        _fit(Rule("mom_12_1", 1.0), _data())


@pytest.mark.parametrize("learner", EVERY)
def test_nothing_to_learn_from_is_an_error(learner):
    with pytest.raises(DataError, match="no labelled row"):
        _fit(learner, _data(), np.array([], dtype=np.int64))


@pytest.mark.parametrize("make", [lambda: Ridge(0.0), lambda: LightGBM(rounds=0)])
def test_impossible_settings_are_refused(make):
    with pytest.raises(ConfigError, match="must be"):
        make()

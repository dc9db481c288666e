"""Shapley values: against the paper, against brute force, and the laws they must obey."""

import itertools
import json
from math import factorial

import numpy as np
import pytest

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.model2 import scores, shap, train
from quant.model2.learners import MLP, LightGBM, XGBoost
from tests.shared import need


def trained(kind, x, y, rounds=30, leaves=7, rate=0.3):
    """A booster, its predictions, and its contributions."""
    if kind == "lightgbm":
        import lightgbm

        settings = {"num_leaves": leaves, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0,
                    "learning_rate": rate, "verbosity": -1, "num_threads": 1,
                    "min_data_in_bin": 1}  # fmt: skip
        booster = lightgbm.train(settings, lightgbm.Dataset(x, label=y), rounds)
        return booster, booster.predict, shap.lightgbm
    import xgboost

    settings = {"max_depth": 2, "eta": rate, "nthread": 1, "lambda": 0.0, "base_score": 0.0}
    booster = xgboost.train(settings, xgboost.DMatrix(x, y), rounds)
    return booster, lambda rows: booster.predict(xgboost.DMatrix(rows)), shap.xgboost


def planted(n=400, width=6):
    rng = generator(42, "tests", "shap")
    x = (rng.random((n, width)) - 0.5).astype(np.float32)
    return x, 3 * x[:, 0] + 2 * x[:, 1] * (x[:, 2] > 0) + 0.1 * rng.standard_normal(n)


# XGBoost adds leaves in float32
@pytest.mark.parametrize(("kind", "close"), [("lightgbm", 1e-9), ("xgboost", 1e-5)])
def test_fever_and_cough(kind, close):
    case = json.loads(need("cases/10_shap_fever_cough.json").read_text())["expected"]
    grid = np.array(list(itertools.product((0, 1), repeat=2)), dtype=np.float32)
    x = np.tile(grid, (50, 1))
    truth = {"A": 80.0 * (x[:, 0] * x[:, 1]), "B": 80.0 * (x[:, 0] * x[:, 1]) + 10 * x[:, 1]}
    for model, y in truth.items():
        booster, _, explain = trained(kind, x, y, rounds=1, leaves=4, rate=1.0)
        values, base = explain(booster, grid)
        for row, (fever, cough) in enumerate(grid.astype(int)):
            wanted = case[model][f"({fever}, {cough})"]
            assert base == pytest.approx(wanted["base"], abs=close)
            np.testing.assert_allclose(values[row], wanted["phi"], atol=close)
            assert values[row].sum() + base == pytest.approx(wanted["f"], abs=close)


# matplotlib, which the reference imports, warns of its own future
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(("kind", "close"), [("lightgbm", 1e-9), ("xgboost", 1e-5)])
def test_contributions_are_those_of_the_reference_and_add_up(kind, close):
    from shap import TreeExplainer

    x, y = planted()
    booster, predict, explain = trained(kind, x, y)
    values, base = explain(booster, x)
    np.testing.assert_allclose(values.sum(axis=1) + base, predict(x), atol=close)
    reference = TreeExplainer(booster)
    np.testing.assert_allclose(values, reference.shap_values(x), atol=close)
    assert base == pytest.approx(float(np.ravel(reference.expected_value)[0]), abs=close)


def test_linear_form_is_the_brute_force_shapley_value():
    rng = generator(42, "tests", "shap", "linear")
    background, w = rng.random((200, 4)), rng.standard_normal(4)
    mean, row = background.mean(axis=0), rng.random(4)

    def worth(known):
        kept = np.isin(np.arange(4), known)
        return float(np.where(kept, row, mean) @ w)

    values, base = shap.linear(w, row[None], mean)
    for j in range(4):
        others = [k for k in range(4) if k != j]
        found = 0.0
        for size in range(4):
            for known in itertools.combinations(others, size):
                weight = factorial(size) * factorial(3 - size) / factorial(4)
                found += weight * (worth([*known, j]) - worth(list(known)))
        assert values[0, j] == pytest.approx(found, abs=1e-12)
    assert values.sum() + base == pytest.approx(float(row @ w))


def test_scaled_contributions_add_up_to_the_standardised_score():
    x, y = planted()
    booster, predict, explain = trained("lightgbm", x, y)
    day = np.repeat([0, 1, 2], [100, 180, 120])
    drawn = np.array([0, 5, 99, 100, 250, 300, 399])
    values, base = explain(booster, x[drawn])
    values, level = shap.scaled(values, base, predict(x), day, day[drawn])
    score = scores.standardise(predict(x), np.array([0, 100, 280, 400]))
    np.testing.assert_allclose(values.sum(axis=1) + level, score[drawn], atol=1e-9)


def test_a_constant_prediction_has_no_contributions():
    values, base = shap.scaled(np.ones((2, 3)), 1.0, np.ones(4), np.zeros(4, int), np.zeros(2, int))
    assert not values.any() and not base.any()


@pytest.mark.parametrize("kind", ["ridge", "momentum", "lightgbm", "xgboost"])
def test_every_learner_is_explained(kind):
    x, y = planted()
    names = ("mom_12_1", *(f"f{j}" for j in range(1, x.shape[1])))
    spec = train.TrainSpec(models=(kind,), lightgbm=LightGBM(5, min_leaf=5, threads=1),
                           xgboost=XGBoost(5, min_leaf=5, threads=1))  # fmt: skip
    fitter = train.learners(spec)[kind].bind(x, y[:, None], np.zeros(len(y), dtype=int), names)
    model = fitter.fit(0, np.array([0]), 1)
    values, base = shap.contributions(model, x)
    np.testing.assert_allclose(values.sum(axis=1) + base, model.predict(x), atol=1e-6)
    assert np.abs(values[:, 0]).mean() > np.abs(values[:, 5]).mean()


def test_an_unknown_kind_of_model_is_refused():
    with pytest.raises(DataError, match="object has no Shapley values"):
        shap.contributions(object(), np.zeros((1, 1), dtype=np.float32))


def test_a_network_s_values_add_up_and_are_the_slope_where_it_is_straight():
    x, y = planted()
    net = (
        MLP(epochs=5).bind(x, y[:, None], np.zeros(len(x), dtype=int), ()).fit(0, np.array([0]), 1)
    )
    values, base = shap.contributions(net, x)
    np.testing.assert_allclose(values.sum(axis=1) + base, net.predict(x), atol=1e-6)
    step = np.zeros_like(x[:1])
    step[0, 0] = 1e-2
    slope = (net.predict(x + step) - net.predict(x - step)) / 2e-2
    near = np.abs(slope - net.gradient(x)[:, 0])
    assert np.median(near) < 0.01 < 0.1 < np.median(np.abs(slope))  # but for rows at a kink
    # with one feature there is nobody to share with: it has all that differs from the base
    alone = np.zeros_like(x)
    alone[:, 0] = x[:, 0]
    values, base = shap.contributions(net, alone)
    np.testing.assert_allclose(values[:, 0], net.predict(alone) - base, atol=1e-6)
    assert not values[:, 1:].any()

"""Rival covariances against their definitions, and least-variance portfolios against algebra."""

import numpy as np
import pytest

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.risk import portfolios, rivals
from quant.risk.covariance import ledoit_wolf
from quant.risk.rivals import Forecast


def returns(n_obs: int, n: int) -> np.ndarray:
    x = generator(3, "rivals", f"{n_obs}x{n}").normal(size=(n_obs, n)) * 0.02
    return x - x.mean(axis=0)


def dense(model: Forecast) -> np.ndarray:
    return model.factor.T @ model.factor + np.diag(model.specific)


def test_sample_and_optimizer_models_are_what_they_are_called():
    x = returns(50, 8)
    np.testing.assert_allclose(dense(rivals.sample(x)), np.cov(x.T, bias=True), rtol=1e-12)
    own = rivals.models(x)["ledoit_wolf"]
    np.testing.assert_allclose(dense(own), ledoit_wolf(x).dense(), rtol=1e-12)


def test_ewma_is_the_recursion_of_riskmetrics():
    x = returns(400, 3)
    state = np.zeros((3, 3))
    for row in x:
        state = 0.94 * state + 0.06 * np.outer(row, row)
    # 0.94^400 of the weight lies before the sample
    np.testing.assert_allclose(dense(rivals.ewma(x, 0.94)), state, rtol=1e-9)
    with pytest.raises(DataError, match="decay is 1.0"):
        rivals.ewma(x, 1.0)


def test_half_life_halves_the_weight():
    x = np.zeros((64, 1))
    old, new = x.copy(), x.copy()
    old[0], new[-1] = 1.0, 1.0
    decay = 0.5 ** (1.0 / rivals.HALF_LIFE)
    variances = [rivals.ewma(v, decay).variances(np.ones((1, 1)))[0] for v in (old, new)]
    assert variances[0] / variances[1] == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(60, 30), (40, 90)])
def test_statistical_factors_keep_variances_and_leading_components(shape):
    x = returns(*shape)
    model, sample = rivals.statistical(x, 5), x.T @ x / len(x)
    np.testing.assert_allclose(np.diag(dense(model)), np.diag(sample), rtol=1e-10)
    leading = np.linalg.eigvalsh(sample)[::-1][:5]
    np.testing.assert_allclose(np.linalg.eigvalsh(model.factor @ model.factor.T)[::-1], leading)


def test_products_are_those_of_the_dense_matrix_and_scale():
    x = returns(60, 30)
    weights = generator(1, "w").normal(size=(30, 4))
    for model in rivals.models(x).values():
        expected = np.einsum("ip,ij,jp->p", weights, dense(model), weights)
        np.testing.assert_allclose(model.variances(weights), expected, rtol=1e-10)
        np.testing.assert_allclose(model.variances(3.0 * weights), 9.0 * expected, rtol=1e-10)


@pytest.mark.parametrize("shape", [(60, 30), (40, 90)])
def test_least_variance_is_the_solution_of_its_equations(shape):
    for name, model in rivals.models(returns(*shape)).items():
        weights = model.least_variance()
        assert weights.sum() == pytest.approx(1.0)
        if model.specific.min() > 0 or shape[0] > shape[1]:
            gradient = dense(model) @ weights
            np.testing.assert_allclose(gradient, gradient.mean(), rtol=1e-4, err_msg=name)


def test_more_names_than_sessions_look_riskless_to_the_sample():
    models = rivals.models(returns(40, 90))
    for name in ("sample", "ewma_63"):
        assert models[name].variances(models[name].least_variance()[:, None])[0] == 0.0
    own = models["ledoit_wolf"]
    assert own.variances(own.least_variance()[:, None])[0] > 0.0


def test_portfolios_are_what_they_say():
    member, n = np.r_[np.ones(120, bool), np.zeros(3, bool)], 123
    held = np.r_[np.zeros(120), 0.1, 0.0, 0.0]
    group = np.array(["a"] * 60 + ["b"] * 57 + ["small"] * 6, dtype=object)
    models = rivals.models(returns(40, n))
    tried = portfolios.tried(
        member, group, np.r_[np.nan, np.arange(1.0, n)], held, models, generator(1, "p")
    )
    weight = dict(zip(tried.names, tried.weights.T, strict=True))
    assert {k for k in tried.names if k.startswith("industry")} == {"industry a", "industry b"}
    np.testing.assert_array_equal(weight["book"], held)
    for name, w in weight.items():
        if name.startswith("long_short"):
            assert w.sum() == pytest.approx(0.0) and np.abs(w).sum() == pytest.approx(1.0)
            assert (w != 0).sum() == 100
        elif name != "book":
            assert w.sum() == pytest.approx(1.0)
        if not name.startswith(("book", "least")):
            assert not w[~member].any()
    assert weight["liquidity"][0] == 0.0 and weight["liquidity"].min() >= 0.0

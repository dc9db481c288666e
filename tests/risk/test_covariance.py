import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.risk.covariance import FactorCovariance, ledoit_wolf
from tests.shared import need

ANSWER = json.loads((Path(__file__).parents[1] / "answers/ledoit_wolf.json").read_text())


def test_published_case_of_sixty_returns_of_eight_assets():
    covariance = ledoit_wolf(np.array(ANSWER["returns"]))
    dense = covariance.dense()
    assert covariance.shrinkage == pytest.approx(ANSWER["shrinkage"], abs=1e-10)
    np.testing.assert_allclose(dense[0, :5], ANSWER["first_row"], rtol=1e-9)
    assert np.trace(dense) == pytest.approx(ANSWER["trace"], rel=1e-9)
    assert np.linalg.norm(dense) == pytest.approx(ANSWER["frobenius"], rel=1e-9)
    assert np.linalg.eigvalsh(dense).min() == pytest.approx(ANSWER["min_eig"], rel=1e-9)


@pytest.mark.parametrize("case", ["03_lw_25x40", "03_lw_60x8"])
def test_reference_matrix_entry_by_entry(case):
    expected = json.loads(need(f"cases/{case}.json").read_text())["expected"]
    returns = np.loadtxt(need(f"cases/{case}.csv"), delimiter=",", skiprows=1)
    target = np.loadtxt(need(f"cases/{expected['cov_identity_csv']}"), delimiter=",")
    covariance = ledoit_wolf(returns)
    shrinkage = expected["sklearn_LW2004_identity"]["shrinkage"]
    assert covariance.shrinkage == pytest.approx(shrinkage, abs=1e-10)
    np.testing.assert_allclose(covariance.dense(), target, rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("shape", [(252, 100), (30, 90), (2, 5), (40, 1)])
def test_equals_scikit_learn(shape):
    returns = generator(1, "lw", str(shape)).standard_t(4, shape) * 0.02 + 0.001
    expected, shrinkage = sklearn_ledoit_wolf(returns)
    covariance = ledoit_wolf(returns)
    assert covariance.shrinkage == pytest.approx(shrinkage, abs=1e-12)
    np.testing.assert_allclose(covariance.dense(), expected, rtol=1e-10, atol=1e-18)


def test_products_agree_with_the_dense_matrix():
    rng = generator(1, "products")
    covariance, weights = ledoit_wolf(rng.normal(size=(20, 30))), rng.normal(size=30)
    dense = covariance.dense()
    np.testing.assert_allclose(covariance.apply(weights), dense @ weights, rtol=1e-12)
    assert covariance.quad(weights) == pytest.approx(weights @ dense @ weights, rel=1e-12)
    np.testing.assert_allclose(covariance.diagonal(), np.diag(dense), rtol=1e-12)


def test_horizon_and_units_scale_the_matrix_and_not_the_shrinkage():
    returns = generator(1, "scale").normal(size=(50, 10))
    once, large = ledoit_wolf(returns), ledoit_wolf(100 * returns)
    np.testing.assert_allclose(once.scaled(21).dense(), 21 * once.dense(), rtol=1e-12)
    np.testing.assert_allclose(large.dense(), 1e4 * once.dense(), rtol=1e-12)
    assert large.shrinkage == pytest.approx(once.shrinkage, rel=1e-12)


def test_permuting_assets_permutes_the_matrix():
    rng = generator(1, "permute")
    returns, order = rng.normal(size=(15, 25)), rng.permutation(25)
    expected = ledoit_wolf(returns).dense()[np.ix_(order, order)]
    np.testing.assert_allclose(ledoit_wolf(returns[:, order]).dense(), expected, rtol=1e-10)


def test_constant_returns_have_no_risk():
    covariance = ledoit_wolf(np.full((10, 3), 0.01))
    np.testing.assert_allclose(covariance.dense(), 0.0, atol=1e-30)


def test_bad_returns_are_refused():
    with pytest.raises(DataError, match=r"1 values that are not finite.*fill_missing"):
        ledoit_wolf(np.array([[0.1, np.nan], [0.2, 0.1]]))
    with pytest.raises(DataError, match=r"shape \(1, 3\).*two sessions"):
        ledoit_wolf(np.zeros((1, 3)))
    with pytest.raises(DataError, match="horizon is 0"):
        ledoit_wolf(np.eye(3)).scaled(0)
    with pytest.raises(DataError, match="ridge is -1"):
        FactorCovariance(np.eye(2), -1.0)
    with pytest.raises(DataError, match=r"shape \(2,\)"):
        FactorCovariance(np.ones(2), 0.0)

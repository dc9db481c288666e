"""The published rival: its hyper-parameters and its early stop."""

import numpy as np
import pytest

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.model2.learners import QlibLightGBM
from quant.model2.learners.published import PUBLISHED

N = 4_000


def _data(strength=1.0):
    rng = generator(7, "published")
    x = rng.uniform(-0.5, 0.5, (N, 5)).astype(np.float32)
    y = strength * x[:, 0] + 0.3 * rng.standard_normal(N)
    return x, y[:, None], np.arange(N) // 40


def _fit(x, y, block, seed=1):
    return QlibLightGBM(threads=1).bind(x, y, block, ()).fit(0, np.unique(block), seed)


def test_it_stops_early_and_keeps_the_trees_up_to_the_best_round():
    told, noise = _fit(*_data()), _fit(*_data(strength=0.0))
    assert noise.booster.num_trees() < 10 < told.booster.num_trees() < 1000
    x = _data()[0]
    assert np.corrcoef(told.predict(x), x[:, 0])[0, 1] > 0.9


def test_it_is_the_same_twice_and_does_not_learn_the_gap():
    x, y, block = _data()
    first = _fit(x, y, block)
    assert first.to_bytes() == _fit(x, y, block).to_bytes()
    other = y.copy()
    gap = np.isin(block, np.arange(80 - 6, 80))  # of 100 blocks 20 validate, 6 are left out
    other[gap] = 1e6
    assert _fit(x, other, block).to_bytes() == first.to_bytes()
    with pytest.raises(DataError, match="no labelled row"):
        QlibLightGBM().bind(x, y, block, ()).fit(0, np.arange(3), 1)


def test_the_hyper_parameters_are_those_of_the_workflow():
    wanted = {"learning_rate": 0.2, "num_leaves": 210, "max_depth": 8, "lambda_l1": 205.6999,
              "lambda_l2": 580.9768, "colsample_bytree": 0.8879, "subsample": 0.8789}  # fmt: skip
    assert {k: PUBLISHED[k] for k in wanted} == wanted

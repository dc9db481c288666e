"""Covariances from a file: bit for bit those that would be estimated."""

import pickle

import numpy as np

from quant.risk.covariance import ledoit_wolf
from quant.risk.prepared import prepare


def estimate(t, names):
    rng = np.random.default_rng(t)
    return ledoit_wolf(rng.normal(size=(30 + t, 50))[:, names]).scaled(21)


def names(t):
    return np.arange(t % 3, 20)


def test_what_is_kept_is_what_was_estimated(tmp_path):
    made = prepare(tmp_path / "kept", range(5, 12), names, estimate)
    for copy in (made, pickle.loads(pickle.dumps(made))):
        for t in (5, 8, 11):
            kept, fresh = copy(t, names(t)), estimate(t, names(t))
            np.testing.assert_array_equal(kept.factor, fresh.factor)
            assert (kept.ridge, kept.shrinkage) == (fresh.ridge, fresh.shrinkage)


def test_other_names_or_sessions_are_not_kept(tmp_path):
    made = prepare(tmp_path / "kept", range(5, 12), names, estimate)
    assert made(4, names(4)) is None and made(12, names(12)) is None
    assert made(5, np.arange(20)) is None and made(5, names(5)[::-1]) is None

"""Bootstrap and Newey-West against theory and an independent implementation."""

import numpy as np
import pytest

from quant.core.errors import ConfigError
from quant.core.seeds import generator
from quant.evaluation import inference as inf


def series(n: int, rho: float, *purpose: str) -> np.ndarray:
    shock = generator(42, "tests", "inference", *purpose).normal(0, 1, n)
    out = np.empty(n)
    out[0] = shock[0]
    for t in range(1, n):
        out[t] = rho * out[t - 1] + shock[t]
    return out


def test_newey_west_matches_its_formula():
    x = series(200, 0.4)
    centred = x - x.mean()
    gamma = [centred[k:] @ centred[: 200 - k] / 200 for k in range(6)]
    by_hand = gamma[0] + 2 * sum((1 - k / 6) * gamma[k] for k in range(1, 6))
    assert inf.newey_west_variance(x, 5) == pytest.approx(by_hand, rel=1e-12)
    assert inf.newey_west_variance(x, 0) == pytest.approx(x.var(), rel=1e-12)
    t = x.mean() / np.sqrt(by_hand / 200)
    assert inf.newey_west_t(np.r_[x, np.nan], 5) == pytest.approx(t, rel=1e-12)


def test_newey_west_t_is_undefined_without_variation():
    assert np.isnan(inf.newey_west_t(np.array([1.0])))
    assert np.isnan(inf.newey_west_t(np.zeros(9)))


@pytest.mark.parametrize("kind", ["stationary", "circular"])
def test_blocks_are_runs_on_a_circle(kind):
    index = inf.block_indices(50, 7, 400, generator(1, "blocks"), kind)
    assert index.min() >= 0 and index.max() < 50
    joined = np.mean((np.diff(index, axis=1) % 50) == 1)
    # a new block begins with probability 1/7, and may by chance continue the old one
    assert joined == pytest.approx(1 - 1 / 7, abs=0.02)
    counts = np.bincount(index.ravel(), minlength=50) / index.size
    np.testing.assert_allclose(counts, 1 / 50, atol=0.004)


@pytest.mark.parametrize("kind", ["stationary", "circular"])
def test_the_error_of_a_mean_matches_the_closed_form(kind):
    """Autocovariances on the circle, weighted by the chance to stay in a block."""
    x, n, block = series(600, 0.6, kind), 600, 20
    centred = x - x.mean()
    gamma = np.array([centred @ np.roll(centred, -k) / n for k in range(n)])
    k = np.arange(n)
    if kind == "stationary":
        stay = (1 - 1 / block) ** k
        variance = (gamma * (1 - k / n) * stay).sum() * 2 - gamma[0]
    else:
        variance = gamma[0] + 2 * (gamma * np.maximum(1 - k / block, 0))[1:].sum()
    result = inf.bootstrap(x, np.mean, block, 3000, generator(2, "bootstrap"), kind)
    assert result.error == pytest.approx(np.sqrt(variance / n), rel=0.05)
    assert result.low < result.estimate < result.high
    assert result.estimate == x.mean()
    single = inf.bootstrap(x, np.mean, 1, 300, generator(2, "bootstrap"), kind)
    assert single.error < 0.75 * result.error


def test_pairs_stay_together():
    pairs = np.column_stack([np.arange(30.0), np.arange(30.0)])
    result = inf.bootstrap(
        pairs, lambda p: float(np.abs(p[:, 0] - p[:, 1]).max()), 5, 50, generator(3, "pairs")
    )
    assert result.draws.max() == 0.0


def test_the_same_stream_gives_the_same_draws():
    one = inf.bootstrap(series(100, 0.2), np.mean, 5, 20, generator(4, "same"))
    two = inf.bootstrap(series(100, 0.2), np.mean, 5, 20, generator(4, "same"))
    np.testing.assert_array_equal(one.draws, two.draws)


def test_faults_are_named():
    with pytest.raises(ConfigError, match="blocks of 0 periods do not fit"):
        inf.block_indices(10, 0, 5, generator(5, "x"))
    with pytest.raises(ConfigError, match="bootstrap 'moving' is unknown"):
        inf.block_indices(10, 2, 5, generator(5, "x"), "moving")

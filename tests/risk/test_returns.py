import numpy as np
import pytest

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.risk.covariance import ledoit_wolf
from quant.risk.returns import fill_missing

GROUPS = np.array([0, 0, 1, 1, 1])


def holes(share: float) -> np.ndarray:
    rng = generator(2, "holes")
    returns = rng.normal(size=(100, 5))
    missing = rng.random(returns.shape) < share
    missing[:, 0] = False
    return np.where(missing, np.nan, returns)


def test_whole_windows_are_only_demeaned():
    returns = holes(0.0)
    np.testing.assert_allclose(fill_missing(returns, GROUPS), returns - returns.mean(axis=0))


def test_a_suspended_day_of_a_seasoned_name_is_its_mean():
    returns = holes(0.2)
    filled = fill_missing(returns, GROUPS)
    assert (filled[np.isnan(returns)] == 0.0).all()
    np.testing.assert_allclose(filled.mean(axis=0), 0.0, atol=1e-15)


def test_a_young_name_takes_the_return_of_its_group():
    returns = holes(0.0)
    returns[:60, 4] = np.nan
    filled = fill_missing(returns, GROUPS)
    mixed = np.append(returns[:60, 2:4].mean(axis=1), returns[60:, 4])
    np.testing.assert_allclose(filled[:, 4], mixed - mixed.mean())
    assert filled[:60, 4].std() > 0.3


def test_a_group_that_did_not_trade_takes_the_market():
    returns = holes(0.0)
    returns[:60, 2:] = np.nan
    filled = fill_missing(returns, GROUPS)
    market = returns[:60, :2].mean(axis=1)
    mixed = np.append(market, returns[60:, 3])
    np.testing.assert_allclose(filled[:, 3], mixed - mixed.mean())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_covariance_of_a_window_with_holes_is_positive_semidefinite(share):
    filled = fill_missing(holes(share), GROUPS)
    assert np.isfinite(filled).all()
    assert np.linalg.eigvalsh(ledoit_wolf(filled).dense()).min() >= -1e-15


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("number", range(20))
def test_every_name_is_filled_as_the_words_say(number, order):
    rng = generator(2, "naive", str(number))
    shape = int(rng.integers(2, 40)), int(rng.integers(1, 20))
    returns = np.asarray(rng.normal(size=shape), order=order)
    returns[rng.random(shape) < rng.random()] = np.nan
    returns = returns[np.isfinite(returns).any(axis=1)]
    groups = rng.integers(0, int(rng.integers(1, 6)), shape[1])
    filled = fill_missing(returns, groups, 0.6)
    for i, own in enumerate(returns.T):
        there = np.isfinite(own)
        if there.sum() >= 0.6 * own.size:
            expected = np.where(there, own - own[there].mean(), 0.0) if own.size else own
        else:
            mates = [_mean(row[groups == groups[i]], _mean(row, 0.0)) for row in returns]
            mixed = np.where(there, own, mates)
            expected = mixed - mixed.mean()
        np.testing.assert_allclose(filled[:, i], expected, atol=1e-14)


def _mean(values: np.ndarray, otherwise: float) -> float:
    there = np.isfinite(values)
    return float(values[there].mean()) if there.any() else otherwise


def test_bad_windows_are_refused():
    returns = holes(0.0)
    with pytest.raises(DataError, match=r"groups \(3,\)"):
        fill_missing(returns, np.array([0, 1, 2]))
    returns[7] = np.nan
    with pytest.raises(DataError, match="row 7 .* no return at all"):
        fill_missing(returns, GROUPS)

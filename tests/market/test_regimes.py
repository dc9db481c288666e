"""Regimes have the durations and laws that they state, and the truth says which one held."""

import numpy as np
import pytest

from quant.core.seeds import generator
from quant.market import SimulatedMarket
from quant.market.regimes import MARKET, TREND, TURBULENCE, Chain


@pytest.mark.parametrize("chain", [MARKET, TREND, TURBULENCE])
def test_transitions_are_probabilities_and_share_is_stationary(chain: Chain) -> None:
    matrix, share = chain.transition(), chain.stationary()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(share @ matrix, share, atol=1e-12)


@pytest.mark.parametrize("chain", [MARKET, TREND, TURBULENCE])
def test_paths_stay_as_long_as_they_should(chain: Chain) -> None:
    path = chain.path(4000, 60, generator(1, "test"))
    for state, expected in enumerate(chain.duration):
        inside = path[:-1] == state
        left = inside & (path[1:] != state)
        assert inside.sum() / left.sum() == pytest.approx(expected, rel=0.12)
    share = np.bincount(path.ravel(), minlength=len(chain.names)) / path.size
    np.testing.assert_allclose(share, chain.stationary(), atol=0.03)


def test_bad_regimes_are_volatile_and_correlated(us: SimulatedMarket) -> None:
    truth = us.truth["market"]
    by = truth.groupby("regime")[["drift", "vol", "correlation"]].mean()
    assert by["drift"].idxmax() == "bull"
    calm, rough = by.loc["bull"], by.loc[by["vol"].idxmax()]
    assert rough["vol"] > 1.4 * calm["vol"] and rough["correlation"] > calm["correlation"]


def test_true_volatility_is_seen_in_the_market(us: SimulatedMarket) -> None:
    bars = us.bars
    ret = (bars["close"] / bars["pre_close"] - 1).groupby(bars["date"]).mean()
    truth = us.truth["market"].set_index("date")
    seen = ret.abs().rolling(21).mean()
    assert np.corrcoef(seen[21:], truth["vol"].rolling(21).mean()[21:])[0, 1] > 0.6
    factor = us.truth["factors"]
    market = factor[factor["factor"] == "market"].set_index("date")["ret"]
    assert np.corrcoef(ret, market.reindex(ret.index))[0, 1] > 0.9
    scaled = (market / truth["vol"]).to_numpy()
    assert scaled.std() == pytest.approx(1, abs=0.15)


def test_true_loadings_are_those_of_the_returns(us: SimulatedMarket) -> None:
    bars = us.bars.assign(ret=us.bars["close"] / us.bars["pre_close"] - 1)
    wide = bars.pivot(index="date", columns="symbol", values="ret").dropna(axis=1)
    factor = us.truth["factors"]
    market = factor[factor["factor"] == "market"].set_index("date")["ret"].reindex(wide.index)
    beta = wide.apply(lambda s: np.cov(s, market)[0, 1] / market.var())
    true = us.truth["loadings"].set_index("symbol")["beta"].reindex(beta.index)
    assert np.corrcoef(beta, true)[0, 1] > 0.7
    same = us.truth["loadings"].set_index("symbol")["industry_id"].reindex(wide.columns).to_numpy()
    residual = wide.sub(np.outer(market, beta)).corr().to_numpy()
    pairs = np.triu(np.ones(residual.shape, bool), 1)
    alike = same[:, None] == same[None, :]
    assert residual[pairs & alike].mean() > residual[pairs & ~alike].mean() + 0.05

"""Rival forecasts of the covariance, each as factor'factor + diag(specific) on one window."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Matrix, Vector
from quant.risk.covariance import ledoit_wolf

HALF_LIFE = 63  # sessions
RISKMETRICS = 0.94  # daily decay, RiskMetrics (1996)
N_FACTORS = 10
FLOOR = 1e-8  # of the mean variance: what is below it is no risk at all


@dataclass(frozen=True)
class Forecast:
    """The covariance of one session: factor'factor + diag(specific).

    factor   : (n_rows, n_assets)
    specific : (n_assets,) >= 0
    """

    factor: Matrix
    specific: Vector

    def variances(self, weights: Matrix) -> Vector:
        """Variance w'Sigma w of every column of `weights` (n_assets, n_portfolios).

        0 where it is below FLOOR: the rounding of a portfolio that the model takes for riskless.
        """
        exposed = self.factor @ weights
        variance = np.square(exposed).sum(axis=0) + self.specific @ np.square(weights)
        floor = FLOOR * self.mean_variance() * np.square(weights).sum(axis=0)
        return np.where(variance > floor, variance, 0.0)

    def mean_variance(self) -> float:
        """Mean variance of the assets."""
        return float((np.square(self.factor).sum() + self.specific.sum()) / self.specific.size)

    def least_variance(self) -> Vector:
        """Fully invested weights of least variance, shorts allowed, (n_assets,).

        A covariance without full rank is given specific variances of FLOOR.
        """
        own = np.maximum(self.specific, FLOOR * self.mean_variance())
        rows, n = self.factor.shape
        if n <= rows:
            raw = np.linalg.solve(self.factor.T @ self.factor + np.diag(own), np.ones(n))
        else:  # Woodbury
            scaled = self.factor / own
            inner = np.eye(rows) + scaled @ self.factor.T
            raw = 1.0 / own - scaled.T @ np.linalg.solve(inner, scaled.sum(axis=1))
        return raw / raw.sum()


def models(returns: Matrix) -> Mapping[str, Forecast]:
    """Every model's forecast for one session, from one window; the optimizer's comes first.

    returns : (n_obs, n_assets) per session, demeaned, without NaN
    """
    optimizer = ledoit_wolf(returns)
    return {
        "ledoit_wolf": Forecast(
            optimizer.factor, np.full(returns.shape[1], optimizer.ridge, dtype=float)
        ),
        "sample": sample(returns),
        "ewma": ewma(returns, RISKMETRICS),
        "ewma_63": ewma(returns, 0.5 ** (1.0 / HALF_LIFE)),
        "factors": statistical(returns, N_FACTORS),
    }


def sample(returns: Matrix) -> Forecast:
    """X'X / n_obs of demeaned returns; its rank is at most n_obs - 1."""
    n_obs, n_assets = returns.shape
    return Forecast(returns / np.sqrt(n_obs), np.zeros(n_assets))


def ewma(returns: Matrix, decay: float) -> Forecast:
    """Exponentially weighted covariance; the last row of `returns` weighs most.

    decay  : in (0, 1); weights decay^age, scaled to a sum of 1
    Source : RiskMetrics, Technical Document (1996), chapter 5
    """
    if not 0.0 < decay < 1.0:
        raise DataError(f"decay is {decay}; an EWMA needs one between 0 and 1.")
    n_obs, n_assets = returns.shape
    share = decay ** np.arange(n_obs - 1, -1, -1.0)
    return Forecast(np.sqrt(share / share.sum())[:, None] * returns, np.zeros(n_assets))


def statistical(returns: Matrix, k: int) -> Forecast:
    """Principal components as factors, and what they leave of each variance as specific.

    k      : factors; at most one less than sessions and assets
    Source : Connor & Korajczyk (1988), J. Financial Economics 21, 255-289
    """
    n_obs, n_assets = returns.shape
    k = min(k, n_obs - 1, n_assets - 1)
    _, vectors = np.linalg.eigh(returns @ returns.T)
    factor = vectors[:, ::-1][:, :k].T @ returns / np.sqrt(n_obs)
    total = np.square(returns).sum(axis=0) / n_obs
    return Forecast(factor, np.maximum(total - np.square(factor).sum(axis=0), 0.0))

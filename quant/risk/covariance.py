"""Ledoit-Wolf covariance in factor form: a few hundred rows instead of an n x n matrix."""

from dataclasses import dataclass

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Matrix, Vector


@dataclass(frozen=True)
class FactorCovariance:
    """The matrix factor'factor + ridge I, never formed unless asked for.

    factor    : (n_obs, n_assets)
    ridge     : >= 0, on the diagonal
    shrinkage : weight of the scaled identity in [0, 1], for the record
    """

    factor: Matrix
    ridge: float
    shrinkage: float = 0.0

    def __post_init__(self) -> None:
        if self.factor.ndim != 2 or not np.isfinite(self.factor).all():
            raise DataError(
                f"covariance factor has shape {self.factor.shape} and must be a finite "
                "(n_obs, n_assets) matrix; fill missing returns first."
            )
        if not (np.isfinite(self.ridge) and self.ridge >= 0):
            raise DataError(f"covariance ridge is {self.ridge}; it must be finite and >= 0.")

    def scaled(self, horizon: float) -> "FactorCovariance":
        """Covariance over `horizon` sessions, taking sessions as independent."""
        if not horizon > 0:
            raise DataError(f"horizon is {horizon}; a covariance scales by a positive number.")
        return FactorCovariance(
            self.factor * np.sqrt(horizon), self.ridge * horizon, self.shrinkage
        )

    def apply(self, weights: Vector) -> Vector:
        """Sigma w, (n_assets,)."""
        return self.factor.T @ (self.factor @ weights) + self.ridge * weights

    def quad(self, weights: Vector) -> float:
        """Variance w'Sigma w of the portfolio."""
        exposed = self.factor @ weights
        return float(exposed @ exposed + self.ridge * (weights @ weights))

    def diagonal(self) -> Vector:
        """Variances of the assets, (n_assets,)."""
        return np.einsum("ti,ti->i", self.factor, self.factor) + self.ridge

    def dense(self) -> Matrix:
        """(n_assets, n_assets); for tests and small problems."""
        return self.factor.T @ self.factor + self.ridge * np.eye(self.factor.shape[1])


def ledoit_wolf(returns: Matrix) -> FactorCovariance:
    """Covariance per session, shrunk towards the scaled identity.

    returns : (n_obs, n_assets) without NaN; demeaned here, divisor n_obs
    Returns : factor (n_obs, n_assets), ridge = shrinkage x mean variance
    Raises  : DataError for fewer than 2 rows or values that are not finite
    Source  : Ledoit & Wolf (2004), J. Multivariate Analysis 88, 365-411, with the sums over
              n_assets x n_assets entries taken from the n_obs x n_obs Gram matrix

    From scratch each day, about 1 ms for 252 x 800: the Gram matrix could be carried from window to
    window, but the holes of a window are at means that move with it, and correcting for them takes
    as long as the product that is saved.
    """
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 2 or returns.shape[0] < 2 or returns.shape[1] < 1:
        raise DataError(
            f"returns have shape {returns.shape}; a covariance needs a matrix of at least "
            "two sessions and one asset."
        )
    if not np.isfinite(returns).all():
        raise DataError(
            f"returns hold {int((~np.isfinite(returns)).sum())} values that are not finite; "
            "fill them with risk.returns.fill_missing."
        )
    n_obs, n_assets = returns.shape
    centred = returns - returns.mean(axis=0)
    gram = centred @ centred.T
    share, mean_variance = _shrinkage(gram, n_assets)
    centred *= np.sqrt((1.0 - share) / n_obs)
    return FactorCovariance(centred, share * mean_variance, share)


def _shrinkage(gram: Matrix, n_assets: int) -> tuple[float, float]:
    """Optimal weight of the target, and the mean variance, from XX' of demeaned returns."""
    n_obs = gram.shape[0]
    mean_variance = float(np.trace(gram)) / (n_obs * n_assets)
    if n_assets == 1:
        return 0.0, mean_variance
    norm = float((gram * gram).sum()) / n_obs**2  # ||S||^2, S = X'X / n_obs
    fourth = float(np.square(np.diag(gram)).sum()) / n_obs  # mean over days of ||x_t||^4
    noise = (fourth - norm) / n_obs
    distance = norm - n_assets * mean_variance**2
    if distance <= 0.0 or noise <= 0.0:
        return (1.0 if distance <= 0.0 and mean_variance > 0.0 else 0.0), mean_variance
    return min(1.0, noise / distance), mean_variance

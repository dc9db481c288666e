"""The monotone map from a score's quantile to expected return, shrunk by its uncertainty.

m_d,b is the mean residual return of quantile bin b on day d, centred over the day's bins. Then

    f     = isotonic regression of mean_d m_d,b on b         (the shape: any monotone curve)
    noise = sum over bins of the Newey-West variance of P m  (P averages within f's level sets)
    b     = max(0, |f|^2 - noise)                            (signal energy, noise taken off)
    alpha = f * b / (b + noise)                              (positive-part James-Stein)

The Newey-West lag is twice the horizon, because labels overlap; Bartlett weights see 5/6 of the
variance that the overlap makes, so it is multiplied by 6/5. P is the projection behind the
isotonic fit (its degrees of freedom are the level sets), so `noise` is the energy that f would
have without any signal: then |f|^2 is about `noise`, and alpha vanishes. A score that pays in its
bottom decile only gets an alpha there only.
"""

from dataclasses import dataclass, field

import numpy as np

from quant.core.types import Codes, Matrix, Vector

OVERLAP = 6 / 5  # sum_k rho_k w_k = 5/6 sum_k rho_k for rho_k = 1 - k/h, w_k = 1 - k/2h


@dataclass(frozen=True)
class Curve:
    """One calibration: realised and shrunk return of every bin, decimal over the horizon.

    score, realised, alpha : (n_bins,); rows : (n_bins,) name-days; alpha is non-decreasing, sums
    to 0 over the bins
    shrink                 : b / (b + noise) in [0, 1]
    factors                : (3,) of alphas by third of the day's uncertainty, see `doubt`
    """

    score: Vector
    realised: Vector
    alpha: Vector
    rows: Codes
    shrink: float
    factors: Vector = field(default_factory=lambda: np.ones(3))

    def at(self, quantile: Vector) -> Vector:
        """Alpha at cross-sectional quantiles in (0, 1), linear between bin centres."""
        centres = (np.arange(self.alpha.size) + 0.5) / self.alpha.size
        return np.interp(quantile, centres, self.alpha)


def fit_curve(bin_means: Matrix, bin_scores: Vector, rows: Codes, horizon: int) -> Curve:
    """Isotonic curve of the mean bin returns, shrunk by its own uncertainty.

    bin_means  : (n_dates, n_bins) mean residual return, decimal, dates in order
    bin_scores : (n_bins,) mean score; rows : (n_bins,) name-days; horizon : sessions of overlap
    """
    from sklearn.isotonic import isotonic_regression

    centred = bin_means - bin_means.mean(axis=1, keepdims=True)
    realised = centred.mean(axis=0)
    shape = isotonic_regression(realised)
    shape = shape - shape.mean()
    level = np.concatenate([[0], np.cumsum(np.diff(shape) > 0.0)])
    size = np.bincount(level)
    pooled = np.stack([centred[:, level == k].mean(axis=1) for k in range(size.size)], axis=1)
    noise = OVERLAP * float(size @ newey_west(pooled, lags=2 * horizon))
    energy = float(shape @ shape)
    signal = max(0.0, energy - noise)
    shrink = signal / (signal + noise) if signal > 0.0 else 0.0
    return Curve(bin_scores, realised, shrink * shape, rows, shrink)


def newey_west(series: Matrix, lags: int) -> Vector:
    """Variance of the mean of each column, Bartlett weights over `lags` (Newey and West 1987).

    series : (n_dates, n_columns) in date order; Returns (n_columns,) >= 0
    """
    n = series.shape[0]
    centred = series - series.mean(axis=0)
    total = np.square(centred).sum(axis=0)
    for lag in range(1, min(lags, n - 1) + 1):
        weight = 2.0 * (1.0 - lag / (lags + 1.0))
        total += weight * (centred[lag:] * centred[:-lag]).sum(axis=0)
    return np.maximum(total, 0.0) / n**2

"""GARCH(1,1) margins: zero mean, normal likelihood, the window's own variance to start from.

Bollerslev (1986), J. Econometrics 31(3) 307-327. The first fit of a series is by `arch`; the weekly
ones after it climb the same likelihood from the parameters before, compiled, since building an
`arch` model costs more than its optimum. Returns are in percent, as `arch` wants them.
"""

import math
import warnings
from dataclasses import dataclass

import numba
import numpy as np
from scipy import optimize

from quant.core.types import Matrix, Vector

EWMA = 0.94  # where no fit is to be had: h = 0.94 h + 0.06 e^2, as RiskMetrics
PERSISTENT = 0.9999  # alpha + beta stay below
_BOUNDS = ((1e-8, None), (0.0, 1.0), (0.0, PERSISTENT))


@dataclass(frozen=True)
class Margins:
    """Parameters of every series, (n_series, 3) omega, alpha, beta of percent returns.

    fallbacks : number of series that kept older parameters, or took the moving average
    """

    parameters: Matrix
    fallbacks: int


@numba.njit(cache=True, nogil=True)
def variances(e, omega, alpha, beta, h0):
    """(n + 1,) conditional variances; the last is that of the observation to come."""
    h = np.empty(e.size + 1)
    h[0] = h0
    for t in range(e.size):
        h[t + 1] = omega + alpha * e[t] * e[t] + beta * h[t]
    return h


@numba.njit(cache=True, nogil=True)
def _deviance(e, omega, alpha, beta, h0, gradient):
    """Mean of log h + e^2 / h, and its gradient in place."""
    h, d_omega, d_alpha, d_beta = h0, 0.0, 0.0, 0.0
    total = 0.0
    gradient[:] = 0.0
    for t in range(e.size):
        square = e[t] * e[t]
        total += math.log(h) + square / h
        slope = (1.0 - square / h) / h
        gradient[0] += slope * d_omega
        gradient[1] += slope * d_alpha
        gradient[2] += slope * d_beta
        d_omega, d_alpha, d_beta = (
            1.0 + beta * d_omega, square + beta * d_alpha, h + beta * d_beta,
        )  # fmt: skip
        h = omega + alpha * square + beta * h
    gradient /= e.size
    return total / e.size


def fit_from(e: Vector, start: Vector) -> Vector | None:
    """Parameters at the likelihood's maximum near `start`, or None where none is found."""
    level = float(np.mean(e * e))
    gradient = np.empty(3)

    def deviance(x: Vector) -> tuple[float, Vector]:
        found = _deviance(e, x[0], x[1], x[2], level, gradient)
        over = x[1] + x[2] - PERSISTENT
        if over > 0:  # a wall, for the sum has no bound of its own
            slope = 2e4 * over * np.array([0.0, 1.0, 1.0])
            return found + 1e4 * over * over, gradient + slope
        return found, gradient.copy()

    found = optimize.minimize(deviance, start, jac=True, bounds=_BOUNDS, method="L-BFGS-B")
    x = found.x
    good = np.isfinite(found.fun) and x[1] + x[2] <= 1.0 and (found.success or found.nit > 0)
    return x if good else None


def fit_cold(e: Vector) -> Vector | None:
    """Parameters by `arch`, or None where it does not converge."""
    from arch import arch_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = arch_model(e, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
            found = made.fit(disp="off", show_warning=False)
        except (ValueError, np.linalg.LinAlgError):
            return None
    x = np.asarray(found.params, dtype=np.float64)
    good = found.convergence_flag == 0 and np.isfinite(x).all() and x[1] + x[2] < 1.0
    return x if good else None


def fit(window: Matrix, before: Matrix) -> Margins:
    """Parameters of every series of `window`, (n_obs, n_series) demeaned percent.

    before : (n_series, 3) those of the refit before, NaN where there was none
    A series without an optimum keeps those before; without these it takes the moving average
    (omega 0, alpha 0.06, beta 0.94), as does one that does not move.
    """
    made, fallbacks = np.empty(before.shape), 0
    for s in range(window.shape[1]):
        e = np.ascontiguousarray(window[:, s])
        found = None
        if np.mean(e * e) > 1e-12:
            known = np.isfinite(before[s]).all() and before[s, 0] > 0
            found = fit_from(e, before[s]) if known else fit_cold(e)
        if found is None:
            fallbacks += 1
            known = np.isfinite(before[s]).all()
            found = before[s] if known else np.array([0.0, 1.0 - EWMA, EWMA])
        made[s] = found
    return Margins(made, fallbacks)

"""How much the market moves as one: dynamic conditional correlation of its industries.

Engle (2002), J. Business & Economic Statistics 20(3) 339-350, in two stages on a rolling window:
GARCH(1,1) margins, then DCC(1,1) of the standardised residuals by quasi-likelihood. Parameters are
refitted weekly; in between variances and correlations advance with each day's returns.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd
from scipy import optimize

from quant.core.errors import DataError
from quant.core.types import Codes, Mask, Matrix, Vector
from quant.model1 import garch

LEAST = 3  # series without which a mean correlation says little
_STARTS = ((0.03, 0.9), (0.1, 0.6), (0.01, 0.97))
_SUM = 0.9999  # a + b stay below
_TINY = 1e-10


def recursion(z: Matrix, a: float, b: float, qbar: Matrix) -> np.ndarray:
    """R_1 .. R_n, (n, k, k): R_t depends on z up to t - 1 alone.

    z : (n, k) standardised residuals; qbar : (k, k) with unit diagonal, also Q_1
    Raises DataError unless a, b >= 0 and a + b < 1.
    """
    _check(a, b)
    q, made = qbar.copy(), np.empty((len(z), *qbar.shape))
    for t in range(len(z)):
        d = 1.0 / np.sqrt(np.diag(q))
        made[t] = q * d[:, None] * d[None, :]
        q = _advance(q, z[t], a, b, qbar)
    return made


def _advance(q: Matrix, z: Vector, a: float, b: float, qbar: Matrix) -> Matrix:
    return (1.0 - a - b) * qbar + a * np.outer(z, z) + b * q


def _check(a: float, b: float) -> None:
    if a < 0 or b < 0 or a + b >= 1:
        raise DataError(
            f"a = {a:g} and b = {b:g}: correlations revert only where both are at least 0 and "
            "a + b is below 1; refit, or lower them."
        )


def target(z: Matrix) -> Matrix:
    """Qbar: correlation of the residuals, (k, k) with unit diagonal."""
    q = z.T @ z / len(z)
    d = 1.0 / np.sqrt(np.maximum(np.diag(q), _TINY))
    return q * d[:, None] * d[None, :] * (1 - np.eye(len(q))) + np.eye(len(q))


@numba.njit(cache=True, nogil=True)
def loglik(z, a, b, qbar):
    """Log-likelihood of the correlations, without the margins' part and the residuals' own.

    -1/2 sum_t (log |R_t| + z'R_t^-1 z - z'z), by one Cholesky factor a day.
    """
    n, k = z.shape
    q, factor, solved = qbar.copy(), np.empty((k, k)), np.empty(k)
    total = 0.0
    for t in range(n):
        for i in range(k):
            for j in range(i + 1):
                value = q[i, j] / math.sqrt(q[i, i] * q[j, j])
                for m in range(j):
                    value -= factor[i, m] * factor[j, m]
                if i == j:
                    if value <= 1e-12:
                        return -1e10
                    factor[i, i] = math.sqrt(value)
                    total += 2.0 * math.log(factor[i, i])
                else:
                    factor[i, j] = value / factor[j, j]
        for i in range(k):
            value = z[t, i]
            for m in range(i):
                value -= factor[i, m] * solved[m]
            solved[i] = value / factor[i, i]
            total += solved[i] * solved[i] - z[t, i] * z[t, i]
        for i in range(k):
            for j in range(i + 1):
                q[i, j] = (1.0 - a - b) * qbar[i, j] + a * z[t, i] * z[t, j] + b * q[i, j]
    return -0.5 * total


def fit(z: Matrix, start: tuple[float, float] | None = None) -> tuple[float, float, float]:
    """(a, b, log-likelihood) at the maximum; `start` spares the other places to start from.

    Without a start the best of several is taken: a = 0 is a maximum of its own.
    """
    z, qbar = np.ascontiguousarray(z), target(z)
    begun = _STARTS if start is None or start[0] < 1e-4 else (start,)

    def deviance(x: Vector) -> float:
        # a and b / (1 - a) of the room that is left, so that the sum needs no wall
        a, b = _SUM * x[0], _SUM * x[1] * (1.0 - x[0])
        return -loglik(z, a, b, qbar) / len(z)

    best, value = (0.0, 0.0), np.inf
    for a, b in begun:
        x0 = np.array([a / _SUM, b / _SUM / (1.0 - a / _SUM)])
        found = optimize.minimize(
            deviance, x0, bounds=((0.0, 0.5), (0.0, 1.0)), method="L-BFGS-B",
            options={"ftol": 1e-9},
        )  # fmt: skip
        if found.fun < value:
            value = found.fun
            best = (_SUM * found.x[0], _SUM * found.x[1] * (1.0 - found.x[0]))
    return float(best[0]), float(best[1]), float(-value * len(z))


@dataclass(frozen=True)
class Walked:
    """What is known of the correlations of the session after each close.

    mean_corr : (n_days,) mean off-diagonal correlation; NaN before there is a window
    eig1      : (n_days,) largest eigenvalue over the number of series
    a, b      : (n_refits,)
    counts    : refits, margins without an optimum of their own, and correlations without one
    """

    mean_corr: Vector
    eig1: Vector
    a: Vector
    b: Vector
    counts: Mapping[str, float]


def walk(returns: Matrix, refits: Codes, window: int = 252, seen: Mask | None = None) -> Walked:
    """Refit at `refits` on the trailing `window`, filter daily.

    returns : (n_days, n_series) log returns, not finite = none
    seen    : (n_days, n_series) whether a series existed by the close; by default all always did
    Only series that did, with a return on at least 95 % of the window, take part until the next
    refit; a day without one is no news, a residual of 0.
    """
    returns = np.where(np.isfinite(returns), returns, np.nan)
    n_days, n_series = returns.shape
    mean_corr, eig1 = np.full(n_days, np.nan), np.full(n_days, np.nan)
    a_of, b_of = np.full(refits.size, np.nan), np.full(refits.size, np.nan)
    parameters = np.full((n_series, 3), np.nan)
    fallbacks, failures, made = 0, 0, 0
    start: tuple[float, float] | None = None
    for number, row in enumerate(refits):
        until = refits[number + 1] if number + 1 < refits.size else n_days
        if row + 1 < window:
            continue
        past = returns[row + 1 - window : row + 1]
        there = np.isfinite(past).mean(axis=0) >= 0.95
        used = np.flatnonzero(there if seen is None else there & seen[row])
        if used.size < LEAST:
            continue
        centre = np.nanmean(past[:, used], axis=0)
        e = 100.0 * np.nan_to_num(past[:, used] - centre)
        margins = garch.fit(e, parameters[used])
        parameters[used] = margins.parameters
        fallbacks, made = fallbacks + margins.fallbacks, made + 1
        z, h = _standardised(e, margins.parameters)
        a, b, likelihood = fit(z, start)
        if not np.isfinite(likelihood) or likelihood <= -1e9:  # no place with a likelihood at all
            failures, (a, b) = failures + 1, start or (0.0, 0.0)
        start = (a, b)
        a_of[number], b_of[number] = a, b
        later = 100.0 * np.nan_to_num(returns[row + 1 : until, used] - centre)
        mean_corr[row:until], eig1[row:until] = _onward(z, later, h, margins.parameters, a, b)
    counts = {
        "dcc_refits": float(made),
        "dcc_fallbacks": float(fallbacks),
        "dcc_failures": float(failures),
    }
    return Walked(mean_corr, eig1, a_of, b_of, counts)


def _standardised(e: Matrix, parameters: Matrix) -> tuple[Matrix, Vector]:
    """Residuals over their standard deviation, and the variances of the next session."""
    z, ahead = np.empty(e.shape), np.empty(e.shape[1])
    for s in range(e.shape[1]):
        column = np.ascontiguousarray(e[:, s])
        h = garch.variances(column, *parameters[s], max(float(np.mean(column**2)), _TINY))
        z[:, s], ahead[s] = column / np.sqrt(np.maximum(h[:-1], _TINY)), h[-1]
    return z, ahead


def _onward(
    z: Matrix, later: Matrix, h: Vector, parameters: Matrix, a: float, b: float
) -> tuple[Vector, Vector]:
    """Mean correlation and eigenvalue of R at the refit and after each of the rows `later`."""
    qbar, k = target(z), z.shape[1]
    q = qbar.copy()
    for row in z:
        q = _advance(q, row, a, b, qbar)
    omega, alpha, beta = parameters.T
    means, tops = [], []
    for t in range(len(later) + 1):
        if t > 0:
            e = later[t - 1]
            q = _advance(q, e / np.sqrt(np.maximum(h, _TINY)), a, b, qbar)
            h = omega + alpha * e * e + beta * h
        d = 1.0 / np.sqrt(np.diag(q))
        r = q * d[:, None] * d[None, :]
        means.append((r.sum() - k) / (k * (k - 1)))
        tops.append(np.linalg.eigvalsh(r)[-1] / k)
    return np.array(means), np.array(tops)


@dataclass(frozen=True)
class Systemic:
    """How unusual the correlations are against their own past, (n_days,).

    rank_corr, rank_eig1 : trailing percentile rank in (0, 1], NaN before there is a past
    p                    : probability that the market moves as one
    """

    rank_corr: Vector
    rank_eig1: Vector
    p: Vector


def systemic(
    mean_corr: Vector,
    eig1: Vector,
    at: tuple[float, float] = (0.8, 0.8),
    slope: float = 20.0,
    window: int = 1260,
    least: int = 252,
) -> Systemic:
    """Logistic of slope x max(rank - threshold): p >= 0.5 just where a threshold is passed.

    at     : ranks in (0, 1) of mean correlation and first eigenvalue
    window : sessions of the past, today among them; rank: share of them not above today
    least  : of these that must be known; before, the ranks count as 0.5
    Source : readings 29
    """
    ranks = [
        pd.Series(x).rolling(window, min_periods=least).rank(method="max", pct=True).to_numpy()
        for x in (mean_corr, eig1)
    ]
    beyond = [np.where(np.isnan(r), 0.5, r) - limit for r, limit in zip(ranks, at, strict=True)]
    return Systemic(*ranks, 1.0 / (1.0 + np.exp(-slope * np.maximum(*beyond))))

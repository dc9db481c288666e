"""Bayesian online detection of changes, in linear time.

Adams and MacKay (2007), arXiv:0710.3742: the run length since the last change has a posterior that
is updated with every observation; observations of one run are normal with unknown mean and
variance (Normal-Gamma prior), so that the next one is Student-t. Growth and change both take the
predictive of the old run (their eq. 3): P(run = 0) is the hazard on every day, and a change shows
in the probability of short runs.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np

from quant.core.errors import DataError
from quant.core.types import Codes, Matrix, Vector

SHORT = 5  # a run of fewer sessions is young
LARGEST = 1e100  # what is larger, or not finite, is no observation
KAPPA, ALPHA = 1.0, 2.0  # weight of the prior's mean, in observations; twice it: of its variance


@dataclass(frozen=True)
class Prior:
    """Normal-Gamma: precision ~ Gamma(alpha, rate beta), mean ~ N(mean, 1 / (kappa precision)).

    All four : scalars, or (n_series,)
    """

    mean: float | Vector
    kappa: float | Vector
    alpha: float | Vector
    beta: float | Vector

    def __post_init__(self) -> None:
        for name in ("kappa", "alpha", "beta"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if (value <= 0).any():
                raise DataError(f"prior {name} is {value.min():g}; it must be positive.")


@dataclass(frozen=True)
class Monitored:
    """What is known of the last change, as of each day, (n_days, n_series).

    p_short      : probability of a run of less than SHORT observations; 0 before the first
    run          : most likely run length, in observations
    log_evidence : (n_series,) log-likelihood of all observations
    dropped      : (n_series,) sum of the probability that pruning took away. What was dropped could
                   have grown again: a run length's probability is wrong by at most
                   1 - exp(evidence kept - exact evidence), below 1e-8 at the default on all streams
                   tried, some tens of times `dropped`
    """

    p_short: Matrix
    run: Codes
    log_evidence: Vector
    dropped: Vector


def priors_from(x: Matrix, burn_in: int) -> tuple[Prior, Codes]:
    """A prior for every series from its first `burn_in` observations, and the row after them.

    Centred on their mean; of their variance, as if seen in two observations more. A series with
    fewer has nothing to start from: its row is n_days.
    """
    n_days, n_series = x.shape
    mean, variance = np.zeros(n_series), np.ones(n_series)
    begin = np.full(n_series, n_days, dtype=np.int64)
    for s in range(n_series):
        seen = np.flatnonzero(np.abs(x[:, s]) < LARGEST)
        if seen.size >= burn_in:
            first = x[seen[:burn_in], s]
            begin[s], mean[s], variance[s] = seen[burn_in - 1] + 1, first.mean(), first.var()
    variance = np.maximum(variance, 1e-12)
    return Prior(mean, np.full(n_series, KAPPA), np.full(n_series, ALPHA), ALPHA * variance), begin


def monitor(
    x: Matrix,
    hazard: float,
    prior: Prior,
    begin: Codes | None = None,
    short: int = SHORT,
    prune: float = 1e-12,
) -> Monitored:
    """Follow every series.

    x      : (n_days, n_series); NaN is no observation, and leaves what is known as it was
    hazard : probability of a change between two observations, in (0, 1)
    begin  : (n_series,) first row that is followed
    prune  : run lengths less likely than this are dropped; 0 keeps all, in quadratic time
    Streams that are trailing means change slowly: what is found there are their turns, some days
    late and with less certainty than the model says.
    """
    _check(hazard)
    n_days, n_series = x.shape
    begin = np.zeros(n_series, dtype=np.int64) if begin is None else begin
    fields = (prior.mean, prior.kappa, prior.alpha, prior.beta)
    mean, kappa, alpha, beta = (np.ascontiguousarray(np.broadcast_to(v, n_series), np.float64)
                                for v in fields)  # fmt: skip
    p_short, run = np.zeros(x.shape), np.zeros(x.shape, dtype=np.int64)
    evidence, dropped = np.zeros(n_series), np.zeros(n_series)
    for s in range(n_series):
        column = np.ascontiguousarray(x[:, s], np.float64)
        p_short[:, s], run[:, s], evidence[s], dropped[s], _ = _follow(
            column, begin[s], hazard, mean[s], kappa[s], alpha[s], beta[s], short, prune, False
        )
    return Monitored(p_short, run, evidence, dropped)


def posterior(x: Vector, hazard: float, prior: Prior) -> Matrix:
    """(n, n + 1) probability of every run length after each observation, exactly."""
    _check(hazard)
    x = np.ascontiguousarray(x, np.float64)
    given = (float(v) for v in (prior.mean, prior.kappa, prior.alpha, prior.beta))
    return _follow(x, 0, hazard, *given, SHORT, 0.0, True)[4]


def _check(hazard: float) -> None:
    if not 0.0 < hazard < 1.0:
        raise DataError(
            f"hazard is {hazard:g}; it is a probability a session in (0, 1), such as 1/90."
        )


@numba.njit(cache=True, nogil=True)
def _follow(x, begin, hazard, mean, kappa, alpha, beta, short, prune, keep):
    """One series; with `keep` every posterior is returned as the last entry.

    Runs are held from the shortest on: run[i] observations since the change, p[i] its probability,
    m[i] and b[i] the posterior's mean and rate; kappa and alpha grow with the run alone.
    """
    n = x.size
    p_short, most = np.zeros(n), np.zeros(n, dtype=np.int64)
    whole = np.zeros((n if keep else 0, n + 1))
    p, m, b = np.zeros(n + 2), np.zeros(n + 2), np.zeros(n + 2)
    run = np.zeros(n + 2, dtype=np.int64)
    # log of the Student-t's constant by run: gamma functions are dear
    constant = np.empty(n + 2)
    for r in range(n + 2):
        a = alpha + 0.5 * r
        constant[r] = math.lgamma(a + 0.5) - math.lgamma(a) - 0.5 * math.log(2.0 * math.pi)
    p[0], m[0], b[0], count = 1.0, mean, beta, 1
    evidence = lost = 0.0
    likelihood = np.empty(n + 2)
    for t in range(begin, n):
        if not abs(x[t]) < LARGEST:
            if t > 0:
                p_short[t], most[t] = p_short[t - 1], most[t - 1]
            continue
        top = -1e300
        for i in range(count):
            k, a = kappa + run[i], alpha + 0.5 * run[i]
            gap = x[t] - m[i]
            # df = 2a, scale^2 = b (k + 1) / (a k)
            ratio = k / (k + 1.0) / b[i]
            likelihood[i] = (constant[run[i]] + 0.5 * math.log(ratio)
                             - (a + 0.5) * math.log1p(0.5 * gap * gap * ratio))  # fmt: skip
            top = max(top, likelihood[i])
        total = 0.0
        for i in range(count):
            p[i] *= math.exp(likelihood[i] - top)
            total += p[i]
        evidence += math.log(total) + top
        # grow from the longest, so that nothing is overwritten before it is read
        for i in range(count - 1, -1, -1):
            k, gap = kappa + run[i], x[t] - m[i]
            p[i + 1] = p[i] / total * (1.0 - hazard)
            m[i + 1] = m[i] + gap / (k + 1.0)
            b[i + 1] = b[i] + 0.5 * gap * gap * k / (k + 1.0)
            run[i + 1] = run[i] + 1
        p[0], m[0], b[0], run[0] = hazard, mean, beta, 0
        count += 1
        if prune > 0.0:
            kept = 0
            left = 0.0
            for i in range(count):
                if p[i] >= prune:
                    p[kept], m[kept], b[kept], run[kept] = p[i], m[i], b[i], run[i]
                    kept += 1
                else:
                    left += p[i]
            count, lost = kept, lost + left
            for i in range(count):
                p[i] /= 1.0 - left
        best = 0
        for i in range(count):
            if run[i] < short:
                p_short[t] += p[i]
            if p[i] > p[best]:
                best = i
            if keep:
                whole[t, run[i]] = p[i]
        most[t] = run[best]
    return p_short, most, evidence, lost, whole

"""Compiled passes of the Gaussian hidden Markov model, one series at a time.

Rabiner (1989), A tutorial on hidden Markov models, Proc. IEEE 77(2) 257-286, with scaling as in its
section V.A. A missing value (NaN) is seen by every state with the same likelihood of 1.
"""

import math

import numba
import numpy as np

_LOG_2PI = math.log(2.0 * math.pi)


@numba.njit(cache=True, nogil=True)
def forward(y, begin, end, fresh, start, transition, mean, variance, alpha, emission):
    """Filtered probabilities into alpha[begin:end]; returns the log-likelihood of these rows.

    fresh    : (T,) True where a sequence begins; row 0 always is
    emission : (T, k) likelihoods over the largest of the row; needed again by `em_step`
    """
    k = mean.size
    total = 0.0
    half_log, inverse = np.empty(k), np.empty(k)
    for j in range(k):
        half_log[j] = -0.5 * (_LOG_2PI + math.log(variance[j]))
        inverse[j] = -0.5 / variance[j]
    for t in range(begin, end):
        top = 0.0
        if math.isnan(y[t]):
            for j in range(k):
                emission[t, j] = 1.0
        else:
            top = -1e300
            for j in range(k):
                gap = y[t] - mean[j]
                emission[t, j] = half_log[j] + inverse[j] * gap * gap
                top = max(top, emission[t, j])
            for j in range(k):
                emission[t, j] = math.exp(emission[t, j] - top)
        norm = 0.0
        for j in range(k):
            if t == 0 or fresh[t]:
                prior = start[j]
            else:
                prior = 0.0
                for i in range(k):
                    prior += alpha[t - 1, i] * transition[i, j]
            alpha[t, j] = prior * emission[t, j]
            norm += alpha[t, j]
        for j in range(k):
            alpha[t, j] /= norm
        total += math.log(norm) + top
    return total


@numba.njit(cache=True, nogil=True)
def em_step(y, end, fresh, start, transition, mean, variance, alpha, emission, floor):
    """One step of Baum-Welch in place, after `forward` over rows 0:end with the same parameters.

    floor : least variance; a state that nothing belongs to keeps its parameters
    """
    k = mean.size
    beta, older = np.ones(k), np.empty(k)
    first, moves = np.zeros(k), np.zeros((k, k))
    weight, level, spread = np.zeros(k), np.zeros(k), np.zeros(k)
    posterior = np.empty(k)
    for t in range(end - 1, -1, -1):
        norm = 0.0
        for j in range(k):
            posterior[j] = alpha[t, j] * beta[j]
            norm += posterior[j]
        seen = not math.isnan(y[t])
        for j in range(k):
            posterior[j] /= norm
            if seen:
                # around the old mean, so that nothing cancels
                gap = y[t] - mean[j]
                weight[j] += posterior[j]
                level[j] += posterior[j] * gap
                spread[j] += posterior[j] * gap * gap
        if t == 0 or fresh[t]:
            for j in range(k):
                first[j] += posterior[j]
                beta[j] = 1.0
            continue
        norm = 0.0
        for i in range(k):
            older[i] = 0.0
            for j in range(k):
                older[i] += transition[i, j] * emission[t, j] * beta[j]
            norm += alpha[t - 1, i] * older[i]
        for i in range(k):
            for j in range(k):
                moves[i, j] += alpha[t - 1, i] * transition[i, j] * emission[t, j] * beta[j] / norm
        largest = max(older)
        for i in range(k):
            beta[i] = older[i] / largest
    _update(first, moves, weight, level, spread, start, transition, mean, variance, floor)


@numba.njit(cache=True, nogil=True)
def _update(first, moves, weight, level, spread, start, transition, mean, variance, floor):
    k = mean.size
    start[:] = first / first.sum()
    for i in range(k):
        out = moves[i].sum()
        if out > 1e-12:
            for j in range(k):
                transition[i, j] = moves[i, j] / out
        if weight[i] > 1e-12:
            shift = level[i] / weight[i]
            mean[i] += shift
            variance[i] = max(spread[i] / weight[i] - shift * shift, floor)


@numba.njit(cache=True, nogil=True)
def maximise(
    y, end, fresh, start, transition, mean, variance, alpha, emission, floor, steps, tolerance,
    known,
):  # fmt: skip
    """EM in place until a step gains less than `tolerance`; returns (log-likelihood, steps taken).

    known : log-likelihood of the parameters given, where alpha and emission hold their forward
            pass already; else NaN
    What it returns, and leaves in alpha and emission, is of the parameters it leaves.
    """
    before = known
    if math.isnan(known):
        before = forward(y, 0, end, fresh, start, transition, mean, variance, alpha, emission)
    taken = 0
    while taken < steps:
        em_step(y, end, fresh, start, transition, mean, variance, alpha, emission, floor)
        now = forward(y, 0, end, fresh, start, transition, mean, variance, alpha, emission)
        taken += 1
        gained = now - before
        before = now
        if gained < tolerance:
            break
    return before, taken


@numba.njit(cache=True, nogil=True)
def ordered(key, start, transition, mean, variance):
    """Sort the states by `key` (k,), in place."""
    by = np.argsort(key)
    start[:] = start[by]
    mean[:] = mean[by]
    variance[:] = variance[by]
    transition[:] = transition[by][:, by]

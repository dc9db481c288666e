"""Compiled passes of the Gaussian hidden Markov model, and the walk of refits over one series.

Rabiner (1989), A tutorial on hidden Markov models, Proc. IEEE 77(2) 257-286, with scaling as in its
section V.A. A missing value (NaN) is seen by every state with the same likelihood of 1.

No start and no move is less likely than LEAST: states further apart than doubles can tell (39
standard deviations) would otherwise never be left, and the next one would have no likelihood; and
a refit that starts from the model before could never take back a move that had gone to nothing.

What calls each other is in one file: numba keeps what it compiled until the file itself changes.
"""

import math

import numba
import numpy as np

_LOG_2PI = math.log(2.0 * math.pi)
_NEVER = -1e300  # log-likelihood of what overflows
LEAST = 1e-15
FLOOR = 1e-4  # least variance of a state, of the sample's: one value repeated is no state
HUGE = 1e100  # deviations from the mean beyond which a number is a fault, and not observed


@numba.njit(cache=True, nogil=True)
def forward(y, begin, end, fresh, start, transition, mean, variance, alpha, emission):
    """Filtered probabilities into alpha[begin:end]; returns the log-likelihood of these rows.

    fresh    : (T,) True where a sequence begins; row 0 always is
    emission : (T, k) likelihoods over the largest of the row; needed again by `em_step`
    """
    k = mean.size
    total, product = 0.0, 1.0
    half_log, inverse = np.empty(k), np.empty(k)
    for j in range(k):
        half_log[j] = -0.5 * (_LOG_2PI + math.log(variance[j]))
        inverse[j] = -0.5 / variance[j]
    for t in range(begin, end):
        if math.isnan(y[t]):
            for j in range(k):
                emission[t, j] = 1.0
        else:
            top = _NEVER
            for j in range(k):
                gap = y[t] - mean[j]
                emission[t, j] = max(half_log[j] + inverse[j] * gap * gap, _NEVER)
                top = max(top, emission[t, j])
            for j in range(k):
                emission[t, j] = math.exp(emission[t, j] - top)
            total += top
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
        share = 1.0 / norm
        for j in range(k):
            alpha[t, j] *= share
        # a logarithm now and then: each factor is between LEAST and 1
        product *= norm
        if product < 1e-250:
            total += math.log(product)
            product = 1.0
    return total + math.log(product)


@numba.njit(cache=True, nogil=True)
def em_step(y, end, fresh, start, transition, mean, variance, alpha, emission, floor):
    """One step of Baum-Welch in place, after `forward` over rows 0:end with the same parameters.

    floor : least variance; a state that nothing belongs to keeps its parameters
    """
    k = mean.size
    beta, seen, older = np.ones(k), np.empty(k), np.empty(k)
    first, moves = np.zeros(k), np.zeros((k, k))
    weight, level, spread = np.zeros(k), np.zeros(k), np.zeros(k)
    for t in range(end - 1, -1, -1):
        norm = 0.0
        for j in range(k):
            norm += alpha[t, j] * beta[j]
        share = 1.0 / norm
        if not math.isnan(y[t]):
            for j in range(k):
                posterior = alpha[t, j] * beta[j] * share
                # around the old mean, so that nothing cancels
                gap = y[t] - mean[j]
                weight[j] += posterior
                level[j] += posterior * gap
                spread[j] += posterior * gap * gap
        if t == 0 or fresh[t]:
            for j in range(k):
                first[j] += alpha[t, j] * beta[j] * share
                beta[j] = 1.0
            continue
        norm = largest = 0.0
        for j in range(k):
            seen[j] = emission[t, j] * beta[j]
        for i in range(k):
            older[i] = 0.0
            for j in range(k):
                older[i] += transition[i, j] * seen[j]
            norm += alpha[t - 1, i] * older[i]
            largest = max(largest, older[i])
        share, scale = 1.0 / norm, 1.0 / largest
        for i in range(k):
            for j in range(k):
                # times the transition at the end
                moves[i, j] += alpha[t - 1, i] * share * seen[j]
            beta[i] = older[i] * scale
    moves *= transition
    _update(first, moves, weight, level, spread, start, transition, mean, variance, floor)


@numba.njit(cache=True, nogil=True)
def _update(first, moves, weight, level, spread, start, transition, mean, variance, floor):
    k = mean.size
    start[:] = np.maximum(first / first.sum(), LEAST)
    for i in range(k):
        out = moves[i].sum()
        if out > 1e-12:
            for j in range(k):
                transition[i, j] = max(moves[i, j] / out, LEAST)
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


@numba.njit(cache=True, nogil=True, parallel=True)
def walk_all(
    y, refits, by_variance, means, variances, stay, min_obs, cold_every, steps, tolerance,
    probabilities, loglik, start, mean, variance, transition, taken,
):  # fmt: skip
    """Fill what `hmm.walk` returns, series by series, in parallel; arguments as there."""
    for s in numba.prange(y.shape[1]):
        _walk_one(
            y[:, s].copy(), refits, by_variance, means[s], variances[s], stay[s],
            min_obs, cold_every, steps, tolerance,
            probabilities[:, s], loglik[:, s], start[:, s], mean[:, s], variance[:, s],
            transition[:, s], taken[:, s],
        )  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _walk_one(
    y, refits, by_variance, means, variances, stay, min_obs, cold_every, steps, tolerance,
    probabilities, loglik, start, mean, variance, transition, taken,
):  # fmt: skip
    k = means.shape[1]
    z, fresh = np.empty(y.size), np.zeros(y.size, dtype=np.bool_)
    alpha, emission = np.empty((y.size, k)), np.empty((y.size, k))
    p, a, m, v = np.empty(k), np.empty((k, k)), np.empty(k), np.empty(k)
    b, c, d, e = np.empty(k), np.empty((k, k)), np.empty(k), np.empty(k)
    done, centre, scale = 0, 0.0, 0.0  # refits with a model so far; of the last cold one
    filtered_to, known = 0, np.nan  # rows that alpha holds, and their log-likelihood
    for r in range(refits.size):
        end = refits[r] + 1
        until = refits[r + 1] if r + 1 < refits.size else y.size
        cold = done % cold_every == 0
        if cold:
            count, new_centre, new_scale = moments(y, end)
            if count < min_obs or not 0.0 < new_scale < np.inf:
                continue
            if done > 0:
                m[:] = (centre + scale * m - new_centre) / new_scale
                v[:] = np.maximum(v * (scale / new_scale) ** 2, FLOOR)
            centre, scale, known, filtered_to = new_centre, new_scale, np.nan, 0
        for t in range(0 if cold else filtered_to, until):
            z[t] = (y[t] - centre) / scale
            if abs(z[t]) > HUGE:
                z[t] = np.nan
        best = -np.inf
        if done > 0:
            # the last refit's filter goes on: the first pass of this one is almost done
            if filtered_to > 0:
                known += forward(z, filtered_to, end, fresh, p, a, m, v, alpha, emission)
            best, used = maximise(
                z, end, fresh, p, a, m, v, alpha, emission, FLOOR, steps, tolerance, known
            )
            taken[r] += used
        if cold:
            for number in range(means.shape[0]):
                b[:], d[:], e[:] = 1.0 / k, means[number], variances[number]
                for i in range(k):
                    c[i] = (1.0 - stay[number, i]) / (k - 1)
                    c[i, i] = stay[number, i]
                found, used = maximise(
                    z, end, fresh, b, c, d, e, alpha, emission, FLOOR, steps, tolerance, np.nan
                )
                taken[r] += used
                if found > best:
                    best = found
                    p[:], a[:], m[:], v[:] = b, c, d, e
        done += 1
        key = v if by_variance else m
        if cold or (np.diff(key) < 0).any():
            ordered(key, p, a, m, v)
            forward(z, 0, end, fresh, p, a, m, v, alpha, emission)
        known = best + forward(z, end, until, fresh, p, a, m, v, alpha, emission)
        filtered_to = until
        probabilities[refits[r] : until] = alpha[refits[r] : until]
        # in the stream's own units
        loglik[r] = best - _seen(y, end) * np.log(scale)
        start[r], transition[r] = p, a
        mean[r], variance[r] = centre + scale * m, v * scale**2


@numba.njit(cache=True, nogil=True)
def _seen(y, end):
    """Number of observations in rows 0:end."""
    count = 0
    for t in range(end):
        count += not np.isnan(y[t])
    return count


@numba.njit(cache=True, nogil=True)
def moments(y, end):
    """Number, mean and standard deviation of what was observed in rows 0:end."""
    count, total = 0, 0.0
    for t in range(end):
        if not np.isnan(y[t]):
            count += 1
            total += y[t]
    centre = total / max(count, 1)
    squares = 0.0
    for t in range(end):
        if not np.isnan(y[t]):
            squares += (y[t] - centre) ** 2
    scale = np.sqrt(squares / max(count, 1))
    if scale <= 1e-12 * abs(centre):  # a constant, up to rounding
        scale = 0.0
    return count, centre, scale

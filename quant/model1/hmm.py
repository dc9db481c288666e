"""Gaussian hidden Markov models of many streams, refitted weekly and filtered forward in between.

Parameters are the likelihood's maximum by expectation and maximisation (Baum-Welch; Rabiner 1989),
without priors, over all rows up to the refit; probabilities are Hamilton's (1989) filter, never
the smoothed posterior. A state is its rank: by mean (bear, sideways, bull) or by variance (calm,
turbulent, crisis). Warm starts keep the states where they were, so that a rank changes hands only
where two states really cross; then the names follow the order, and the crossing shows in the fits.
"""

from dataclasses import dataclass

import numpy as np

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.core.types import Codes, Mask, Matrix, Vector
from quant.model1.hmm_kernels import FLOOR, LEAST, forward, maximise, moments, walk_all

ORDERS = ("mean", "variance")


@dataclass(frozen=True)
class Hmm:
    """Parameters of one model of k states.

    start : (k,); transition : (k, k) rows from, columns to; mean, variance : (k,) of the stream
    """

    start: Vector
    transition: Matrix
    mean: Vector
    variance: Vector

    def __post_init__(self) -> None:
        k = self.mean.size
        if self.transition.shape != (k, k) or self.start.size != k or self.variance.size != k:
            raise DataError(
                f"start {self.start.shape}, transition {self.transition.shape}, mean "
                f"{self.mean.shape} and variance {self.variance.shape} are of no one number of "
                "states; give k, (k, k), k and k."
            )
        sums = np.append(self.transition.sum(axis=1), self.start.sum())
        if (self.variance <= 0).any() or np.abs(sums - 1).max() > 1e-9:
            raise DataError(
                f"variance {self.variance} must be positive, and start and every row of "
                f"transition must sum to 1 (sums are {sums}); normalise them."
            )

    def possible(self) -> "Hmm":
        """A copy in which no start and no move is less likely than LEAST, as rounding needs it."""
        return Hmm(np.maximum(self.start, LEAST), np.maximum(self.transition, LEAST),
                   self.mean.copy(), self.variance.copy())  # fmt: skip


def filtered(y: Vector, hmm: Hmm, fresh: Mask | None = None) -> tuple[Matrix, float]:
    """P(state at t | y up to t), (n_days, k), and the log-likelihood.

    y     : (n_days,), not finite = not observed
    fresh : (n_days,) where a sequence of its own begins; by default one sequence
    """
    y, fresh, hmm = _observed(y), _fresh(y, fresh), hmm.possible()
    alpha, emission = np.empty((y.size, hmm.mean.size)), np.empty((y.size, hmm.mean.size))
    found = forward(
        y, 0, y.size, fresh, hmm.start, hmm.transition, hmm.mean, hmm.variance, alpha, emission
    )
    return alpha, float(found)


def fit(
    y: Vector, start: Hmm, steps: int = 500, tolerance: float = 1e-8, fresh: Mask | None = None
) -> tuple[Hmm, float, int]:
    """The model EM reaches from `start`, its log-likelihood, and the steps taken.

    tolerance : gain of log-likelihood below which it stops
    Parameters and log-likelihood are NaN, after no step, of what never moves or was never seen.
    """
    y, fresh, hmm = _observed(y), _fresh(y, fresh), start.possible()
    count, _, scale = moments(y, y.size)
    if count == 0 or not 0.0 < scale < np.inf:
        nothing = (np.full_like(a, np.nan) for a in (hmm.start, hmm.transition, hmm.mean, hmm.mean))
        return Hmm(*nothing), np.nan, 0
    alpha, emission = np.empty((y.size, hmm.mean.size)), np.empty((y.size, hmm.mean.size))
    found, taken = maximise(
        y, y.size, fresh, hmm.start, hmm.transition, hmm.mean, hmm.variance, alpha, emission,
        FLOOR * scale**2, steps, tolerance, np.nan,
    )  # fmt: skip
    return hmm, float(found), int(taken)


def _observed(y: np.ndarray) -> np.ndarray:
    """NaN where it is not finite."""
    return np.where(np.isfinite(y), y, np.nan)


def _fresh(y: Vector, fresh: Mask | None) -> Mask:
    return np.zeros(y.size, dtype=bool) if fresh is None else np.ascontiguousarray(fresh, bool)


@dataclass(frozen=True)
class Walked:
    """What `walk` found.

    probabilities : (n_days, n_series, k) filtered with the model of the last refit; NaN before
                    the first
    refits        : (n_refits,) rows
    loglik        : (n_refits, n_series); start, mean, variance : (n_refits, n_series, k);
                    transition : (n_refits, n_series, k, k); of the stream as given, NaN = no fit
    steps         : (n_refits, n_series) of EM, those of all starts together
    """

    probabilities: np.ndarray
    refits: Codes
    loglik: Matrix
    start: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    transition: np.ndarray
    steps: Codes


def starts(order: str, k: int, draws: int, rng: np.random.Generator) -> tuple[Matrix, ...]:
    """(1 + draws) places to start from, of a stream with mean 0 and variance 1.

    The first spreads the states evenly in what orders them; the others are drawn.
    Returns means, variances, both (1 + draws, k), and probabilities to stay (1 + draws, k)
    """
    if order == "mean":
        means = np.vstack([np.linspace(-1.2, 1.2, k), rng.normal(0, 1, (draws, k))])
        variances = np.vstack([np.full(k, 0.4), rng.uniform(0.1, 1.5, (draws, k))])
    else:
        means = np.vstack([np.zeros(k), rng.normal(0, 0.2, (draws, k))])
        variances = np.vstack([np.geomspace(0.3, 3.0, k), rng.lognormal(0, 1, (draws, k))])
    stay = np.vstack([np.full(k, 0.95), rng.uniform(0.8, 0.99, (draws, k))])
    return means, variances, stay


def walk(
    y: Matrix,
    refits: Codes,
    *,
    order: str,
    names: np.ndarray,
    seed: int,
    min_obs: int = 252,
    k: int = 3,
    draws: int = 4,
    cold_every: int = 52,
    steps: int = 200,
    tolerance: float = 1e-3,
) -> Walked:
    """Refit every series at `refits` on all rows up to it, and filter on to the next.

    y          : (n_days, n_series), not finite = not observed; scaled by mean and deviation of the
                 past
    refits     : (n_refits,) increasing rows
    order      : mean or variance: what ranks the states
    names      : (n_series,) names; a series' random starts depend on its own and `seed` alone
    min_obs    : observations below which a series has no model; nor has one that never moves
    draws      : random starts beside the even one, at the first refit and every `cold_every`-th
                 after it; other refits start from the model before. The best likelihood stays
    tolerance  : gain of log-likelihood below which EM stops
    """
    if order not in ORDERS:
        raise DataError(f"states are ordered by {order!r}; choose one of {', '.join(ORDERS)}.")
    if y.ndim != 2 or y.shape[1] != len(names):
        raise DataError(f"y is {y.shape} but there are {len(names)} names; give one a column.")
    begun = [starts(order, k, draws, generator(seed, "model1", "hmm", order, str(n)))
             for n in names]  # fmt: skip
    means, variances, stay = (np.array(part).reshape(len(names), -1, k) for part in
                              (zip(*begun, strict=True) if begun else ((), (), ())))  # fmt: skip
    refits = np.ascontiguousarray(refits, np.int64)
    n_days, n_series = y.shape
    probabilities = np.full((n_days, n_series, k), np.nan)
    shape = (refits.size, n_series)
    loglik, taken = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    start, mean, variance = (np.full((*shape, k), np.nan) for _ in range(3))
    transition = np.full((*shape, k, k), np.nan)
    walk_all(
        _observed(y), refits, order == "variance", means, variances, stay,
        min_obs, cold_every, steps, tolerance,
        probabilities, loglik, start, mean, variance, transition, taken,
    )  # fmt: skip
    return Walked(probabilities, refits, loglik, start, mean, variance, transition, taken)

"""Our weekly refits of hidden Markov models against loops over hmmlearn, side by side.

Run: python -m tests.benchmarks.hmm [--series 4] [--days 3780] [--refits 12] [--data states folder]

Three ways to refit a 3-state Gaussian model every week on all days so far, one thread each: ours as
it runs (warm starts, a cold restart with five starts once a year); hmmlearn cold, five starts at
every refit; hmmlearn warm, from the model before, to the same gain of likelihood. hmmlearn takes
part in --refits of the weeks, evenly spread, and is scaled up to all; its warm fits start from ours
of the week before. Log-likelihoods are compared at the same weeks.
"""

import argparse
import time
import warnings

import numba
import numpy as np
from hmmlearn.hmm import GaussianHMM

from quant.core.seeds import generator
from quant.model1 import hmm

TOLERANCE, STEPS = 1e-3, 200


def streams(days: int, series: int) -> np.ndarray:
    """Returns whose volatility moves between three levels."""
    rng = generator(42, "benchmark", "hmm")
    made = np.empty((days, series))
    for s in range(series):
        state, level = 0, np.array([0.006, 0.012, 0.03])
        for t in range(days):
            if rng.random() < 0.02:
                state = rng.integers(3)
            made[t, s] = level[state] * rng.normal()
    return made


def learner(k: int = 3) -> GaussianHMM:
    """hmmlearn's model without priors, so that it climbs the same likelihood."""
    return GaussianHMM(
        k, "diag", n_iter=STEPS, tol=TOLERANCE, init_params="", params="stmc", covars_prior=0.0,
        covars_weight=0.0, min_covar=1e-4, means_weight=0.0, implementation="scaling",
    )  # fmt: skip


def fitted(z: np.ndarray, start, transition, mean, variance) -> float:
    """Log-likelihood that hmmlearn reaches from here."""
    model = learner()
    model.startprob_, model.transmat_ = start, transition
    model.means_, model.covars_ = mean[:, None], variance[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(z[:, None])
        return float(model.score(z[:, None]))


def cold(z: np.ndarray, begun: tuple) -> float:
    """The best of the starts that ours has too."""
    found = []
    for mean, variance, stay in zip(*begun, strict=True):
        transition = np.where(np.eye(3), stay[:, None], (1 - stay)[:, None] / 2)
        found.append(fitted(z, np.full(3, 1 / 3), transition, mean, variance))
    return max(found)


def main() -> None:
    """One table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=4)
    parser.add_argument("--days", type=int, default=3780)
    parser.add_argument("--refits", type=int, default=12)
    options = parser.parse_args()
    numba.set_num_threads(1)
    y = streams(options.days, options.series)
    refits = np.arange(4, options.days, 5)
    names = np.array([f"n{s}" for s in range(options.series)])
    given = {"order": "variance", "names": names, "seed": 42}
    hmm.walk(y[:300], refits[refits < 300], **given)  # compiled
    begun = time.perf_counter()
    made = hmm.walk(y, refits, **given)
    ours = {"cold": time.perf_counter() - begun}
    begun = time.perf_counter()
    alone = hmm.walk(y, refits, **given, cold_every=10**6)
    ours["warm"] = time.perf_counter() - begun
    weeks = int(np.isfinite(made.loglik).sum())
    chosen = np.linspace(60, refits.size - 1, options.refits).astype(int)
    seconds, worse = {"cold": 0.0, "warm": 0.0}, {"cold": [], "warm": []}
    for r in chosen:
        for s, name in enumerate(names):
            past = y[: refits[r] + 1, s]
            scale, centre = past.std(), past.mean()
            z = (past - centre) / scale
            own = z.size * np.log(scale)
            mine = {"cold": made.loglik[r, s] + own, "warm": alone.loglik[r, s] + own}
            starts = hmm.starts("variance", 3, 4, generator(42, "model1", "hmm", "variance", name))
            before = (alone.start[r - 1, s], alone.transition[r - 1, s],
                      (alone.mean[r - 1, s] - centre) / scale,
                      alone.variance[r - 1, s] / scale**2)  # fmt: skip
            for way, work in (("cold", lambda z=z, b=starts: cold(z, b)),
                              ("warm", lambda z=z, b=before: fitted(z, *b))):  # fmt: skip
                start = time.perf_counter()
                theirs = work()
                seconds[way] += time.perf_counter() - start
                worse[way].append(theirs - mine[way])
    share = weeks / (chosen.size * options.series)
    print(f"{options.series} series, {options.days} days, {weeks} refits; one thread; seconds")
    texts = {
        "warm": ("ours, warm", "hmmlearn, warm"),
        "cold": ("ours, warm, five starts once a year", "hmmlearn, five starts every week"),
    }
    for way, (text, other) in texts.items():
        gap = np.array(worse[way])
        print(f"{text:36} {ours[way]:8.1f}")
        theirs = seconds[way] * share
        print(f"{other:36} {theirs:8.1f} {theirs / ours[way]:6.1f} times; "
              f"log-likelihood less ours: median {np.median(gap):+.4f}, "
              f"worst for us {gap.max():+.3f}")  # fmt: skip


if __name__ == "__main__":
    main()

"""Our change detector against the published algorithm as it is usually written, side by side.

Run: python -m tests.benchmarks.bocpd [--days 3800] [--series 31]

The rival is Adams & MacKay (2007) with `scipy.stats.t` over all run lengths at every step, the
form of the Python package `bayesian_changepoint_detection`, which is not installed here; it is
written out below, with the squared-scale and beta updates of Murphy (2007). Both see the same
stream and prior, on one core. What they say must agree to 1e-8.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from quant.model1 import features
from quant.model1.bocpd import Prior, monitor, priors_from

HAZARD, SHORT = 1 / 90, 5


def published(x: np.ndarray, hazard: float, p: Prior) -> np.ndarray:
    """P(run length < SHORT) after every observation, all run lengths kept."""
    chance, young = np.ones(1), np.empty(x.size)
    mean, kappa, alpha, beta = (np.array([float(v)]) for v in (p.mean, p.kappa, p.alpha, p.beta))
    for t, value in enumerate(x):
        scale = np.sqrt(beta * (kappa + 1) / (alpha * kappa))
        joint = chance * stats.t.pdf(value, df=2 * alpha, loc=mean, scale=scale)
        chance = np.append(hazard * joint.sum(), (1 - hazard) * joint)
        chance /= chance.sum()
        young[t] = chance[:SHORT].sum()
        beta = np.append(p.beta, beta + kappa * (value - mean) ** 2 / (2 * (kappa + 1)))
        mean = np.append(p.mean, (kappa * mean + value) / (kappa + 1))
        kappa, alpha = np.append(p.kappa, kappa + 1), np.append(p.alpha, alpha + 0.5)
    return young


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Least processor time of a few runs."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def returns(n_days: int, n_series: int, changes: bool) -> np.ndarray:
    """Normal returns; with changes, of a volatility drawn anew every 95 sessions."""
    rng = np.random.default_rng(0)
    level = rng.choice([0.008, 0.012, 0.02], (-(-n_days // 95), n_series))
    spread = np.repeat(level, 95, axis=0)[:n_days] if changes else 0.01
    return rng.normal(size=(n_days, n_series)) * spread


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=3800)
    parser.add_argument("--series", type=int, default=31)
    options = parser.parse_args()
    changing = returns(options.days, options.series, changes=True)
    streams = {
        "log volatility": features.log_volatility(changing),
        "slope": features.slope(changing),
        "returns, no change": returns(options.days, options.series, changes=False),
    }
    print(f"{options.days} days; processor ms a series, published once, ours of {options.series}")
    print(f"{'stream':20}{'published':>11}{'ours':>8}{'faster':>9}{'differ by':>12}{'dropped':>10}")
    for name, x in streams.items():
        prior, begin = priors_from(x, 252)
        monitor(x[:300], HAZARD, prior, begin)  # compiled
        seen = monitor(x, HAZARD, prior, begin)
        first = Prior(*(float(v[0]) for v in (prior.mean, prior.kappa, prior.alpha, prior.beta)))
        own = x[begin[0] :, 0]
        young = published(own, HAZARD, first)
        far = np.abs(young - seen.p_short[begin[0] :, 0]).max()
        slow = 1e3 * seconds(lambda: published(own, HAZARD, first), 2)  # noqa: B023
        fast = 1e3 * seconds(lambda: monitor(x, HAZARD, prior, begin), 5) / options.series  # noqa: B023
        print(
            f"{name:20}{slow:11.1f}{fast:8.2f}{slow / fast:9.0f}{far:12.1e}{seen.dropped[0]:10.1e}"
        )


if __name__ == "__main__":
    main()

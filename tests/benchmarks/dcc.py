"""Dynamic correlations: our compiled likelihood against the textbook one in numpy, side by side.

Run: python -m tests.benchmarks.dcc [--series 31] [--weeks 20]

The rival is Engle's (2002) second stage as the Python package `mgarch` writes it, a loop over days
with an inverse and a determinant each; `mgarch` is not installed here and its target is not the
correlation of the residuals, so the loop is written out below with ours. Both climb from the same
start with the same optimiser, on one core. Then the whole walk: margins, correlations, filter.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy import optimize

from quant.model1 import dcc

START = (0.03, 0.9)


def published(z: np.ndarray, a: float, b: float, qbar: np.ndarray) -> float:
    """Log-likelihood of the correlations beyond independence."""
    q, total = qbar.copy(), 0.0
    for row in z:
        scale = np.diag(1 / np.sqrt(np.diag(q)))
        r = scale @ q @ scale
        total -= 0.5 * (np.log(np.linalg.det(r)) + row @ np.linalg.inv(r) @ row - row @ row)
        q = (1 - a - b) * qbar + a * np.outer(row, row) + b * q
    return total


def climbed(z: np.ndarray, qbar: np.ndarray) -> tuple[float, float, float]:
    """(a, b, log-likelihood) by SLSQP on the numpy likelihood."""
    found = optimize.minimize(
        lambda x: -published(z, x[0], x[1], qbar) / len(z),
        np.array(START),
        bounds=((0, 1), (0, 1)),
        constraints={"type": "ineq", "fun": lambda x: 0.9999 - x.sum()},
        method="SLSQP",
        options={"ftol": 1e-9},
    )
    return float(found.x[0]), float(found.x[1]), float(-found.fun * len(z))


def simulated(n: int, k: int, a: float = 0.02, b: float = 0.95) -> np.ndarray:
    """Residuals of a DCC(1,1) around equal correlations of 0.5."""
    rng = np.random.default_rng(0)
    qbar = np.full((k, k), 0.5) + 0.5 * np.eye(k)
    q, z = qbar.copy(), np.empty((n, k))
    for t in range(n):
        scale = 1 / np.sqrt(np.diag(q))
        z[t] = np.linalg.cholesky(q * np.outer(scale, scale)) @ rng.normal(size=k)
        q = (1 - a - b) * qbar + a * np.outer(z[t], z[t]) + b * q
    return z


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Least processor time of a few runs."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    """Print one table and the cost of the walk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=31)
    parser.add_argument("--weeks", type=int, default=20)
    options = parser.parse_args()
    n_days = 252 + 5 * options.weeks
    returns = 0.01 * simulated(n_days, options.series)
    z = 100 * np.ascontiguousarray(returns[:252])
    qbar = dcc.target(z)
    ours, theirs = dcc.fit(z, START), climbed(z, qbar)
    gap = abs(dcc.loglik(z, *START, qbar) - published(z, *START, qbar))
    rows = {
        "likelihood": (
            seconds(lambda: published(z, *START, qbar), 3),
            seconds(lambda: dcc.loglik(z, *START, qbar), 20),
        ),
        "fit": (seconds(lambda: climbed(z, qbar), 1), seconds(lambda: dcc.fit(z, START), 3)),
    }
    print(f"{options.series} series, 252 days; processor ms")
    print(f"{'':12}{'numpy':>10}{'ours':>10}{'faster':>9}")
    for name, (slow, fast) in rows.items():
        print(f"{name:12}{1e3 * slow:10.2f}{1e3 * fast:10.2f}{slow / fast:9.0f}")
    print(f"likelihoods differ by {gap:.1e}; at the optima {ours[2]:.4f} ours, {theirs[2]:.4f}")
    print(f"(a, b): ours ({ours[0]:.4f}, {ours[1]:.4f}), numpy ({theirs[0]:.4f}, {theirs[1]:.4f})")
    refits = np.arange(251, n_days, 5)
    # the first refit fits its margins from nothing, once in a run
    first = seconds(lambda: dcc.walk(returns[:252], refits[:1]), 2)
    week = (seconds(lambda: dcc.walk(returns, refits), 2) - first) / (refits.size - 1)
    print(f"walk: first refit {first:.2f} s, then {1e3 * week:.0f} ms a week", end="; ")
    print(f"520 weeks {first + 519 * week:.0f} s")


if __name__ == "__main__":
    main()

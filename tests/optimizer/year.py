"""A year of daily rebalances of a simulated market, and a digest of all that came out of it.

python -m tests.optimizer.year [days] : prints the digest, a line for a test to compare.
"""

import hashlib
import sys
from collections.abc import Iterator

import numpy as np

from quant.core.seeds import generator
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution, solve
from tests.optimizer.problems import Rules, days, simulated_market

RULES = Rules(names=200, window=120, bound=0.03, nav=2e7)


def year(count: int, warmly: bool = True) -> Iterator[tuple[Problem, Solution]]:
    """Problems and answers day after day, each from the holdings of the one before."""
    market = simulated_market(generator(12, "year"), RULES.window + count, n=260)
    warm = None
    for day in days(market, RULES.window, count, RULES):
        solution = solve(day.problem, warm=warm)
        warm, day.target = solution.warm if warmly else None, solution.weights
        yield day.problem, solution


def digest(count: int) -> str:
    """Of weights, prices, limits and statuses: every bit of them."""
    total = hashlib.sha256()
    for _, s in year(count):
        prices, limits = s.duals, s.limits
        numbers = (s.objective, s.violation, s.gap, s.vol, s.turnover, s.tau_eff, s.tau_min)
        joint = (prices.budget, prices.turnover, prices.variance, prices.gross, limits.variance)
        for array in (s.weights, s.reduced, prices.group, np.array([*numbers, *joint])):
            total.update(array.tobytes())
        total.update(f"{s.status} {s.solver} {s.rounds} {s.reason}".encode())
    return total.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(digest(int(sys.argv[1]) if len(sys.argv) > 1 else 250))

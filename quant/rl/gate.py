"""Does the controller beat the best constant? Period by period, with how sure one can be.

The rule is the specification's (4.4): in every period of the test a Sharpe ratio higher by 0.10 a
year and a deflated Sharpe ratio higher by 0.10.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Vector
from quant.evaluation import compare, metrics

MARGIN = 0.10
_CEILING = 1.0 - MARGIN  # above it DSR has no room for the margin (readings 36)
PASS, FAIL, SATURATED, INCONCLUSIVE = "PASS", "FAIL", "SATURATED", "INCONCLUSIVE"


@dataclass(frozen=True)
class Judged:
    """One period.

    sharpe, fixed_sharpe : annualised, over cash; dsr, fixed_dsr : with the frozen N and V
    difference, low, high, detectable : of the Sharpe ratios, see evaluation.compare
    passes  : the literal rule holds (where DSR is saturated: its Sharpe half)
    verdict : SATURATED where the fixed DSR leaves no room and the Sharpe rule decides alone;
              else PASS where the rule holds and the interval leaves 0 out, FAIL where the rule
              does not hold and the interval leaves the margin out, INCONCLUSIVE between
    """

    sharpe: float
    fixed_sharpe: float
    dsr: float
    fixed_dsr: float
    difference: float
    low: float
    high: float
    detectable: float
    n_obs: int
    passes: bool
    verdict: str


def judged(
    book: Vector,
    fixed: Vector,
    periods: float,
    n_trials: int,
    variance: float,
    block: int,
    draws: int,
    rng: np.random.Generator,
) -> Judged:
    """Verdict on one period.

    book, fixed : (n,) returns over cash of the same sessions
    n_trials, variance : frozen before the test, see `metrics.dsr`
    """
    own, other = (metrics.sharpe(one, 0.0, periods) for one in (book, fixed))
    deflated = [_dsr(one, n_trials, variance) for one in (book, fixed)]
    try:
        found = compare.sharpe_difference(book, fixed, periods, block, draws, rng)
        low, high, detectable = found.low, found.high, found.detectable
    except DataError:  # too few sessions, or equal books: nothing is known but the point
        low = high = detectable = np.nan
    higher = own - other >= MARGIN
    saturated = deflated[1] > _CEILING
    passes = bool(higher and (saturated or deflated[0] - deflated[1] >= MARGIN))
    return Judged(
        own, other, *deflated, own - other, low, high, detectable, book.size, passes,
        _verdict(saturated, passes, low, high),
    )  # fmt: skip


def _verdict(saturated: bool, passes: bool, low: float, high: float) -> str:
    if saturated:
        return SATURATED
    if passes:
        return PASS if low > 0.0 else INCONCLUSIVE
    return FAIL if high < MARGIN else INCONCLUSIVE


def overall(periods: Sequence[Judged]) -> tuple[bool, str]:
    """Whether the literal rule holds in every period, and the verdict in one word."""
    passes = all(one.passes for one in periods)
    verdicts = {one.verdict for one in periods}
    failing = any(one.verdict == FAIL or (one.verdict == SATURATED and not one.passes)
                  for one in periods)  # fmt: skip
    if failing:
        return passes, FAIL
    if INCONCLUSIVE in verdicts:
        return passes, INCONCLUSIVE
    return passes, SATURATED if SATURATED in verdicts else PASS


def _dsr(series: Vector, n_trials: int, variance: float) -> float:
    try:
        return metrics.dsr(metrics.shape(series), n_trials, variance)
    except DataError:  # a book that holds only cash has no Sharpe ratio
        return float("nan")

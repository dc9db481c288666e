"""Whether a feature is distributed as it was: the literal rule, and one that people can live with.

The literal rule asks for p < 0.01 of the two-sample test of Kolmogorov and Smirnov. It takes every
value for an observation of its own; yet a feature of today is nearly that of yesterday, and names
move together, so that it fires on almost every feature of any market. The usable rule asks the same
statistic D of every other stretch as long as the present one: where the past wandered as far, the
present is no news. It asks twice, of the values and of the values less the median of their session,
since levels wander and spreads hardly do; each D is taken in medians of its stretches, and the
larger counts. Its p-value needs no independence, only that the past is stationary. Holm's
correction holds over the features looked at, and the population stability index says how far.
Source: Smirnov (1948); Holm (1979), Scand. J. Statistics 6, 65-70; Siddiqi (2006), Credit Risk
Scorecards. Evidently and NannyML test rows as independent too, and bring services of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from quant.core.errors import DataError
from quant.core.tables import MODERATE, NONE, SEVERE, SHIFTED, STABLE, WATCH
from quant.core.types import Matrix, Vector

LEVEL = 0.05
GRID = 256  # steps of the distributions that are compared stretch by stretch
FLOOR = 1e-4  # share of an empty bin


@dataclass(frozen=True)
class Drift:
    """How one feature stands.

    distance : D between the present stretch and what was before
    literal  : its asymptotic p-value, every value an observation
    p        : share of stretches of that length that are as far from the rest, in level or shape
    psi      : population stability index in ten bins of the past
    """

    distance: float
    literal: float
    p: float
    psi: float


def measure(days: Sequence[Vector], window: int) -> Drift:
    """Compare the last `window` sessions with those before.

    days  : values of each session, NaN left out, oldest first
    Raises DataError where fewer than two stretches of the past have values
    """
    days = [np.asarray(v, float)[np.isfinite(v)] for v in days]
    if len(days) < 3 * window:
        raise DataError(
            f"drift of {window} sessions against {len(days) - window} before: two stretches of the "
            "past are needed; shorten drift.window."
        )
    past, now = np.concatenate(days[:-window]), np.concatenate(days[-window:])
    if not past.size or not now.size:
        return Drift(np.nan, np.nan, np.nan, np.nan)
    literal = stats.ks_2samp(past, now, method="asymp")
    tenths = _quantiles(past, 10)
    return Drift(
        float(literal.statistic),
        float(literal.pvalue),
        rank_p(unusual(days, window)),
        psi(_shares(past, tenths), _shares(now, tenths)),
    )


def unusual(days: Sequence[Vector], window: int) -> Vector:
    """How far every stretch is from all others, the present one last, in medians of all stretches.

    The larger of two: of the values, and of the values less the median of their session.
    """
    apart = []
    for some in (days, [v - np.median(v) if v.size else v for v in days]):
        edges = _quantiles(np.concatenate(some[:-window]), GRID)
        found = _distances(some, edges, window)
        usual = np.median(found)
        apart.append(found / usual if usual > 0 else found)
    return np.maximum(*apart)


def _quantiles(values: Vector, parts: int) -> Vector:
    return np.unique(np.quantile(values, np.arange(1, parts) / parts))


def rank_p(distances: Vector) -> float:
    """Share of all stretches that are at least as far from the rest as the last one, itself too."""
    return float((distances >= distances[-1] - 1e-12).mean())


def _distances(days: Sequence[Vector], edges: Vector, window: int) -> Vector:
    """D of every stretch of `window` sessions against all others, the present one last."""
    below = np.array([np.searchsorted(np.sort(v), edges, "right") for v in days], float)
    sizes = np.array([v.size for v in days], float)
    inside, count = _stretches(below, window), _stretches(sizes[:, None], window)
    rest, others = below.sum(axis=0) - inside, sizes.sum() - count
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(inside / count - rest / others)
    return np.nan_to_num(apart.max(axis=1), nan=0.0)


def _stretches(rows: Matrix, window: int) -> Matrix:
    sums = np.vstack([np.zeros(rows.shape[1]), np.cumsum(rows, axis=0)])
    return sums[window:] - sums[:-window]


def _shares(values: Vector, edges: Vector) -> Vector:
    """Shares of the bins that `edges` part; the outer ones are open."""
    return (
        np.bincount(np.searchsorted(edges, values, "left"), minlength=edges.size + 1) / values.size
    )


def psi(expected: Vector, actual: Vector) -> float:
    """Population stability index of two sets of shares; an empty bin counts as 1e-4.

    Below 0.1 stable, above 0.25 shifted.
    """
    e, a = (np.maximum(np.asarray(v, float), FLOOR) for v in (expected, actual))
    return float(((a - e) * np.log(a / e)).sum())


def holm(p: Vector) -> Vector:
    """p-values corrected for how many there are; NaN stays."""
    p = np.asarray(p, float)
    known = np.isfinite(p)
    order = np.argsort(np.where(known, p, np.inf), kind="stable")[: known.sum()]
    out = np.full(p.size, np.nan)
    steps = p[order] * np.arange(order.size, 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out


def severity(p: float, index: float, level: float = LEVEL) -> str:
    """What the corrected p-value and the index say together: none, watch, moderate or severe."""
    if not p < level:
        return NONE
    if index < STABLE:
        return WATCH
    return MODERATE if index < SHIFTED else SEVERE

"""What a candidate's cross-validation is worth: Sharpe ratio of its quantile spread, deflated.

Every day of the sample is tested by several splits. The k-th test of every day is pass k, so that
each pass is one path of combinatorial cross-validation: every day once, out of sample. T is the
number of label periods that do not overlap, whatever the number of paths: they are of one sample.
Source: Lopez de Prado (2018), ch. 12; Bailey & Lopez de Prado (2012, 2014); readings 33, 34.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.types import Codes, Dates, Frame, Matrix, Vector
from quant.evaluation import clusters, metrics
from quant.evaluation.clusters import Trial
from quant.evaluation.metrics import Shape


@dataclass(frozen=True)
class Tested:
    """One split of one candidate.

    day    : (n,) positions of its test days among the sampled days
    ic     : (n,) rank IC; spread : (n,) top quantile's mean residual return over the horizon less
             the bottom one's, decimal; NaN where the scores of a day tell no names apart
    """

    split: int
    day: Codes
    ic: Vector
    spread: Vector


def order(n_groups: int, n_test: int) -> list[int]:
    """Numbers of the splits, those first whose groups were tested least so far.

    The first n_groups / n_test of them test every day once, so that a candidate which is given up
    early has been seen on the whole sample.
    """
    left = dict(enumerate(combinations(range(n_groups), n_test)))
    tested = np.zeros(n_groups, dtype=np.int64)
    found = []
    while left:
        worn = {
            k: (int(tested[list(g)].max()), int(tested[list(g)].sum())) for k, g in left.items()
        }
        found.append(min(left, key=lambda k: (*worn[k], k)))
        tested[list(left.pop(found[-1]))] += 1
    return found


class Passes:
    """Out-of-sample rank IC and spread of a candidate, as far as its splits have come.

    ic, spread : (n_passes, n_days), NaN = not tested yet
    seen       : (n_days,) how often each day was tested
    """

    def __init__(self, n_days: int, n_groups: int, n_test: int):
        shape = (comb(n_groups - 1, n_test - 1), n_days)
        self.ic, self.spread = np.full(shape, np.nan), np.full(shape, np.nan)
        self.seen = np.zeros(n_days, dtype=np.int64)

    def add(self, one: Tested) -> None:
        """Put the days of a split into the first pass that lacks them."""
        at = self.seen[one.day]
        self.ic[at, one.day] = one.ic
        # who can not tell names apart holds nothing and earns nothing
        self.spread[at, one.day] = np.nan_to_num(one.spread)
        self.seen[one.day] += 1

    def whole(self) -> tuple[Matrix, Matrix]:
        """Rank IC and spread of the passes that are complete. Raises DataError without any."""
        n = int(self.seen.min()) if self.seen.size else 0
        if n == 0:
            raise DataError(
                f"{int((self.seen == 0).sum())} of {self.seen.size} days were not tested; let at "
                "least n_groups / n_test splits run before a candidate is judged."
            )
        return self.ic[:n], self.spread[:n]


@dataclass(frozen=True)
class Worth:
    """What the passes of a candidate say.

    rank_ic, icir : mean over the passes that have any of the mean daily rank IC and of its ratio to
                    its deviation
    shape         : Sharpe ratio of the spread a label period, T periods, skewness, kurtosis
    series        : (n_days,) spread, mean over passes, decimal over the horizon
    """

    rank_ic: float
    icir: float
    shape: Shape
    series: Vector

    @property
    def score(self) -> float:
        """Standard errors of the Sharpe ratio above zero: the probit of PSR, which never is 1."""
        return metrics.score(self.shape)


def worth(passes: Passes, stride: int) -> Worth:
    """Judge a candidate by its complete passes.

    stride : sampled days in a label period; labels so far apart do not overlap
    """
    ic, spread = passes.whole()
    known = [one[np.isfinite(one)] for one in ic if np.isfinite(one).any()]
    means = [(one.mean(), _ratio(one)) for one in known] or [(np.nan, np.nan)]
    rank_ic, icir = np.mean(means, axis=0)
    return Worth(float(rank_ic), float(icir), shape(spread, stride), spread.mean(axis=0))


def shape(spread: Matrix, stride: int) -> Shape:
    """Moments of overlapping spreads, (n_passes, n_days); a candidate without any spread has 0.

    The Sharpe ratio is the mean over passes and over the ways to take periods that do not overlap;
    skewness and kurtosis are of all values, which overlap does not bias.
    Raises DataError where fewer than 2 periods fit into the sample.
    """
    n = spread.shape[1] // stride
    if n < 2:
        raise DataError(
            f"{spread.shape[1]} sampled days hold {n} label periods of {stride} days that do not "
            "overlap, and a Sharpe ratio needs 2; raise model2.walk_forward.min_train_years, or "
            "shorten the horizon."
        )
    if not np.ptp(spread):
        return Shape(0.0, n)
    moments = metrics.shape(spread.ravel())
    ratio = float(np.mean([sharpe(one, stride) for one in spread]))
    return Shape(ratio, n, moments.skew, moments.kurtosis)


def sharpe(spread: Vector, stride: int) -> float:
    """Sharpe ratio a label period: mean over the series of periods that do not overlap.

    spread : (n_days,) overlapping, in time order; 0 where no such series varies
    """
    ratios = [_ratio(spread[phase::stride]) for phase in range(stride)]
    known = [r for r in ratios if np.isfinite(r)]
    return float(np.mean(known)) if known else 0.0


@dataclass(frozen=True)
class Deflated:
    """What a number of trials leaves of each; one entry a trial.

    idea     : cluster number; near copies are one idea
    dsr      : with N ideas and the variance across them; score : its probit, which never is 1
    dsr_each : with every trial counted as an idea of its own
    n        : ideas; best : the Sharpe ratio that the best of them shows by luck, a label period
    """

    idea: Codes
    dsr: Vector
    score: Vector
    dsr_each: Vector
    n: int
    best: float


def deflate(worths: Sequence[Worth], days: Dates, same_idea: float) -> Deflated:
    """Deflated Sharpe ratios of all trials by their number and their variance.

    days : (n_days,) dates of the series; same_idea : correlation from which two are one idea
    """
    trials = [Trial(f"{k:06d}", "", w.shape.sharpe, w.shape.n, returns(days, w.series))
              for k, w in enumerate(worths)]  # fmt: skip
    ideas = clusters.ideas(trials, same_idea)
    apart = clusters.variance(np.array([t.sharpe for t in trials]))
    best = metrics.expected_max_sharpe(ideas.n, ideas.variance)
    return Deflated(
        idea=ideas.cluster,
        dsr=np.array([metrics.psr(w.shape, best) for w in worths]),
        score=np.array([metrics.score(w.shape, best) for w in worths]),
        dsr_each=np.array([metrics.dsr(w.shape, len(trials), apart) for w in worths]),
        n=ideas.n,
        best=best,
    )


def of_table(cpcv: Frame, choice: str, periods: int) -> dict[str, float]:
    """Numbers of the chosen candidate of a CPCV table: the mean over its paths.

    periods : label periods of the sample that do not overlap
    Returns rank_ic, icir, sharpe (a label period), psr, dsr (against the luck of the candidates of
    the table, each an idea), candidates and periods. The table keeps no series, so that PSR takes
    the spread for normal; NaN where the choice has no spread
    """
    paths = cpcv[cpcv["path"] >= 0].groupby("model", sort=False)[["ic", "icir", "sharpe"]].mean()
    own, rivals = paths.loc[choice], paths["sharpe"].to_numpy(np.float64)
    out = {"rank_ic": float(own["ic"]), "icir": float(own["icir"]),
           "sharpe": float(own["sharpe"]), "candidates": float(len(rivals)),
           "periods": float(periods), "psr": np.nan, "dsr": np.nan}  # fmt: skip
    if np.isfinite(out["sharpe"]) and periods > 1:
        seen = Shape(out["sharpe"], periods)
        out["psr"] = metrics.psr(seen)
        out["dsr"] = metrics.dsr(seen, len(rivals), clusters.variance(rivals))
    return out


def returns(days: Dates, series: Vector) -> Frame:
    """A spread as the ledger of trials keeps series: it has no benchmark and needs no cash."""
    return pd.DataFrame(
        {"date": days.astype("datetime64[ns]"), "book": series, "benchmark": 0.0, "rf": 0.0}
    )


def _ratio(values: Vector) -> float:
    known = values[np.isfinite(values)]
    deviation = known.std(ddof=1) if known.size > 1 else 0.0
    return float(known.mean() / deviation) if deviation > 0 else np.nan

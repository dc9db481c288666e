"""Selection by combinatorial purged cross-validation, on the time before the first prediction.

A model that is tested on one block has been trained on the future of that block, so nothing of
this ever reaches a backtest: it only answers which candidate the walk-forward should use. And as
it sees no label that ends after the first refit, the choice does not look at the backtest either.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import pandas as pd

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import derive
from quant.core.types import Codes, Dates, Frame, Matrix, Vector
from quant.evaluation import signal, splits
from quant.model2 import scores
from quant.model2.design import Design, align, training
from quant.model2.models import Fitter
from quant.model2.train import TrainSpec, learners

MARGIN = 0.05  # of the best information ratio


@dataclass(frozen=True)
class CpcvSpec:
    """How candidates are compared."""

    groups: int = 6
    test_groups: int = 2
    embargo: int = 63  # sessions after the end of the last test label
    quantiles: int = 5  # the spread is the top quantile's mean return less the bottom one's
    rounds: int = 100  # of boosting: fewer than in the walk-forward, the order is what counts

    def __post_init__(self) -> None:
        if self.quantiles < 2 or self.rounds < 1:
            raise ConfigError(
                f"cpcv quantiles is {self.quantiles} and rounds {self.rounds}; "
                "at least 2 and 1 are needed."
            )


@dataclass(frozen=True)
class _Days:
    """Sampled sessions of the design: rows of day i are starts[i]:starts[i + 1]."""

    session: Codes  # (n_days,)
    end: Codes  # (n_days,) last label end of the day's rows
    starts: Codes  # (n_days + 1,)

    @classmethod
    def of(cls, data: Design) -> "_Days":
        session, first = np.unique(data.session, return_index=True)
        end = np.maximum.reduceat(data.end, first) if first.size else first
        return cls(session, end, np.append(first, data.session.size))

    def rows(self, days: Codes) -> tuple[Codes, Codes]:
        """Rows of `days`, and where each of these days starts among them."""
        parts = [np.arange(self.starts[d], self.starts[d + 1]) for d in days]
        return np.concatenate(parts), np.cumsum([0, *(part.size for part in parts)])

    def count(self, days: Codes) -> int:
        return int(np.diff(self.starts)[days].sum())


def evaluate(
    features: Frame,
    labels: Frame,
    sessions: Dates,
    train: TrainSpec,
    spec: CpcvSpec,
    select_end: np.datetime64,
    seed: int,
) -> Frame:
    """Out-of-sample quality of every candidate on every split and path, as the CPCV table.

    Rows with path = -1 are splits (all their test groups), rows with split = -1 are paths (all
    groups once). ic is the mean daily rank IC, icir its mean over its standard deviation, sharpe
    that of the quantile spread for one horizon (not annualised), averaged over the ways to take
    it from non-overlapping periods. train_rows of a path is the least of its splits.

    select_end : no label that ends after it is used; give `train.first_prediction`
    Raises     : DataError where the history is too short for the splits
    """
    rows = align(features, labels, sessions)
    last = int(np.searchsorted(rows.sessions, np.datetime64(select_end, "D"), side="right")) - 1
    data = training(rows, train.row_step, last)
    days = _Days.of(data)
    parts = splits.cpcv(days.session, days.end, spec.groups, spec.test_groups, spec.embargo)
    daily = _daily(data, days, parts, train, spec, seed)
    stride = ceil(train.horizon / train.row_step)
    records = []
    for name, one in daily.items():
        records += _of_splits(name, one, parts, days, stride)
        records += _of_paths(name, one, parts, days, spec, stride)
    return pd.DataFrame(records)


def select(cpcv: Frame) -> str:
    """The candidate with the highest mean information ratio over the paths, or their ensemble.

    The ensemble is preferred where it comes within MARGIN of the best: differences of a few
    percent are noise, and a mean of models is the safer bet. Of equal models the first wins.

    cpcv   : CPCV table
    Raises : DataError where no candidate has a ratio: a rank IC needs 10 names
    """
    on_paths = cpcv[cpcv["path"] >= 0]
    quality = on_paths.groupby("model", sort=False)["icir"].mean()
    if not quality.notna().any():
        raise DataError(
            f"no candidate of {list(quality.index)} has an information ratio on any path; "
            f"a rank IC needs {signal.MIN_NAMES} names a session, and labels that differ."
        )
    best = quality.max()
    if quality.get(scores.ENSEMBLE, -np.inf) >= best - MARGIN * abs(best):
        return scores.ENSEMBLE
    return str(quality.idxmax())


@dataclass(frozen=True)
class _Quality:
    """Rank IC and quantile spread of a candidate, (n_splits, n_days), NaN off the test days."""

    ic: Matrix
    spread: Matrix

    def record(self, split: int, day: Codes, score: Vector, raw: Vector, quantiles: int) -> None:
        daily = signal.ic(day, score, raw)
        self.ic[split, daily["date"]] = daily["rank_ic"]
        daily = signal.quantile_returns(day, score, raw, quantiles)
        self.spread[split, daily["date"]] = daily["spread"]

    def summary(self, split: Codes | int, day: Codes, stride: int) -> dict[str, float]:
        ic, spread = self.ic[split, day], self.spread[split, day]
        ic, spread = ic[np.isfinite(ic)], spread[np.isfinite(spread)]
        return {
            "ic": float(ic.mean()) if ic.size else np.nan,
            "icir": _ratio(ic),
            "sharpe": overlap_sharpe(spread, stride),
        }


def _daily(
    data: Design,
    days: _Days,
    parts: list[splits.Split],
    train: TrainSpec,
    spec: CpcvSpec,
    seed: int,
) -> dict[str, _Quality]:
    """Fit every model on every split, and score its test days with every candidate."""
    fewer = replace(train.lightgbm, rounds=min(spec.rounds, train.lightgbm.rounds))
    block = np.repeat(np.arange(days.session.size), np.diff(days.starts))
    bound: dict[str, Fitter] = {
        name: learner.bind(data.x, data.y, block)
        for name, learner in learners(replace(train, lightgbm=fewer)).items()
    }
    names = scores.candidates(train.models)
    empty = np.full((len(parts), days.session.size), np.nan)
    daily = {name: _Quality(empty.copy(), empty.copy()) for name in names}
    for number, part in enumerate(parts):
        index, starts = days.rows(part.test)
        predicted = {}
        for name, fitter in bound.items():
            own = derive(seed, "model2", "cpcv", str(number), name)
            predicted[name] = fitter.fit(part.train, own).predict(data.x[index])
        day = np.repeat(part.test, np.diff(starts))
        for name, of in names.items():
            score = scores.ensemble([predicted[one] for one in of], starts)
            daily[name].record(number, day, score, data.raw[index], spec.quantiles)
    return daily


def _of_splits(
    name: str, one: _Quality, parts: list[splits.Split], days: _Days, stride: int
) -> Iterator[dict]:
    for number, part in enumerate(parts):
        yield {
            "model": name,
            "split": number,
            "path": -1,
            "test_groups": ",".join(map(str, part.test_groups)),
            "train_rows": days.count(part.train),
            "test_rows": days.count(part.test),
            **one.summary(number, part.test, stride),
        }


def _of_paths(
    name: str, one: _Quality, parts: list[splits.Split], days: _Days, spec: CpcvSpec, stride: int
) -> Iterator[dict]:
    group = splits.groups_by_date(days.session, spec.groups)
    everyday = np.arange(days.session.size)
    for number, source in enumerate(splits.paths(spec.groups, spec.test_groups)):
        yield {
            "model": name,
            "split": -1,
            "path": number,
            "test_groups": ",".join(map(str, range(spec.groups))),
            "train_rows": min(days.count(parts[s].train) for s in source),
            "test_rows": days.count(everyday),
            **one.summary(source[group], everyday, stride),
        }


def overlap_sharpe(returns: Vector, stride: int) -> float:
    """Sharpe of overlapping returns for one period: mean over the `stride` non-overlapping series.

    returns : (n,) each spanning `stride` steps; Returns NaN where no series has 2 values
    """
    ratios = [_ratio(returns[phase::stride]) for phase in range(stride)]
    known = [ratio for ratio in ratios if np.isfinite(ratio)]
    return float(np.mean(known)) if known else np.nan


def _ratio(values: Vector) -> float:
    if values.size < 2:
        return np.nan
    deviation = values.std(ddof=1)
    return float(values.mean() / deviation) if deviation > 0 else np.nan

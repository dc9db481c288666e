"""Selection by combinatorial purged cross-validation, on the time before the first prediction.

A model that is tested on one block has been trained on the future of that block, so nothing of
this ever reaches a backtest: it only answers which candidate the walk-forward should use. And as
it sees no label that ends after the first refit, the choice does not look at the backtest either.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.types import Codes, Dates, Frame, Matrix, Vector
from quant.evaluation import signal, splits
from quant.model2 import scores
from quant.model2.crossval import CpcvSpec, Prediction, Sample, predictions, stride
from quant.model2.train import TrainSpec


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

    Candidates are judged by the label over `train.horizon`, whatever their members learn; every
    random model has one draw, and at most `spec.rounds` of boosting.

    select_end : no label that ends after it is used; give `train.first_prediction`
    Raises     : DataError where the history is too short for the splits
    """
    sample = Sample.of(features, labels, sessions, train, spec, select_end)
    candidates = scores.candidates(train.models)
    shape = (len(sample.parts), sample.session.size)
    daily = {name: _Quality(np.full(shape, np.nan), np.full(shape, np.nan)) for name in candidates}
    for made in predictions(sample, quick(train, spec), range(len(sample.parts)), seed):
        for name, models in candidates.items():
            daily[name].record(made, models, spec.quantiles)
    records = []
    for name, one in daily.items():
        records += _of_splits(name, one, sample, stride(train))
        records += _of_paths(name, one, sample, spec, stride(train))
    return pd.DataFrame(records)


def quick(train: TrainSpec, spec: CpcvSpec) -> TrainSpec:
    """The same ensemble, cheaper to fit: one draw, fewer rounds of boosting."""
    trees = {name: getattr(train, name).quick(spec.rounds) for name in ("lightgbm", "xgboost")}
    return replace(train, draws=1, **trees)


def select(cpcv: Frame) -> str:
    """The ensemble, unless the model with the best mean information ratio beats it on every path.

    A mean of models is the safer bet, and what a short history says of their order is mostly noise.
    Of equal models the first wins.

    cpcv   : CPCV table
    Raises : DataError where no candidate has a ratio: a rank IC needs 10 names
    """
    on_paths = cpcv[cpcv["path"] >= 0].pivot(index="path", columns="model", values="icir")
    on_paths = on_paths[list(dict.fromkeys(cpcv["model"]))]
    quality = on_paths.mean()
    if not quality.notna().any():
        raise DataError(
            f"no candidate of {list(quality.index)} has an information ratio on any path; "
            f"a rank IC needs {signal.MIN_NAMES} names a session, and labels that differ."
        )
    best = str(quality.idxmax())
    if scores.ENSEMBLE not in quality or (on_paths[best] > on_paths[scores.ENSEMBLE]).all():
        return best
    return scores.ENSEMBLE


@dataclass(frozen=True)
class _Quality:
    """Rank IC and quantile spread of a candidate, (n_splits, n_days), NaN off the test days."""

    ic: Matrix
    spread: Matrix

    def record(self, made: Prediction, models: Iterable[str], quantiles: int) -> None:
        used = [one for one in made.values if one.model in models]
        score, _ = scores.ensemble(used, [made.values[one] for one in used], made.starts)
        daily = signal.ic(made.day, score, made.raw)
        self.ic[made.split, daily["date"]] = daily["rank_ic"]
        daily = signal.quantile_returns(made.day, score, made.raw, quantiles)
        self.spread[made.split, daily["date"]] = daily["spread"]

    def summary(self, split: Codes | int, day: Codes, stride: int) -> dict[str, float]:
        ic, spread = self.ic[split, day], self.spread[split, day]
        ic, spread = ic[np.isfinite(ic)], spread[np.isfinite(spread)]
        return {
            "ic": float(ic.mean()) if ic.size else np.nan,
            "icir": _ratio(ic),
            "sharpe": overlap_sharpe(spread, stride),
        }


def _of_splits(name: str, one: _Quality, sample: Sample, stride: int) -> Iterator[dict]:
    for number, part in enumerate(sample.parts):
        yield {
            "model": name,
            "split": number,
            "path": -1,
            "test_groups": ",".join(map(str, part.test_groups)),
            "train_rows": sample.count(part.train),
            "test_rows": sample.count(part.test),
            **one.summary(number, part.test, stride),
        }


def _of_paths(
    name: str, one: _Quality, sample: Sample, spec: CpcvSpec, stride: int
) -> Iterator[dict]:
    group = splits.groups_by_date(sample.session, spec.groups)
    everyday = np.arange(sample.session.size)
    for number, source in enumerate(splits.paths(spec.groups, spec.test_groups)):
        yield {
            "model": name,
            "split": -1,
            "path": number,
            "test_groups": ",".join(map(str, range(spec.groups))),
            "train_rows": min(sample.count(sample.parts[s].train) for s in source),
            "test_rows": sample.count(everyday),
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

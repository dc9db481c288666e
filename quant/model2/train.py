"""Walk-forward training: the only source of the scores that reach a backtest.

A refit at the close of session r learns from rows whose label ends on or before r, and scores
r, r + 1, ... until the next refit. Each refit starts afresh on an expanding window of at most
`max_train_years`; nothing that happens after r changes any score dated before the next refit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np
import pandas as pd

from quant.core.errors import ConfigError, DataError
from quant.core.progress import Tick, silent
from quant.core.seeds import derive
from quant.core.types import Codes, Dates, Frame, Mask, Vector
from quant.evaluation import splits
from quant.model2 import scores
from quant.model2.design import Design, Rows, align, training
from quant.model2.models import Fitter, Learner, LightGBM, Model, Ridge


@dataclass(frozen=True)
class TrainSpec:
    """What is trained, on which rows, how often."""

    models: tuple[str, ...] = ("ridge", "lightgbm")
    horizon: int = 21  # sessions of the label
    row_step: int = 5  # train on every 5th session: labels overlap
    retrain_every: int = 63  # sessions; quarterly
    min_train_years: float = 3.0  # labelled history before the first refit
    max_train_years: float = 10.0  # calendar years of the expanding window
    periods_per_year: int = 252
    ridge: Ridge = field(default_factory=Ridge)
    lightgbm: LightGBM = field(default_factory=LightGBM)

    def __post_init__(self) -> None:
        counts = (self.horizon, self.row_step, self.retrain_every, self.periods_per_year)
        if min(counts) < 1 or not 0 < self.min_train_years <= self.max_train_years:
            raise ConfigError(
                f"horizon, row_step, retrain_every, periods_per_year are {counts} and must be 1 or "
                f"more; min_train_years {self.min_train_years} must be positive and at most "
                f"max_train_years {self.max_train_years}."
            )
        learners(self)

    @property
    def min_train_sessions(self) -> int:
        """Labelled sessions that must be known before the first refit."""
        return ceil(self.min_train_years * self.periods_per_year)


@dataclass(frozen=True)
class FittedModel:
    """One model of one refit, with the seed it was given."""

    fold: int
    name: str
    seed: int
    model: Model


@dataclass(frozen=True)
class Trained:
    """Out-of-sample scores and where they came from.

    scores         : date, symbol, score (unitless, standardised within the day), fold
    folds          : FOLDS table: one row for each refit and model
    models         : every fitted model
    empty_features : (fold, feature) without information on any training row: all missing, or
                     constant within every session; the feature then counts for nothing
    """

    scores: Frame
    folds: Frame
    models: tuple[FittedModel, ...]
    empty_features: tuple[tuple[int, str], ...]


def learners(spec: TrainSpec) -> dict[str, Learner]:
    """The learners of `spec.models`; raises ConfigError for an unknown, double or absent name."""
    known: dict[str, Learner] = {"ridge": spec.ridge, "lightgbm": spec.lightgbm}
    wrong = [name for name in spec.models if name not in known]
    if wrong or not spec.models or len(set(spec.models)) < len(spec.models):
        raise ConfigError(
            f"models are {list(spec.models)}; name each of {sorted(known)} at most once, "
            "and at least one."
        )
    return {name: known[name] for name in spec.models}


def first_prediction(labels: Frame, sessions: Dates, spec: TrainSpec) -> np.datetime64:
    """Session of the first refit: the first on which `min_train_years` of sessions are labelled.

    Selection must use labels that end on or before it.
    Raises : DataError where the labels are too few
    """
    known = labels.loc[labels["label"].notna() & labels["end"].notna(), ["date", "end"]]
    end = np.sort(known.groupby("date")["end"].min().to_numpy().astype("datetime64[D]"))
    days = np.asarray(sessions).astype("datetime64[D]")
    end = end[end <= days[-1]] if days.size else end[:0]
    needed = spec.min_train_sessions
    if end.size < needed:
        raise DataError(
            f"{end.size} sessions have a known label but min_train_years={spec.min_train_years} "
            f"needs {needed}: lengthen the sample, or lower min_train_years or the horizon "
            f"({spec.horizon} sessions)."
        )
    return end[needed - 1]


def walk_forward(
    features: Frame,
    labels: Frame,
    sessions: Dates,
    spec: TrainSpec,
    seed: int,
    tick: Tick = silent,
    frozen: np.datetime64 | None = None,
) -> Trained:
    """Score every feature row from the first refit on, out of sample.

    features, labels : the tables of these names; sessions : (n_sessions,) exchange calendar
    seed             : every model's seed derives from it, the refit's number and the name
    tick             : called after every refit with (done, total)
    frozen           : no refit on or after this date; the last one before it scores what follows
    Raises           : DataError where history, features or labels do not suffice; ConfigError where
                       no refit is before `frozen`
    """
    rows = align(features, labels, sessions)
    first = first_prediction(labels, sessions, spec)
    folds = splits.walk_forward(
        rows.sessions, first, spec.retrain_every, spec.horizon, spec.max_train_years, min_train=1
    )
    if frozen is not None:
        folds = until(folds, rows.sessions, frozen)
    folds = [f for f in folds if rows.starts[f.predict_start] < rows.starts[f.predict_end + 1]]
    data = training(rows, spec.row_step, last=folds[-1].predict_start)
    plan = _Plan.of(rows, data, folds, spec)
    parts, records, models, empty = [], [], [], []
    for number, fold in enumerate(folds):
        used = fold.train(data.session, data.end)
        fitted = plan.fit(number, used, seed)
        parts.append(_scored(rows, fold, number, fitted))
        records += [_record(rows, data, fold, used, one) for one in fitted]
        models += fitted
        empty += [(number, name) for name in plan.empty(used)]
        tick(number + 1, len(folds))
    return Trained(
        pd.concat(parts, ignore_index=True), pd.DataFrame(records), tuple(models), tuple(empty)
    )


def until(folds: list[splits.Fold], sessions: Dates, frozen: np.datetime64) -> list[splits.Fold]:
    """The refits before the date `frozen`; the last of them predicts to the end.

    Raises ConfigError where there is none.
    """
    stop = int(np.searchsorted(sessions, np.datetime64(frozen, "D")))
    kept = [fold for fold in folds if fold.predict_start < stop]
    if not kept:
        raise ConfigError(
            f"the first refit is on {sessions[folds[0].predict_start]}, not before {frozen}, from "
            "which no model may learn; start the hold-out later, or lower "
            "model2.walk_forward.min_train_years."
        )
    return [*kept[:-1], replace(kept[-1], predict_end=folds[-1].predict_end)]


@dataclass(frozen=True)
class _Plan:
    """The learners bound to the design, and the block of each of its rows."""

    names: tuple[str, ...]
    block: Codes
    fitters: dict[str, Fitter]
    informed: Mask  # (n_blocks, n_features) whether any value differs from the middle

    @classmethod
    def of(cls, rows: Rows, data: Design, folds: Iterable[splits.Fold], spec: TrainSpec) -> "_Plan":
        refits = np.array([fold.predict_start for fold in folds])
        entry = np.searchsorted(refits, data.end)  # the first refit that knows the label
        block = np.unique(data.session * (refits.size + 1) + entry, return_inverse=True)[1]
        informed = np.zeros((block.max(initial=-1) + 1, data.x.shape[1]), dtype=bool)
        for column in range(data.x.shape[1]):
            informed[block[data.x[:, column] != 0.0], column] = True
        bound = {n: one.bind(data.x, data.y, block) for n, one in learners(spec).items()}
        return cls(rows.names, block, bound, informed)

    def fit(self, fold: int, used: Mask, seed: int) -> list[FittedModel]:
        blocks = np.unique(self.block[used])
        fitted = []
        for name, fitter in self.fitters.items():
            own = derive(seed, "model2", "walk_forward", str(fold), name)
            fitted.append(FittedModel(fold, name, own, fitter.fit(blocks, own)))
        return fitted

    def empty(self, used: Mask) -> list[str]:
        told = self.informed[np.unique(self.block[used])].any(axis=0)
        return [name for name, some in zip(self.names, told, strict=True) if not some]


def _scored(rows: Rows, fold: splits.Fold, number: int, fitted: list[FittedModel]) -> Frame:
    first, last = fold.predict_start, fold.predict_end
    starts = rows.starts[first : last + 2]
    x = rows.standardised(first, last)
    predictions: list[Vector] = [one.model.predict(x) for one in fitted]
    session = np.repeat(np.arange(first, last + 1), np.diff(starts))
    return pd.DataFrame(
        {
            "date": rows.sessions[session].astype("datetime64[ns]"),
            "symbol": rows.symbols[starts[0] : starts[-1]],
            "score": scores.ensemble(predictions, starts - starts[0]),
            "fold": np.int64(number),
        }
    )


def _record(rows: Rows, data: Design, fold: splits.Fold, used: Mask, one: FittedModel) -> dict:
    def day(position: int) -> np.datetime64:
        return rows.sessions[position].astype("datetime64[ns]")

    session, end = data.session[used], data.end[used]
    return {
        "fold": one.fold,
        "model": one.name,
        "train_start": day(session[0]),
        "train_end": day(session[-1]),
        "label_end": day(end.max()),
        "predict_start": day(fold.predict_start),
        "predict_end": day(fold.predict_end),
        "rows": session.size,
        "seed": one.seed,
    }

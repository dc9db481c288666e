"""Walk-forward training: the only source of the scores that reach a backtest.

A refit at the close of session r learns from rows whose label ends on or before r, and scores
r, r + 1, ... until the next refit. Each refit starts afresh on an expanding window of at most
`max_train_years`; nothing that happens after r changes any score dated before the next refit.

The ensemble learns labels over several horizons, each purged by its own end. Features are ranked,
and binned, once for all members and refits.
"""

from dataclasses import asdict, dataclass, field, replace
from math import ceil

import numpy as np
import pandas as pd

from quant.core import horizons
from quant.core.errors import ConfigError, DataError
from quant.core.memo import NOTHING, Memo, digest
from quant.core.progress import Tick, silent
from quant.core.seeds import derive
from quant.core.types import Codes, Dates, Frame, Mask, Vector
from quant.evaluation import splits
from quant.model2 import scores
from quant.model2.design import Design, Rows, align, learning, training
from quant.model2.learners import (
    MLP,
    MOMENTUM,
    REVERSAL,
    LightGBM,
    QlibLightGBM,
    Ridge,
    XGBoost,
    parse,
)
from quant.model2.models import Fitter, Learner, Member, Model


@dataclass(frozen=True)
class TrainSpec:
    """What is trained, on which rows, how often."""

    models: tuple[str, ...] = ("ridge", "lightgbm", "xgboost")
    horizon: int = 21  # sessions of the label that decides: it tests and calibrates
    horizons: tuple[int, ...] = (21,)  # sessions of the labels that are learned
    draws: int = 1  # seeds of every random model
    row_step: int = 5  # train on every 5th session: labels overlap
    retrain_every: int = 63  # sessions; quarterly
    min_train_years: float = 3.0  # labelled history before the first refit
    max_train_years: float = 10.0  # calendar years of the expanding window
    periods_per_year: int = 252
    ridge: Ridge = field(default_factory=Ridge)
    lightgbm: LightGBM = field(default_factory=LightGBM)
    xgboost: XGBoost = field(default_factory=XGBoost)
    mlp: MLP = field(default_factory=MLP)
    qlib_lightgbm: QlibLightGBM = field(default_factory=QlibLightGBM)

    def __post_init__(self) -> None:
        counts = (self.horizon, self.row_step, self.retrain_every, self.periods_per_year)
        if min(counts) < 1 or not 0 < self.min_train_years <= self.max_train_years:
            raise ConfigError(
                f"horizon, row_step, retrain_every, periods_per_year are {counts} and must be 1 or "
                f"more; min_train_years {self.min_train_years} must be positive and at most "
                f"max_train_years {self.max_train_years}."
            )
        over = self.horizons
        if not over or min(over) < 1 or len(set(over)) < len(over) or self.draws < 1:
            raise ConfigError(
                f"horizons are {list(over)} and draws {self.draws}; name at least one horizon, "
                "each once and 1 session or more, and draw 1 or more."
            )
        learners(self)

    @property
    def min_train_sessions(self) -> int:
        """Labelled sessions that must be known before the first refit."""
        return ceil(self.min_train_years * self.periods_per_year)


@dataclass(frozen=True)
class FittedModel:
    """One member of the ensemble of one refit, with the seed it was given."""

    fold: int
    member: Member
    seed: int
    model: Model

    @property
    def name(self) -> str:
        """Such as fold003-lightgbm-h21-d0: that of its file."""
        return f"fold{self.fold:03d}-{self.member.name}"


@dataclass(frozen=True)
class Trained:
    """Out-of-sample scores and where they came from.

    scores         : date, symbol, score, uncertainty (unitless, see scores.ensemble), fold
    folds          : FOLDS table: one row for each refit and member
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
    known: dict[str, Learner] = {
        "ridge": spec.ridge, "lightgbm": spec.lightgbm, "xgboost": spec.xgboost,
        "mlp": spec.mlp,
        "qlib_lightgbm": spec.qlib_lightgbm,
        "momentum": MOMENTUM, "reversal": REVERSAL,
    }  # fmt: skip
    wrong = [name for name in spec.models if name not in known]
    if wrong or not spec.models or len(set(spec.models)) < len(spec.models):
        raise ConfigError(
            f"models are {list(spec.models)}; name each of {sorted(known)} at most once, "
            "and at least one."
        )
    return {name: known[name] for name in spec.models}


def members(spec: TrainSpec) -> tuple[Member, ...]:
    """The ensemble of `spec`: every model over every horizon, and every draw where it has any."""
    return tuple(
        Member(name, horizon, draw)
        for name, learner in learners(spec).items()
        for horizon in spec.horizons
        for draw in range(spec.draws if learner.random else 1)
    )


def first_prediction(labels: Frame, sessions: Dates, spec: TrainSpec) -> np.datetime64:
    """Session of the first refit: the first on which `min_train_years` of sessions are labelled.

    Selection must use labels that end on or before it.
    labels : those of the horizon that decides
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
    memo: Memo = NOTHING,
) -> Trained:
    """Score every feature row from the first refit on, out of sample.

    features, labels : the tables of these names; sessions : (n_sessions,) exchange calendar
    seed             : every model's seed derives from it, the refit's number and the member's name
    tick             : called after every refit with (done, total)
    frozen           : no refit on or after this date; the last one before it scores what follows
    memo             : a refit that was made before, of the same rows, is read from it
    Raises           : DataError where history, features or labels do not suffice; ConfigError where
                       no refit is before `frozen`
    """
    deciding = horizons.at(labels, spec.horizon)
    rows = learning(align(features, deciding, sessions), labels, spec.horizons)
    first = first_prediction(deciding, sessions, spec)
    # a fold ends where the shortest label does; the longer ones are purged by their own end
    folds = splits.walk_forward(
        rows.sessions, first, spec.retrain_every, min(spec.horizons), spec.max_train_years, 1
    )
    if frozen is not None:
        folds = until(folds, rows.sessions, frozen)
    folds = [f for f in folds if rows.starts[f.predict_start] < rows.starts[f.predict_end + 1]]
    data = training(rows, spec.row_step, last=folds[-1].predict_start)
    plan = _Plan.of(rows.names, data, spec, memo)
    parts, records, models, empty = [], [], [], []
    for number, fold in enumerate(folds):
        fitted = plan.fit(number, fold, seed)
        parts.append(_scored(rows, fold, number, fitted))
        records += [_record(rows, fold, plan, one) for one in fitted]
        models += fitted
        empty += [(number, name) for name in plan.empty(fold)]
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
    data: Design
    spec: TrainSpec
    block: Codes
    informed: Mask  # (n_blocks, n_features) whether any value differs from the middle
    memo: Memo
    bound: dict[str, Fitter] = field(default_factory=dict)
    digests: dict[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, names: tuple[str, ...], data: Design, spec: TrainSpec, memo: Memo) -> "_Plan":
        block = data.blocks()
        informed = np.zeros((block.max(initial=-1) + 1, len(names)), dtype=bool)
        for column in range(len(names)):
            informed[block[data.x[:, column] != 0.0], column] = True
        return cls(names, data, spec, block, informed, memo)

    def used(self, fold: splits.Fold, member: Member) -> Mask:
        """(n_rows,) rows that the member may learn from at the refit."""
        column = self.spec.horizons.index(member.horizon)
        return fold.train(self.data.session, self.data.ends[:, column])

    def fit(self, number: int, fold: splits.Fold, seed: int) -> list[FittedModel]:
        fitted = []
        for one in members(self.spec):
            column = self.spec.horizons.index(one.horizon)
            blocks = np.unique(self.block[self.used(fold, one)])
            own = derive(seed, "model2", "walk_forward", str(number), one.name)
            fitted.append(FittedModel(number, one, own, self.model(one, column, blocks, own)))
        return fitted

    def model(self, one: Member, column: int, blocks: Codes, seed: int) -> Model:
        """The member fitted on the rows of `blocks`, or as it was when that was done before."""
        if self.memo.folder is None:
            return self.fitter(one.model).fit(column, blocks, seed)

        def make() -> bytes:
            made = self.fitter(one.model).fit(column, blocks, seed)
            return made.suffix.encode() + b"\0" + made.to_bytes()

        learner = learners(self.spec)[one.model]
        parts = [type(learner).__name__, asdict(learner), seed, self.names,
                 [self.digest(int(b), column) for b in blocks]]  # fmt: skip
        suffix, _, data = self.memo(parts, make).partition(b"\0")
        return parse(suffix.decode(), data)

    def fitter(self, name: str) -> Fitter:
        if name not in self.bound:
            learner = learners(self.spec)[name]
            self.bound[name] = learner.bind(self.data.x, self.data.aims, self.block, self.names)
        return self.bound[name]

    def digest(self, block: int, column: int) -> str:
        """Of what a fit sees of a block: features, and labels of one horizon."""
        if (block, column) not in self.digests:
            rows = np.flatnonzero(self.block == block)
            found = digest(self.data.x[rows], self.data.aims[rows, column])
            self.digests[block, column] = found
        return self.digests[block, column]

    def empty(self, fold: splits.Fold) -> list[str]:
        """Features without information on any row that some member learns from."""
        used = np.logical_or.reduce([fold.train(self.data.session, e) for e in self.data.ends.T])
        told = self.informed[np.unique(self.block[used])].any(axis=0)
        return [name for name, some in zip(self.names, told, strict=True) if not some]


def _scored(rows: Rows, fold: splits.Fold, number: int, fitted: list[FittedModel]) -> Frame:
    first, last = fold.predict_start, fold.predict_end
    starts = rows.starts[first : last + 2]
    x = rows.standardised(first, last)
    predictions: list[Vector] = [one.model.predict(x) for one in fitted]
    score, uncertainty = scores.ensemble(
        [one.member for one in fitted], predictions, starts - starts[0]
    )
    session = np.repeat(np.arange(first, last + 1), np.diff(starts))
    return pd.DataFrame(
        {
            "date": rows.sessions[session].astype("datetime64[ns]"),
            "symbol": rows.symbols[starts[0] : starts[-1]],
            "score": score,
            "uncertainty": uncertainty,
            "fold": np.int64(number),
        }
    )


def _record(rows: Rows, fold: splits.Fold, plan: _Plan, one: FittedModel) -> dict:
    def day(position: int) -> np.datetime64:
        return rows.sessions[position].astype("datetime64[ns]")

    used = plan.used(fold, one.member)
    session = plan.data.session[used]
    end = plan.data.ends[used, plan.spec.horizons.index(one.member.horizon)]
    return {
        "fold": one.fold,
        "model": one.member.model,
        "horizon": one.member.horizon,
        "draw": one.member.draw,
        "train_start": day(session[0]),
        "train_end": day(session[-1]),
        "label_end": day(end.max()),
        "predict_start": day(fold.predict_start),
        "predict_end": day(fold.predict_end),
        "rows": session.size,
        "seed": one.seed,
    }

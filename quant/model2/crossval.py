"""The labelled sample before the first prediction, its purged splits, and fits on these."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

from quant.core import horizons
from quant.core.errors import ConfigError
from quant.core.seeds import derive
from quant.core.types import Codes, Dates, Frame, Vector
from quant.evaluation import splits
from quant.model2.design import Design, align, learning, training
from quant.model2.models import Member
from quant.model2.train import TrainSpec, learners, members


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
class Sample:
    """Rows all of whose labels are known when the models are chosen, and their splits.

    A training day is purged by the end of its longest label, for all members alike.

    session : (n_days,) position of the sampled days, sessions : their dates
    starts  : (n_days + 1,) rows of day i are starts[i]:starts[i + 1]
    """

    names: tuple[str, ...]
    data: Design
    session: Codes
    sessions: Dates
    starts: Codes
    parts: tuple[splits.Split, ...]

    @classmethod
    def of(
        cls,
        features: Frame,
        labels: Frame,
        sessions: Dates,
        train: TrainSpec,
        spec: CpcvSpec,
        select_end: np.datetime64,
    ) -> "Sample":
        """features, labels : tables; no label that ends after `select_end` is used."""
        rows = align(features, horizons.at(labels, train.horizon), sessions)
        rows = learning(rows, labels, train.horizons)
        until = np.datetime64(select_end, "D")
        last = int(np.searchsorted(rows.sessions, until, side="right")) - 1
        data = training(rows, train.row_step, last).complete(last)
        day, first = np.unique(data.session, return_index=True)
        longest = np.maximum(data.end, data.ends.max(axis=1, initial=0))
        end = np.maximum.reduceat(longest, first) if first.size else first
        parts = splits.cpcv(day, end, spec.groups, spec.test_groups, spec.embargo)
        starts = np.append(first, data.session.size)
        return cls(rows.names, data, day, rows.sessions[day], starts, tuple(parts))

    def digest(self) -> str:
        """sha256 of all that a candidate learns from."""
        found = hashlib.sha256()
        data = self.data
        for part in (data.x, data.session, data.raw, data.end, data.aims, data.ends):
            found.update(np.ascontiguousarray(part).data)
        return found.hexdigest()

    def rows(self, days: Codes) -> tuple[Codes, Codes]:
        """Rows of `days`, and where each of these days starts among them."""
        parts = [np.arange(self.starts[d], self.starts[d + 1]) for d in days]
        return np.concatenate(parts), np.cumsum([0, *(part.size for part in parts)])

    def count(self, days: Codes) -> int:
        """Number of rows of `days`."""
        return int(np.diff(self.starts)[days].sum())


@dataclass(frozen=True)
class Prediction:
    """Out-of-sample predictions of one split.

    day    : (n_rows,) sampled day of every test row; starts : rows of its test days, as in Sample
    raw    : (n_rows,) residual return that came
    values : member -> (n_rows,)
    """

    split: int
    day: Codes
    starts: Codes
    raw: Vector
    values: dict[Member, Vector]


def predictions(
    sample: Sample, train: TrainSpec, order: Iterable[int], seed: int
) -> Iterator[Prediction]:
    """The members of `train` (one draw each), fitted and tested on one split after another.

    A member's seed is that of its name and split, the same for all candidates: they differ in what
    they are, not in their luck.
    """
    data = sample.data
    block = np.repeat(np.arange(sample.session.size), np.diff(sample.starts))
    bound = {n: one.bind(data.x, data.aims, block, sample.names)
             for n, one in learners(train).items()}  # fmt: skip
    for number in order:
        part = sample.parts[number]
        index, starts = sample.rows(part.test)
        values = {}
        for one in members(train):
            own = derive(seed, "model2", "cpcv", str(number), one.name)
            fitter = bound[one.model]
            model = fitter.fit(train.horizons.index(one.horizon), part.train, own)
            values[one] = model.predict(data.x[index])
        day = np.repeat(part.test, np.diff(starts))
        yield Prediction(number, day, starts, data.raw[index], values)


def stride(train: TrainSpec) -> int:
    """Sampled days in a label period: labels so far apart do not overlap."""
    return ceil(train.horizon / train.row_step)


def periods(train: TrainSpec) -> int:
    """Label periods without overlap in the sample that is known at the first prediction."""
    return train.min_train_sessions // train.row_step // stride(train)

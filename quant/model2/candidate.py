"""The sample on which candidates are compared, and one candidate's cross-validation on it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

from quant.core.seeds import derive
from quant.core.types import Codes, Dates, Frame
from quant.evaluation import signal, splits
from quant.model2 import scores
from quant.model2.cpcv import CpcvSpec
from quant.model2.criterion import Tested, order
from quant.model2.design import Design, align, training
from quant.model2.train import TrainSpec, learners


@dataclass(frozen=True)
class Sample:
    """Rows whose labels are known when the models are chosen, and their splits.

    sessions : (n_days,) dates of the sampled days; starts : (n_days + 1,) rows of day i are
               starts[i]:starts[i + 1]
    """

    data: Design
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
        """select_end : no label that ends after it is used; see cpcv.evaluate."""
        rows = align(features, labels, sessions)
        last = int(np.searchsorted(rows.sessions, select_end, side="right")) - 1
        data = training(rows, train.row_step, last)
        day, first = np.unique(data.session, return_index=True)
        end = np.maximum.reduceat(data.end, first) if first.size else first
        parts = splits.cpcv(day, end, spec.groups, spec.test_groups, spec.embargo)
        return cls(data, rows.sessions[day], np.append(first, data.session.size), tuple(parts))

    def digest(self) -> str:
        """sha256 of all that a candidate learns from."""
        found = hashlib.sha256()
        for part in (self.data.x, self.data.y, self.data.raw, self.data.session, self.data.end):
            found.update(np.ascontiguousarray(part).data)
        return found.hexdigest()

    def rows(self, days: Codes) -> Codes:
        """Rows of `days`."""
        return np.concatenate([np.arange(self.starts[d], self.starts[d + 1]) for d in days])


def splits_of(sample: Sample, train: TrainSpec, spec: CpcvSpec, seed: int) -> Iterator[Tested]:
    """The ensemble of `train`, fitted and tested on one split after another (criterion.order).

    A model's seed is that of its split, the same for all candidates: they differ in what they are,
    not in their luck.
    """
    data, width = sample.data, np.diff(sample.starts)
    block = np.repeat(np.arange(sample.sessions.size), width)
    bound = {n: one.bind(data.x, data.y, block) for n, one in learners(train).items()}
    for number in order(spec.groups, spec.test_groups):
        part = sample.parts[number]
        index = sample.rows(part.test)
        starts = np.concatenate([[0], np.cumsum(width[part.test])])
        made = [
            fitter.fit(part.train, derive(seed, "model2", "cpcv", str(number), name))
            for name, fitter in bound.items()
        ]
        score = scores.ensemble([model.predict(data.x[index]) for model in made], starts)
        day, raw = np.repeat(part.test, width[part.test]), data.raw[index]
        yield Tested(
            number,
            part.test,
            signal.ic(day, score, raw)["rank_ic"].to_numpy(),
            signal.quantile_returns(day, score, raw, spec.quantiles)["spread"].to_numpy(),
        )


def stride(train: TrainSpec) -> int:
    """Sampled days in a label period: labels so far apart do not overlap."""
    return ceil(train.horizon / train.row_step)


def periods(train: TrainSpec) -> int:
    """Label periods without overlap in the sample that is known at the first prediction."""
    return train.min_train_sessions // train.row_step // stride(train)

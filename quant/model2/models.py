"""What a learner is, and what names one fitted model.

A learner is bound to the whole design once, and then fitted on many subsets of it, for the labels
of several horizons. A subset is named by `blocks`: every row carries a block number, and rows of
one block always train together. What can be computed once (Gram matrices, histogram bins) is
computed when binding, and never depends on rows outside the fitted subset.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Codes, Matrix, Vector
from quant.model2.design import Design32


@dataclass(frozen=True, order=True)
class Member:
    """One member of the ensemble: a model, the horizon of its labels (sessions), and its draw.

    draw : which of several seeds; 0 is the only one where nothing is random
    """

    model: str
    horizon: int
    draw: int = 0

    @property
    def name(self) -> str:
        """Such as lightgbm-h21-d0."""
        return f"{self.model}-h{self.horizon}-d{self.draw}"


class Model(Protocol):
    """A fitted model. `suffix` is that of its file, `.json`, `.txt` or `.ubj`."""

    suffix: ClassVar[str]

    def predict(self, x: Design32) -> Vector:
        """Scores (n_rows,) of the rows `x`; the score of a row does not depend on the others."""

    def to_bytes(self) -> bytes:
        """The model in a format that is safe to load elsewhere: data, never code."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The model again; its predictions are the same bits."""


class Fitter(Protocol):
    """A learner bound to its design."""

    def fit(self, label: int, blocks: Codes, seed: int) -> Model:
        """Fit column `label` of the labels on the rows whose block is in `blocks` (sorted)."""


class Learner(Protocol):
    """A way to learn, before it has seen data; `random` where the seed changes what is learned."""

    @property
    def random(self) -> bool:
        """Whether different seeds give different models."""

    def bind(self, x: Design32, y: Matrix, block: Codes, names: tuple[str, ...]) -> Fitter:
        """Prepare for fits on subsets of the rows.

        x : (n_rows, n_features) ranks of the features `names`; y : (n_rows, n_labels), NaN in
        blocks that are never fitted; block : (n_rows,) names the subset of a row
        """


def save(model: Model, path: Path) -> Path:
    """Write the model to `path` with its suffix, and return that."""
    # not with_suffix: a name may have dots of its own
    file = path.parent / (path.name + model.suffix)
    file.write_bytes(model.to_bytes())
    return file


def rows_of(block: Codes, blocks: Codes, name: str) -> Codes:
    """Rows whose block is among `blocks`, in order; raises DataError where there is none."""
    rows = np.flatnonzero(np.isin(block, blocks))
    check_rows(name, rows.size)
    return rows


def check_rows(name: str, rows: int) -> None:
    """Raise DataError where there is nothing to learn from."""
    if rows == 0:
        raise DataError(
            f"{name} has no labelled row to learn from; lengthen the history before the first "
            "refit, or lower the embargo of a cross-validation."
        )

"""Ridge regression in closed form."""

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quant.core.errors import ConfigError
from quant.core.types import Codes, Matrix, Vector
from quant.model2.design import Design32
from quant.model2.models import check_rows


@dataclass(frozen=True)
class Ridge:
    """Ridge regression without intercept: features and labels are centred within each session.

    penalty : added to the diagonal of x'x / n, in units of its mean diagonal; > 0
    """

    penalty: float = 0.1
    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.penalty <= 0:
            raise ConfigError(
                f"ridge penalty is {self.penalty}; it must be positive, such as 0.1: "
                "features overlap and the plain normal equations are near singular."
            )

    def bind(self, x: Design32, y: Matrix, block: Codes, names: tuple[str, ...]) -> "RidgeFitter":
        """Accumulate x'x and x'y of every block in float64, each row once."""
        order = np.argsort(block, kind="stable")
        numbers, count = np.unique(block, return_counts=True)
        first = np.concatenate([[0], np.cumsum(count)])
        width = x.shape[1]
        gram = np.empty((numbers.size, width, width))
        moment = np.empty((numbers.size, width, y.shape[1]))
        for i in range(numbers.size):
            rows = order[first[i] : first[i + 1]]
            part = x[rows].astype(np.float64)
            gram[i], moment[i] = part.T @ part, part.T @ y[rows]
        return RidgeFitter(self.penalty, numbers, count, gram, moment)


@dataclass(frozen=True)
class RidgeFitter:
    """Sufficient statistics by block: a fit adds those it needs, whatever the number of rows."""

    penalty: float
    numbers: Codes  # (n_blocks,)
    rows: Codes  # (n_blocks,)
    gram: np.ndarray  # (n_blocks, n_features, n_features)
    moment: np.ndarray  # (n_blocks, n_features, n_labels)

    def fit(self, label: int, blocks: Codes, seed: int) -> "RidgeModel":
        """Solve (G / n + penalty mean(diag) I) w = x'y / n; the seed is not used."""
        chosen = np.searchsorted(self.numbers, blocks)
        check_rows("ridge", int(self.rows[chosen].sum()))
        gram = np.zeros(self.gram.shape[1:])
        moment = np.zeros(self.moment.shape[1])
        for i in chosen:
            gram += self.gram[i]
            moment += self.moment[i, :, label]
        level = np.trace(gram) / gram.shape[0]
        if level == 0.0:
            return RidgeModel(np.zeros(moment.size))
        gram[np.diag_indices_from(gram)] += self.penalty * level
        return RidgeModel(np.linalg.solve(gram, moment))


@dataclass(frozen=True)
class RidgeModel:
    """weights : (n_features,) float64."""

    weights: Vector
    suffix: ClassVar[str] = ".ridge.json"

    def predict(self, x: Design32) -> Vector:
        """X w, summed row by row so that a row's score does not depend on the batch."""
        return np.multiply(x, self.weights).sum(axis=1)

    def to_bytes(self) -> bytes:
        """JSON with full precision."""
        return json.dumps({"weights": self.weights.tolist()}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "RidgeModel":
        """Read what `to_bytes` wrote."""
        return cls(np.array(json.loads(data)["weights"], dtype=np.float64))

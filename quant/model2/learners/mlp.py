"""A small neural network: what ridge can not bend and trees can not smooth.

Two hidden layers of rectified units, squared error, Adam. Source: Gu, Kelly & Xiu (2020), NN2;
Kingma & Ba (2015).
"""

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from quant.core.errors import ConfigError
from quant.core.types import Codes, Matrix, Vector
from quant.model2.design import Design32
from quant.model2.models import rows_of

SCALE = np.float32(np.sqrt(12.0))  # ranks are uniform on [-0.5, 0.5]: this gives them variance 1
TILE = 512  # rows of one matrix product: of equal shape, so that a row's bits are its own


@dataclass(frozen=True)
class MLP:
    """A fixed number of passes over the rows: no early stopping, on no data.

    hidden : units of each hidden layer; epochs : passes; penalty : of squared weights;
    learning_rate : of Adam; batch : rows a step
    """

    hidden: tuple[int, ...] = (64, 32)
    epochs: int = 10
    penalty: float = 1.0
    learning_rate: float = 2e-3
    batch: int = 2048
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        sizes = (self.epochs, self.batch, *self.hidden)
        if not self.hidden or min(sizes) < 1 or self.penalty < 0 or self.learning_rate <= 0:
            raise ConfigError(
                f"mlp hidden {list(self.hidden)}, epochs {self.epochs}, batch {self.batch}, "
                f"penalty {self.penalty}, learning_rate {self.learning_rate}: units, epochs and "
                "batch must be at least 1, the penalty 0 or more, the learning rate positive."
            )

    def bind(self, x: Design32, y: Matrix, block: Codes, names: tuple[str, ...]) -> "MLPFitter":
        """Keep the design."""
        return MLPFitter(self, x, y, block)


@dataclass(frozen=True)
class MLPFitter:
    """The design, its labels (n_rows, n_labels) and the block of its rows."""

    learner: MLP
    x: Design32
    y: Matrix
    block: Codes

    def fit(self, label: int, blocks: Codes, seed: int) -> "MLPModel":
        """Adam on shuffled batches of the rows of `blocks`, on one thread: its bits repeat."""
        from sklearn.neural_network import MLPRegressor

        rows, of = rows_of(self.block, blocks, "mlp"), self.learner
        net = MLPRegressor(
            hidden_layer_sizes=of.hidden,
            alpha=of.penalty,
            batch_size=min(of.batch, rows.size),
            learning_rate_init=of.learning_rate,
            # an integer would shuffle every pass alike
            random_state=np.random.RandomState(seed % 2**32),
        )
        x, y = self.x[rows] * SCALE, self.y[rows, label].astype(np.float32)
        with threadpool_limits(1):
            for _ in range(of.epochs):
                net.partial_fit(x, y)
        # where nothing differs there was nothing to learn: what is left is the first random draw
        told = float(np.ptp(y) > 0.0 and bool(np.ptp(x, axis=0).any()))
        return MLPModel(
            tuple(w * told for w in net.coefs_), tuple(b * told for b in net.intercepts_)
        )


@dataclass(frozen=True)
class MLPModel:
    """weights : a matrix (n_in, n_out) a layer; offsets : a vector (n_out,) a layer; float32."""

    weights: tuple[Matrix, ...]
    offsets: tuple[Vector, ...]
    suffix: ClassVar[str] = ".mlp.npz"

    def predict(self, x: Design32) -> Vector:
        """The network's output, tile by tile."""
        out = np.empty(len(x))
        tile = np.zeros((TILE, x.shape[1]), dtype=np.float32)
        with threadpool_limits(1):
            for first in range(0, len(x), TILE):
                part = x[first : first + TILE]
                tile[: len(part)] = part
                out[first : first + TILE] = self._forward(tile * SCALE)[: len(part)]
        return out

    def gradient(self, x: Design32) -> Matrix:
        """Slope of the output in every feature, (n_rows, n_features)."""
        *hidden, last = zip(self.weights, self.offsets, strict=True)
        open_units, state = [], x * SCALE
        for weight, offset in hidden:
            state = np.maximum(state @ weight + offset, 0.0)
            open_units.append(state > 0.0)
        slope = np.broadcast_to(last[0][:, 0], (len(x), last[0].shape[0]))
        for (weight, _), passing in zip(reversed(hidden), reversed(open_units), strict=True):
            slope = (slope * passing) @ weight.T
        return slope.astype(np.float64) * SCALE

    def _forward(self, x: np.ndarray) -> Vector:
        *hidden, last = zip(self.weights, self.offsets, strict=True)
        for weight, offset in hidden:
            x = np.maximum(x @ weight + offset, 0.0)
        return (x @ last[0] + last[1])[:, 0].astype(np.float64)

    def to_bytes(self) -> bytes:
        """Arrays in numpy's format, none of them an object."""
        file = io.BytesIO()
        layers = zip(self.weights, self.offsets, strict=True)
        arrays = {
            f"{k}{i}": a for i, pair in enumerate(layers) for k, a in zip("wb", pair, strict=True)
        }
        np.savez(file, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "MLPModel":
        """The arrays."""
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            count = len(stored.files) // 2
            return cls(
                tuple(stored[f"w{i}"] for i in range(count)),
                tuple(stored[f"b{i}"] for i in range(count)),
            )

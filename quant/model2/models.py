"""The learners: ridge regression in closed form, and gradient-boosted trees.

A learner is bound to the whole design once, and then fitted on many subsets of it. A subset is
named by `blocks`: every row carries a block number, and rows of one block always train together.
What can be computed once (Gram matrices, histogram bins) is computed when binding, and never
depends on rows outside the fitted subset.
"""

import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from quant.core.errors import ConfigError, DataError
from quant.core.types import Codes, Vector
from quant.model2.design import Design32


class Model(Protocol):
    """A fitted model."""

    def predict(self, x: Design32) -> Vector:
        """Scores (n_rows,) of the rows `x`; the score of a row does not depend on the others."""

    def to_text(self) -> str:
        """The model in a text format, safe to load elsewhere."""


class Fitter(Protocol):
    """A learner bound to its design."""

    def fit(self, blocks: Codes, seed: int) -> Model:
        """Fit on the rows whose block is in `blocks` (sorted)."""


class Learner(Protocol):
    """A way to learn, before it has seen data."""

    def bind(self, x: Design32, y: Vector, block: Codes) -> Fitter:
        """Prepare for fits on subsets of (x, y); block (n_rows,) names the subset of a row."""


# -- ridge ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ridge:
    """Ridge regression without intercept: features and labels are centred within each session.

    penalty : added to the diagonal of x'x / n, in units of its mean diagonal; > 0
    """

    penalty: float = 0.1

    def __post_init__(self) -> None:
        if self.penalty <= 0:
            raise ConfigError(
                f"ridge penalty is {self.penalty}; it must be positive, such as 0.1: "
                "features overlap and the plain normal equations are near singular."
            )

    def bind(self, x: Design32, y: Vector, block: Codes) -> "RidgeFitter":
        """Accumulate x'x and x'y of every block in float64, each row once."""
        numbers, first, order = _slices(block)
        width = x.shape[1]
        gram = np.empty((numbers.size, width, width))
        moment = np.empty((numbers.size, width))
        for i in range(numbers.size):
            rows = order[first[i] : first[i + 1]]
            part = x[rows].astype(np.float64)
            gram[i], moment[i] = part.T @ part, part.T @ y[rows]
        return RidgeFitter(self.penalty, numbers, np.diff(first), gram, moment)


@dataclass(frozen=True)
class RidgeFitter:
    """Sufficient statistics by block: a fit adds those it needs, whatever the number of rows."""

    penalty: float
    numbers: Codes  # (n_blocks,)
    rows: Codes  # (n_blocks,)
    gram: np.ndarray  # (n_blocks, n_features, n_features)
    moment: np.ndarray  # (n_blocks, n_features)

    def fit(self, blocks: Codes, seed: int) -> "RidgeModel":
        """Solve (G / n + penalty mean(diag) I) w = x'y / n; the seed is not used."""
        chosen = np.searchsorted(self.numbers, blocks)
        n = int(self.rows[chosen].sum())
        _check_rows("ridge", n)
        gram = np.zeros(self.gram.shape[1:])
        moment = np.zeros(self.moment.shape[1])
        for i in chosen:
            gram += self.gram[i]
            moment += self.moment[i]
        level = np.trace(gram) / gram.shape[0]
        if level == 0.0:
            return RidgeModel(np.zeros(moment.size))
        gram[np.diag_indices_from(gram)] += self.penalty * level
        return RidgeModel(np.linalg.solve(gram, moment))


@dataclass(frozen=True)
class RidgeModel:
    """weights : (n_features,) float64."""

    weights: Vector

    def predict(self, x: Design32) -> Vector:
        """X w, summed row by row so that a row's score does not depend on the batch."""
        return np.multiply(x, self.weights).sum(axis=1)

    def to_text(self) -> str:
        """JSON with full precision."""
        return json.dumps({"model": "ridge", "weights": self.weights.tolist()})


# -- gradient-boosted trees --------------------------------------------------------------------


@dataclass(frozen=True)
class LightGBM:
    """Gradient-boosted trees with a fixed number of rounds: no early stopping, on no data.

    Bins are a fixed grid over [-0.5, 0.5] (features are ranks), so that they are made once and
    hold no trace of the data, least of all of the future.
    """

    rounds: int = 200
    leaves: int = 31
    learning_rate: float = 0.05
    feature_fraction: float = 0.5
    min_leaf: int = 200  # rows
    l2: float = 1.0
    bins: int = 63
    threads: int = 2

    def __post_init__(self) -> None:
        if min(self.rounds, self.leaves - 1, self.min_leaf, self.threads) < 1 or self.bins < 3:
            raise ConfigError(
                f"lightgbm rounds {self.rounds}, leaves {self.leaves}, min_leaf {self.min_leaf}, "
                f"threads {self.threads}, bins {self.bins}: each must be at least 1 "
                "(leaves 2, bins 3)."
            )

    def parameters(self) -> dict[str, Any]:
        """What LightGBM is given, without the seed."""
        return {
            "objective": "regression",
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "feature_fraction": self.feature_fraction,
            "min_data_in_leaf": self.min_leaf,
            "lambda_l2": self.l2,
            "max_bin": self.bins,
            "min_data_in_bin": 1,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "feature_pre_filter": False,
            "enable_bundle": False,
            "use_missing": False,
            "verbosity": -1,
        }

    def bind(self, x: Design32, y: Vector, block: Codes) -> "LightGBMFitter":
        """Bin every row once; fits take subsets of the binned matrix."""
        import lightgbm

        settings = self.parameters()
        steps = np.linspace(-0.5, 0.5, self.bins, dtype=np.float32)
        grid = np.repeat(steps[:, None], x.shape[1], axis=1)
        reference = lightgbm.Dataset(grid, label=np.zeros(self.bins), params=settings)
        whole = lightgbm.Dataset(x, label=y, reference=reference, params=settings).construct()
        return LightGBMFitter(self.rounds, settings, block, whole)


@dataclass(frozen=True)
class LightGBMFitter:
    """The binned design and the block of its rows."""

    rounds: int
    settings: dict[str, Any]
    block: Codes
    whole: Any

    def fit(self, blocks: Codes, seed: int) -> "LightGBMModel":
        """Boost on the rows of `blocks`."""
        import lightgbm

        rows = np.flatnonzero(np.isin(self.block, blocks))
        _check_rows("lightgbm", rows.size)
        settings = {**self.settings, "seed": seed}
        part = self.whole.subset(rows.tolist(), params=self.settings)
        booster = lightgbm.train(settings, part, num_boost_round=self.rounds)
        return LightGBMModel(booster, self.settings["num_threads"])


@dataclass(frozen=True)
class LightGBMModel:
    """A booster; `threads` sets the speed of prediction, never its result."""

    booster: Any
    threads: int

    def predict(self, x: Design32) -> Vector:
        """Sum of the trees' leaves."""
        return np.asarray(self.booster.predict(x, num_threads=self.threads))

    def to_text(self) -> str:
        """LightGBM's own text format."""
        return self.booster.model_to_string()


def _slices(block: Codes) -> tuple[Codes, Codes, Codes]:
    order = np.argsort(block, kind="stable")
    numbers, count = np.unique(block, return_counts=True)
    return numbers, np.concatenate([[0], np.cumsum(count)]), order


def _check_rows(name: str, rows: int) -> None:
    if rows == 0:
        raise DataError(
            f"{name} has no labelled row to learn from; lengthen the history before the first "
            "refit, or lower the embargo of a cross-validation."
        )

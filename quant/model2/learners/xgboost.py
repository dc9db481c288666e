"""Gradient-boosted trees by XGBoost, histogram method, leaf-wise as LightGBM grows them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from quant.core.types import Codes, Matrix, Vector
from quant.model2.design import Design32
from quant.model2.learners.boosting import Boosting
from quant.model2.models import rows_of


@dataclass(frozen=True)
class XGBoost(Boosting):
    """XGBoost; every fit cuts its rows into the bins of the grid."""

    def parameters(self) -> dict[str, Any]:
        """What XGBoost is given, without the seed."""
        return {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "grow_policy": "lossguide",
            "max_depth": 0,
            "max_leaves": self.leaves,
            "eta": self.learning_rate,
            "colsample_bytree": self.feature_fraction,
            # the hessian of squared error is 1 a row
            "min_child_weight": self.min_leaf,
            "lambda": self.l2,
            "max_bin": self.bins,
            "base_score": 0.0,
            "nthread": self.threads,
            "verbosity": 0,
        }

    def bind(self, x: Design32, y: Matrix, block: Codes, names: tuple[str, ...]) -> "XGBoostFitter":
        """Cut the grid, by which every fit cuts its rows."""
        import xgboost

        settings = self.parameters()
        grid = xgboost.QuantileDMatrix(
            self.grid(x.shape[1]),
            label=np.zeros(self.bins),
            max_bin=self.bins,
            nthread=self.threads,
        )
        return XGBoostFitter(self.rounds, settings, block, x, y, grid)


@dataclass(frozen=True)
class XGBoostFitter:
    """The design, its labels (n_rows, n_labels) and the block of its rows; `grid` has the bins."""

    rounds: int
    settings: dict[str, Any]
    block: Codes
    x: Design32
    y: Matrix
    grid: Any

    def fit(self, label: int, blocks: Codes, seed: int) -> "XGBoostModel":
        """Boost on the rows of `blocks`."""
        import xgboost

        rows = rows_of(self.block, blocks, "xgboost")
        part = xgboost.QuantileDMatrix(
            self.x[rows],
            label=self.y[rows, label],
            ref=self.grid,
            max_bin=self.settings["max_bin"],
            nthread=self.settings["nthread"],
        )
        settings = {**self.settings, "seed": seed}
        booster = xgboost.train(settings, part, num_boost_round=self.rounds)
        return XGBoostModel(booster)


@dataclass(frozen=True)
class XGBoostModel:
    """A booster."""

    booster: Any
    suffix: ClassVar[str] = ".xgb.ubj"

    def predict(self, x: Design32) -> Vector:
        """Sum of the trees' leaves."""
        return self.booster.inplace_predict(x).astype(np.float64)

    def to_bytes(self) -> bytes:
        """XGBoost's own binary JSON."""
        return bytes(self.booster.save_raw(raw_format="ubj"))

    @classmethod
    def from_bytes(cls, data: bytes) -> "XGBoostModel":
        """Read XGBoost's own binary JSON. Raises ValueError where it is none."""
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(bytearray(data))
        return cls(booster)

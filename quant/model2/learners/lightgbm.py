"""Gradient-boosted trees by LightGBM."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from quant.core.types import Codes, Matrix, Vector
from quant.model2.design import Design32
from quant.model2.learners.boosting import Boosting
from quant.model2.models import rows_of


@dataclass(frozen=True)
class LightGBM(Boosting):
    """LightGBM; the design is binned once, and fits take subsets of it."""

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

    def bind(
        self, x: Design32, y: Matrix, block: Codes, names: tuple[str, ...]
    ) -> "LightGBMFitter":
        """Bin every row once, for all labels, refits and draws."""
        import lightgbm

        settings = self.parameters()
        nothing = np.zeros(self.bins)
        reference = lightgbm.Dataset(self.grid(x.shape[1]), label=nothing, params=settings)
        whole = lightgbm.Dataset(x, label=np.zeros(len(x)), reference=reference, params=settings)
        return LightGBMFitter(self.rounds, settings, block, y, whole.construct())


@dataclass(frozen=True)
class LightGBMFitter:
    """The binned design, its labels (n_rows, n_labels) and the block of its rows."""

    rounds: int
    settings: dict[str, Any]
    block: Codes
    y: Matrix
    whole: Any

    def fit(self, label: int, blocks: Codes, seed: int) -> "LightGBMModel":
        """Boost on the rows of `blocks`."""
        import lightgbm

        rows = rows_of(self.block, blocks, "lightgbm")
        settings = {**self.settings, "seed": seed}
        part = self.whole.subset(rows.tolist(), params=self.settings).construct()
        part.set_label(self.y[rows, label])
        booster = lightgbm.train(settings, part, num_boost_round=self.rounds)
        return LightGBMModel(booster, self.settings["num_threads"])


@dataclass(frozen=True)
class LightGBMModel:
    """A booster; `threads` sets the speed of prediction, never its result."""

    booster: Any
    threads: int = 1
    suffix: ClassVar[str] = ".lgb.txt"

    def predict(self, x: Design32) -> Vector:
        """Sum of the trees' leaves."""
        return np.asarray(self.booster.predict(x, num_threads=self.threads))

    def to_bytes(self) -> bytes:
        """LightGBM's own text format."""
        return self.booster.model_to_string().encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "LightGBMModel":
        """Read LightGBM's own text format. Raises ValueError where it is none."""
        import lightgbm

        try:
            return cls(lightgbm.Booster(model_str=data.decode()))
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(str(error)) from error

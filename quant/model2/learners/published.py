"""LightGBM as Qlib publishes it for its Alpha158 benchmark: a rival, not a part of the ensemble.

Hyper-parameters: Qlib, examples/benchmarks/LightGBM/workflow_config_lightgbm_Alpha158.yaml; 1,000
rounds and a stop after 50 without progress are those of its LGBModel. Where Qlib's workflow names
years to validate on, the latest fifth of what a refit may learn from is held out, with a gap so
that no label of the one part overlaps the other.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from quant.core.types import Codes, Matrix
from quant.model2.design import Design32
from quant.model2.learners.lightgbm import LightGBMModel
from quant.model2.models import rows_of

PUBLISHED: dict[str, Any] = {
    "objective": "mse",
    "colsample_bytree": 0.8879,
    "learning_rate": 0.2,
    "subsample": 0.8789,
    "lambda_l1": 205.6999,
    "lambda_l2": 580.9768,
    "max_depth": 8,
    "num_leaves": 210,
}
ROUNDS, PATIENCE = 1000, 50


@dataclass(frozen=True)
class QlibLightGBM:
    """Early stopping on the latest share `held_out` of the blocks, `gap` blocks apart.

    gap : blocks (sessions that train) between them; 6 of every fifth session span a label of 21
    """

    held_out: float = 0.2
    gap: int = 6
    threads: int = 2
    random: ClassVar[bool] = True

    def bind(
        self, x: Design32, y: Matrix, block: Codes, names: tuple[str, ...]
    ) -> "QlibLightGBMFitter":
        """Keep the design; every fit bins its own rows, as Qlib does."""
        return QlibLightGBMFitter(self, x, y, block)


@dataclass(frozen=True)
class QlibLightGBMFitter:
    """The design, its labels (n_rows, n_labels) and the block of its rows, ascending in time."""

    learner: QlibLightGBM
    x: Design32
    y: Matrix
    block: Codes

    def fit(self, label: int, blocks: Codes, seed: int) -> LightGBMModel:
        """Boost on the earlier blocks until the later ones say stop."""
        import lightgbm

        of = self.learner
        late = max(1, round(of.held_out * blocks.size))
        early = blocks[: max(blocks.size - late - of.gap, 0)]
        settings = {
            **PUBLISHED, "num_threads": of.threads, "seed": seed, "deterministic": True,
            "force_row_wise": True, "verbosity": -1,
        }  # fmt: skip
        train, valid = (self._part(part, label, settings) for part in (early, blocks[-late:]))
        booster = lightgbm.train(
            settings,
            train,
            num_boost_round=ROUNDS,
            valid_sets=[valid],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        # the text of a booster holds all its trees: keep those up to the best round
        kept = booster.model_to_string(num_iteration=booster.best_iteration)
        return LightGBMModel(lightgbm.Booster(model_str=kept), of.threads)

    def _part(self, blocks: Codes, label: int, settings: dict[str, Any]) -> Any:
        import lightgbm

        rows = rows_of(self.block, blocks, "qlib_lightgbm")
        return lightgbm.Dataset(self.x[rows], label=self.y[rows, label], params=settings)

"""The learners, by name, and their files."""

from pathlib import Path

from quant.core.errors import DataError
from quant.model2.learners.lightgbm import LightGBM, LightGBMModel
from quant.model2.learners.mlp import MLP, MLPModel
from quant.model2.learners.published import QlibLightGBM
from quant.model2.learners.ridge import Ridge, RidgeModel
from quant.model2.learners.rule import MOMENTUM, REVERSAL, Rule, RuleModel
from quant.model2.learners.xgboost import XGBoost, XGBoostModel
from quant.model2.models import Model

__all__ = [
    "MLP", "MOMENTUM", "NAMES", "REVERSAL", "LightGBM", "QlibLightGBM", "Ridge", "Rule", "XGBoost",
    "load",
]  # fmt: skip

NAMES = ("ridge", "lightgbm", "xgboost", "mlp", "qlib_lightgbm", "momentum", "reversal")
KINDS: dict[str, type[Model]] = {
    one.suffix: one for one in (RidgeModel, RuleModel, LightGBMModel, XGBoostModel, MLPModel)
}


def parse(suffix: str, data: bytes) -> Model:
    """The model of the kind that `suffix` names."""
    return KINDS[suffix].from_bytes(data)


def load(path: Path) -> Model:
    """The model that `models.save` left at `path`; it predicts the same bits.

    Raises DataError for a file that is no model
    """
    suffix = "".join(path.suffixes[-2:])
    if suffix not in KINDS:
        raise DataError(f"{path.name} is no model; its name must end with one of {list(KINDS)}.")
    try:
        return parse(suffix, path.read_bytes())
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path.name} is damaged ({error}); run stage model2 again.") from error

"""The fitted ensemble of a run, put together from its stored results and logged as a model."""

import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core import sources, tables
from quant.core.store import digest_json
from quant.core.types import Frame
from quant.model2 import saved
from quant.stages.registry import plain
from quant.stages.runner import Outcome
from quant.tracking import About, Tracker

if TYPE_CHECKING:
    from quant.settings import Config

NAME = "model2"  # runs:/<run>/model2
DATA = (tables.FEATURES, tables.LABELS, tables.SESSIONS, tables.MEMBERSHIP)
REQUIREMENTS = (
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "threadpoolctl",
    "lightgbm",
    "xgboost",
)


def here() -> dict[str, str]:
    """What must be the same for scores to be the same bits: the machine and the packages."""
    return {"host": socket.gethostname(), "environment": sources.environment()[:12]}


def facts(config: "Config", data: dict[str, str]) -> dict[str, Any]:
    """What the ensemble says of its origin; data : table -> sha256 of its content."""
    label = config.model2.label
    return {
        "region": config.region.name,
        "seed": config.seed,
        "label": {"horizon": label.horizon, "residual": label.residual, "price": "open to open"},
        "data": data,
        "settings": plain(config.model2),
        "made": here(),
    }


def log(tracker: Tracker, config: "Config", outcomes: Sequence[Outcome]) -> None:
    """Log the ensemble of stage model2 as an MLflow model, where anything is tracked."""
    if not config.tracking.enabled:
        return
    by_table = {t.name: o.result for o in outcomes for t in o.stage.makes}
    made = by_table["alpha"]
    data = {t.name: by_table[t.name].hashes[f"{t.name}.parquet"] for t in DATA}
    with tempfile.TemporaryDirectory() as place:
        example = _example(by_table)
        folder = saved.write(
            Path(place) / "ensemble",
            made.path("models"),
            *(made.read(t) for t in (tables.FOLDS, tables.CALIBRATION, tables.ALPHA)),
            tuple(c for c in example if c not in (*saved.KEY, saved.INDUSTRY)),
            facts(config, data),
        )
        about = About(
            example=example,
            scored=saved.load(folder).predict(example),
            optional=(saved.INDUSTRY,),
            key=made.key,
            dataset=f"{config.region.name}-{config.data.provider}",
            digest=digest_json(data)[:36],
            source=str(by_table["features"].folder),
            requirements=REQUIREMENTS,
            facts={"region": config.region.name, "data": data},
        )
        tracker.model(folder, NAME, saved.__name__, about)


def _example(by_table: dict[str, Any]) -> Frame:
    """The last session of the features, whole, with its industries."""
    features = by_table["features"].read(tables.FEATURES)
    features = features[features["date"] == features["date"].max()]
    return industries(features, by_table["membership"].read(tables.MEMBERSHIP))


def industries(features: Frame, membership: Frame) -> Frame:
    """Rows of FEATURES with the industry of the day beside them."""
    keys = list(saved.KEY)
    return features.merge(membership[[*keys, saved.INDUSTRY]], on=keys, how="left")

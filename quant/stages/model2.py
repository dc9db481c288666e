"""Stock alphas: choose by purged cross-validation, score by walk-forward, calibrate."""

import dataclasses
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.core import horizons, logs, tables
from quant.core.errors import ConfigError
from quant.core.memo import NOTHING, Memo
from quant.core.panel import sessions_of
from quant.core.types import Frame
from quant.model2 import calibration, candidate, cpcv, criterion, scores, train
from quant.model2 import models as fitted
from quant.model2.crossval import Sample
from quant.model2.learners import MLP, LightGBM, QlibLightGBM, Ridge, XGBoost
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

KEPT = "fits"  # folder in the store


def specs(
    s: Mapping[str, Any],
) -> tuple[train.TrainSpec, cpcv.CpcvSpec, calibration.CalibrationSpec]:
    """The room's specifications from the settings."""
    m, periods = s["model2"], s["periods"]
    walk, boost = m.walk_forward, m.boost
    trees = {
        "rounds": boost.rounds, "leaves": boost.leaves, "learning_rate": boost.learning_rate,
        "min_leaf": boost.min_data, "feature_fraction": boost.feature_fraction, "l2": boost.l2,
        "threads": m.threads,
    }  # fmt: skip
    spec = train.TrainSpec(
        models=tuple(m.models),
        horizon=m.label.horizon,
        horizons=tuple(m.horizons),
        draws=m.draws,
        row_step=walk.row_step,
        retrain_every=walk.retrain_every,
        min_train_years=walk.min_train_years,
        max_train_years=walk.max_train_years,
        periods_per_year=periods,
        ridge=Ridge(m.ridge_penalty),
        lightgbm=LightGBM(**trees),
        xgboost=XGBoost(**trees),
        # labels of the two parts may not overlap
        qlib_lightgbm=QlibLightGBM(
            gap=1 + ceil((m.label.horizon + 1) / walk.row_step), threads=m.threads
        ),
        mlp=MLP(tuple(m.mlp.hidden), m.mlp.epochs, m.mlp.penalty, m.mlp.learning_rate),
    )
    cv = cpcv.CpcvSpec(
        groups=m.cpcv.n_groups,
        test_groups=m.cpcv.n_test,
        embargo=m.cpcv.embargo,
        rounds=boost.cpcv_rounds,
    )
    cal = calibration.CalibrationSpec(
        horizon=m.label.horizon, min_dates=walk.calibration_min_dates, bins=walk.calibration_bins
    )
    return spec, cv, cal


def settings(config: "Config") -> dict[str, Any]:
    """The models' settings; a locked hold-out decides nothing here, for its data never arrive."""
    holdout = config.evaluation.holdout
    read = {"start": holdout.start, "refit": holdout.refit} if holdout.read else None
    return {"model2": config.model2, "periods": config.region.periods, "holdout": read}


def frozen(holdout: Mapping[str, Any] | None) -> np.datetime64 | None:
    """First date on which the models are not refitted any more."""
    if holdout is None or holdout["refit"]:
        return None
    return np.datetime64(holdout["start"], "D")


def require_before(selection: np.datetime64, holdout: Mapping[str, Any] | None) -> None:
    """Raise ConfigError where models would be chosen by labels that end in the hold-out.

    selection : the session at whose close they are chosen
    """
    if holdout is not None and selection >= np.datetime64(holdout["start"], "D"):
        raise ConfigError(
            f"models are chosen at the close of {selection}, inside the hold-out from "
            f"{holdout['start']}: let it start later, or lower model2.walk_forward.min_train_years."
        )


def selection(
    s: Mapping[str, Any],
    features: Frame,
    labels: Frame,
    sessions: Frame,
    seed: int,
    memo: Memo = NOTHING,
) -> tuple[Frame, np.datetime64]:
    """CPCV rows of every candidate, and the session by whose known labels they were compared."""
    spec, cv, _ = specs(s)
    days = sessions_of(sessions)
    end = train.first_prediction(horizons.at(labels, spec.horizon), days, spec)
    require_before(end, s["holdout"])

    def make() -> Frame:
        return cpcv.evaluate(features, labels, days, spec, cv, end, seed)

    if memo.folder is None:
        return make(), end
    sample = Sample.of(features, labels, days, spec, cv, end)
    parts = [
        "cpcv",
        sample.digest(),
        sample.names,
        dataclasses.asdict(spec),
        dataclasses.asdict(cv),
        seed,
    ]
    return memo.frame(parts, make), end


def kept(config: "Config") -> Path:
    """Where refits are kept by their content, which decides how long a run takes and no more."""
    return Path(config.paths.store) / KEPT


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Every model's seed is logged; only walk-forward scores leave this stage."""
    spec, _, cal = specs(s)
    features, sessions = f["features"], sessions_of(f["sessions"])
    memo = Memo(c.private, __name__)
    compared, end = selection(s, features, f["labels"], f["sessions"], c.seed, memo)
    labels = f["labels"]
    chosen = cpcv.select(compared)
    used = scores.members(chosen, spec.models)
    logs.event(f"model2: {chosen} chosen on labels known by {end}", models=list(used))
    spec = dataclasses.replace(spec, models=tuple(used))
    trained = train.walk_forward(
        features, labels, sessions, spec, c.seed, c.tick("walk-forward"), frozen(s["holdout"]),
        memo,
    )  # fmt: skip
    if memo.found:
        logs.event(f"model2: {memo.found} of {memo.found + memo.made} fits were made before")
    if trained.empty_features:
        names = sorted({name for _, name in trained.empty_features})
        logs.event(
            f"model2: {len(names)} features say nothing on the rows of some refit: "
            f"{', '.join(names)}",
            empty_features=trained.empty_features,
        )
    made = calibration.calibrate(
        trained.scores, horizons.at(labels, spec.horizon), sessions, cal, f["membership"]
    )
    folder = c.scratch / "models"
    folder.mkdir()
    for one in trained.models:
        fitted.save(one.model, folder / one.name)
    said = criterion.of_table(compared, chosen, candidate.periods(spec))
    c.metrics.update({f"cpcv.{name}": value for name, value in said.items()})
    c.metrics["model2.folds"] = float(trained.folds["fold"].nunique())
    c.metrics["model2.mean_shrink"] = sum(made.shrink.values()) / len(made.shrink)
    return {"alpha": made.alpha, "folds": trained.folds, "cpcv": compared,
            "calibration": made.curves}  # fmt: skip


STAGE = Stage(
    "model2",
    needs=(tables.FEATURES, tables.LABELS, tables.SESSIONS, tables.MEMBERSHIP),
    makes=(tables.ALPHA, tables.FOLDS, tables.CPCV, tables.CALIBRATION),
    files=("models",),
    settings=settings,
    private=kept,
    run=run,
    module=__name__,
)

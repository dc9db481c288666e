"""What the models make of their features: Shapley values at every refit, families left out.

Nothing of this returns to the models: it is for people who ask what the alphas rest on.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.core import horizons, logs, tables
from quant.core.memo import NOTHING, Memo, digest
from quant.core.panel import sessions_of
from quant.core.types import Frame
from quant.features.producers import PRODUCERS
from quant.model2 import ablation, importance, train
from quant.model2.crossval import Sample
from quant.model2.design import Rows, align
from quant.model2.learners import load
from quant.model2.models import Member, Model
from quant.stages import model2
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config


def settings(config: "Config") -> dict[str, Any]:
    """Those of the models, and how much is explained."""
    return {**model2.settings(config), "importance": config.importance}


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Explain every refit by its stored models; what they say of its rows is known at its close."""
    spec, _, _ = model2.specs(s)
    days, folds = sessions_of(f["sessions"]), f["folds"]
    labels = horizons.at(f["labels"], spec.horizon)
    rows = align(f["features"], labels, days)
    families = {row.name: row.family for row in PRODUCERS}
    wanted = importance.ShapSpec(rows=s["importance"].rows)
    memo = Memo(c.private, __name__)
    made, single = refits(f.file("folds", "models"), folds, rows, families, wanted, c, memo)
    steady = importance.stability(made)
    if len(steady):
        c.metrics["importance.rank_correlation"] = float(steady["rank_correlation"].mean())
        c.metrics["importance.top10_overlap"] = float(steady["overlap"].mean())
    left = ablated(s, f, folds["model"], families, c, memo)
    for row in left[left["statistic"] == "rank_ic"].itertuples():
        c.metrics[f"ablation.{row.family}.rank_ic"] = float(row.difference)
    for family, share in made.groupby("family")["share"].sum().items():
        c.metrics[f"importance.{family}.share"] = float(share / made["fold"].nunique())
    return {"importance": made, "shap": single, "ablation": left}


def ablated(
    s: Mapping[str, Any],
    f: Inputs,
    chosen: Iterable[str],
    families: Mapping[str, str],
    c: Context,
    memo: Memo = NOTHING,
) -> Frame:
    """ABLATION of the chosen models on labels known at the first refit; empty if switched off."""
    spec, cv, _ = model2.specs(s)
    wanted = s["importance"]
    spec = ablation.cheap(spec, chosen, wanted.rounds)
    if not wanted.ablation or spec is None:
        return pd.DataFrame(columns=ablation.COLUMNS)
    cv = dataclasses.replace(cv, test_groups=1)
    days = sessions_of(f["sessions"])
    last = train.first_prediction(horizons.at(f["labels"], spec.horizon), days, spec)
    sample = Sample.of(f["features"], f["labels"], days, spec, cv, last)
    parts = [
        "ablation",
        sample.digest(),
        sample.names,
        dataclasses.asdict(spec),
        dataclasses.asdict(cv),
        families,
        c.seed,
    ]
    return memo.frame(
        parts, lambda: ablation.ablate(sample, spec, cv, families, c.seed, c.tick("ablation"))
    )


def refits(
    folder: Path,
    folds: Frame,
    rows: Rows,
    families: Mapping[str, str],
    spec: importance.ShapSpec,
    c: Context,
    memo: Memo = NOTHING,
) -> tuple[Frame, Frame]:
    """IMPORTANCE and SHAP of all refits."""
    tick, wide, single = c.tick("importance"), [], []
    done = folds["fold"].nunique()
    for number, (fold, own) in enumerate(folds.groupby("fold")):
        start = own["predict_start"].iloc[0]
        refit = int(np.searchsorted(rows.sessions, np.datetime64(start, "D")))
        on = importance.sample(rows, refit, spec, c.seed)
        found = explained(members(folder, own), on, memo)
        known = {"date": start, "fold": fold}
        wide.append(importance.table(rows.names, found.values, families).assign(**known))
        single.append(importance.dependence(rows, on, found, spec).assign(**known))
        tick(number + 1, done)
    logs.event(f"importance: {done} refits, {len(rows.names)} features explained")
    return pd.concat(wide, ignore_index=True), pd.concat(single, ignore_index=True)


def explained(
    models: Mapping[Member, Model], on: importance.Sample, memo: Memo
) -> importance.Explained:
    """Shapley values of a refit, or as they were when it was explained before."""
    if memo.folder is None:
        return importance.explained(models, on)
    width = on.x.shape[1]

    def make() -> Frame:
        found = importance.explained(models, on)
        columns = [*map(str, range(width)), "base"]
        return pd.DataFrame(np.column_stack([found.values, found.base]), columns=columns)

    own = [[one.name, hashlib.sha256(model.to_bytes()).hexdigest()]
           for one, model in models.items()]  # fmt: skip
    made = memo.frame(["shap", own, digest(on.x, on.day, on.rows)], make).to_numpy(np.float64)
    return importance.Explained(np.ascontiguousarray(made[:, :width]), made[:, width].copy())


def members(folder: Path, fold: Frame) -> dict[Member, Model]:
    """The stored models of a refit, by the rows of FOLDS that name them."""
    out = {}
    for row in fold.itertuples():
        member = Member(row.model, int(row.horizon), int(row.draw))
        (path,) = folder.glob(f"fold{int(row.fold):03d}-{member.name}.*")
        out[member] = load(path)
    return out


STAGE = Stage(
    "importance",
    needs=(tables.FEATURES, tables.LABELS, tables.SESSIONS, tables.FOLDS),
    makes=(tables.IMPORTANCE, tables.SHAP, tables.ABLATION),
    settings=settings,
    private=model2.kept,
    run=run,
    module=__name__,
)

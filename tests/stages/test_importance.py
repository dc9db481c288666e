"""Stage importance: the stored models are the ones explained, and nothing later moves a row."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant import audit, settings
from quant.core import tables
from quant.core.panel import sessions_of
from quant.model2.design import align
from quant.stages import importance
from tests.pipeline import STAGES, ingested, through, tiny

CHAIN = (*STAGES[:3], importance.STAGE)
MADE = (tables.IMPORTANCE, tables.SHAP, tables.ABLATION)


def config(**changes):
    base = tiny("us")
    return replace(
        base,
        model2=replace(base.model2, models=["ridge", "lightgbm"]),
        importance=settings.Importance(**{"rows": 60, "rounds": 3} | changes),
    )


@pytest.fixture(scope="module")
def given():
    return ingested("us", 40, 0.05)


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return through(config(), given, folder, CHAIN), folder


def test_tables_hold_every_refit_and_feature(whole):
    frames, _ = whole
    for table in MADE:
        table.check(frames[table.name])
    made, folds = frames["importance"], frames["folds"]
    features = [c for c in frames["features"] if c not in ("date", "symbol")]
    assert len(made) == len(features) * folds["fold"].nunique()
    starts = folds.drop_duplicates("fold").set_index("fold")["predict_start"]
    for frame in (made, frames["shap"]):
        assert (frame["date"] == frame["fold"].map(starts)).all()
    assert (frames["shap"]["session"] <= frames["shap"]["date"]).all()
    np.testing.assert_allclose(made.groupby("fold")["share"].sum(), 1.0)
    assert not (made["family"] == "other").any()
    assert set(frames["ablation"]["family"]) == set(made["family"])


def test_the_stored_models_are_those_explained(whole):
    """Score of the models read back = score that model2 stored, on the session of each refit."""
    from quant.model2 import importance as room
    from quant.model2 import scores

    frames, folder = whole
    labels = frames["labels"][frames["labels"]["horizon"] == 21].drop(columns="horizon")
    days = sessions_of(frames["sessions"])
    rows = align(frames["features"], labels.reset_index(drop=True), days)
    spec = room.ShapSpec(rows=30, sessions=1)
    for fold, own in frames["folds"].groupby("fold"):
        start = np.datetime64(own["predict_start"].iloc[0], "D")
        on = room.sample(rows, int(np.searchsorted(days, start)), spec, 42)
        models = importance.members(folder / "model2" / "models", own)
        found = room.explained(models, on)
        alpha = frames["alpha"]
        stored = alpha[(alpha["fold"] == fold) & (alpha["date"] == pd.Timestamp(start))]
        assert len(stored) == len(on.x)
        np.testing.assert_allclose(
            found.values.sum(axis=1) + found.base, stored["score"].to_numpy()[on.rows], atol=1e-5
        )
        assert scores.weights(list(models)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("how", ["cut", "garbled"])
def test_nothing_later_moves_a_row(whole, given, tmp_path, how):
    frames, _ = whole
    cut = np.datetime64(sorted(frames["folds"]["predict_start"].unique())[2], "D")
    blind = audit.forget(given, cut) if how == "cut" else audit.garble(given, cut, seed=1, tail=60)
    again = through(config(), blind, tmp_path, CHAIN)
    for table in MADE:
        mine, theirs = (audit.known(f[table.name], table, cut) for f in (frames, again))
        assert len(mine)
        found = audit.compare(mine, theirs, table.key)
        assert found.first is None, (table.name, found.first)


def test_the_ablation_can_be_left_out(given, tmp_path):
    frames = through(config(ablation=False), given, tmp_path, CHAIN)
    assert not len(frames["ablation"]) and len(frames["importance"])
    tables.ABLATION.check(frames["ablation"])

"""Refits that were made before: the same bytes as made anew, and never a stale one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant import settings
from quant.core.store import digest_file
from quant.model2 import train
from quant.stages import importance, model2
from quant.stages.registry import Context, Inputs
from tests.pipeline import STAGES, ingested, through, tiny

MODELS = ["ridge", "lightgbm", "xgboost", "mlp"]


def config():
    base = tiny("us")
    return replace(
        base,
        model2=replace(base.model2, models=MODELS),
        importance=settings.Importance(rows=40, rounds=3),
    )


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    frames = ingested("us", 40, 0.05)
    return through(config(), frames, tmp_path_factory.mktemp("given"), STAGES[:2])


def both(given, folder, kept):
    """Tables of model2 and importance, digests of the model files; kept : of the memo, or None."""
    made, frames = {}, dict(given)
    for stage in (model2.STAGE, importance.STAGE):
        scratch = folder / stage.name
        scratch.mkdir(parents=True)
        folders = {"folds": folder / "model2"}
        inputs = Inputs({t.name: frames[t.name].copy for t in stage.needs}, folders)
        context = Context("us", 42, scratch, lambda label: lambda i, n: None, private=kept)
        found = stage.run(stage.settings(config()), inputs, context)
        frames |= found
        made |= found
    files = {p.name: digest_file(p) for p in sorted((folder / "model2" / "models").iterdir())}
    return made, files


def same(mine, theirs):
    assert mine[1] == theirs[1]
    for name, frame in mine[0].items():
        pd.testing.assert_frame_equal(frame, theirs[0][name], check_exact=True)


@pytest.fixture(scope="module")
def plain(given, tmp_path_factory):
    return both(given, tmp_path_factory.mktemp("plain"), None)


@pytest.fixture(scope="module")
def kept(given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    return both(given, folder / "run", folder / "memo"), folder / "memo"


def test_an_empty_memo_changes_nothing(plain, kept):
    same(plain, kept[0])


def test_a_full_memo_gives_the_same_bytes_without_a_fit(plain, kept, given, tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("fitted again")

    monkeypatch.setattr(train._Plan, "fitter", never)
    monkeypatch.setattr(model2.cpcv, "evaluate", never)
    monkeypatch.setattr(importance.importance, "explained", never)
    monkeypatch.setattr(importance.ablation, "ablate", never)
    same(plain, both(given, tmp_path, kept[1]))


def test_another_day_refits_only_what_it_changes(kept, given, tmp_path, monkeypatch):
    """Without its last sixty sessions, and the labels that end in them."""
    last = np.sort(given["features"]["date"].unique())[-60]
    cut = {k: given[k][given[k]["date"] <= last] for k in ("features", "sessions", "membership")}
    labels = given["labels"][given["labels"]["end"] <= last]
    early = given | cut | {"labels": labels}
    fitted = []
    fitter = train._Plan.fitter
    monkeypatch.setattr(train._Plan, "fitter", lambda s, n: fitted.append(n) or fitter(s, n))
    made, files = both(early, tmp_path / "early", kept[1])
    assert fitted == []  # every refit before the cut was made before
    assert files.items() <= kept[0][1].items() and 0 < len(files) < len(kept[0][1])
    same((made, files), both(early, tmp_path / "plain", None))


def test_changed_labels_are_another_fit(kept, given, tmp_path, monkeypatch):
    """One label of the first block: everything that learned from it is fitted anew."""
    labels = given["labels"].copy()
    labels.loc[labels.index[:200], "label"] *= -1.0
    other = given | {"labels": labels}
    same(both(other, tmp_path / "memo", kept[1]), both(other, tmp_path / "plain", None))

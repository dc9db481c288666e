"""The fitted ensemble as a folder: data only, the same scores, and no answer to half a question."""

import json
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError, StoreError
from quant.model2 import saved
from quant.model2.learners import KINDS
from tests.pipeline import STAGES, ingested, through, tiny

FACTS = {"region": "us", "seed": 42, "data": {}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three stages on the tiny market, all three learners in the ensemble, and its folder."""
    folder = tmp_path_factory.mktemp("run")
    all_models = mock.patch("quant.model2.cpcv.select", return_value="ensemble")
    frames = through(
        tiny("us"), ingested("us", 40, 0.2), folder, STAGES[:3], around=lambda stage: all_models
    )
    names = tuple(c for c in frames["features"] if c not in saved.KEY)
    place = saved.write(
        folder / "ensemble", folder / "model2" / "models", frames["folds"], frames["calibration"],
        frames["alpha"], names, FACTS,
    )  # fmt: skip
    rows = frames["features"].merge(frames["membership"][["date", "symbol", "industry_id"]])
    one = saved.load(place)
    rows = rows[rows["date"] >= pd.Timestamp(one.starts[0])].reset_index(drop=True)
    return SimpleNamespace(frames=frames, folder=place, ensemble=one, rows=rows)


def test_scores_and_alphas_are_those_of_the_run_to_the_last_bit(run):
    scored = run.ensemble.predict(run.rows)
    alpha = run.frames["alpha"]
    assert alpha["alpha"].notna().any() and alpha["alpha"].isna().any()
    pd.testing.assert_frame_equal(scored[list(alpha.columns)], alpha, check_exact=True)
    assert (scored["uncertainty"] > 0).any()


def test_the_order_of_rows_and_columns_does_not_matter(run):
    mixed = run.rows.sample(frac=1.0, random_state=1)[run.rows.columns[::-1]]
    scored = run.ensemble.predict(mixed)
    assert scored.index.equals(mixed.index)
    pd.testing.assert_frame_equal(
        scored.sort_index(), run.ensemble.predict(run.rows), check_exact=True
    )


def test_a_session_alone_gets_the_same_scores_as_among_others(run):
    day = run.rows["date"].unique()[70]
    own = run.rows[run.rows["date"] == day]
    whole = run.ensemble.predict(run.rows).loc[own.index]
    pd.testing.assert_frame_equal(run.ensemble.predict(own), whole, check_exact=True)


def test_without_industries_there_are_scores_and_no_alphas(run):
    scored = run.ensemble.predict(run.rows.drop(columns="industry_id"))
    assert scored["alpha"].isna().all()
    np.testing.assert_array_equal(scored["score"], run.frames["alpha"]["score"])


def test_a_new_session_is_scored_by_the_last_refit(run):
    last = run.rows[run.rows["date"] == run.rows["date"].max()]
    new = last.assign(date=last["date"] + pd.Timedelta(days=400))
    scored = run.ensemble.predict(new)
    assert set(scored["fold"]) == {run.frames["folds"]["fold"].max()}
    then = run.ensemble.predict(last)
    columns = ["symbol", "score", "uncertainty", "alpha", "fold"]
    pd.testing.assert_frame_equal(scored[columns], then[columns], check_exact=True)


def test_the_folder_holds_data_and_no_code(run):
    kinds = {"".join(p.suffixes[-2:]) for p in run.folder.rglob("*") if p.is_file()}
    assert kinds <= {".json", ".parquet", *KINDS}
    assert {".ridge.json", ".lgb.txt", ".xgb.ubj"} <= kinds
    for path in run.folder.rglob("*.*"):
        assert not path.read_bytes().startswith(b"\x80")  # the first byte of a pickle
        if path.suffix == ".npz":  # refuses arrays of objects, which are pickles
            assert all(len(part) for part in np.load(path, allow_pickle=False).values())


def test_the_record_says_who_learned_what_and_when(run):
    record = json.loads((run.folder / saved.RECORD).read_text())
    folds = run.frames["folds"]
    assert record["region"] == "us" and record["features"][0] == run.rows.columns[2]
    told = [(r["fold"], m["model"], m["horizon"], m["seed"])
            for r in record["refits"] for m in r["members"]]  # fmt: skip
    assert sorted(told) == sorted((r.fold, r.model, r.horizon, r.seed) for r in folds.itertuples())
    for refit in record["refits"]:
        assert sum(m["weight"] for m in refit["members"]) == pytest.approx(1.0, abs=1e-12)
        assert all(m["label_end"] <= refit["start"] for m in refit["members"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="mom_12_1"), r"lacks \['mom_12_1'\]"),
        (lambda f: f.iloc[:0], "has 0 rows"),
        (lambda f: f.astype({"mom_12_1": "float64"}), "the first is mom_12_1, float64"),
        (lambda f: f.assign(date=f["date"].astype(str)), "date is object"),
        (lambda f: f.assign(symbol=None), r"\['symbol'\] have nulls"),
        (lambda f: f.assign(industry_id=None), r"\['industry_id'\] have nulls"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), "has two rows on"),
        (lambda f: f.iloc[1:], "has 29 names and should have 30"),
        (lambda f: f.assign(date=pd.Timestamp("2030-01-02")).iloc[:9], "should have at least"),
        (lambda f: f.assign(date=pd.Timestamp("2012-01-04")), "before the first refit"),
    ],
)
def test_what_can_not_be_scored_is_said_in_one_sentence(run, change, message):
    day = run.rows[run.rows["date"] == run.rows["date"].iloc[0]]
    assert len(day) == 30
    with pytest.raises(DataError, match=message):
        run.ensemble.predict(change(day))


def test_a_changed_file_is_refused(run, tmp_path):
    import shutil

    place = tmp_path / "copy"
    shutil.copytree(run.folder, place)
    with open(next(place.glob("members/fold000-lightgbm*")), "a") as handle:
        handle.write(" ")
    with pytest.raises(StoreError, match="missing or was changed"):
        saved.load(place).predict(run.rows)
    (place / "alpha.parquet").unlink()
    with pytest.raises(StoreError, match="missing or was changed"):
        saved.load(place).alpha()
    with pytest.raises(StoreError, match="no readable ensemble.json"):
        saved.load(tmp_path)

"""A logged ensemble scored again: the same numbers, new sessions, and what must not pass."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import ConfigError, DataError, StoreError
from quant.model2 import saved
from quant.settings import Config
from quant.stages import ensemble, features, model2, score, universe
from quant.stages.registry import Context, Inputs
from quant.tracking import fetch
from tests.pipeline import ingested, through, tiny
from tests.test_main import TINY, only_error, quant

CUT = pd.Timestamp("2014-10-31")
DATA = [t.name for t in ensemble.DATA]


def digests(frames):
    hashed = {n: pd.util.hash_pandas_object(frames[n], index=False) for n in DATA}
    return {n: str(int(rows.sum())) for n, rows in hashed.items()}


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """All sessions; those up to CUT; and the ensemble of a run that had only these."""
    folder, config = tmp_path_factory.mktemp("market"), tiny("us")
    given = ingested("us", 40, 0.2)
    whole = through(config, given, folder / "whole", (universe.STAGE, features.STAGE))
    past = {n: whole[n][whole[n]["date"] <= CUT] for n in ("features", "sessions", "membership")}
    past["labels"] = whole["labels"][whole["labels"]["end"] <= CUT]
    past = {n: f.reset_index(drop=True) for n, f in past.items()}
    past = through(config, past, folder / "past", (model2.STAGE,))
    place = saved.write(
        folder / "ensemble", folder / "past" / "model2" / "models", past["folds"],
        past["calibration"], past["alpha"], tuple(past["features"].columns[2:]),
        ensemble.facts(config, digests(past)),
    )  # fmt: skip
    return SimpleNamespace(whole=whole, past=past, place=place)


def scored(place: Path, frames, region="us"):
    inputs = Inputs({n: frames[n].copy for n in DATA}, digests=digests(frames))
    context = Context(region, 42, place, lambda label: lambda i, n: None, private=place)
    return score.run({}, inputs, context)["scored"], context.metrics


def changed(market, tmp_path, change):
    """A copy of the ensemble with another record."""
    place = tmp_path / "copy"
    shutil.copytree(market.place, place)
    record = json.loads((place / saved.RECORD).read_text())
    change(record)
    (place / saved.RECORD).write_text(json.dumps(record))
    return place


def test_the_data_of_the_run_give_its_numbers_to_the_last_bit(market):
    rows, said = scored(market.place, market.past)
    columns = list(market.past["alpha"].columns)
    pd.testing.assert_frame_equal(rows[columns], market.past["alpha"], check_exact=True)
    assert said["score.rows"] == len(rows) and said["score.new_rows"] == 0
    assert [v for k, v in said.items() if "difference" in k] == [0.0] * (len(columns) - 3)


def test_later_sessions_are_scored_by_the_last_refit_and_the_earlier_compared(market):
    rows, said = scored(market.place, market.whole)
    new = rows[rows["date"] > CUT]
    assert set(new["fold"]) == {market.past["folds"]["fold"].max()} and new["alpha"].notna().all()
    assert said["score.new_rows"] == len(new) == (market.whole["features"]["date"] > CUT).sum()
    old = rows[rows["date"] <= CUT][market.past["alpha"].columns]
    pd.testing.assert_frame_equal(old, market.past["alpha"], check_exact=True)


def test_a_score_that_moved_by_a_bit_is_refused_here_and_allowed_within_reason_elsewhere(
    market, tmp_path
):
    def nudge(record):
        curve = record["refits"][-1]["curve"]["alpha"]
        curve[-1] = float(np.nextafter(curve[-1], 1.0))

    with pytest.raises(DataError, match="alpha differs from the run by up to .* at most 0 is"):
        scored(changed(market, tmp_path, nudge), market.past)
    elsewhere = changed(market, tmp_path / "b", lambda r: r["made"].update(host="another"))
    scored(elsewhere, market.past)
    with pytest.raises(DataError, match="score differs .* elsewhere at most 1e-09"):
        score.require_same({"score": 2e-9, "alpha": 1.0}, same_place=False)


def test_a_gap_where_the_run_had_a_number_is_a_difference(market):
    then, _ = scored(market.place, market.past)
    now = then.assign(alpha=then["alpha"].where(then.index != len(then) - 1))
    assert score.difference(then, now)["alpha"] == np.inf
    for same_place in (True, False):
        with pytest.raises(DataError, match="alpha differs from the run by up to inf"):
            score.require_same({"alpha": np.inf}, same_place)
    assert score.difference(then, then)["alpha"] == 0.0


def test_other_data_are_refused_by_the_name_of_the_table(market):
    labels = market.past["labels"]
    other = {**market.past, "labels": labels.assign(raw=labels["raw"] + 0.01)}
    with pytest.raises(DataError, match="table labels has another digest"):
        scored(market.place, other)


def test_longer_data_with_another_past_are_refused(market):
    rows = market.whole["features"]
    day = rows["date"] == CUT
    lost = {**market.whole, "features": rows.drop(index=rows.index[day][3])}
    with pytest.raises(DataError, match="the past is another: 1 rows .* in the run"):
        scored(market.place, lost)
    turned = rows.copy()
    names = [c for c in rows if c not in saved.KEY]
    turned.loc[day, names] = rows.loc[day, names].to_numpy()[::-1]
    with pytest.raises(DataError, match="score differs from the run"):
        scored(market.place, {**market.whole, "features": turned})


def test_data_without_a_session_of_the_run_are_refused(market):
    """Nothing would be compared: any features at all would do."""
    late = {
        n: f[f["date"] > CUT].reset_index(drop=True) for n, f in market.whole.items() if n in DATA
    }
    with pytest.raises(DataError, match="after the last session of the model's run"):
        scored(market.place, late)


def test_a_model_of_another_region_is_refused(market):
    with pytest.raises(ConfigError, match="the model is of region=us, the data of region=cn"):
        scored(market.place, market.past, region="cn")


def test_data_that_end_before_the_first_refit_are_refused(market):
    first = saved.load(market.place).starts[0]
    rows = market.past["features"]
    early = rows[rows["date"] < pd.Timestamp(first)]
    with pytest.raises(DataError, match="before the model's first refit"):
        score.predicted(saved.load(market.place), None, early, market.past["membership"])


def test_stage_and_model_belong_together(tmp_path):
    for words in ({"stage": "score"}, {"stage": "e2e", "model": "x"}):
        with pytest.raises(ConfigError, match="a model belongs to stage=score"):
            Config(**words)
    with pytest.raises(StoreError, match="is no folder"):
        fetch(str(tmp_path / "none"), "sqlite:///x.db")


@pytest.mark.slow
def test_one_command_scores_the_model_of_a_tracked_run_again(tmp_path):
    done = quant(tmp_path, "stage=model2", *TINY)
    assert done.returncode == 0, done.stderr
    # what MLflow says of its files while it logs and loads them is for no user's eyes
    assert "WARNING" not in done.stderr and "UserWarning" not in done.stderr
    code = (
        "import mlflow; c = mlflow.MlflowClient('sqlite:///mlruns/mlflow.db');"
        "e = c.get_experiment_by_name('quant').experiment_id;"
        "print(c.search_runs([e])[0].info.run_id)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                           text=True, env={**os.environ})  # fmt: skip
    model = f"model=runs:/{found.stdout.split()[-1]}/model2"
    for _ in range(2):  # computed, then stored
        again = quant(tmp_path, "stage=score", model, *TINY)
        assert again.returncode == 0, again.stderr
        assert "the largest difference from the run is 0" in again.stdout + again.stderr
    rows = pd.read_parquet(tmp_path / "data" / "score" / "us" / "scored.parquet")
    assert len(rows) == len(pd.read_parquet(tmp_path / "data" / "model2" / "us" / "alpha.parquet"))
    other = quant(tmp_path, "stage=score", model, *TINY, "model2.label.residual=industry")
    assert "table labels has another digest" in only_error(other)
    none = quant(tmp_path, "stage=score", "model=runs:/abc/model2", *TINY)
    assert "is not to be had from the tracking store" in only_error(none)

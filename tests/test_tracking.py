"""One run a job, sweeps under one parent, killed runs closed, secrets out."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from quant.config_paths import PROJECT
from quant.core.errors import QuantError, StoreError
from quant.settings import Tracking
from quant.tracking import About, NullTracker, fetch, open_tracker

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlruns")
    return Tracking(uri=f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "artifacts"))


def start(settings, sweep=None):
    return open_tracker(settings, "name", "stamp", {"region": "us", "git_sha": "abc"}, sweep)


def test_numbers_settings_and_files_are_found_again(settings, tmp_path):
    run = start(settings)
    run.params({"optimizer.gamma": 8.0})
    run.metrics({"portfolio.sharpe": 1.5, "nothing": float("nan"), "a (b).c": 2.0})
    run.text("hello", "hashes/ingest.json")
    (tmp_path / "report.html").write_text("<p>")
    run.artifact(tmp_path / "report.html", "report")
    run.end("FINISHED")
    found = run.client.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"optimizer.gamma": "8.0"}
    assert found.data.metrics == {"portfolio.sharpe": 1.5, "a _b_.c": 2.0}
    assert [a.path for a in run.client.list_artifacts(run.run_id)] == ["hashes", "report"]


def test_jobs_of_a_sweep_share_one_parent(settings, tmp_path):
    first, second = (start(settings, tmp_path / "sweep") for _ in range(2))
    first.end("FINISHED")
    second.end("FINISHED")
    assert first.parent == second.parent
    for run in (first, second):
        tags = run.client.get_run(run.run_id).data.tags
        assert tags["mlflow.parentRunId"] == first.parent
    first._close(first.parent, "FINISHED")


def test_a_killed_run_does_not_stay_running(settings):
    code = (
        "import os, signal; from quant.settings import Tracking; from quant import tracking\n"
        f"t = tracking.open_tracker(Tracking(uri={settings.uri!r}, artifacts={settings.artifacts!r}"
        "), 'n', 's', {}, None)\nprint(t.run_id, flush=True)\nos.kill(os.getpid(), signal.{0})"
    )
    ids = {}
    for name in ("SIGTERM", "SIGKILL"):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("{0}", name)], capture_output=True, text=True
        )
        ids[name] = done.stdout.split()[-1]
    watcher = start(settings)  # opening a run reaps the dead ones
    states = {n: watcher.client.get_run(i).info.status for n, i in ids.items()}
    watcher.end("FINISHED")
    assert states == {"SIGTERM": "KILLED", "SIGKILL": "KILLED"}


def test_secrets_never_reach_the_tracker(settings, monkeypatch):
    monkeypatch.setenv("TUSHARE_TOKEN", "s3cret-value")
    run = start(settings)
    run.params({"command": "x s3cret-value"})
    run.end("FINISHED")
    assert "s3cret" not in str(run.client.get_run(run.run_id).data.params)


def test_an_unreachable_store_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    wrong = Tracking(uri=f"sqlite:///{tmp_path}/file/x.db")
    with pytest.raises(QuantError, match="can not be opened .*tracking=none"):
        start(wrong)


def test_tracking_can_be_turned_off():
    run = start(Tracking(enabled=False))
    run.metrics({"a": 1.0})
    run.end("FINISHED")
    assert isinstance(run, NullTracker) and run.run_id == "stamp"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_store_that_takes_no_more_is_one_sentence(settings, monkeypatch, tmp_path):
    run = start(settings)

    def full(*args, **kwargs):
        raise RuntimeError("database or disk is full\n(Background on this error)")

    for name in ("log_batch", "log_artifact"):
        monkeypatch.setattr(run.client, name, full)
    for tell in (
        lambda: run.params({"a": 1}),
        lambda: run.metrics({"a": 1.0}),
        lambda: run.text("x", "x.json"),
    ):
        with pytest.raises(QuantError, match="takes no more .database or disk is full"):
            tell()
    monkeypatch.setattr(run.client, "set_terminated", full)
    run.end("FAILED")


def test_a_kill_while_the_database_is_made_leaves_none(tmp_path):
    code = (
        "import os, sys, mlflow.store.db.utils as u; from pathlib import Path\n"
        "make = u._upgrade_db\n"
        "u._upgrade_db = lambda *a, **k: os._exit(9)\n"
        "from quant.settings import Tracking; from quant.tracking import open_tracker\n"
        f"s = Tracking(uri='sqlite:///{tmp_path}/mlflow.db', artifacts='{tmp_path}/a')\n"
        "open_tracker(s, 'n', 's', {}, None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    assert not (tmp_path / "mlflow.db").exists()
    again = start(Tracking(uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "a")))
    again.end("FINISHED")
    assert again.client.get_run(again.run_id).info.status == "FINISHED"


def test_the_link_of_make_ui_opens_on_the_runs_of_the_first_experiment(tmp_path):
    run = start(Tracking(uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "a")))
    run.end("FINISHED")
    place = f"/#/experiments/{run.experiment}/runs?workflowType=machine_learning"
    assert place in (PROJECT / "Makefile").read_text()


@pytest.fixture
def about():
    rows = pd.DataFrame(
        {"date": pd.to_datetime(["2020-01-02"] * 2), "symbol": ["A", "B"],
         "x": np.array([1.0, np.nan], dtype=np.float32), "industry_id": ["I", "J"]}
    )  # fmt: skip
    scored = rows[["date", "symbol"]].assign(score=[0.5, -0.5], fold=[3, 3])
    return About(
        example=rows, scored=scored, optional=("industry_id",), key="k1", dataset="us-sim",
        digest="d" * 36, source="/data", requirements=("numpy",), facts={"region": "us"},
    )  # fmt: skip


def test_a_model_is_logged_with_signature_example_and_digest(settings, tmp_path, about):
    folder = tmp_path / "ensemble"
    folder.mkdir()
    (folder / "ensemble.json").write_text("{}")
    run = start(settings)
    run.model(folder, "model2", "quant.model2.saved", about)
    place = fetch(f"runs:/{run.run_id}/model2", settings.uri)
    assert (place / "data" / "ensemble" / "ensemble.json").read_text() == "{}"
    card = yaml.safe_load((place / "MLmodel").read_text())
    assert card["flavors"]["python_function"]["loader_module"] == "quant.model2.saved"
    columns = {c["name"]: (c["type"], c["required"])
               for c in json.loads(card["signature"]["inputs"])}  # fmt: skip
    assert columns == {
        "date": ("datetime", True), "symbol": ("string", True), "x": ("float", True),
        "industry_id": ("string", False),
    }  # fmt: skip
    assert (place / "input_example.json").is_file()
    assert f"numpy=={np.__version__}" in (place / "requirements.txt").read_text()
    found = run.client.get_run(run.run_id)
    assert [d.dataset.digest for d in found.inputs.dataset_inputs] == ["d" * 36]
    assert found.info.status == "RUNNING"  # logging a model neither opens nor closes a run
    assert not any(p.suffix in (".pkl", ".pickle") for p in place.rglob("*"))

    again = start(settings)  # the same model is not stored twice, another is
    again.model(folder, "model2", "quant.model2.saved", about)
    assert fetch(f"runs:/{again.run_id}/model2", settings.uri) == place
    again.model(folder, "model2", "quant.model2.saved", replace(about, key="k2"))
    assert fetch(f"runs:/{again.run_id}/model2", settings.uri) != place
    with pytest.raises(StoreError, match="logged no model 'other'"):
        fetch(f"runs:/{run.run_id}/other", settings.uri)
    run.client.create_registered_model("us")
    run.client.create_model_version("us", f"runs:/{run.run_id}/model2", run.run_id)
    named = fetch("models:/us/1", settings.uri)
    assert (named / "data" / "ensemble" / "ensemble.json").read_text() == "{}"
    for one in (run, again):
        one.end("FINISHED")


def test_a_version_is_champion_only_where_it_passed(settings, tmp_path):
    policy = tmp_path / "policy.npz"
    for k, passes in enumerate((False, True, False)):
        policy.write_bytes(bytes([k]))
        run = start(settings)
        run.version("controller-us", policy, {"passes": str(passes)}, passes)
        run.end("FINISHED")
        versions = run.client.search_model_versions("name = 'controller-us'")
        assert len(versions) == k + 1
        aliases = run.client.get_registered_model("controller-us").aliases
        assert {k: int(v) for k, v in aliases.items()} == ({} if k == 0 else {"champion": 2})
        kept = run.client.list_artifacts(run.run_id, "registered/controller-us")
        assert [a.path for a in kept] == ["registered/controller-us/policy.npz"]
    second = run.client.get_model_version_by_alias("controller-us", "champion")
    assert second.tags == {"passes": "True"}

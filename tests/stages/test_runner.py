"""Skip, resume, rerun: on a toy plan of three stages that count how often they run."""

import dataclasses
import json

import pandas as pd
import pytest

from quant import stages as catalogue
from quant.core.errors import StageError, StoreError
from quant.core.tables import MEMBERS, RATES, SESSIONS
from quant.settings import Config, Paths
from quant.stages import runner
from quant.stages.registry import Stage, plan
from quant.stages.runner import execute

DAYS = pd.DataFrame({"date": pd.to_datetime(["2020-01-02", "2020-01-03"])})


@pytest.fixture
def toy(monkeypatch):
    ran: list[str] = []

    def first(s, f, c):
        ran.append("ingest")
        return {"sessions": DAYS}

    def second(s, f, c):
        ran.append("universe")
        c.metrics["days"] = float(len(f["sessions"]))
        return {"rates": f["sessions"].assign(rf=s["lambda1"])}

    def third(s, f, c):
        ran.append("report")
        (c.scratch / "report.html").write_text(f"<p>{f['rates']['rf'].sum()}")
        return {}

    made = [
        Stage("ingest", (), (SESSIONS,), lambda c: {"start": c.data.start}, first,
              module="quant.core.seeds"),
        Stage("universe", (SESSIONS,), (RATES,), lambda c: {"lambda1": c.costs.lambda1}, second,
              module="quant.core.seeds"),
        Stage("report", (RATES,), (), lambda c: {}, third, files=("report.html",),
              module="quant.core.seeds"),
    ]  # fmt: skip
    return made, ran


def config(tmp_path, **costs) -> Config:
    base = Config(paths=Paths(store=str(tmp_path / "store"), data=str(tmp_path / "data")))
    return dataclasses.replace(base, costs=dataclasses.replace(base.costs, **costs))


def go(made, cfg):
    return execute(plan(made, ["report"]), cfg, lambda o: None)


def test_a_rerun_skips_everything_and_gives_the_same_hashes(toy, tmp_path):
    made, ran = toy
    first = go(made, config(tmp_path))
    again = go(made, config(tmp_path))
    assert ran == ["ingest", "universe", "report"]
    assert all(o.skipped for o in again)
    assert [o.result.hashes for o in first] == [o.result.hashes for o in again]
    assert again[1].metrics == {"days": 2.0}


def test_a_setting_reruns_only_what_depends_on_it(toy, tmp_path):
    made, ran = toy
    go(made, config(tmp_path))
    go(made, config(tmp_path, lambda1=1e-3))
    assert ran == ["ingest", "universe", "report", "universe", "report"]


def test_an_edit_reruns_what_depends_on_it(toy, tmp_path, monkeypatch):
    made, ran = toy
    go(made, config(tmp_path))
    made[1] = dataclasses.replace(made[1], module="quant.core.store")
    go(made, config(tmp_path))
    assert ran == ["ingest", "universe", "report", "universe", "report"]


def test_sources_are_read_before_anything_runs(toy, tmp_path, monkeypatch):
    made, ran = toy
    seen = []

    def fingerprint(module):
        seen.append(list(ran))
        return module

    monkeypatch.setattr(runner.sources, "fingerprint", fingerprint)
    go(made, config(tmp_path))
    assert seen[:3] == [[], [], []]  # an edit during a run must not enter the keys of what ran


def test_a_crash_resumes_after_the_last_whole_stage(toy, tmp_path):
    made, ran = toy

    def crash(s, f, c):
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        go([made[0], dataclasses.replace(made[1], run=crash), made[2]], config(tmp_path))
    go(made, config(tmp_path))
    assert ran == ["ingest", "universe", "report"]
    assert [p.name for p in (tmp_path / "store").iterdir() if p.name.startswith(".")] == []


def test_a_stage_that_breaks_its_promise_is_refused(toy, tmp_path):
    made, _ = toy
    made[1] = dataclasses.replace(made[1], run=lambda s, f, c: {})
    with pytest.raises(StageError, match="universe promised \\['rates'\\]"):
        go(made, config(tmp_path))


def test_publishing_copies_and_leaves_the_store_alone(toy, tmp_path):
    made, _ = toy
    outcomes = go(made, config(tmp_path))
    runner.publish(outcomes, "us", tmp_path / "data")
    published = tmp_path / "data" / "universe" / "us" / "rates.parquet"
    published.write_bytes(b"scribbled over")
    assert len(outcomes[1].result.read(RATES)) == 2


def test_a_table_that_was_damaged_in_the_store_is_not_published(toy, tmp_path):
    made, _ = toy
    go(made, config(tmp_path))
    damaged = next((tmp_path / "store" / "universe").glob("*/rates.parquet"))
    damaged.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="changed after it was stored"):
        runner.publish(go(made, config(tmp_path)), "us", tmp_path / "data")
    assert not (tmp_path / "data" / "universe" / "us" / "rates.parquet").exists()


@pytest.mark.parametrize("metrics", [5, {"days": "two"}, None])
def test_a_record_without_readable_metrics_is_refused(toy, tmp_path, metrics):
    made, _ = toy
    go(made, config(tmp_path))
    meta = next((tmp_path / "store" / "universe").glob("*/meta.json"))
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "metrics": metrics}))
    with pytest.raises(StoreError, match="no readable metrics; delete the folder"):
        go(made, config(tmp_path))


def test_plan_brings_what_is_needed_in_order_and_names_what_is_unknown(toy):
    made, _ = toy
    assert [s.name for s in plan(made, ["report"])] == ["ingest", "universe", "report"]
    assert [s.name for s in plan(made, ["ingest"])] == ["ingest"]
    with pytest.raises(StageError, match="unknown stage 'repot'; known are ingest"):
        plan(made, ["repot"])
    lonely = dataclasses.replace(made[1], needs=(MEMBERS,))
    with pytest.raises(StageError, match="needs \\['members'\\], which no stage makes"):
        plan([made[0], lonely], ["universe"])


def test_every_stage_of_the_catalogue_loads_and_the_plan_closes():
    loaded = catalogue.load()
    assert [s.name for s in plan(loaded, catalogue.targets("e2e"))]
    for stage in loaded:
        assert stage.module == f"quant.stages.{stage.name}"
        assert catalogue.CATALOGUE[stage.name]


def test_groups_name_known_stages_only():
    for group in catalogue.GROUPS.values():
        assert set(group) <= set(catalogue.CATALOGUE)
    with pytest.raises(StageError, match="stage=x is not known; choose one of e2e"):
        catalogue.targets("x")


def test_a_stored_folder_is_linked_and_a_folder_of_the_user_is_left_alone(toy, tmp_path):
    made, _ = toy
    made[2] = dataclasses.replace(made[2], links={"report.html": "pages/{region}_page.html"})
    outcomes = go(made, config(tmp_path))
    place = tmp_path / "data" / "pages" / "us_page.html"
    for _ in range(2):  # a rerun replaces the link
        runner.publish(outcomes, "us", tmp_path / "data")
        assert place.is_symlink() and place.read_text().startswith("<p>")
    place.unlink()
    place.write_text("mine")
    with pytest.raises(StoreError, match="us_page.html exists .*nothing was overwritten"):
        runner.publish(outcomes, "us", tmp_path / "data")
    assert place.read_text() == "mine"

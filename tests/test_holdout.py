"""A locked hold-out is not there; a read one is seen by models that never learned from it.

The same small market runs locked, read, and read with refits: up to the hold-out the three are the
same to the last bit.
"""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from quant import audit, runlog, settings
from quant.config_paths import PROJECT
from quant.core.errors import ConfigError, DataError
from quant.core.tables import ALWAYS, SUMMARY
from quant.data.providers.sim import Sim
from quant.governance import holdout
from quant.stages import ingest, model2
from quant.stages.registry import Context
from tests.pipeline import SPANS, STAGES, through, tiny

NAMES = 40
# inside a fold, and no month end
START = {"us": "2014-08-20", "cn": "2013-10-23"}
READ = {"read": True}


def config(region: str, hold: dict | None = None, **window: str) -> settings.Config:
    """The tiny market's settings with a hold-out."""
    first, last = map(str, SPANS[region])
    data = settings.Data(start=first, end=last, sim=settings.Sim(NAMES, 0.2))
    held = settings.Evaluation(holdout=settings.Holdout(**hold or {}))
    return replace(tiny(region), data=data, evaluation=held, backtest=settings.Backtest(**window))


def ingested(c: settings.Config, folder) -> dict:
    """The tables as stage ingest hands them on."""
    context = Context(c.region.name, c.seed, folder, lambda label: lambda i, n: None)
    context.private = ingest.provider(c)
    return dict(ingest.run(ingest.settings(c), {}, context))


@pytest.fixture(scope="module", params=["us", "cn"])
def runs(request, tmp_path_factory):
    """Every table of the run with the hold-out locked, read, and read with refits."""
    region, out = request.param, {}
    hold = {"start": START[region]}
    for name, more in (("locked", {}), ("read", READ), ("refit", READ | {"refit": True})):
        c = config(region, hold | more)
        folder = tmp_path_factory.mktemp(f"{region}-{name}")
        out[name] = through(c, ingested(c, folder), folder)
    return pd.Timestamp(START[region]), out


@pytest.mark.slow
@pytest.mark.parametrize("how", ["read", "refit"])
def test_reading_the_hold_out_moves_nothing_before_it(runs, how):
    start, out = runs
    cut = start - pd.Timedelta(days=1)
    for table in (t for stage in STAGES for t in stage.makes):
        mine, theirs = (audit.known(out[n][table.name], table, cut) for n in ("locked", how))
        found = audit.compare(mine, theirs, table.key)
        assert found.first is None, (table.name, found.first)
        # without Model 1 most of its tables are empty, in both
        empty = out["locked"][table.name].empty and out[how][table.name].empty
        assert found.rows or empty or table.known in (SUMMARY, ALWAYS), table.name


@pytest.mark.slow
def test_a_locked_run_has_nothing_of_the_hold_out(runs):
    start, out = runs
    for name, frame in out["locked"].items():
        for column in frame.columns[[t.kind == "M" for t in frame.dtypes]]:
            # a list made on the last session takes effect on the next, whatever happens there
            if column != "effective":
                assert not (frame[column] >= start).any(), (name, column)


@pytest.mark.slow
def test_frozen_models_learned_nothing_from_the_hold_out_and_score_all_of_it(runs):
    start, out = runs
    read, refit = out["read"], out["refit"]
    assert read["folds"]["label_end"].max() < start
    assert read["calibration"]["date"].max() < start
    assert read["folds"]["predict_start"].max() < start
    inside = read["alpha"][read["alpha"]["date"] >= start]
    assert inside["fold"].nunique() == 1 and inside["alpha"].notna().all()
    assert inside["date"].max() == read["sessions"]["date"].max()
    # without the freeze, models go on learning
    assert refit["folds"]["label_end"].max() > start
    assert refit["calibration"]["date"].max() > start
    assert not refit["alpha"].equals(read["alpha"])
    # the selection is older than both
    assert read["cpcv"].equals(refit["cpcv"])
    assert read["nav"]["date"].max() > start > out["locked"]["nav"]["date"].max()


@pytest.mark.slow
def test_the_hold_out_alone_is_a_window_of_the_backtest(runs, tmp_path):
    start, out = runs
    region = "us" if str(start.date()) == START["us"] else "cn"
    c = config(region, {"start": START[region]} | READ, start=START[region])
    book = [stage for stage in STAGES if stage.name == "backtest"]
    alone = through(c, out["read"], tmp_path, book)["nav"]
    assert alone["date"].min() == start


def test_a_read_hold_out_may_end_before_the_data(tmp_path):
    c = config("us", {"start": "2013-05-01", "end": "2013-06-29"} | READ)
    frames = ingested(c, tmp_path)
    assert frames["sessions"]["date"].max() == frames["bars"]["date"].max()
    assert frames["bars"]["date"].max() == pd.Timestamp("2013-06-28")  # the 29th is a Saturday
    assert frames["notes"]["text"].str.contains("Everything after 2013-06-29 is left out").any()


def test_a_locked_market_is_the_same_market_cut(tmp_path):
    locked = ingested(config("us", {"start": "2013-05-01"}), tmp_path)
    whole = ingested(config("us"), tmp_path)
    bars = whole["bars"][whole["bars"]["date"] < "2013-05-01"].reset_index(drop=True)
    pd.testing.assert_frame_equal(locked["bars"], bars)
    ends = locked["listings"]["delist_date"]
    assert ends.max() < pd.Timestamp("2013-05-01") < whole["listings"]["delist_date"].max()
    assert locked["quality"]["date"].max() < pd.Timestamp("2013-05-01") or locked["quality"].empty


def test_a_hold_out_that_the_data_never_reach_changes_nothing(tmp_path):
    locked = ingested(config("us", {"start": "2015-01-02"}), tmp_path)
    whole = ingested(config("us"), tmp_path)
    for name, frame in whole.items():
        pd.testing.assert_frame_equal(locked[name], frame)


@pytest.mark.parametrize("start", ["2012-01-03", "2001-01-02"])
def test_a_hold_out_that_leaves_no_data_is_refused(tmp_path, start):
    with pytest.raises(DataError, match="leaves no data: they begin on 2012-01-03"):
        ingested(config("us", {"start": start}), tmp_path)


@pytest.mark.parametrize(
    "hold", [{}, READ, READ | {"refit": True}, {"end": "2014-12-01"}, READ | {"end": "2014-12-01"}]
)
def test_a_market_is_the_same_with_and_without_a_hold_out(hold):
    held = config("us", {"start": START["us"]} | hold)
    assert ingest.market_id(held) == ingest.market_id(config("us"))


def test_the_lock_is_part_of_the_key_and_a_whole_read_is_the_whole_data():
    keys = [
        config("us"),
        config("us", {"start": "2014-08-20"}),
        config("us", {"start": "2014-08-21"}),
    ]
    assert len({str(ingest.settings(c)) for c in keys}) == 3
    read = config("us", {"start": "2014-08-20"} | READ)
    assert ingest.settings(read) == ingest.settings(keys[0])
    assert model2.settings(read) != model2.settings(keys[0])


@pytest.mark.parametrize("window", [{"start": "2014-08-20"}, {"end": "2014-12-31"}])
def test_a_backtest_inside_a_locked_hold_out_is_refused(window):
    with pytest.raises(ConfigError, match="inside the hold-out from 2014-08-20, which is locked"):
        config("us", {"start": "2014-08-20"}, **window)
    config("us", {"start": "2014-08-20"} | READ, **window)


@pytest.mark.parametrize("refit", [False, True])
def test_models_are_never_chosen_inside_the_hold_out(refit):
    hold = {"start": "2014-08-20", "refit": refit}
    model2.require_before(np.datetime64("2014-08-19"), hold)
    with pytest.raises(ConfigError, match="chosen at the close of 2014-08-20, inside the hold-out"):
        model2.require_before(np.datetime64("2014-08-20"), hold)


def test_dates_are_written_one_way():
    assert settings.Holdout("20140820").start == "2014-08-20"
    assert settings.Holdout("2014-08-20").last_seen == "2014-08-19"
    # numpy would read a year 20140820
    for group in (settings.Backtest, settings.Data):
        said = group(start="20140820", end="2014-W40-1")
        assert (said.start, said.end) == ("2014-08-20", "2014-09-29")
    assert settings.Audit(at=["20140820"]).at == ["2014-08-20"]
    with pytest.raises(ConfigError, match="audit.at='2014' is not a date"):
        settings.Audit(at=["2014"])


def test_the_market_is_drawn_whole():
    """Or else the simulator would draw another one: the cut comes after."""
    first, last = SPANS["us"]
    short = Sim("us", 42, NAMES, 0.2).fetch(first, date(2013, 4, 30)).bars
    whole = Sim("us", 42, NAMES, 0.2).fetch(first, last).bars
    assert not short.equals(whole[whole["date"] <= "2013-04-30"].reset_index(drop=True))


SMALL = ("tracking=none", "data.start=2012-01-03", "data.end=2013-12-31", "data.sim.n_names=20")
OWN = "evaluation.holdout.start=2013-07-01"


def quant(folder: Path, *words: str) -> str:
    """What the entrypoint tells."""
    done = subprocess.run(
        [sys.executable, "-m", "quant.main", "stage=universe", *SMALL, *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True,
    )  # fmt: skip
    return done.stderr


@pytest.mark.slow
def test_every_look_is_logged_before_the_data_are_opened(tmp_path):
    ledger = tmp_path / "mlruns" / "holdout.jsonl"

    def kinds() -> list[str]:
        return [row["kind"] for row in holdout.read(ledger)]

    quant(tmp_path)  # nobody has declared anything yet
    assert kinds() == []
    assert "leaves no data" in quant(tmp_path, "evaluation.holdout.start=2003-07-01")
    assert kinds() == []  # nor has a mistyped date
    assert "2013-07-01 to the end is locked" in quant(tmp_path, OWN)
    assert kinds() == ["declare"]
    quant(tmp_path, OWN)
    assert kinds() == ["declare"]
    read = (OWN, "evaluation.holdout.read=true")
    assert "is READ; looks at it so far: 1, by 1 conf" in quant(tmp_path, *read)
    # a run that finds everything stored shows the numbers again
    assert "looks at it so far: 2, by 1 conf" in quant(tmp_path, *read)
    # and one that fails may have shown them
    failed = quant(tmp_path, *read, "universe.min_price=1000000")
    assert "error: " in failed and "looks at it so far: 3, by 2 conf" in failed
    assert "and evaluation.holdout does not say so" in quant(tmp_path)
    assert kinds() == ["declare", "read", "read", "read", "undeclared"]
    rows = holdout.read(ledger)
    assert len({row["market"] for row in rows}) == 1
    assert all(row["utc"] and row["user"] and row["git_sha"] for row in rows)


def test_a_run_asks_again_after_every_stage_what_was_declared_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(runlog, "track", lambda *_: None)
    ledger = tmp_path / "holdout.jsonl"
    early = replace(config("us"), paths=settings.Paths(holdout=str(ledger)))
    known = {"stamp": "20260102T030405000006", "name": "n", "config_hash": "c", "git_sha": "g"}
    ended = SimpleNamespace(stage=SimpleNamespace(name="universe"))
    runlog.done(None, early, known, ended)
    assert not ledger.exists()
    span = holdout.Span(START["us"])
    visit = holdout.Visit(ingest.holdout_market(early), holdout.Span("2012-01-03"), span)
    who = {"utc": "2026", "user": "u", "name": "o", "config_hash": "o", "git_sha": "g"}
    holdout.declare(ledger, visit, who, 0)
    for _ in range(2):
        runlog.done(None, early, known, ended)
    assert [row["kind"] for row in holdout.read(ledger)] == ["declare", "undeclared"]

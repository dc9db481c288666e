"""stage=nightly: what it plans, how it goes on, what it calls wrong, and nights end to end."""

import json
import re
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant import landing, main, nightly, settings, sweep
from quant.config_paths import PROJECT
from quant.core import git
from quant.core.errors import ConfigError, StageError, StoreError
from quant.reporting import night
from quant.reporting.night import DONE, FAILED, LEFT_OUT, RUNNING, WAITING, JobOfNight
from tests.reporting import sample
from tests.reporting.pages import sound

ASOF = "2019-12-19"  # a Thursday


def config(**changes):
    return settings.Config(stage="nightly", asof=ASOF, since="3y", **changes)


def planned(own=None, words=(), asof=ASOF, place=Path("nights")):
    return nightly.planned(own or config(), asof, place, words)


def test_every_region_gets_every_run():
    own = config(
        model1=settings.Model1(enabled=True), execution=settings.Execution("POV", "almgren")
    )
    made = planned(own, ["data=files", "stage=nightly", "regions=[us,cn]", "+since=1y", "seed=7"])
    assert [(r.region, r.name) for r in made.runs] == [
        (region, name) for region in ("us", "cn") for name in nightly.RUNS
    ]
    words = made.runs[0].words
    assert words == ["data=files", "seed=7", "region=us", "stage=e2e", f"asof={ASOF}", "since=3y"]
    changed = {r.name: r.words[-1] for r in made.runs if r.region == "cn" and r.name != "base"}
    assert changed["cost_x2"] == "costs.multiplier=2.0"
    assert "stage=evaluate" in made.runs[-1].words and "region=cn" in made.runs[-1].words


def test_what_makes_no_difference_is_left_out_and_says_why():
    told = {r.name: (r.status, r.told) for r in planned().runs if r.region == "us"}
    assert told["base"] == told["cost_x2"] == (WAITING, "")
    assert told["no_rl"] == (LEFT_OUT, "the runs have no controller")
    assert told["no_tilt"][0] == told["impact_x2"][0] == LEFT_OUT


@pytest.mark.parametrize(
    ("region", "asof", "weekly"),
    [("us", "2019-12-19", False), ("us", "2019-12-20", True), ("us", "2019-12-31", False),
     ("cn", "2019-09-30", True),  # a week of holidays follows
     ("us", "2018-03-29", True)],  # Good Friday is none
)  # fmt: skip
def test_the_stress_comes_with_the_last_session_of_a_week(region, asof, weekly):
    assert nightly.ends_week(region, asof) is weekly
    own = config(execution=settings.Execution("POV", "almgren"), regions=[region])
    (run,) = (r for r in planned(own, asof=asof).runs if r.name == "impact_x2")
    assert (run.status == WAITING) is weekly


def test_a_sweep_of_nights_is_refused():
    with pytest.raises(ConfigError, match="leave --multirun out"):
        planned(words=["--multirun", "stage=nightly"])


def test_only_runs_of_the_same_words_and_code_are_not_done_again(tmp_path):
    left, own = planned(), planned()
    for r in left.runs:
        r.status, r.git_sha, r.seconds = DONE, git.sha(), 5.0
    left.runs[0].words.append("seed=8")
    left.runs[2].status = FAILED
    left.runs[3].git_sha = "0000000"
    left.write(tmp_path / "night.json")
    made = nightly.resumed(own, nightly.Night.read(tmp_path / "night.json"))
    told = [r.status for r in made.runs]
    assert told[0] == WAITING and told[3] == WAITING
    assert [r.seconds for r in made.runs if r.region == "cn"] == [5.0] * 5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"asof": "x", "runs": [{}]}'])
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / "night.json").write_text(text)
    with pytest.raises(StoreError, match="can not be read"):
        nightly.Night.read(tmp_path / "night.json")


def test_why_a_run_failed(tmp_path):
    console = tmp_path / "console.log"
    console.write_text("error: first.\nmore\nerror: the data end early.\n")
    assert nightly._why(tmp_path, 1) == "the data end early"
    console.write_text("no reason")
    assert nightly._why(tmp_path, -9).startswith("killed by signal 9; see ")


@pytest.fixture(scope="module")
def inputs():
    made = sample.full(names=12, years=1.5)
    solves = made.solves.assign(relaxed=False)
    return replace(made, drift=made.drift.assign(severity="none"), solves=solves,
                   quality=made.quality.head(0))  # fmt: skip


def region(report, **changes):
    base = {"name": "us", "report": report, "jobs": [JobOfNight("base", DONE, 60.0, "", 3, 20)]}
    return night.RegionOfNight(**base | changes)


def page(*regions):
    return night.NightInputs(ASOF, "3y", "abc1234", "python -m quant.main", regions)


def test_a_quiet_night_says_that_nothing_is_wrong(inputs):
    shown = page(region(inputs))
    assert night.concerns(shown.regions[0]) == [] and night.status(shown) == DONE
    html = night.render(shown)
    sound(html)
    assert "Nothing is wrong today" in html


def changed(frame, column, value, row=-1):
    frame = frame.sort_values("date").copy()
    frame.iloc[row, frame.columns.get_loc(column)] = value
    return frame


def lost(nav):
    nav = nav.copy()
    last = (nav["book"] == "portfolio") & (nav["date"] == nav["date"].max())
    nav.loc[last, "nav"] *= 0.8
    return nav


def dearer(nav):
    nav = nav.copy()
    mine = nav["book"] == "portfolio"
    late = mine & nav["date"].isin(np.sort(nav["date"].unique())[-21:])
    nav.loc[mine, "cost"], nav.loc[late, "cost"] = 100.0, 1000.0
    return nav


WRONG = {
    "drift: feature_02": lambda i: {"drift": i.drift.assign(
        severity=np.where(i.drift["feature"] == "feature_02", "severe", "none"))},
    "usually by": lambda i: {"solves": changed(i.solves, "solver", "other")},
    "gave way": lambda i: {"solves": changed(i.solves, "relaxed", True)},
    "lost": lambda i: {"nav": lost(i.nav)},
    "trading costs": lambda i: {"nav": dearer(i.nav)},
    "no commit": lambda i: {"meta": replace(i.meta, git_sha="abc1234-dirty")},
    "data: 1 errors": lambda i: {"quality": pd.DataFrame([{
        "date": i.nav["date"].max(), "symbol": "A", "check": "ohlc", "severity": "error",
        "value": 1.0, "detail": ""}])},
}  # fmt: skip


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said_first(inputs, words):
    own = region(replace(inputs, **WRONG[words](inputs)))
    (said,) = night.concerns(own)
    assert words in said
    html = night.render(page(own))
    sound(html)
    assert "1 thing asks for a look" in html
    assert html.index(re.sub("&", "&amp;", said)[:30]) < html.index('id="us"')


def test_data_that_end_before_the_last_session_are_named(inputs):
    last = inputs.nav["date"].max()
    own = region(inputs, expected=last + pd.Timedelta(days=1))
    (said,) = night.concerns(own)
    assert "the data end on" in said
    assert night.concerns(region(inputs, expected=last)) == []


def test_a_failed_or_unfinished_run_is_on_the_page(inputs):
    jobs = [JobOfNight("base", FAILED, 3.0, "no space left"), JobOfNight("cost_x2", WAITING)]
    shown = page(region(inputs), region(None, name="cn", jobs=jobs))
    assert night.status(shown) == FAILED
    html = night.render(shown)
    sound(html)
    assert "The night is not whole yet" in html and "As it stands failed: no space left" in html
    assert "nothing can be said of this region" in html


def test_a_night_that_nobody_works_on_was_stopped(tmp_path):
    """Running while a process holds it, stopped half-way once that is gone, whatever ended it."""
    places = {n: str(tmp_path / n) for n in ("reports", "nights", "cards", "holdout")}
    own = config(paths=replace(settings.Paths(), **places))
    place, summary = tmp_path / "nights" / ASOF, tmp_path / "reports" / ASOF / "summary.html"
    summary.parent.mkdir(parents=True)
    summary.write_text("<p>")
    row = {"asof": ASOF, "regions": "us", "status": RUNNING, "concerns": 0, "minutes": 1.0,
           "place": str(place)}  # fmt: skip

    def index():
        landing.night(own, row, summary)
        return (tmp_path / "reports" / "index.html").read_text()

    with nightly._alone(place):
        assert "running" in index() and "stopped half-way" not in index()
        with pytest.raises(StageError, match="another process works on the night"):
            with nightly._alone(place):
                pass
    assert f"the night of {ASOF}: stopped half-way" in index()
    row["status"] = DONE
    assert "stopped half-way" not in index()


def test_ablations_show_their_difference_and_interval(inputs):
    numbers = {"sharpe": 1.0, "ann_return": 0.1, "max_drawdown": -0.2, "cost_bp_ann": 40.0,
               "turnover_ann": 3.0}  # fmt: skip
    other = {**numbers, "sharpe": 0.75}
    pairs = pd.DataFrame([{"book": "cost_x2", "other": "base", "low": -0.4, "high": -0.1,
                           "verdict": "WORSE"}])  # fmt: skip
    jobs = [JobOfNight("base", DONE), JobOfNight("cost_x2", DONE), JobOfNight("no_rl", LEFT_OUT)]
    own = region(inputs, jobs=jobs, metrics={"base": numbers, "cost_x2": other}, pairs=pairs)
    (table,) = night._ablations(own)
    assert [c.text for c in table.rows[0][:5]] == [
        "Costs x 2", "WORSE", "0.75", "−0.25", "−0.40 to −0.10"
    ]  # fmt: skip
    assert len(table.rows) == 1


def test_since_counts_back_from_asof():
    assert config().first_booked == "2016-12-19"
    assert replace(config(), asof="2020-02-29", since="12m").first_booked == "2019-02-28"
    for wrong in ("3", "y", "0y", "3d", "-1y"):
        with pytest.raises(ConfigError, match="is no span"):
            config(model2=settings.Model2()) and replace(config(), since=wrong)
    with pytest.raises(ConfigError, match="counts back from asof"):
        settings.Config(since="3y")


def test_the_day_of_a_run_is_no_part_of_its_configuration():
    from quant.config import config_hash

    assert config_hash(config()) == config_hash(replace(config(), asof="2019-12-20", since="2y"))
    locked = settings.Evaluation(holdout=settings.Holdout(start="2019-06-03"))
    assert config(evaluation=locked).last_seen == "2019-06-02"
    assert config().last_seen == ASOF and settings.Config().last_seen is None


WORDS = [
    "experiment=smoke", "data.sim.n_names=40", "data.end=2017-12-29", "tracking=none",
    "model2.walk_forward.calibration_bins=5",
    "backtest.qlib=false", "importance.ablation=false", "model2.models=[ridge]",
]  # fmt: skip


def night_of(asof, folder, monkeypatch, *words):
    from tests.test_config import composed

    places = [f"paths.{name}={folder / name}" for name in
              ("store", "data", "reports", "nights", "cards", "bundles")]  # fmt: skip
    places += [f"paths.{name}={folder / name}.jsonl" for name in ("trials", "holdout")]
    given = ["stage=nightly", "regions=[us]", "since=1y", f"asof={asof}", *WORDS, *places, *words]
    monkeypatch.setattr(sys, "argv", ["quant", *given])
    (folder / "run").mkdir(parents=True, exist_ok=True)
    return main.run(composed(*given), folder / "run")


def state(folder, asof):
    return json.loads((folder / "nights" / asof / "night.json").read_text())


@pytest.mark.slow
def test_nights_in_a_row(tmp_path, monkeypatch):
    """Two nights; the second fails half-way, says so, and goes on where it stopped."""
    monkeypatch.chdir(PROJECT)
    summary = night_of("2017-12-28", tmp_path, monkeypatch)
    html = summary.read_text()
    sound(html)
    assert "As of 2017-12-28" in html and "Costs x 2" in html
    assert summary == tmp_path / "reports" / "2017-12-28" / "summary.html"
    assert (tmp_path / "reports" / "ablations" / "2017-12-28-US.html").is_file()
    # nothing after the day is seen, and the book begins a year before it
    nav = sweep.read(Path(state(tmp_path, "2017-12-28")["runs"][0]["folder"])).returns
    assert nav["date"].max() == pd.Timestamp("2017-12-28")
    assert nav["date"].min() >= pd.Timestamp("2016-12-28")
    known = (tmp_path / "trials.jsonl").read_text()

    wrong = {**nightly.RUNS, "cost_x2": ("evaluate", ("costs.multiplier=-1",))}
    monkeypatch.setattr(nightly, "RUNS", wrong)
    with pytest.raises(StageError, match=r"1 of 5 runs of the night failed \(us cost_x2"):
        night_of("2017-12-29", tmp_path, monkeypatch)
    told = {r["name"]: r for r in state(tmp_path, "2017-12-29")["runs"]}
    assert told["base"]["status"] == DONE and told["cost_x2"]["status"] == FAILED
    page_ = (tmp_path / "reports" / "2017-12-29" / "summary.html").read_text()
    assert "Costs x 2 failed" in page_
    index = (tmp_path / "reports" / "index.html").read_text()
    assert "2017-12-28/summary.html" in index and "the night of 2017-12-29: failed" in index
    console = (tmp_path / "nights" / "2017-12-29" / "us-base" / "console.log").read_text()
    made = re.search(r"model2: (\d+) of (\d+) fits were made before", console)
    assert made and made[1] == made[2]

    monkeypatch.setattr(
        nightly, "RUNS", {**wrong, "cost_x2": ("evaluate", ("costs.multiplier=2",))}
    )
    night_of("2017-12-29", tmp_path, monkeypatch)
    again = {r["name"]: r for r in state(tmp_path, "2017-12-29")["runs"]}
    assert again["cost_x2"]["status"] == DONE and again["base"] == told["base"]
    # a night looks again at what was tried: new in the ledger is only what a Friday runs beside
    ledger = (tmp_path / "trials.jsonl").read_text()
    weekly = sweep.read(Path(again["impact_x2"]["folder"])).record["config_hash"]
    assert ledger.startswith(known) and len(known.splitlines()) == 3
    assert [json.loads(x)["config_hash"] for x in ledger[len(known) :].splitlines()] == [weekly]


@pytest.mark.slow
def test_a_night_is_what_the_run_on_shorter_data_is(tmp_path, monkeypatch):
    """Cut at the day, the book is to the last bit the one whose future was never drawn."""
    from quant import audit
    from quant.stages import ingest
    from tests.test_config import composed

    words = ["data=sim", "data.start=2012-01-03", "data.end=2017-12-29", "data.sim.n_names=40"]
    whole, seen = composed(*words), composed(*words, "asof=2016-06-15")

    def ingested(own):
        context = ingest.Context("us", own.seed, tmp_path, lambda label: lambda i, n: None)
        context.private = ingest.provider(own)
        return ingest.run(ingest.settings(own), ingest.Inputs({}), context)

    full, cut = ingested(whole), ingested(seen)
    assert cut["bars"]["date"].max() <= pd.Timestamp("2016-06-15")
    kept = audit.forget({k: full[k] for k in ("bars", "actions")}, np.datetime64("2016-06-15"))
    for name, frame in kept.items():
        pd.testing.assert_frame_equal(
            cut[name].reset_index(drop=True), frame.reset_index(drop=True), check_exact=True
        )
    assert date.fromisoformat(seen.asof) > cut["sessions"]["date"].max().date() - pd.Timedelta("5D")

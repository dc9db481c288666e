"""The audit as a user runs it: silent on a clean run, and it names a leak where there is one."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import yaml

from quant import settings
from quant.config_paths import CONF
from quant.core.errors import DataError
from quant.data.providers import files
from quant.reporting.audit import sentence
from quant.stages import audit, audit_files, ingest, load, universe
from quant.stages import features as stage_features
from quant.stages import model2 as stage_model2
from quant.stages.registry import Context, plan
from quant.stages.runner import execute
from tests.pipeline import ingested, tiny

DEAD = ["S0001", "S0003", "S0005", "S0007"]
DAYS = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")


def test_cuts_are_spread_over_the_backtest_and_never_its_last_day():
    three = audit.cuts(settings.Audit(dates=3), DAYS)
    assert [int(np.flatnonzero(DAYS == d)[0]) for d in three] == [9, 29, 49]
    assert audit.cuts(settings.Audit(at=["2020-02-03", "2020-01-05"]), DAYS) == [DAYS[4], DAYS[33]]
    assert len(audit.cuts(settings.Audit(dates=100), DAYS[:5])) <= 5
    for day in ("2019-12-31", "2020-02-29", "2021-01-01"):
        with pytest.raises(DataError, match=f"audit.at has {day}"):
            audit.cuts(settings.Audit(at=[day]), DAYS)


def test_cuts_fall_on_the_days_on_which_much_is_decided():
    lists, refits = DAYS[[3, 8, 40]], DAYS[[2, 20, 45]]
    assert audit.cuts(settings.Audit(dates=3), DAYS, lists, refits) == list(DAYS[[8, 20, 40]])
    # an event before the backtest, or none at all, moves nothing
    assert audit.cuts(settings.Audit(dates=1), DAYS, DAYS[:1]) == [DAYS[29]]


def test_every_stage_is_replayed_but_those_that_say_why():
    names = {s.name for s in audit.REPLAYED}
    assert {s.name for s in load()} - names == set(audit.NOT_REPLAYED)
    files = {name for s in audit.REPLAYED for name in s.files}
    assert files == set(audit_files.COMPARE) | audit_files.SUMMARIES
    assert all(audit_files.left_out(p) for p in settings.PROVIDERS)


def written(region: str, folder) -> settings.Data:
    """A simulated market as a user's files: parquet and CSV."""
    frames = ingested(region, 40, 0.2)
    bars = frames["bars"].drop(columns=["limit_up", "limit_down", "factor"])
    bars.to_parquet(folder / "bars.parquet", index=False)
    frames["rates"].to_csv(folder / "rates.csv", index=False)
    one = frames["benchmark"]["name"] == frames["benchmark"]["name"].iloc[0]
    frames["benchmark"].loc[one, ["date", "close"]].to_csv(folder / "benchmark.csv", index=False)
    names = bars["symbol"].unique()
    if region == "us":
        spells = frames["industries"].drop_duplicates("symbol").set_index("symbol").loc[names]
        parts = spells["industry_id"].str.split(".", n=1, expand=True)
        table = pd.DataFrame({"symbol": names, "sector": parts[0].to_numpy(),
                              "industry": parts[1].to_numpy()})  # fmt: skip
        table.to_csv(folder / "industries.csv", index=False)
    layout = yaml.safe_load((CONF / "data/layout/standard.yaml").read_text())
    return settings.Data(provider="files", root=str(folder), layout=layout)


def config(region: str, folder) -> settings.Config:
    base = tiny(region)
    paths = settings.Paths(
        *(str(folder / name) for name in ("store", "data", "reports", "trials.jsonl")),
        holdout=str(folder / "holdout.jsonl"),
    )
    own = folder / "files"
    own.mkdir()
    return dataclasses.replace(
        base,
        data=written(region, own),
        paths=paths,
        audit=settings.Audit(dates=1, tail=30),
        backtest=settings.Backtest(qlib=region == "us"),
        evaluation=settings.Evaluation(bootstrap=50),
    )


def audited(cfg: settings.Config) -> tuple[pd.DataFrame, dict]:
    last = execute(plan(load(), ("audit",)), cfg, lambda o: None)[-1]
    return last.result.read(last.stage.makes[0]), dict(last.metrics)


@pytest.mark.slow
@pytest.mark.parametrize("region", ["us", "cn"])
def test_a_clean_run_on_files_is_silent_from_the_source_on(region, tmp_path):
    found, metrics = audited(config(region, tmp_path))
    assert found["same"].all(), found[~found["same"]].iloc[0].to_dict()
    assert set(found["how"]) == {"cut", "garbled"} and found["cut"].nunique() == 1
    # ingest too, from a shorter and from a garbled copy of the files
    assert {"ingest", "features", "model2", "backtest", "evaluate"} <= set(found["stage"])
    assert (found.loc[found["stage"] == "ingest"].groupby(["cut", "how"]).size() >= 6).all()
    filled = found[found["table"].isin(["bars", "features", "alpha", "nav", "models (files)"])]
    assert (filled["values"] > 0).all()
    assert metrics["audit.differences"] == 0 and metrics["audit.times_the_run"] > 0
    assert not list((tmp_path / "store").glob(".scratch-*"))  # the replays leave nothing


@pytest.mark.slow
def test_a_leak_is_named_by_stage_table_column_symbol_and_day(tmp_path, monkeypatch):
    clean = stage_features.features.compute

    def centred(panel, membership, *args):
        made = clean(panel, membership)
        # a centred window: half of it lies ahead
        later = made.groupby("symbol")["ret_5d"].shift(-5)
        return made.assign(ret_5d=((made["ret_5d"] + later) / 2).astype("float32"))

    monkeypatch.setattr(stage_features.features, "cached", centred)
    found, metrics = audited(config("us", tmp_path))
    wrong = found[~found["same"]]
    first = wrong.iloc[0]
    assert metrics["audit.differences"] == len(wrong) > 0
    assert (first["stage"], first["table"], first["column"]) == ("features", "features", "ret_5d")
    assert first["symbol"] and first["day"] <= first["cut"]
    assert (first["cut"] - first["day"]).days < 12
    said = sentence(first)
    assert "column ret_5d" in said and first["symbol"] in said


@pytest.mark.slow
def test_a_list_made_with_the_bars_of_tomorrow_is_found_before_what_it_spoils(
    tmp_path, monkeypatch
):
    clean = universe.universe.build

    def early(bars, listings, spells, sessions, chosen):
        days = pd.Series(sessions.astype("datetime64[ns]"))
        before = dict(zip(days[1:], days[:-1], strict=True))
        moved = bars.assign(date=bars["date"].map(before)).dropna(subset=["date"])
        return clean(moved.reset_index(drop=True), listings, spells, sessions, chosen)

    monkeypatch.setattr(universe.universe, "build", early)
    found, _ = audited(config("us", tmp_path))
    assert found[~found["same"]].iloc[0]["stage"] == "universe"


@pytest.mark.slow
def test_a_model_chosen_by_labels_to_come_is_found(tmp_path, monkeypatch):
    clean = stage_model2.cpcv.evaluate

    def later(features, labels, sessions, spec, cv, end, seed):
        at = min(np.searchsorted(sessions, end) + 30, len(sessions) - 1)
        return clean(features, labels, sessions, spec, cv, sessions[at], seed)

    monkeypatch.setattr(stage_model2.cpcv, "evaluate", later)
    found, _ = audited(config("us", tmp_path))
    assert list(found.loc[~found["same"], "table"]) == ["cpcv (the choice)"]


def source(how: str, folder) -> dict:
    """First differences of ingest on a copy of the files that is blind after the cut."""
    folder.mkdir()
    cfg = config("us", folder)
    listings = pd.DataFrame({"symbol": DEAD, "delist_date": "2014-09-15"})
    listings.to_csv(folder / "files" / "listings.csv", index=False)
    context = Context("us", 42, folder, lambda label: lambda i, n: None)
    context.private = ingest.provider(cfg)
    whole = dict(ingest.run(ingest.settings(cfg), {}, context))
    cut = np.datetime64("2014-05-05")
    compared = audit_files.ingested(cfg, whole, cut, how, 42, folder / "blind")
    return {name: found.first for name, found in compared if found.first}


@pytest.mark.parametrize("how", audit.HOW)
def test_a_source_that_drops_the_names_that_will_die_is_found(how, tmp_path, monkeypatch):
    assert source(how, tmp_path / "clean") == {}
    clean = files.Files.fetch

    def survivors(self, start, end):
        raw = clean(self, start, end)
        path = self.layout.root / "listings.csv"
        dead = pd.read_csv(path).dropna(subset=["delist_date"])["symbol"]
        bars = raw.bars[~raw.bars["symbol"].isin(dead)].reset_index(drop=True)
        return dataclasses.replace(raw, bars=bars)

    monkeypatch.setattr(files.Files, "fetch", survivors)
    assert source(how, tmp_path / "leaky")["bars"].symbol in DEAD

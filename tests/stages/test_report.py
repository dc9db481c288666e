"""The page follows the ledger of the hold-out, which grows while the settings stay."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from quant import settings
from quant.governance import holdout
from quant.stages import report
from quant.stages.ingest import holdout_market

WHO = {"utc": "2026-01-02T03:04:05+00:00", "user": "ada", "name": "run", "git_sha": "abc"}


@pytest.fixture
def config(tmp_path):
    return settings.Config(paths=settings.Paths(holdout=str(tmp_path / "holdout.jsonl")))


def look(config, config_hash):
    visit = holdout.Visit(
        holdout_market(config), holdout.Span("2010-01-04"), holdout.Span("2015-01-02"), read=True
    )
    who = WHO | {"config_hash": config_hash}
    holdout.declare(Path(config.paths.holdout), visit, who, 3)
    holdout.look(Path(config.paths.holdout), visit, who)


def test_every_look_moves_the_key(config):
    seen = [report.external(config)]
    assert report.external(config) == seen[0]
    for config_hash in ("one", "two"):
        look(config, config_hash)
        seen.append(report.external(config))
    assert len(set(seen)) == 3


def test_the_page_shows_the_looks_that_entered_its_key(config):
    """Another run may look between the key and the page."""
    look(config, "one")
    report.external(config)
    look(config, "two")
    assert report.looked(config).reads == 1
    assert report.looked(config).reads == 2  # without a key it reads anew


def test_a_run_with_a_lock_is_told_of_its_own_hold_out(config):
    look(config, "one")
    own = settings.Evaluation(holdout=settings.Holdout(start="2016-01-04"))
    told = report.looked(dataclasses.replace(config, evaluation=own))
    assert (told.start, told.locked) == ("2016-01-04", True)
    other = report.looked(config)
    assert (other.start, other.locked, other.before) == ("2015-01-02", False, 3)


def test_the_page_knows_whether_risk_is_relative(config):
    own = pd.DataFrame({"date": pd.to_datetime(["2020-01-02", "2020-01-03"]), "rf": 0.0})
    seeds = pd.DataFrame(columns=["fold", "model", "seed"])
    shown = report.settings(config)
    for relative in (False, True):
        shown["config"]["optimizer"]["relative"] = relative
        assert report._meta(shown, own, seeds, True).relative is relative

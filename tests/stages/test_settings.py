"""What enters the key of a stage, and what a market is."""

from datetime import date

import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.tables import MEMBERS
from quant.data.providers.base import empty
from quant.settings import Config, Data, Region, Sim, Universe, Vendor
from quant.stages import ingest, universe
from quant.stages.ingest import holdout_market, market_id


def vendor(**said) -> Config:
    return Config(data=Data(provider="yfinance", start="2006-01-03", vendor=Vendor(**said)))


@pytest.mark.parametrize("said", [{"offline": True}, {"refresh": True}, {"folder": "/x"}])
def test_how_a_vendor_is_asked_neither_moves_a_key_nor_resets_the_count_of_trials(said):
    assert ingest.settings(vendor(**said)) == ingest.settings(vendor())
    assert market_id(vendor(**said)) == market_id(vendor())
    assert market_id(vendor(screen_size=9)) != market_id(vendor())
    assert ingest.settings(vendor(on_revision="accept")) != ingest.settings(vendor())


def test_another_window_of_the_same_data_is_another_trial_and_no_other_market():
    shorter = Config(data=Data(provider="yfinance", start="2012-01-03", end="2015-01-02"))
    assert market_id(shorter) == market_id(vendor())
    assert ingest.settings(shorter) != ingest.settings(vendor())
    ends = [Config(data=Data(start="2012-01-03", end=end)) for end in ("2014-12-31", "2015-12-31")]
    assert len({market_id(c) for c in ends}) == 2


def test_a_day_appended_to_the_files_neither_resets_the_trials_nor_forgets_the_hold_out(tmp_path):
    def own(folder) -> Config:
        layout = {"bars": [{"path": "bars.csv"}]}
        return Config(data=Data(provider="files", root=str(folder), layout=layout))

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bars.csv").write_text("date,symbol\n2020-01-02,A\n")
    before = market_id(own(tmp_path / "a"))
    (tmp_path / "a" / "bars.csv").write_text("date,symbol\n2020-01-02,A\n2020-01-03,A\n")
    assert market_id(own(tmp_path / "a")) == before
    assert market_id(own(tmp_path / "b" / ".." / "a")) == before
    assert market_id(own(tmp_path / "b")) != before


def test_the_same_days_through_other_settings_are_the_same_for_a_hold_out(tmp_path):
    def own(folder, **layout) -> Config:
        return Config(data=Data(provider="files", root=str(folder), layout=layout))

    others = [{"screen_size": 9}, {"on_revision": "accept"}, {"industry_backfill": True}]
    assert len({holdout_market(vendor(**said)) for said in ({}, *others)}) == 1
    noted = own(tmp_path / "b" / ".." / "a", notes=["mine"])
    assert market_id(noted) != market_id(own(tmp_path / "a"))
    assert holdout_market(noted) == holdout_market(own(tmp_path / "a"))
    apart = [own(tmp_path / "a"), own(tmp_path / "b"), vendor(), Config(), Config(seed=7),
             Config(data=Data(sim=Sim(40))),
             Config(region=Region(name="cn"), data=Data(provider="tushare"))]  # fmt: skip
    assert len({holdout_market(c) for c in apart}) == len(apart)


def test_a_simulated_market_that_ends_today_is_another_one_tomorrow(monkeypatch):
    class Tomorrow(date):
        @classmethod
        def today(cls):
            return date(2020, 1, 2)

    config = Config(data=Data(start="2012-01-03", sim=Sim(40)))
    now = ingest.settings(config)
    monkeypatch.setattr(ingest, "date", Tomorrow)
    assert ingest.settings(config) != now


def test_only_a_panel_that_an_index_was_chosen_by_is_filtered_by_it():
    cn = Region(name="cn")
    assert universe.settings(Config(region=cn, data=Data(provider="tushare"))).index == "none"
    asked = Config(region=cn, data=Data(provider="tushare"), universe=Universe(index="CSI300"))
    assert universe.settings(asked).index == "CSI300"
    files = Config(region=cn, data=Data(provider="files", root="/x"))
    assert universe.settings(files).index == "auto"


def test_an_empty_universe_is_said_with_what_each_rule_left():
    counts = pd.DataFrame(
        {"asof": pd.to_datetime(["2020-01-31"] * 2), "rule": ["known", "index"], "count": [40, 0]}
    )
    with pytest.raises(DataError, match="universe is empty .* known 40, index 0"):
        universe.require_members(empty(MEMBERS), counts)

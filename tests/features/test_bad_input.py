"""Markets at the edge of what can be said: what comes out, or what is refused."""

import numpy as np
import pandas as pd
import pytest

from quant import settings
from quant.core import horizons, tables
from quant.core.errors import ConfigError, DataError
from quant.features import PRODUCERS, compute, labels
from quant.stages import features, universe
from tests.features import market
from tests.pipeline import ingested, through, tiny

BARS = market.bars()
MEMBERS = market.membership(BARS)
PANEL = market.panel(BARS)
ALL = (5, 10, 21)


@pytest.fixture(scope="module")
def given():
    return ingested("us", 40, 0.0)


def made(config: settings.Config, given, folder) -> dict[str, pd.DataFrame]:
    frames = through(config, given, folder, (universe.STAGE, features.STAGE))
    for table in features.STAGE.makes:
        table.check(frames[table.name])
    return frames


def test_features_without_a_value_are_columns_of_nan_and_the_dictionary_says_so(given, tmp_path):
    """In the US free sources know no float, and there are no price limits."""
    blind = dict(given) | {"bars": given["bars"].assign(float_shares=np.nan)}
    frames = made(tiny("us"), blind, tmp_path)
    names = [p.name for p in PRODUCERS if p.family in ("turnover", "limits")]
    assert frames["features"][names].isna().all().all()
    page = (tmp_path / "features" / "dictionary.md").read_text()
    for name in names:
        line = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        assert "| 100.0% |" in line


def test_a_name_alone_in_its_industry_and_group_is_measured_against_all():
    alone = MEMBERS.assign(industry_id=MEMBERS["symbol"], group_id=MEMBERS["symbol"])
    rows = compute(PANEL, alone)
    gap = rows["ret_21d"] - rows.groupby("date")["ret_21d"].transform("mean")
    np.testing.assert_allclose(rows["ind_ret_21d"], gap, atol=1e-6)
    for residual in ("industry", "industry_beta"):
        raw = labels(PANEL, alone, [5], residual).groupby("date")["raw"]
        assert raw.mean().abs().max() < 1e-12 and raw.std().min() > 1e-3


def test_a_universe_of_five_has_features_and_labels(given, tmp_path):
    config = tiny("us")
    config.universe.size = 5
    frames = made(config, given, tmp_path)
    known = frames["labels"].groupby(["date", "horizon"])["label"]
    assert known.count().max() == 5
    assert known.max().max() == pytest.approx(1.2816, abs=1e-3)  # the ninetieth percentile
    assert frames["features"]["ind_ret_21d"].notna().mean() > 0.9


def test_a_universe_of_one_has_labels_of_zero():
    """Alone it is its own market: nothing to choose from, and nothing to learn."""
    one = MEMBERS[MEMBERS["symbol"] == "S010"]
    rows = labels(PANEL, one, ALL)
    assert len(rows) and (rows[["raw", "label"]].abs() < 1e-12).all().all()
    assert (compute(PANEL, one)["ind_ret_21d"].dropna() == 0).all()


def test_a_universe_of_none_has_no_rows():
    rows = labels(PANEL, MEMBERS.iloc[:0], ALL)
    assert rows.empty and tables.LABELS.check(rows).num_rows == 0


def test_a_horizon_longer_than_the_data_is_refused_where_labels_are_asked_for(given, tmp_path):
    """The other horizons keep theirs; a model of the long one is told what to do."""
    short = dict(given)
    last = given["sessions"]["date"].iloc[300]
    for name in ("bars", "sessions", "rates", "benchmark"):
        short[name] = given[name][given[name]["date"] <= last]
    config = tiny("us")
    config.universe.min_history = 100
    config.model2.label = settings.Label(252, [5, 252])
    frames = made(config, short, tmp_path)
    assert set(frames["labels"]["horizon"]) == {5}
    with pytest.raises(DataError, match=r"no label over 252 sessions .* over \[5\].*lengthen"):
        horizons.at(frames["labels"], 252)


def test_settings_of_labels_are_checked():
    with pytest.raises(ConfigError, match=r"horizon=63 is not among .*\[5, 10, 21\]; add it"):
        settings.Label(63)
    with pytest.raises(ConfigError, match=r"horizon=300 is outside \[1, 252\]"):
        settings.Label(21, [21, 300])
    with pytest.raises(ConfigError, match="residual"):
        settings.Label(residual="beta")

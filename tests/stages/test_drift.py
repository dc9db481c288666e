"""Stage drift: what it looks at, what it finds, and that nothing later moves a row."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant import audit, settings
from quant.core import tables
from quant.core.errors import ConfigError
from quant.governance import drift as room
from quant.stages import drift, importance
from tests.pipeline import STAGES, ingested, through, tiny

CHAIN = (*STAGES[:3], importance.STAGE, drift.STAGE)
WINDOW = 21


def config(**changes):
    base = tiny("us")
    return replace(
        base,
        model2=replace(base.model2, models=["ridge"]),
        importance=settings.Importance(rows=60, rounds=3, ablation=False),
        drift=settings.Drift(**{"top": 4, "window": WINDOW, "past": 252} | changes),
    )


@pytest.fixture(scope="module")
def given():
    return ingested("us", 40, 0.05)


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory):
    return through(config(), given, tmp_path_factory.mktemp("whole"), CHAIN)


def again(whole, **changes):
    """The stage alone, on other tables."""
    found = config()
    inputs = drift.Inputs({t.name: (whole | changes)[t.name].copy for t in drift.STAGE.needs})
    context = drift.Context("us", 42, None, lambda label: lambda i, n: None)
    return drift.run(found.drift, inputs, context)["drift"], context.metrics


def test_the_score_and_the_leading_features_of_the_last_refit(whole):
    tables.DRIFT.check(whole["drift"])
    made = whole["drift"]
    ahead = whole["importance"].sort_values(["mean_abs_shap", "feature"], ascending=[False, True])
    for day, rows in made.groupby("date"):
        refit = ahead["date"][ahead["date"] <= day].max()
        wanted = list(ahead[ahead["date"] == refit]["feature"][:4])
        leading = rows[rows["rank"] > 0]["feature"]
        assert set(leading) <= set(wanted)
        assert list(leading) == [name for name in wanted if name in set(leading)]
    last = made[made["date"] == made["date"].max()]
    assert list(last["feature"])[0] == "score" and len(last) == 5


def test_a_row_is_what_the_statistics_say_of_its_values(whole):
    made = whole["drift"]
    day = made["date"].max()
    row = made[(made["date"] == day) & (made["rank"] == 2)].iloc[0]
    days = whole["sessions"]["date"]
    own = whole["features"][["date", row["feature"]]]
    used = days[days <= day].iloc[-(252 + WINDOW) :]
    groups = {d: g[row["feature"]].to_numpy() for d, g in own.groupby("date")}
    found = room.measure([groups[d] for d in used if d in groups], WINDOW)
    assert (row["distance"], row["literal"], row["p"], row["psi"]) == pytest.approx(
        (found.distance, found.literal, found.p, found.psi)
    )
    rows = made[made["date"] == day]
    np.testing.assert_allclose(rows["holm"], room.holm(rows["p"]))


def test_a_shifted_feature_is_found_and_named(whole):
    last = whole["drift"]["date"].max()
    name = whole["drift"][whole["drift"]["date"] == last].iloc[1]["feature"]
    since = whole["sessions"]["date"][whole["sessions"]["date"] <= last].iloc[-WINDOW]
    features = whole["features"].copy()
    moved = features["date"] >= since
    features.loc[moved, name] += 10 * features[name].std()
    before = whole["drift"].set_index(["date", "feature"]).loc[(last, name)]
    after, metrics = again(whole, features=features)
    found = after.set_index(["date", "feature"]).loc[(last, name)]
    assert found["severity"] == "severe" and found["review"] and found["psi"] > before["psi"]
    assert metrics["drift.severe"] >= 1


def test_the_last_session_can_be_looked_at_between_two_looks(whole):
    made = drift.today(whole, config().drift)
    tables.DRIFT.check(made)
    assert (made["date"] == whole["sessions"]["date"].max()).all() and len(made) == 5
    # on the day of a look it is that look
    last = whole["drift"]["date"].max()
    then = {k: whole[k][whole[k]["date"] <= last] for k in ("features", "alpha", "sessions")}
    again_ = drift.today({**whole, **then}, config().drift)
    wanted = whole["drift"][whole["drift"]["date"] == last]
    pd.testing.assert_frame_equal(
        again_.reset_index(drop=True), wanted.sort_values("rank").reset_index(drop=True)
    )


def test_too_short_a_history_is_an_empty_table(whole):
    cut = whole["sessions"]["date"].iloc[30]
    short = {k: whole[k][whole[k]["date"] <= cut] for k in ("features", "alpha", "importance")}
    made, metrics = again(whole, **short)
    tables.DRIFT.check(made)
    assert not len(made) and not metrics


@pytest.mark.parametrize("how", ["cut", "garbled"])
def test_nothing_later_moves_a_row(whole, given, tmp_path, how):
    cut = np.datetime64(sorted(whole["folds"]["predict_start"].unique())[3], "D")
    blind = audit.forget(given, cut) if how == "cut" else audit.garble(given, cut, seed=1, tail=60)
    other = through(config(), blind, tmp_path, CHAIN)
    mine, theirs = (audit.known(f["drift"], tables.DRIFT, cut) for f in (whole, other))
    assert len(mine)
    found = audit.compare(mine, theirs, tables.DRIFT.key)
    assert found.first is None, found.first


def test_a_past_shorter_than_two_windows_is_refused():
    with pytest.raises(ConfigError, match="two stretches"):
        settings.Drift(window=63, past=100)


def test_no_look_without_a_refit_before_it(whole):
    first = whole["folds"]["predict_start"].min()
    assert whole["drift"]["date"].min() >= first
    assert not len(again(whole, importance=whole["importance"].head(0))[0])
    assert isinstance(whole["drift"]["date"].iloc[0], pd.Timestamp)


def test_a_night_measures_only_what_its_session_changed(whole, tmp_path, monkeypatch):
    """Kept measures are those made anew; those of looks before a new session are not made again."""
    cut = np.sort(whole["sessions"]["date"].unique())[-22]
    early = {k: v[v["date"] <= cut] for k, v in whole.items() if "date" in v.columns}

    def kept(frames):
        inputs = drift.Inputs({t.name: frames[t.name].copy for t in drift.STAGE.needs})
        context = drift.Context("us", 42, None, lambda label: lambda i, n: None, private=tmp_path)
        return drift.run(config().drift, inputs, context)["drift"]

    first = kept(whole | early)
    made, measure = [], room.measure
    monkeypatch.setattr(room, "measure", lambda *a: made.append(a) or measure(*a))
    later = kept(whole)
    new = later[later["date"] > cut]
    assert 0 < len(made) == len(new) < len(later)
    pd.testing.assert_frame_equal(later, whole["drift"], check_exact=True)
    pd.testing.assert_frame_equal(
        later[later["date"] <= cut].reset_index(drop=True), first, check_exact=True
    )

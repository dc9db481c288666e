"""The states that a market's tables give: their laws, and what odd industries get."""

import numpy as np
import pandas as pd
import pytest

from quant.core import tables
from tests.model1 import runs
from tests.pipeline import ingested

BOUND = 0.15
ROUNDING = 2.0**-22


@pytest.fixture(scope="module", params=["us", "cn"])
def frames(request):
    return runs.made(request.param)


def beside(frames):
    """Every industry's row with that of its immediate parent."""
    parents = frames["parent_states"]
    groups = frames["membership"].drop_duplicates(["date", "industry_id"])
    known = groups["group_id"].isin(parents["node_id"])
    node = groups["group_id"].where(known, "market")
    rows = groups.assign(node_id=node)[["date", "industry_id", "node_id"]]
    rows = rows.merge(frames["states"], on=["date", "industry_id"])
    return rows.merge(parents, on=["date", "node_id"], suffixes=("", "_above"))


def test_every_industry_with_members_has_a_row_and_no_hole(frames):
    rows = frames["membership"][["date", "industry_id"]].drop_duplicates()
    assert len(frames["states"]) == len(rows) == len(rows.merge(frames["states"]))
    assert frames["states"].notna().all(axis=None)
    days = frames["sessions"]["date"]
    assert frames["regime"]["date"].tolist() == days.tolist()
    assert frames["regime"][["p_systemic", "p_crisis", "vol_target"]].notna().all(axis=None)
    for made in tables.STATES, tables.REGIME, tables.PARENT_STATES, tables.HMM_FITS:
        made.check(frames[made.name])


@pytest.mark.parametrize("names", [tables.TREND, tables.VOL])
def test_a_child_stays_by_its_parent_unless_it_is_flagged(frames, names):
    rows = beside(frames)
    assert len(rows) == len(frames["states"])
    apart = np.abs(rows[list(names)].to_numpy(float) -
                   rows[[f"{n}_above" for n in names]].to_numpy(float))  # fmt: skip
    far = apart.max(axis=1) > BOUND + ROUNDING
    flagged = frames["overrides"].rename(columns={"node_id": "industry_id"}).assign(flag=True)
    flag = rows[["date", "industry_id"]].merge(flagged, how="left")["flag"].notna().to_numpy()
    if names == tables.TREND:
        assert not far.any()
    assert not (far & ~flag).any()
    kept = rows[far]
    assert (kept["p_vol_crisis"] >= 0.3 - ROUNDING).all()
    assert (kept["p_vol_crisis"] > kept["p_vol_crisis_above"]).all()


def test_thin_industries_take_the_states_of_their_parent(frames):
    rows = beside(frames)
    counts = frames["indices"].rename(columns={"node_id": "industry_id"})
    rows = rows.merge(counts[["date", "industry_id", "members"]], on=["date", "industry_id"])
    thin = rows[rows["members"] < 5]
    thick = rows[rows["members"] >= 5]
    assert len(thin) > 50 and len(thick) > 50
    for name in (*tables.TREND, *tables.VOL):
        np.testing.assert_array_equal(thin[name], thin[f"{name}_above"])
    assert (thick["p_trend_bull"] != thick["p_trend_bull_above"]).mean() > 0.2


def test_limits_follow_from_the_probabilities(frames):
    s, cap = frames["states"], 0.25
    gap = s["p_trend_bull"].astype(float) - s["p_trend_bear"].astype(float)
    np.testing.assert_allclose(s["tilt_bp"], 10 * gap, atol=1e-5)
    systemic = s["p_sys_systemic"] >= 0.5
    assert (s.loc[systemic, "cap_long"] == np.float32(cap / 2)).all()
    assert set(s["cap_long"]) <= {np.float32(cap), np.float32(cap / 2)}
    crisis = s.groupby("date")["p_vol_crisis"].mean()
    regime = frames["regime"].set_index("date").loc[crisis.index]
    np.testing.assert_allclose(regime["p_crisis"], crisis, atol=1e-6)
    np.testing.assert_allclose(regime["vol_target"], 0.12 - 0.04 * crisis, atol=1e-7)


def test_without_model_1_nothing_is_known_and_nothing_moves():
    frames = runs.made("us", enabled=False)
    s = frames["states"]
    assert (s["tilt_bp"] == 0).all() and (s["cap_long"] == np.float32(0.25)).all()
    assert (frames["regime"]["vol_target"] == 0.12).all()
    assert s[list(tables.TREND)].nunique().eq(1).all() and not len(frames["hmm_fits"])
    full = runs.made("us")
    keys = ["date", "industry_id"]
    pd.testing.assert_frame_equal(s[keys].reset_index(drop=True), full["states"][keys])


def test_the_same_again_to_the_last_bit():
    given = ingested("us", 60, 0.0)
    again = runs.run(runs.config("us"), given)
    for table in (tables.STATES, tables.REGIME, tables.HMM_FITS, tables.FLIP_FITS):
        pd.testing.assert_frame_equal(
            again[table.name], runs.made("us")[table.name], check_exact=True
        )


def broken(region: str, how: str):
    """Tables of ingest with one thing wrong."""
    given = ingested(region, 60, 0.0)
    bars, spells = given["bars"].copy(), given["industries"].copy()
    code = spells["industry_id"].value_counts().index[0]
    names = spells.loc[spells["industry_id"] == code, "symbol"]
    if how == "constant prices":
        still = bars["symbol"].isin(names)
        for name in ("open", "high", "low", "close", "pre_close"):
            bars.loc[still, name] = 10.0
        bars.loc[still, "factor"] = 1.0
    if how == "a missing month":
        month = bars["date"].dt.to_period("M") == pd.Period("2013-05")
        bars = bars[~month].reset_index(drop=True)
    if how == "a single member":
        spells.loc[spells["symbol"] == names.iloc[0], ["industry_id", "group_id"]] = (
            "Alone",
            "Alone",
        )
    if how == "an industry that appears":
        day = pd.Timestamp("2013-10-16")
        mine = spells["symbol"].isin(names.iloc[: len(names) // 2])
        new = spells[mine].assign(in_date=day, industry_id="New.1", group_id="New")
        spells.loc[mine, "out_date"] = day - pd.Timedelta(days=1)
        spells = pd.concat([spells, new], ignore_index=True)
        spells = spells.astype({"out_date": "datetime64[ns]"}).sort_values(["symbol", "in_date"])
    return {**given, "bars": bars, "industries": spells.reset_index(drop=True)}, code


@pytest.mark.parametrize(
    "how",
    ["constant prices", "a missing month", "a single member", "an industry that appears"],
)
def test_odd_industries_have_states_too(how):
    given, code = broken("us", how)
    frames = runs.run(runs.config("us"), given)
    s = frames["states"]
    assert s.notna().all(axis=None) and len(s) > 1000
    for names in (tables.TREND, tables.VOL):
        assert (s[list(names)].astype(float).sum(axis=1) == 1.0).all()
    if how == "constant prices":
        rows = beside(frames).query("industry_id == @code")
        np.testing.assert_array_equal(rows["p_vol_crisis"], rows["p_vol_crisis_above"])
    if how == "an industry that appears":
        new = s[s["industry_id"] == "New.1"]
        assert new["date"].min() >= pd.Timestamp("2013-10-16") and len(new) > 100
        assert (frames["indices"].query("node_id == 'New.1'")["date"] >= new["date"].min()).all()

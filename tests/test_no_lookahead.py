"""Nothing dated t knows what came after t: for every feature, for the labels, to the last bit."""

import numpy as np
import pandas as pd
import pytest

from quant.core.panel import Panel
from quant.core.seeds import generator
from quant.features import FIELDS, PRODUCERS, compute, labels
from tests.features import market

BARS = market.bars()
MEMBERS = market.membership(BARS)
CUTS = [np.datetime64(market.DAYS[day], "ns") for day in (255, 280, 310)]
WHOLE = compute(market.panel(BARS), MEMBERS)


def corrupted(bars: pd.DataFrame, cut: np.datetime64, how: str) -> pd.DataFrame:
    """Bars whose rows after `cut` are garbage."""
    rng = generator(7, "corrupt", how)
    out = bars.copy()
    after = out["date"] > cut
    for name in FIELDS:
        values = out[name].to_numpy(copy=True)
        garbage = {
            "huge": np.exp(rng.normal(40.0, 30.0, after.sum())),
            "negative": -values[after],
            "missing": np.full(after.sum(), np.nan),
            "infinite": np.full(after.sum(), np.inf),
            "shuffled": rng.permutation(values[after]),
        }[how]
        values[after] = garbage
        out[name] = values
    return out


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        one.reset_index(drop=True), other.reset_index(drop=True), check_exact=True
    )


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("producer", PRODUCERS, ids=lambda p: p.name)
def test_cutting_the_future_leaves_a_feature_unchanged(producer, cut):
    short = BARS[BARS["date"] <= cut]
    after = compute(market.panel(short), MEMBERS[MEMBERS["date"] <= cut], [producer])
    same(WHOLE.loc[WHOLE["date"] <= cut, ["date", "symbol", producer.name]], after)


def test_cutting_the_future_leaves_features_of_several_years_unchanged():
    """Those that the short market has no history for."""
    producers = [p for p in PRODUCERS if p.lookback > 252]
    bars = market.bars(820, 12)
    members, cut = market.membership(bars), np.datetime64(market.DAYS[790], "ns")
    whole = compute(market.panel(bars), members, producers)
    short, known = bars[bars["date"] <= cut], members["date"] <= cut
    after = compute(market.panel(short), members[known], producers)
    same(whole[whole["date"] <= cut], after)
    assert after[[p.name for p in producers]].notna().any().all()


@pytest.mark.parametrize("how", ["huge", "negative", "missing", "infinite", "shuffled"])
@pytest.mark.parametrize("cut", CUTS)
def test_corrupting_the_future_leaves_every_feature_unchanged(cut, how):
    after = compute(market.panel(corrupted(BARS, cut, how)), MEMBERS)
    same(WHOLE[WHOLE["date"] <= cut], after[after["date"] <= cut])
    assert not WHOLE[WHOLE["date"] > cut].equals(after[after["date"] > cut])


@pytest.mark.parametrize("cut", CUTS)
def test_names_and_industries_to_come_leave_every_feature_unchanged(cut):
    extra = BARS[(BARS["date"] > cut) & (BARS["symbol"] == "S007")].assign(symbol="A000")
    moved = MEMBERS.copy()
    moved.loc[moved["date"] > cut, ["industry_id", "group_id"]] = "other"
    bars = pd.concat([BARS, extra]).sort_values(["date", "symbol"])
    new = extra[["date", "symbol"]].assign(industry_id="new", group_id="new")
    after = compute(market.panel(bars), pd.concat([moved, new]))
    same(WHOLE[WHOLE["date"] <= cut], after[after["date"] <= cut])


STEADY = ["S001", "S002", "S003", "S004"]  # all but these trade to the end, and never rest long
LOOKBACKS = sorted({p.lookback for p in PRODUCERS})


@pytest.mark.parametrize("lookback", LOOKBACKS)
def test_a_feature_needs_no_more_than_its_lookback(lookback):
    """Shown on the days after `lookback`: no name of the fixture is suspended for longer."""
    producers = [p for p in PRODUCERS if p.lookback == lookback]
    bars = market.bars(lookback + 78)
    bars = bars[~bars["symbol"].isin(STEADY)]
    members = market.membership(bars, first=lookback + 41)
    whole = compute(market.panel(bars), members, producers)
    late = bars[bars["date"] >= np.datetime64(market.DAYS[20], "ns")]
    days = market.DAYS[20 : lookback + 78]
    after = compute(Panel.of(late, FIELDS, dates=days), members, producers)
    same(whole, after)
    assert whole[[p.name for p in producers]].notna().any().all()


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("horizon", [5, 21])
def test_cutting_the_future_leaves_known_labels_unchanged(cut, horizon):
    whole = labels(market.panel(BARS), MEMBERS, [horizon])
    short = BARS[BARS["date"] <= cut]
    after = labels(market.panel(short), MEMBERS[MEMBERS["date"] <= cut], [horizon])
    same(whole[whole["end"] <= cut], after)


@pytest.mark.parametrize("how", ["huge", "negative", "missing", "infinite", "shuffled"])
@pytest.mark.parametrize("cut", CUTS)
def test_corrupting_the_future_leaves_known_labels_unchanged(cut, how):
    whole = labels(market.panel(BARS), MEMBERS)
    after = labels(market.panel(corrupted(BARS, cut, how)), MEMBERS)
    same(whole[whole["end"] <= cut], after[after["end"] <= cut])


def test_a_label_is_moved_by_its_end_and_not_by_the_close_of_that_session():
    """`end` is honest: the open of that session matters, its close and all later do not."""
    end = market.DAYS[200]
    whole = labels(market.panel(BARS), MEMBERS)
    here = BARS["date"] == np.datetime64(end, "ns")
    for column, moved in (("open", True), ("close", False)):
        bars = BARS.copy()
        bars.loc[here & (bars["symbol"] == "S010"), column] *= 1.5
        after = labels(market.panel(bars), MEMBERS)
        rows = whole["end"] == np.datetime64(end, "ns")
        assert rows.any()
        assert (not whole[rows].equals(after[rows])) == moved

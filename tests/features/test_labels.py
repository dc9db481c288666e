"""Labels: open to open, minus the industry, ranked; what happens when a name does not trade."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from quant.core.errors import ConfigError
from quant.features import labels
from tests.features import market

BARS = market.bars()
MEMBERS = market.membership(BARS)
LABELS = labels(market.panel(BARS), MEMBERS)
T = 120


def flat(open_: float = 10.0, n_days: int = 40, names: str = "ABCDEF") -> pd.DataFrame:
    """Names that all stand still, so that every label is 0 until a test moves one."""
    days = market.DAYS[:n_days].astype("datetime64[ns]")
    frame = pd.DataFrame({"date": np.repeat(days, len(names)), "symbol": list(names) * n_days})
    frame[["open", "high", "low", "close"]] = open_
    frame[["volume", "amount", "factor", "float_shares"]] = 1.0
    return frame


def members(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["date", "symbol"]].assign(industry_id="i", group_id="g")


def day(i: int) -> pd.Timestamp:
    return pd.Timestamp(market.DAYS[i])


def total(frame: pd.DataFrame, symbol: str, at: int, horizon: int = 5, **options) -> float:
    """Total return of `symbol`: its residual plus a sixth of it, as the other five stand still."""
    table = labels(market.panel(frame), members(frame), horizon, **options)
    row = table[(table["symbol"] == symbol) & (table["date"] == day(at))]
    return float(row["raw"].iloc[0] * 6 / 5) if len(row) else np.nan


def test_the_label_runs_from_the_next_open_to_the_open_h_sessions_later():
    frame = flat()
    a = frame["symbol"] == "A"
    frame.loc[a & (frame["date"] == day(11)), "open"] = 8.0
    frame.loc[a & (frame["date"] == day(16)), "open"] = 12.0
    assert total(frame, "A", 10) == pytest.approx(12 / 8 - 1)
    assert total(frame, "A", 9) == pytest.approx(0.0)
    assert total(frame, "A", 15) == pytest.approx(10 / 12 - 1)


def test_dividends_and_splits_are_in_the_return():
    frame = flat()
    after = (frame["symbol"] == "A") & (frame["date"] >= day(13))
    frame.loc[after, ["open", "high", "low", "close"]] /= 2
    frame.loc[after, "factor"] *= 2.2
    assert total(frame, "A", 10) == pytest.approx(0.1)


def test_what_can_not_be_bought_has_no_label():
    frame = flat()
    frame = frame[~((frame["symbol"] == "A") & (frame["date"] == day(11)))]
    assert np.isnan(total(frame, "A", 10))


def test_what_can_not_be_sold_is_valued_at_its_last_close():
    frame = flat()
    a = frame["symbol"] == "A"
    frame.loc[a & (frame["date"] == day(13)), "close"] = 13.0
    frame = frame[~(a & frame["date"].between(day(14), day(20)))]
    assert total(frame, "A", 10) == pytest.approx(0.3)
    first = flat()
    first.loc[(first["symbol"] == "A") & (first["date"] == day(11)), "close"] = 11.0
    first = first[~((first["symbol"] == "A") & first["date"].between(day(12), day(20)))]
    assert total(first, "A", 10) == pytest.approx(0.1)


def test_without_an_open_the_close_of_that_session_is_not_yet_known():
    frame = flat()
    a = frame["symbol"] == "A"
    frame.loc[a & (frame["date"] == day(15)), "close"] = 12.0
    frame.loc[a & (frame["date"] == day(16)), ["open", "close"]] = [np.nan, 15.0]
    assert total(frame, "A", 10) == pytest.approx(0.2)


def test_a_delisting_pays_its_return_on_the_last_close():
    frame = flat()
    a = frame["symbol"] == "A"
    frame.loc[a & (frame["date"] == day(14)), "close"] = 9.0
    frame = frame[~(a & (frame["date"] > day(14)))]
    gone = pd.DataFrame(
        {"symbol": ["A", "X"], "delist_date": [day(14), day(3)], "delist_return": [-0.3, 0.1]}
    )
    assert total(frame, "A", 10, delistings=gone) == pytest.approx(0.9 * 0.7 - 1)
    assert total(frame, "A", 10) == pytest.approx(-0.1)
    unknown = gone.assign(delist_return=np.nan)
    assert total(frame, "A", 10, delistings=unknown) == pytest.approx(-0.1)
    alive = gone.assign(delist_date=pd.NaT)
    assert total(frame, "A", 10, delistings=alive) == pytest.approx(-0.1)


def test_a_delisting_after_the_end_of_the_label_does_not_matter():
    frame = flat()
    gone = pd.DataFrame({"symbol": ["A"], "delist_date": [day(16)], "delist_return": [-0.3]})
    assert total(frame, "A", 10, delistings=gone) == pytest.approx(0.0)
    assert total(frame, "A", 11, delistings=gone) == pytest.approx(-0.3)


def test_the_end_is_the_session_on_which_the_label_becomes_known():
    days = market.DAYS[:330]
    position = {pd.Timestamp(d): i for i, d in enumerate(days)}
    gap = LABELS["end"].map(position) - LABELS["date"].map(position)
    assert set(gap) == {22}
    assert LABELS["end"].max() <= pd.Timestamp(days[-1])
    assert LABELS["date"].max() == pd.Timestamp(days[-23])


def test_raw_sums_to_zero_in_every_large_industry():
    rows = LABELS.merge(MEMBERS, on=["date", "symbol"])
    groups = rows.groupby(["date", "industry_id"])["raw"].agg(["mean", "count"])
    large = groups.loc[groups["count"] >= 5, "mean"]
    assert len(large) > 100 and large.abs().max() < 1e-12
    small = groups.loc[groups["count"] < 5, "mean"]
    assert small.abs().max() > 1e-3


def test_the_label_is_the_normal_score_of_the_rank():
    rows = LABELS[LABELS["date"] == day(T)]
    expected = norm.ppf((rows["raw"].rank() - 0.5) / len(rows))
    np.testing.assert_allclose(rows["label"], expected, atol=1e-12)


def test_faults_are_named():
    with pytest.raises(ConfigError, match="horizon is 0 sessions"):
        labels(market.panel(BARS), MEMBERS, 0)

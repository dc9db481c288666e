"""Labels: open to open, minus the industry, ranked; what happens when a name does not trade."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from quant.core import horizons, tables
from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.features import labels
from quant.features.betas import betas
from quant.features.compute import members as placed
from tests.features import market

BARS = market.bars()
MEMBERS = market.membership(BARS)
EVERY = labels(market.panel(BARS), MEMBERS, (21, 5, 10))
LABELS = horizons.at(EVERY, 21)
T = 120


def flat(open_: float = 10.0, n_days: int = 40, names: str = "ABCDEF") -> pd.DataFrame:
    """Names that all stand still, so that every label is 0 until a test moves one."""
    days = market.DAYS[:n_days].astype("datetime64[ns]")
    frame = pd.DataFrame({"date": np.repeat(days, len(names)), "symbol": list(names) * n_days})
    frame[["open", "high", "low", "close"]] = open_
    frame[["volume", "amount", "factor", "float_shares", "limit_up", "limit_down"]] = 1.0
    return frame


def members(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["date", "symbol"]].assign(industry_id="i", group_id="g")


def day(i: int) -> pd.Timestamp:
    return pd.Timestamp(market.DAYS[i])


def total(frame: pd.DataFrame, symbol: str, at: int, horizon: int = 5, **options) -> float:
    """Total return of `symbol`: its residual plus a sixth of it, as the other five stand still."""
    table = labels(market.panel(frame), members(frame), [horizon], **options)
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


def test_every_horizon_has_the_labels_of_a_table_of_its_own():
    assert list(EVERY["horizon"].unique()) == [5, 10, 21]
    for horizon in (5, 10, 21):
        alone = labels(market.panel(BARS), MEMBERS, [horizon])
        pd.testing.assert_frame_equal(
            EVERY[EVERY["horizon"] == horizon].reset_index(drop=True), alone, check_exact=True
        )
    assert tables.LABELS.check(EVERY).equals(tables.LABELS.check(EVERY.sample(frac=1.0)))


def test_a_horizon_without_labels_is_refused():
    with pytest.raises(DataError, match=r"no label over 63 sessions .* over \[5, 10, 21\]"):
        horizons.at(EVERY, 63)
    short = labels(market.panel(BARS[BARS["date"] <= day(30)]), MEMBERS[MEMBERS["date"] <= day(30)])
    with pytest.raises(DataError, match="lengthen the sample, shorten the horizon"):
        horizons.at(short, 21)


def one_factor(
    noise: float = 0.004, width: float = 0.8, n_days: int = 560
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Forty names of one industry, each its beta times one market, and noise of its own."""
    rng = generator(5, "tests", "one factor")
    beta = dict(
        zip(
            [f"S{i:02d}" for i in range(40)], np.linspace(1.0 - width, 1.0 + width, 40), strict=True
        )
    )
    shared = rng.normal(0.001, 0.01, (n_days, 1))
    ret = shared * np.array(list(beta.values())) + rng.normal(0.0, noise, (n_days, 40))
    close = 10 * np.cumprod(1.0 + ret, axis=0)
    days = market.DAYS[:n_days].astype("datetime64[ns]")
    frame = pd.DataFrame({"date": np.repeat(days, 40), "symbol": list(beta) * n_days})
    frame["close"] = close.ravel()
    for name in ("open", "high", "low"):
        frame[name] = frame["close"]
    frame[["volume", "amount", "factor", "float_shares", "limit_up", "limit_down"]] = 1.0
    return frame, beta


def test_a_beta_residual_does_not_pay_beta():
    """With one factor the label by industry is beta in disguise; without it, beta says nothing."""
    frame, beta = one_factor()
    late = members(frame[frame["date"] >= day(260)])
    found = {}
    for residual in ("industry", "industry_beta"):
        table = labels(market.panel(frame), late, [21], residual)
        slope = table["symbol"].map(beta)
        daily = table.assign(beta=slope).groupby("date")[["raw", "beta"]].corr().iloc[::2, 1]
        found[residual] = daily.abs().mean(), table["raw"].std()
    assert found["industry"][0] > 0.55 and found["industry_beta"][0] < 0.3
    assert found["industry_beta"][1] < 0.6 * found["industry"][1]


def test_betas_are_those_of_the_market_shrunk_to_their_mean():
    frame, beta = one_factor(noise=0.03, width=0.3)
    panel, rows = market.panel(frame), members(frame)
    where = placed(panel, rows)
    shrunk = betas(panel, where)
    assert (shrunk[where.row < 140] == 1.0).all()  # fewer than 60 % of the window
    last = where.row == 559
    true = where.frame["symbol"].map(beta).to_numpy()[last]
    plain = slopes(frame, 252)
    assert shrunk[last].mean() == pytest.approx(plain.mean(), abs=0.01)
    ratio = np.polyfit(plain, shrunk[last], 1)[0]
    assert 0.2 < ratio < 0.8
    assert np.square(shrunk[last] - true).mean() < np.square(plain - true).mean()


def slopes(frame: pd.DataFrame, window: int) -> np.ndarray:
    """Least squares on the mean of all names, by hand."""
    ret = frame.pivot(index="date", columns="symbol", values="close").pct_change().iloc[-window:]
    shared = ret.mean(axis=1)
    return ret.apply(lambda r: np.polyfit(shared, r, 1)[0]).to_numpy()


def test_a_name_without_history_has_the_beta_of_the_market():
    frame = flat()
    frame.loc[(frame["symbol"] == "A") & (frame["date"] == day(16)), "open"] = 12.0
    kinds = [
        labels(market.panel(frame), members(frame), [5], r) for r in ("industry", "industry_beta")
    ]
    pd.testing.assert_frame_equal(*kinds)


def test_faults_are_named():
    with pytest.raises(ConfigError, match=r"horizons are \[0, 5\] sessions"):
        labels(market.panel(BARS), MEMBERS, [5, 0])
    with pytest.raises(ConfigError, match=r"horizons are \[\]"):
        labels(market.panel(BARS), MEMBERS, [])
    with pytest.raises(ConfigError, match="residual is 'beta'; it must be one of industry"):
        labels(market.panel(BARS), MEMBERS, [5], "beta")

"""IC and its kin against pandas, date by date."""

import numpy as np
import pandas as pd
import pytest

from quant.core.crosssection import group_means, percentiles
from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.evaluation import signal

RNG = generator(42, "tests", "signal")
N_DAYS, N_NAMES = 40, 60
DATE = np.repeat(pd.bdate_range("2016-01-01", periods=N_DAYS).to_numpy(), N_NAMES)
SCORE = np.round(RNG.normal(0, 1, DATE.size), 1)
TARGET = 0.1 * SCORE + RNG.normal(0, 1, DATE.size)
SCORE[RNG.random(DATE.size) < 0.1] = np.nan
TARGET[RNG.random(DATE.size) < 0.1] = np.nan
FRAME = pd.DataFrame({"date": DATE, "score": SCORE, "target": TARGET})


def test_ic_matches_pandas_ties_and_gaps_included():
    ours = signal.ic(DATE, SCORE, TARGET).set_index("date")
    for date, rows in FRAME.groupby("date"):
        rows = rows.dropna()
        plain = rows["score"].corr(rows["target"])
        ranked = rows["score"].rank().corr(rows["target"].rank())
        assert ours.loc[date, "ic"] == pytest.approx(plain, abs=1e-12)
        assert ours.loc[date, "rank_ic"] == pytest.approx(ranked, abs=1e-12)
        assert ours.loc[date, "n"] == len(rows)


def test_the_order_of_rows_is_irrelevant():
    shuffle = RNG.permutation(DATE.size)
    one = signal.ic(DATE, SCORE, TARGET)
    two = signal.ic(DATE[shuffle], SCORE[shuffle], TARGET[shuffle])
    np.testing.assert_allclose(one["rank_ic"], two["rank_ic"], atol=1e-12)


def test_perfect_and_reversed_scores():
    assert signal.ic(DATE, TARGET, TARGET)["rank_ic"].to_numpy() == pytest.approx(1.0)
    assert signal.ic(DATE, -TARGET, TARGET)["rank_ic"].to_numpy() == pytest.approx(-1.0)
    monotone = signal.ic(DATE, np.exp(TARGET), TARGET)
    assert monotone["rank_ic"].to_numpy() == pytest.approx(1.0)
    assert (monotone["ic"] < 0.95).all()


def test_too_few_or_constant_names_have_no_ic():
    few = signal.ic(DATE[:9], np.arange(9.0), np.arange(9.0))
    assert few["ic"].isna().all() and few["n"].tolist() == [9]
    flat = signal.ic(DATE[:30], np.full(30, 0.1), TARGET[:30])
    assert flat["ic"].isna().all() and flat["rank_ic"].isna().all()
    nothing = signal.ic(DATE[:30], np.full(30, np.nan), TARGET[:30])
    assert nothing["n"].tolist() == [0] and nothing["ic"].isna().all()


def test_icir_counts_what_is_there():
    stats = signal.icir(np.array([0.02, 0.04, np.nan, 0.06]), lags=0, periods=4)
    assert stats["mean"] == pytest.approx(0.04)
    assert stats["icir"] == pytest.approx(0.04 / 0.02 * 2)
    assert stats["t"] == pytest.approx(0.04 / (np.std([0.02, 0.04, 0.06]) / 3**0.5))
    assert stats["n"] == 3
    assert np.isnan(signal.icir(np.array([0.1]))["mean"])


def test_overlap_lowers_the_t_statistic():
    noise = generator(1, "overlap").normal(0.05, 1, 900)
    overlapping = np.convolve(noise, np.ones(21) / 21, mode="valid")
    naive = signal.icir(overlapping, lags=0)["t"]
    assert abs(signal.icir(overlapping, lags=20)["t"]) < 0.5 * abs(naive)


def test_quantiles_match_a_sort():
    table = signal.quantile_returns(DATE, SCORE, TARGET, 5)
    rows = FRAME[FRAME["date"] == DATE[0]].dropna()
    order = (rows["score"].rank() - 0.5) / len(rows)
    by_hand = rows["target"].groupby(np.minimum((order * 5).astype(int), 4)).mean()
    assert table.loc[0, [f"q{i}" for i in range(1, 6)]].tolist() == pytest.approx(by_hand.tolist())
    assert table["spread"][0] == pytest.approx(by_hand[4] - by_hand[0])
    perfect = signal.quantile_returns(DATE, TARGET, TARGET, 5)
    means = perfect[[f"q{i}" for i in range(1, 6)]].to_numpy()
    assert (np.diff(means, axis=1) > 0).all()


def test_decay_orders_horizons_and_reports_each():
    table = signal.decay(DATE, SCORE, {21: -TARGET, 5: TARGET})
    assert table["horizon"].tolist() == [5, 21]
    assert table["rank_ic"][0] == pytest.approx(-table["rank_ic"][1], abs=1e-12)
    assert table["rank_ic"][0] == pytest.approx(signal.ic(DATE, SCORE, TARGET)["rank_ic"].mean())


def test_coverage_is_the_share_of_members_with_a_score():
    days = pd.bdate_range("2016-01-01", periods=2)
    members = pd.DataFrame({"date": days.repeat(4), "symbol": list("abcd") * 2})
    scores = pd.DataFrame(
        {"date": days[[0, 0, 0, 1]], "symbol": list("abza"), "score": [1.0, np.nan, 3.0, 4.0]}
    )
    table = signal.coverage(scores, members)
    assert table["members"].tolist() == [4, 4]
    assert table["scored"].tolist() == [1, 1]
    assert table["share"].tolist() == [0.25, 0.25]


def test_faults_are_named():
    with pytest.raises(DataError, match="three parallel columns"):
        signal.ic(DATE, SCORE[1:], TARGET)
    with pytest.raises(ConfigError, match="1 quantiles"):
        signal.quantile_returns(DATE, SCORE, TARGET, 1)


def test_percentiles_match_pandas():
    day = np.sort(RNG.integers(0, 9, 300))
    values = np.round(RNG.normal(0, 1, 300), 1)
    values[RNG.random(300) < 0.2] = np.nan
    groups = pd.Series(values).groupby(day)
    expected = (groups.rank() - 0.5) / groups.transform("count")
    np.testing.assert_allclose(percentiles(values, day), expected, atol=1e-12)
    assert percentiles(np.empty(0), np.empty(0, dtype=int)).size == 0


def test_group_means_skip_what_is_missing():
    means, counts = group_means(np.array([1.0, 3.0, np.nan, np.inf]), np.array([0, 0, 0, 2]), 3)
    np.testing.assert_array_equal(means, [2.0, np.nan, np.nan])
    np.testing.assert_array_equal(counts, [2, 0, 0])

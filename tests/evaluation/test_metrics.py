"""Metrics: published numbers, and laws."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.evaluation import metrics as m

ANSWERS = json.loads((Path(__file__).parents[1] / "answers/sharpe.json").read_text())
DAYS = np.arange("2016-01-01", "2018-12-31", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]
RETURNS = generator(42, "tests", "metrics").normal(0.0005, 0.01, DAYS.size)


def test_dsr_of_the_published_example():
    case = ANSWERS["dsr"]
    i, expected = case["inputs"], case["expected"]
    year = i["obs_per_year"]
    series = m.Shape(i["sr_annual"] / year**0.5, i["T"], i["skew"], i["kurtosis_nonexcess"])
    variance = i["var_trial_sr_annual"] / year
    assert series.sharpe == pytest.approx(expected["sr_daily"], abs=1e-12)
    best = m.expected_max_sharpe(i["n_trials"], variance)
    assert best == pytest.approx(expected["SR0_daily"], abs=1e-9)
    ours = m.dsr(series, i["n_trials"], variance)
    assert ours == pytest.approx(expected["DSR"], abs=1e-9)
    for wrong in case["must_not_equal"].values():
        assert abs(ours - wrong) > 1e-6


@pytest.mark.parametrize("n,formula,exact", ANSWERS["expected_max"]["rows"])
def test_expected_maximum_of_the_published_table(n, formula, exact):
    ours = m.expected_max_sharpe(n, 1.0)
    assert ours == pytest.approx(formula, abs=1e-9)
    assert n < 5 or abs(ours - exact) < 0.05


def test_one_trial_deflates_nothing():
    assert m.expected_max_sharpe(1, 0.3) == 0.0
    series = m.shape(RETURNS)
    assert m.dsr(series, 1, 0.3) == m.psr(series)


def test_psr_of_the_published_example():
    i, expected = ANSWERS["psr"]["inputs"], ANSWERS["psr"]["expected"]
    ratio = i["mean"] / i["sd"]
    assert ratio == pytest.approx(expected["SR"], abs=1e-12)
    fat = m.Shape(ratio, i["T"], i["skew"], i["kurtosis_nonexcess"])
    assert m.psr(fat) == pytest.approx(expected["PSR_nonnormal"], abs=1e-9)
    normal = m.psr(m.Shape(ratio, i["T"]))
    assert normal == pytest.approx(expected["PSR_if_normal"], abs=1e-9)


def test_the_convention_is_that_of_2014():
    i, expected = ANSWERS["convention"]["inputs"], ANSWERS["convention"]["expected"]
    series = m.Shape(i["mean"] / i["sd"], i["T"], i["skew"], i["kurtosis_nonexcess"])
    assert m.psr(series) == pytest.approx(expected["PSR0"], abs=1e-9)
    assert m.psr(series, 0.1) == pytest.approx(expected["PSR_0p1"], abs=1e-9)
    deflated = m.dsr(series, i["K"], i["var_trials"])
    assert deflated == pytest.approx(expected["DSR"], abs=1e-9)


@pytest.mark.parametrize("year,skew,kurtosis,n_obs,years", ANSWERS["min_track_record"]["rows"])
def test_minimum_track_record_of_the_published_rows(year, skew, kurtosis, n_obs, years):
    i = ANSWERS["min_track_record"]["inputs"]
    base = i["benchmark_sr_annual"] / year**0.5
    series = m.Shape(i["sr_annual"] / year**0.5, 0, skew, kurtosis)
    ours = m.min_track_record(series, base, i["alpha"])
    assert ours == pytest.approx(n_obs, rel=1e-9)
    assert ours / year == pytest.approx(years, abs=0.005)
    reached = m.Shape(series.sharpe, ours, skew, kurtosis)
    assert m.psr(reached, base) == pytest.approx(1 - i["alpha"], abs=1e-12)
    assert m.min_track_record(series, series.sharpe) == float("inf")


def test_shape_matches_scipy_and_feeds_psr_per_period():
    from scipy import stats

    series = m.shape(RETURNS, 0.0001)
    assert series.sharpe == pytest.approx(m.sharpe(RETURNS, 0.0001), rel=1e-12)
    assert series.skew == pytest.approx(stats.skew(RETURNS), rel=1e-9)
    assert series.kurtosis == pytest.approx(stats.kurtosis(RETURNS, fisher=False), rel=1e-9)
    assert series.n == RETURNS.size


def test_missing_periods_do_not_count():
    gaps = np.r_[RETURNS, np.nan, np.nan]
    assert m.shape(gaps) == m.shape(RETURNS)
    assert m.ann_growth(gaps, 252) == m.ann_growth(RETURNS, 252)


def test_known_numbers():
    returns = np.array([0.01, -0.02, 0.03])
    assert m.sharpe(returns, 0.0, 252) == pytest.approx(
        np.mean(returns) / np.std(returns, ddof=1) * 252**0.5
    )
    assert m.ann_return(returns, 252) == pytest.approx(0.02 / 3 * 252)
    assert m.ann_growth(returns, 3) == pytest.approx(1.01 * 0.98 * 1.03 - 1)
    assert m.ann_vol(returns, 252) == pytest.approx(np.std(returns, ddof=1) * 252**0.5)
    assert m.max_drawdown(returns) == pytest.approx(-0.02)
    assert m.turnover(np.array([0.1, 0.0, 0.2]), 252) == pytest.approx(25.2)


def test_the_first_loss_is_a_drawdown_from_the_start():
    assert m.max_drawdown(np.array([-0.1, 0.05])) == pytest.approx(-0.1)
    assert m.max_drawdown(np.array([-0.1, -1.0, 0.5])) == -1.0
    assert m.ann_growth(np.array([-0.1, -1.0, 0.5]), 252) == -1.0


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60))
def test_drawdowns_match_brute_force(values):
    returns = np.array(values)
    value = np.r_[1.0, np.cumprod(1 + returns)]
    worst = [value[t] / value[: t + 1].max() - 1 for t in range(1, value.size)]
    np.testing.assert_allclose(m.drawdowns(returns), worst, atol=1e-12)


def test_drawdown_table_names_start_trough_and_recovery():
    returns = np.array([0.1, -0.05, -0.05, 0.2, 0.0, -0.3, 0.1])
    table = m.drawdown_table(returns, DAYS[:7])
    assert table["depth"].tolist() == pytest.approx([-0.3, 0.95**2 - 1])
    assert table["start"].tolist() == [pd.Timestamp(DAYS[5]), pd.Timestamp(DAYS[1])]
    assert table["trough"].tolist() == [pd.Timestamp(DAYS[5]), pd.Timestamp(DAYS[2])]
    assert table["end"].isna().tolist() == [True, False]
    assert table["end"][1] == pd.Timestamp(DAYS[3])
    assert table["periods"].tolist() == [2, 2]
    assert m.drawdown_table(np.array([0.1, 0.1]), DAYS[:2]).empty


def test_monthly_compounds_to_the_whole():
    table = m.monthly(RETURNS, DAYS)
    assert list(table.columns) == [*range(1, 13), "year"]
    by_month = np.prod(1 + table[list(range(1, 13))].stack())
    assert by_month == pytest.approx(np.prod(1 + RETURNS))
    assert np.prod(1 + table["year"]) == pytest.approx(np.prod(1 + RETURNS))


def test_relative_recovers_beta_and_alpha():
    noise = generator(1, "relative").normal(0, 0.002, RETURNS.size)
    noise -= noise.mean()
    book = 0.0002 + 0.7 * RETURNS + noise
    stats = m.relative(book, RETURNS, 0.0, 252)
    assert stats["beta"] == pytest.approx(0.7, abs=0.02)
    assert stats["alpha"] == pytest.approx(0.0002 * 252, abs=0.01)
    same = m.relative(RETURNS, RETURNS, 0.0, 252)
    assert same["tracking_error"] == 0.0 and np.isnan(same["information_ratio"])


def test_a_book_of_cash_has_no_sharpe():
    assert np.isnan(m.sharpe(np.full(50, 0.0001)))
    assert np.isnan(m.sharpe(np.full(50, 0.1), 0.1))
    with pytest.raises(DataError, match="do not vary"):
        m.shape(np.full(50, 0.0001))


def test_faults_are_named():
    with pytest.raises(DataError, match="1 returns are too few"):
        m.sharpe(np.array([0.1, np.nan]))
    with pytest.raises(DataError, match="kurtosis is raw"):
        m.psr(m.Shape(0.9, 100, 2.5, 3.0))
    with pytest.raises(DataError, match="0 trials"):
        m.expected_max_sharpe(0, 0.1)

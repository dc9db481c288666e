"""Deciles, slope and turnover of the signal against what is known of them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from quant.core import tables
from quant.core.seeds import generator
from quant.evaluation import reliability, slices

DAYS, NAMES, H = 400, 50, 5


def rows(times: float = 1.0, seed: int = 1) -> pd.DataFrame:
    """What comes is `times` what was promised, and noise that overlaps."""
    rng = generator(seed, "tests", "reliability")
    days = pd.bdate_range("2013-01-01", periods=DAYS)
    alpha = rng.normal(0, 0.004, (DAYS, NAMES))
    noise = np.cumsum(rng.normal(0, 0.01, (DAYS + H, NAMES)), axis=0)
    raw = times * alpha + noise[H:] - noise[:-H]
    grid = pd.MultiIndex.from_product([days, [f"S{k:02d}" for k in range(NAMES)]])
    frame = grid.to_frame(index=False, name=["date", "symbol"])
    return frame.assign(alpha=alpha.ravel(), score=alpha.ravel(), raw=raw.ravel())


@pytest.mark.parametrize("times", [0.5, 1.0, 2.0])
def test_the_slope_is_what_came_over_what_was_promised(times):
    found = reliability.slope(rows(times), H)
    assert found["slope_se"] < 0.15
    assert abs(found["slope"] - times) < 4 * found["slope_se"]
    assert {"slope_2013", "slope_2014"} <= set(found)


def test_the_error_of_the_slope_is_its_spread_over_samples():
    found = [reliability.slope(rows(seed=s), H) for s in range(30)]
    spread = np.std([f["slope"] for f in found], ddof=1)
    assert_allclose(np.mean([f["slope_se"] for f in found]), spread, rtol=0.4)


def test_every_decile_of_unbiased_alphas_is_within_its_error_and_of_doubled_ones_is_not():
    found = reliability.deciles(rows(), H)
    tables.CALIBRATION_CHECK.check(found)
    assert (np.diff(found["alpha"]) > 0).all()
    assert (np.abs(found["realised"] - found["alpha"]) < 4 * found["se"]).all()
    wrong = reliability.deciles(rows(0.0), H)
    assert abs(wrong["realised"] - wrong["alpha"]).iloc[[0, -1]].gt(4 * wrong["se"]).any()


def test_a_signal_that_stays_turns_over_nothing_and_a_random_one_four_fifths():
    fixed = rows().assign(score=np.tile(np.arange(NAMES), DAYS))
    found = reliability.turnover(fixed)
    assert found["turnover_21"] == 0.0 and found["autocorrelation_21"] == pytest.approx(1.0)
    found = reliability.turnover(rows())
    assert found["turnover_1"] == pytest.approx(0.8, abs=0.03)
    assert found["autocorrelation_1"] == pytest.approx(0.0, abs=0.03)


def test_a_signal_of_one_half_of_the_names_shows_in_that_slice_alone():
    frame = rows(3.0)
    half = frame["symbol"] < "S25"
    frame["score"] = np.where(half, frame["alpha"], generator(2, "noise").random(len(frame)))
    names = pd.Series(np.where(half, "good", "bad"))
    found = slices.by_name("half", frame, names, H).set_index("slice")
    assert found.loc["good", "t"] > 10 and abs(found.loc["bad", "t"]) < 4
    assert found.loc["good", "n_days"] == DAYS


def test_a_slice_of_fewer_days_than_ten_horizons_has_no_t():
    frame = rows(3.0)
    day = pd.factorize(frame["date"])[0]
    daily = slices.days(frame[day < 10 * H])
    for days, known in ((10 * H, True), (10 * H - 1, False)):
        part = daily.iloc[:days]
        names = pd.Series("all", index=pd.Index(part["date"]))
        found = slices.by_day("year", part, names, H).iloc[0]
        assert np.isfinite(found["t"]) == known and np.isfinite(found["rank_ic"])


def test_the_size_of_a_name_is_that_of_the_last_list_in_force():
    first, second = pd.Timestamp("2013-01-01"), pd.Timestamp("2013-02-01")
    members = pd.DataFrame({"effective": [first, second], "symbol": "A", "adv": [1.0, 2.0]})
    asked = pd.DataFrame({"date": [second, first, first - pd.Timedelta(days=1)], "symbol": "A"})
    assert_allclose(slices.sizes(asked, members), [2.0, 1.0, np.nan])


def test_the_state_of_the_market_knows_no_later_level():
    days = pd.bdate_range("2010-01-01", periods=700)
    moves = generator(3, "market").normal(0, 0.01, 700)
    level = pd.Series(np.exp(np.cumsum(moves)), index=days)
    whole, cut = slices.market(level), slices.market(level.iloc[:600])
    for name, state in cut.items():
        assert state.notna().any()
        pd.testing.assert_series_equal(whole[name].iloc[:600], state)

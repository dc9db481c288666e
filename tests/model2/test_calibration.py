import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from quant.core import tables
from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.model2.calibration import CalibrationSpec, calibrate
from quant.model2.curve import newey_west
from tests.model2.synthetic import N_INDUSTRIES, sample

H = 5
SPEC = CalibrationSpec(horizon=H, bins=10, min_dates=250)
DAYS, NAMES = 1500, 100


def _scored(data, noise=0.0):
    """The first feature as score, made 'out of sample' from session 100 on, refits every 60."""
    rows = data.features.iloc[100 * data.features["symbol"].nunique() :].reset_index(drop=True)
    day = np.searchsorted(data.sessions, rows["date"].to_numpy().astype("datetime64[D]"))
    score = rows["f0"].astype(float)
    return rows[["date", "symbol"]].assign(score=score, uncertainty=0.0, fold=(day - 100) // 60)


def _calibrated(data, spec=SPEC, neutral=True):
    membership = data.membership if neutral else None
    return calibrate(_scored(data), data.labels, data.sessions, spec, membership)


def _slope(result, data):
    """Slope of realised on calibrated return, pooled, and its standard error by session."""
    joined = result.alpha.merge(data.labels, on=["date", "symbol"]).dropna()
    cross = (joined["alpha"] * joined["raw"]).groupby(joined["date"]).sum().to_numpy()
    square = np.square(joined["alpha"]).groupby(joined["date"]).sum().to_numpy()
    slope = cross.sum() / square.sum()
    influence = (cross - slope * square)[:, None]
    error = np.sqrt(newey_west(influence, lags=2 * H)[0]) * cross.size / square.sum()
    return slope, error


PLANTED = sample(DAYS, NAMES, horizon=H, strength=0.001)
RESULT = _calibrated(PLANTED)


@pytest.mark.parametrize("neutral", [True, False])
@pytest.mark.parametrize("strength", [0.0006, 0.002])
def test_calibrated_alphas_are_unbiased(strength, neutral):
    data = sample(DAYS, NAMES, horizon=H, strength=strength, seed=7)
    slope, error = _slope(_calibrated(data, neutral=neutral), data)
    assert error < 0.15
    assert abs(slope - 1.0) < 3 * error


def test_alphas_of_a_score_that_means_nothing_are_tiny():
    """Under 1 % of the labels' deviation, and a fraction of what the bins seem to say."""
    sizes, unshrunk, deviation = [], [], []
    for seed in range(8):
        data = sample(1000, 60, horizon=H, seed=seed)
        result = _calibrated(data)
        sizes.append(result.alpha["alpha"].abs().mean())
        unshrunk.append(result.curves["realised"].abs().mean())
        deviation.append(data.labels["raw"].std())
    assert np.mean(sizes) < 0.01 * np.mean(deviation)
    assert np.mean(sizes) < 0.3 * np.mean(unshrunk)
    assert np.mean(sizes) < 0.1 * RESULT.alpha["alpha"].abs().mean()


def test_alphas_start_when_enough_labels_are_known():
    alpha = RESULT.alpha
    tables.ALPHA.check(alpha)
    begin = alpha.loc[alpha["alpha"].notna(), "date"].iloc[0]
    refits = [100 + 60 * k for k in range(30)]
    # a session's label is known H + 1 sessions later: 250 of them from session 100 on
    enough = next(r for r in refits if r - (H + 1) - 100 + 1 >= 250)
    assert begin == PLANTED.sessions[enough]
    assert alpha.loc[alpha["date"] >= begin, "alpha"].notna().all()
    assert alpha.loc[alpha["date"] < begin, "alpha"].isna().all()


def test_alphas_are_neutral_within_the_industries_of_the_day():
    joined = RESULT.alpha.merge(PLANTED.membership, on=["date", "symbol"]).dropna()
    means = joined.groupby(["date", "industry_id"])["alpha"].mean()
    assert means.size == joined["date"].nunique() * N_INDUSTRIES
    assert means.abs().max() < 1e-15
    market = _calibrated(PLANTED, neutral=False).alpha.groupby("date")["alpha"].mean().dropna()
    assert market.abs().max() < 1e-15


def test_a_single_name_industry_has_no_alpha():
    lonely = PLANTED.membership.copy()
    lonely.loc[lonely["symbol"] == "N000", "industry_id"] = "alone"
    result = calibrate(_scored(PLANTED), PLANTED.labels, PLANTED.sessions, SPEC, lonely)
    alpha = result.alpha.dropna().set_index("symbol")["alpha"]
    assert (alpha["N000"] == 0.0).all()
    assert (alpha["N001"] != 0.0).any()


def test_curves_are_monotone_and_one_for_each_calibrated_refit():
    curves = RESULT.curves
    tables.CALIBRATION.check(curves)
    assert set(curves["fold"]) == set(RESULT.alpha.dropna()["fold"]) == set(RESULT.shrink)
    assert curves.groupby("fold")["alpha"].apply(lambda a: a.is_monotonic_increasing).all()
    assert curves.groupby("fold")["score"].apply(lambda a: a.is_monotonic_increasing).all()


def test_a_better_score_never_has_a_lower_alpha():
    alpha = _calibrated(PLANTED, neutral=False).alpha.dropna()
    ordered = alpha.sort_values(["date", "score"])
    step = ordered.groupby("date")["alpha"].diff().dropna()
    assert (step >= -1e-18).all()


def test_a_payoff_in_one_tail_stays_in_that_tail():
    data = sample(DAYS, NAMES, horizon=H)
    scores = _scored(data)
    worst = scores.groupby("date")["score"].rank(pct=True) <= 0.1
    labels = data.labels.copy()
    place = labels.merge(scores.assign(worst=worst), on=["date", "symbol"], how="left")
    labels["raw"] -= np.where(place["worst"].eq(True), 0.03, 0.0)
    curve = calibrate(scores, labels, data.sessions, SPEC).curves
    last = curve[curve["fold"] == curve["fold"].max()]["alpha"].to_numpy()
    assert last[0] < -0.02
    assert np.ptp(last[1:]) < 0.25 * abs(last[0])


def test_only_labels_known_at_a_refit_reach_its_curve():
    data = sample(700, 60, horizon=H, strength=0.001)
    scores = _scored(data)
    refit = data.sessions[100 + 60 * 6]
    corrupt = data.labels.copy()
    late = corrupt["end"] > refit
    corrupt.loc[late, "raw"] = generator(1, "late").standard_normal(late.sum())
    before = calibrate(scores, data.labels, data.sessions, SPEC).curves
    after = calibrate(scores, corrupt, data.sessions, SPEC).curves
    same = before["fold"] <= 6
    pd.testing.assert_frame_equal(before[same], after[same], check_exact=True)
    assert not np.array_equal(before.loc[~same, "alpha"], after.loc[~same, "alpha"])


def test_a_label_that_comes_later_than_its_sessions_others_is_left_out():
    data = sample(700, 60, horizon=H, strength=0.001)
    late = data.labels.copy()
    chosen = late["symbol"].eq("N005") & late["end"].notna()
    late.loc[chosen, "end"] += pd.Timedelta(days=400)
    late.loc[chosen, "raw"] = 1e6
    result = calibrate(_scored(data), late, data.sessions, SPEC)
    assert result.alpha["alpha"].abs().max() < 0.1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (CalibrationSpec(horizon=H, bins=80), "lower the number of bins"),
        (CalibrationSpec(horizon=H, min_dates=1260), "fewer than 1260 sessions"),
    ],
)
def test_what_can_not_be_calibrated_says_why(spec, message):
    data = sample(700, 60, horizon=H)
    with pytest.raises(DataError, match=message):
        _calibrated(data, spec)


def test_a_score_without_an_industry_is_named():
    data = sample(700, 60, horizon=H)
    gap = data.membership[data.membership["symbol"] != "N007"]
    with pytest.raises(DataError, match="N007 has a score on .* but no industry"):
        calibrate(_scored(data), data.labels, data.sessions, SPEC, gap)


@pytest.mark.parametrize("settings", [{"bins": 1}, {"min_dates": 500, "max_dates": 300}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ConfigError):
        CalibrationSpec(**settings)


def test_a_short_window_follows_a_signal_that_fades():
    """Trailing data: after the planted signal is gone, its alpha goes too."""
    data = sample(DAYS, NAMES, horizon=H, strength=0.002)
    gone = sample(DAYS, NAMES, horizon=H, seed=9)
    labels = data.labels.copy()
    second = labels["date"] >= data.sessions[700]
    labels.loc[second, "raw"] = gone.labels.loc[second, "raw"]
    spec = CalibrationSpec(horizon=H, bins=10, min_dates=250, max_dates=300)
    size = calibrate(_scored(data), labels, data.sessions, spec).alpha
    mean = size["alpha"].abs().groupby(size["fold"]).mean()
    assert mean.iloc[-1] < 0.1 * mean[8]
    assert_allclose(mean[8], mean[7], rtol=0.5)

"""Scores of risk forecasts: hand-computed values, laws, and a market whose covariance is known."""

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.risk import portfolios, rivals, scoring
from quant.risk.rivals import Forecast


def test_qlike_by_hand():
    found = scoring.qlike(np.array([1.0, 1.0, 2.0, 0.04]), np.array([1.0, 2.0, 1.0, 0.04]))
    # 2 - ln 2 - 1 and 1/2 + ln 2 - 1
    np.testing.assert_allclose(found, [0.0, 0.3068528194, 0.1931471806, 0.0], atol=1e-10)


def test_qlike_where_nothing_was_predicted_or_came():
    found = scoring.qlike(np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    assert np.isinf(found[0]) and np.isnan(found[1:]).all()
    with pytest.raises(DataError, match="variance is negative"):
        scoring.qlike(np.array([-1.0]), np.array([1.0]))


def test_qlike_has_no_unit_and_is_least_in_expectation_at_the_truth():
    came = generator(1, "qlike").chisquare(21, 200_000) / 21
    predicted = np.array([0.8, 0.9, 1.0, 1.1, 1.2])
    loss = [scoring.qlike(np.full(came.size, p), came).mean() for p in predicted]
    assert np.argmin(loss) == 2
    once, scaled = (scoring.qlike(k * predicted, k * predicted[::-1]) for k in (1.0, 1e-8))
    np.testing.assert_allclose(once, scaled, rtol=1e-10)


def test_bias_statistic_by_hand_and_its_band():
    z = np.array([[1.0, 2.0], [-1.0, -2.0], [1.0, np.nan], [-1.0, np.nan]])
    np.testing.assert_allclose(scoring.bias_statistic(z), [np.sqrt(4 / 3), np.sqrt(8)])
    assert scoring.bias_band(50) == pytest.approx((0.8, 1.2))
    assert np.isinf(scoring.bias_statistic(np.array([[np.inf], [1.0]])))[0]


def test_what_is_taken_for_riskless_has_no_finite_score():
    z = scoring.standardised(np.array([0.1, -0.1, 0.0, 0.1]), np.array([0.0, 0.0, 0.0, 0.04]))
    np.testing.assert_array_equal(z, [np.inf, -np.inf, 0.0, 0.5])


def test_the_band_holds_95_of_100_right_forecasts():
    z = generator(1, "band").normal(size=(100, 20_000))
    low, high = scoring.bias_band(100)
    found = scoring.bias_statistic(z)
    assert np.mean((found >= low) & (found <= high)) == pytest.approx(0.95, abs=0.01)


def test_diebold_mariano_has_its_size_and_its_sign():
    rng = generator(1, "dm")
    p = np.array([scoring.diebold_mariano(*rng.exponential(size=(2, 120)))[1] for _ in range(2000)])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.025)
    loss = rng.exponential(size=120)
    t, p_value = scoring.diebold_mariano(loss, loss + 0.3 + 0.1 * rng.normal(size=120))
    assert t < -10 and p_value < 1e-10
    assert np.isnan(scoring.diebold_mariano(loss[:20], loss[:20] + 1.0)).all()
    # a window of which nothing is known is no window
    blank = np.r_[loss, np.nan]
    other = np.r_[loss[::-1], 1.0]
    assert scoring.diebold_mariano(blank, other) == scoring.diebold_mariano(loss, loss[::-1])


def test_diebold_mariano_has_its_size_with_few_windows():
    rng = generator(1, "dm of few")
    p = np.array([scoring.diebold_mariano(*rng.normal(size=(2, 36)))[1] for _ in range(4000)])
    assert 0.03 <= np.mean(p < 0.05) <= 0.07


def test_holm_by_hand():
    found = scoring.holm(np.array([0.04, 0.01, np.nan, 0.03]))
    np.testing.assert_allclose(found, [0.06, 0.03, np.nan, 0.06])


@pytest.fixture(scope="module")
def world():
    """200 windows of 21 sessions of a one-factor market, and the truth about it."""
    rng = generator(7, "risk world")
    n = 40
    beta, own = rng.uniform(0.5, 1.5, n) * 0.01, rng.uniform(0.01, 0.03, n)
    truth = Forecast(beta[None, :], own**2)
    parts = []
    for day in pd.bdate_range("2010-01-04", periods=200, freq="21B"):
        past, future = (rng.normal(size=(k, 1)) * beta + rng.normal(size=(k, n)) * own
                        for k in (60, 21))  # fmt: skip
        half = Forecast(truth.factor / 2.0, truth.specific / 4.0)
        window = past - past.mean(axis=0)
        models = {**rivals.models(window), "truth": truth, "half": half}
        tried = portfolios.tried(
            np.ones(n, bool), np.repeat(["a", "b"], n // 2).astype(object), np.full(n, np.nan),
            np.zeros(n), models, rng,
        )  # fmt: skip
        both = scoring.forecasts(tried, models, 21).merge(scoring.outcomes(tried, future))
        parts.append(both.assign(date=day))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def scored(world):
    return scoring.scores(world, 252.0, 21).set_index(["kind", "model"])


def test_the_truth_scores_best_and_has_bias_one(scored):
    every = scored.loc["all"]
    others = every.drop(index=["truth", "half"])
    assert (others["qlike"] > every.loc["truth", "qlike"]).all()
    for kind in ("all", "equal", "long", "long_short", "least_variance_truth"):
        row = scored.loc[(kind, "truth")]
        assert row["bias_low"] < row["bias"] < row["bias_high"], kind
        assert row["realised"] == pytest.approx(row["predicted"], rel=0.05), kind
    # portfolios of one random kind are of the same draws: their share in the band is noisy
    assert scored.loc[("all", "truth"), "inside"] > 0.85
    assert scored.loc[("all", "truth"), "verdict"] == scoring.WORSE


def test_half_the_volatility_is_a_bias_of_two(scored):
    right, half = scored.xs("truth", level="model"), scored.xs("half", level="model")
    np.testing.assert_allclose(half["bias"], 2.0 * right["bias"], rtol=1e-12)
    np.testing.assert_allclose(half["predicted"], 0.5 * right["predicted"], rtol=1e-12)
    assert half.loc["all", "inside"] == 0.0
    assert half.loc["all", "verdict"] == scoring.BETTER


def test_each_model_underrates_the_portfolio_it_chose_and_the_sample_most(scored):
    bias = {m: scored.loc[(f"least_variance_{m}", m), "bias"] for m in ("ledoit_wolf", "sample")}
    assert bias["sample"] > bias["ledoit_wolf"] > 1.0
    assert bias["sample"] > 1.5


def test_scores_have_no_unit(world, scored):
    larger = world.assign(
        predicted=1e4 * world["predicted"], realised=1e4 * world["realised"],
        gain=100.0 * world["gain"],
    )  # fmt: skip
    found = scoring.scores(larger, 252.0, 21).set_index(["kind", "model"])
    same = ["qlike", "bias", "dm_t", "p_value"]
    pd.testing.assert_frame_equal(found[same], scored[same], rtol=1e-8)
    np.testing.assert_allclose(found["predicted"], 100.0 * scored["predicted"], rtol=1e-12)
    assert (found["verdict"] == scored["verdict"]).all()


def test_a_forecast_never_beats_itself(world):
    own = world[world["model"] == "ledoit_wolf"]
    both = pd.concat([own, own.assign(model="same")])
    found = scoring.scores(both, 252.0, 21)
    assert set(found.loc[found["model"] == "same", "verdict"]) == {scoring.INCONCLUSIVE}

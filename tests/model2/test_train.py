import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from quant.core import tables
from quant.core.errors import ConfigError, DataError
from quant.model2.learners import LightGBM, XGBoost
from quant.model2.train import TrainSpec, first_prediction, walk_forward
from tests.model2.synthetic import sample

H = 5
TREES = {"rounds": 10, "leaves": 7, "min_leaf": 20, "threads": 1}
SPEC = TrainSpec(
    horizon=H,
    horizons=(H,),
    retrain_every=60,
    min_train_years=1.0,
    max_train_years=1.5,
    lightgbm=LightGBM(**TREES),
    xgboost=XGBoost(**TREES),
)
RIDGE = TrainSpec(
    models=("ridge",), horizon=H, horizons=(H,), retrain_every=60, min_train_years=1.0
)
SAMPLE = sample(n_days=520, n_names=40, strength=0.002)


def _run(spec=SPEC, data=SAMPLE, seed=42):
    return walk_forward(data.features, data.labels, data.sessions, spec, seed)


def _position(dates):
    return np.searchsorted(SAMPLE.sessions, dates.to_numpy().astype("datetime64[D]"))


TRAINED = _run()


def test_the_first_refit_is_the_first_session_that_knows_a_year_of_labels():
    first = first_prediction(SAMPLE.labels, SAMPLE.sessions, SPEC)
    assert first == SAMPLE.sessions[252 - 1 + 1 + H]
    assert TRAINED.scores["date"].iloc[0] == first


def test_every_session_from_the_first_refit_is_scored_once_in_the_table_order():
    first = SAMPLE.sessions[252 + H]
    expected = SAMPLE.features.loc[SAMPLE.features["date"] >= first, ["date", "symbol"]]
    pd.testing.assert_frame_equal(
        TRAINED.scores[["date", "symbol"]], expected.reset_index(drop=True)
    )
    assert np.isfinite(TRAINED.scores["score"]).all()


def test_refits_are_quarterly_and_train_on_known_labels_inside_the_window():
    folds = TRAINED.folds
    tables.FOLDS.check(folds)
    begin = _position(folds["predict_start"])
    assert_array_equal(np.diff(begin[::3]), 60)
    assert_array_equal(_position(folds["predict_end"])[:-3:3], begin[3::3] - 1)
    assert (folds["label_end"] <= folds["predict_start"]).all()
    assert (_position(folds["train_end"]) + 1 + H <= begin).all()
    oldest = folds["predict_start"] - pd.Timedelta(days=round(1.5 * 365.25))
    assert (folds["train_start"] >= oldest).all()
    assert folds["train_start"].iloc[-1] > folds["train_start"].iloc[0]


def test_rows_are_every_fifth_session_of_every_name():
    sessions = (252 + 4) // 5
    assert TRAINED.folds["rows"].iloc[0] == sessions * 40


def test_every_model_of_every_refit_has_its_own_seed_and_tells_it():
    seeds = TRAINED.folds["seed"]
    assert seeds.is_unique
    assert_array_equal(seeds, [m.seed for m in TRAINED.models])
    assert not np.array_equal(seeds, _run(seed=43).folds["seed"])


def test_the_planted_signal_is_found_out_of_sample():
    joined = TRAINED.scores.merge(SAMPLE.labels, on=["date", "symbol"]).dropna()
    ic = joined.groupby("date")[["score", "label"]].corr().iloc[::2, 1].mean()
    assert ic > 0.15


def test_every_refit_equals_a_ridge_fitted_from_scratch():
    trained = _run(RIDGE)
    for one in trained.models[::2]:
        refit = trained.folds["predict_start"].iloc[one.fold]
        past = SAMPLE.labels[SAMPLE.labels["end"] <= refit]
        day = _position(past["date"])
        past = past[day % 5 == 0]
        x = (
            SAMPLE.features.set_index(["date", "symbol"])
            .groupby("date")
            .rank()
            .sub(1)
            .div(39)
            .sub(0.5)
            .reindex(pd.MultiIndex.from_frame(past[["date", "symbol"]]))
            .to_numpy()
        )
        gram = x.T @ x
        gram += 0.1 * np.trace(gram) / 4 * np.eye(4)
        expected = np.linalg.solve(gram, x.T @ past["label"].to_numpy())
        np.testing.assert_allclose(one.model.weights, expected, rtol=1e-4)


def test_a_feature_that_is_all_missing_is_reported_and_changes_nothing():
    features = SAMPLE.features.assign(nothing=np.float32(np.nan))
    trained = walk_forward(features, SAMPLE.labels, SAMPLE.sessions, RIDGE, 42)
    plain = _run(RIDGE)
    assert plain.empty_features == ()
    assert set(trained.empty_features) == {(f, "nothing") for f in plain.folds["fold"]}
    assert all(m.model.weights[-1] == 0.0 for m in trained.models)


def test_a_universe_of_five_and_one_of_one_are_scored():
    five = sample(n_days=400, n_names=5, strength=0.01)
    assert _run(RIDGE, five).scores.groupby("date")["score"].std().gt(0).all()
    lone = sample(n_days=400, n_names=5)
    one = lone.features["symbol"] == "N000"
    trained = walk_forward(
        lone.features[one].reset_index(drop=True), lone.labels, lone.sessions, RIDGE, 1
    )
    assert (trained.scores["score"] == 0.0).all()


@pytest.mark.parametrize(
    ("n_days", "horizon", "message"),
    [(200, 5, "195? sessions have a known label|194 sessions"), (60, 80, "horizon")],
)
def test_too_little_history_names_the_rule(n_days, horizon, message):
    short = sample(n_days=n_days, n_names=5, horizon=horizon)
    with pytest.raises(DataError, match=message):
        _run(SPEC, short)


@pytest.mark.parametrize(
    "settings",
    [
        {"models": ("ridge", "forest")},
        {"models": ()},
        {"models": ("ridge", "ridge")},
        {"retrain_every": 0},
        {"min_train_years": 5.0, "max_train_years": 3.0},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ConfigError):
        TrainSpec(**settings)

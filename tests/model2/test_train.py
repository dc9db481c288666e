from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from quant.core import tables
from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.model2.learners import LightGBM, XGBoost
from quant.model2.models import Member
from quant.model2.train import TrainSpec, first_prediction, members, walk_forward
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
    assert _run(SPEC, five).scores.groupby("date")["score"].std().gt(0).all()
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
        {"horizons": ()},
        {"horizons": (5, 5)},
        {"horizons": (0,)},
        {"draws": 0},
        {"retrain_every": 0},
        {"min_train_years": 5.0, "max_train_years": 3.0},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ConfigError):
        TrainSpec(**settings)


# -- several horizons and draws -----------------------------------------------------------------

OVER = (2, H, 15)
MANY = TrainSpec(
    models=("ridge", "lightgbm"), horizon=H, horizons=OVER, draws=2, retrain_every=60,
    min_train_years=1.0, max_train_years=1.5, lightgbm=LightGBM(**TREES),
)  # fmt: skip


def _over(horizons, **said):
    """The same market with the labels of several horizons."""
    drawn = [sample(**{"n_days": 520, "n_names": 40, "strength": 0.002} | said, horizon=h)
             for h in horizons]  # fmt: skip
    labels = pd.concat([one.labels for one in drawn], ignore_index=True)
    return replace(drawn[0], labels=labels)


WIDE = _over(OVER)
ENSEMBLE = _run(MANY, WIDE)


def test_the_ensemble_has_every_horizon_and_the_draws_of_random_models():
    expected = [Member("ridge", h) for h in OVER]
    expected += [Member("lightgbm", h, d) for h in OVER for d in (0, 1)]
    assert members(MANY) == tuple(expected)
    tables.FOLDS.check(ENSEMBLE.folds)
    assert [one.member for one in ENSEMBLE.models[: len(expected)]] == expected
    assert ENSEMBLE.models[0].name == "fold000-ridge-h2-d0"


def test_every_horizon_is_purged_by_the_end_of_its_own_labels():
    folds = ENSEMBLE.folds
    begin, last = _position(folds["predict_start"]), _position(folds["train_end"])
    end = _position(folds["label_end"])
    assert_array_equal(end, last + 1 + folds["horizon"])
    assert (end <= begin).all()
    # known to the session: the next sampled one is not known yet
    assert (end + MANY.row_step > begin).all()
    counts = folds[folds["fold"] == 0].groupby("horizon")["rows"].first()
    assert counts[2] >= counts[H] > counts[15]


def test_a_label_of_any_horizon_that_is_not_known_yet_changes_nothing():
    """Labels are redrawn one horizon at a time; scores move only after the session they end on."""
    cut = SAMPLE.sessions[380]
    for horizon in OVER:
        labels = WIDE.labels.copy()
        late = (labels["horizon"] == horizon) & (labels["end"] > cut)
        labels.loc[late, ["raw", "label"]] = generator(1, "x").standard_normal((late.sum(), 2))
        spoiled = _run(MANY, replace(WIDE, labels=labels)).scores
        before = ENSEMBLE.scores["date"] <= cut
        assert_array_equal(spoiled[before], ENSEMBLE.scores[before])
        assert not np.array_equal(spoiled["score"], ENSEMBLE.scores["score"])


def test_every_member_equals_the_one_that_is_trained_alone():
    for member in (Member("ridge", 2), Member("lightgbm", 15)):
        alone = replace(MANY, models=(member.model,), horizons=(member.horizon,), draws=1)
        for one in _run(alone, WIDE).models:
            twin = next(m for m in ENSEMBLE.models if (m.fold, m.member) == (one.fold, member))
            assert one.seed == twin.seed
            if member.model == "ridge":  # products with one label or three differ in the last bit
                np.testing.assert_allclose(one.model.weights, twin.model.weights, rtol=1e-9)
            else:
                assert one.model.to_bytes() == twin.model.to_bytes()


def test_uncertainty_is_the_disagreement_of_the_members():
    assert (ENSEMBLE.scores["uncertainty"] > 0).all()
    alone = replace(MANY, models=("ridge",), horizons=(H,))
    assert (_run(alone, WIDE).scores["uncertainty"] == 0).all()


def test_a_rule_goes_the_whole_way():
    features = SAMPLE.features.rename(columns={"f0": "mom_12_1"})
    spec = replace(RIDGE, models=("momentum",))
    trained = walk_forward(features, SAMPLE.labels, SAMPLE.sessions, spec, 42)
    joined = trained.scores.merge(features, on=["date", "symbol"])
    rank = joined.groupby("date")["mom_12_1"].rank()
    assert_array_equal(joined.groupby("date")["score"].rank(), rank)
    with pytest.raises(ConfigError, match="ret_5d, which is not among the 4"):
        _run(replace(RIDGE, models=("reversal",)))


@pytest.mark.parametrize("model", ["ridge", "lightgbm", "xgboost"])
def test_labels_that_are_all_equal_score_nothing(model):
    flat = replace(SAMPLE, labels=SAMPLE.labels.assign(label=0.0))
    assert (_run(replace(SPEC, models=(model,)), flat).scores["score"] == 0.0).all()


def test_a_horizon_without_labels_or_longer_than_the_data_is_an_error():
    with pytest.raises(DataError, match=r"no label over 63 sessions is known.*over \[2, 5, 15\]"):
        _run(replace(MANY, horizons=(H, 63)), WIDE)
    with pytest.raises(DataError, match="horizon is longer than the data"):
        _run(replace(MANY, horizons=(H, 600)), _over((H, 600)))
    # long enough for the data, too long for the first refit
    with pytest.raises(DataError, match="no labelled row to learn from"):
        _run(replace(MANY, horizons=(H, 300)), _over((H, 300)))

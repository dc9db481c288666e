"""Model 2 CV hygiene: the 63-session embargo is honoured, seed 42 is bitwise, nothing looks ahead.

Specification, section 1, and readings 7, 33 and 37.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from quant.core.seeds import generator
from quant.evaluation import splits
from quant.model2 import calibration, cpcv
from quant.model2.design import align, training
from quant.model2.learners import LightGBM, XGBoost
from quant.model2.learners.lightgbm import LightGBMFitter
from quant.model2.learners.ridge import RidgeFitter
from quant.model2.learners.xgboost import XGBoostFitter
from quant.model2.train import TrainSpec, first_prediction, walk_forward
from tests.model2.synthetic import sample

SEED, HORIZON, EMBARGO = 42, 21, 63
TREES = {"rounds": 15, "leaves": 7, "min_leaf": 20, "threads": 1}
TRAIN = TrainSpec(
    horizon=HORIZON, horizons=(HORIZON,), retrain_every=63, min_train_years=3.0,
    max_train_years=4.0, lightgbm=LightGBM(**TREES), xgboost=XGBoost(**TREES),
)  # fmt: skip
CALIBRATION = calibration.CalibrationSpec(horizon=HORIZON, bins=5, min_dates=100)
DATA = sample(n_days=1250, n_names=30, horizon=HORIZON, strength=0.001)
SELECT_END = first_prediction(DATA.labels, DATA.sessions, TRAIN)


def _cpcv(data=DATA):
    spec = cpcv.CpcvSpec(embargo=EMBARGO, rounds=10)
    return cpcv.evaluate(data.features, data.labels, data.sessions, TRAIN, spec, SELECT_END, SEED)


def _alpha(data=DATA):
    trained = walk_forward(data.features, data.labels, data.sessions, TRAIN, SEED)
    found = calibration.calibrate(
        trained.scores, data.labels, data.sessions, CALIBRATION, data.membership
    )
    return found.alpha, trained


@pytest.fixture(scope="module")
def whole():
    return _alpha()


# -- purge and embargo --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted_blocks():
    """Days that every learner was really fitted on, split by split, recorded from within."""
    kinds = {"ridge": RidgeFitter, "lightgbm": LightGBMFitter, "xgboost": XGBoostFitter}
    seen = {name: [] for name in kinds}
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in kinds.items():

            def spy(self, label, blocks, seed, name=name, fit=kind.fit):
                seen[name].append(np.array(blocks))
                return fit(self, label, blocks, seed)

            patch.setattr(kind, "fit", spy)
        frame = _cpcv()
    return seen, frame


def _intervals():
    """(n_days,) session position and label end of the sampled days; the label spans both."""
    rows = align(DATA.features, DATA.labels, DATA.sessions)
    last = int(np.searchsorted(DATA.sessions, SELECT_END))
    data = training(rows, TRAIN.row_step, last)
    day = np.unique(data.session)
    return day, np.array([data.end[data.session == d].max() for d in day])


@pytest.mark.parametrize("model", ["ridge", "lightgbm", "xgboost"])
def test_no_training_label_overlaps_a_test_label_and_the_embargo_is_63_sessions(
    fitted_blocks, model
):
    seen, frame = fitted_blocks
    start, end = _intervals()
    group = splits.groups_by_date(start, 6)
    held = frame[(frame["model"] == model) & (frame["split"] >= 0)].sort_values("split")
    assert len(seen[model]) == len(held) == 15
    nearest = []
    for train, tested in zip(seen[model], held["test_groups"], strict=True):
        for one in map(int, tested.split(",")):
            test = np.flatnonzero(group == one)
            overlap = (start[train][:, None] <= end[test]) & (end[train][:, None] >= start[test])
            assert not overlap.any()
            after = start[train][start[train] > start[test].max()] - end[test].max()
            assert (after > EMBARGO).all()
            nearest += [after.min()] if after.size else []
    # the embargo is honoured, not exaggerated: the next sampled session trains
    assert EMBARGO < min(nearest) <= EMBARGO + TRAIN.row_step


def test_training_days_are_neither_lost_nor_tested(fitted_blocks):
    seen, frame = fitted_blocks
    start, end = _intervals()
    group = splits.groups_by_date(start, 6)
    held = frame[(frame["model"] == "ridge") & (frame["split"] >= 0)].sort_values("split")
    for train, tested, rows in zip(
        seen["ridge"], held["test_groups"], held["train_rows"], strict=True
    ):
        test = np.isin(group, [int(g) for g in tested.split(",")])
        assert not test[train].any()
        assert rows == train.size * DATA.features["symbol"].nunique()
        clear = ~test
        for one in map(int, tested.split(",")):
            block = np.flatnonzero(group == one)
            clear &= (end < start[block].min()) | (start > end[block].max() + EMBARGO)
        assert set(train) == set(np.flatnonzero(clear))


def test_selection_ends_before_the_first_prediction(whole):
    assert whole[0]["date"].min() == SELECT_END
    _, end = _intervals()
    assert DATA.sessions[end.max()] <= SELECT_END


# -- determinism --------------------------------------------------------------------------------


def test_seed_42_twice_is_bitwise_the_same(whole, fitted_blocks):
    alpha, trained = _alpha()
    pd.testing.assert_frame_equal(alpha, whole[0], check_exact=True)
    pd.testing.assert_frame_equal(trained.folds, whole[1].folds, check_exact=True)
    assert [m.model.to_bytes() for m in trained.models] == [
        m.model.to_bytes() for m in whole[1].models
    ]
    pd.testing.assert_frame_equal(_cpcv(), fitted_blocks[1], check_exact=True)


# -- look-ahead ---------------------------------------------------------------------------------

CUTS = [930, 966, 1100]  # refits are the sessions 777 + 63 k: 966 is one, the others are not


def _cut(data, cut):
    """What existed at the close of `cut`: labels that end later are unknown."""
    day = data.sessions[cut]
    labels = data.labels[data.labels["date"] <= day].copy()
    unknown = ~(labels["end"] <= day)
    labels.loc[unknown, ["raw", "label"]] = np.nan
    labels.loc[unknown, "end"] = pd.NaT
    return dataclasses.replace(
        data,
        sessions=data.sessions[: cut + 1],
        features=data.features[data.features["date"] <= day],
        labels=labels,
        membership=data.membership[data.membership["date"] <= day],
    )


def _corrupt(data, cut):
    """The same rows, but every feature after `cut` and every label that ends after it is noise."""
    rng = generator(cut, "corrupt")
    day = data.sessions[cut]
    features, labels = data.features.copy(), data.labels.copy()
    names = [c for c in features if c.startswith("f")]
    late = features["date"] > day
    features.loc[late, names] = rng.standard_cauchy((late.sum(), len(names))).astype(np.float32)
    unknown = labels["end"] > day
    labels.loc[unknown, ["raw", "label"]] = 50 * rng.standard_normal((unknown.sum(), 2))
    return dataclasses.replace(data, features=features, labels=labels)


@pytest.mark.parametrize("spoil", [_cut, _corrupt])
@pytest.mark.parametrize("cut", CUTS)
def test_the_future_leaves_every_score_and_alpha_unchanged(whole, cut, spoil):
    alpha, _ = _alpha(spoil(DATA, cut))
    day = DATA.sessions[cut]
    before = whole[0][whole[0]["date"] <= day]
    assert before["alpha"].notna().any()
    pd.testing.assert_frame_equal(alpha[alpha["date"] <= day], before, check_exact=True)


def test_a_corrupt_future_is_seen_after_it_happened(whole):
    alpha, _ = _alpha(_corrupt(DATA, CUTS[0]))
    assert not np.array_equal(alpha["score"], whole[0]["score"])

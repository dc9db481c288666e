"""Cross-validation of an ensemble that learns labels over several horizons."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from quant.core.errors import DataError
from quant.evaluation import splits
from quant.model2 import scores
from quant.model2.candidate import splits_of
from quant.model2.cpcv import evaluate, quick
from quant.model2.crossval import CpcvSpec, Sample, predictions
from quant.model2.learners import LightGBM, XGBoost
from quant.model2.models import Member
from quant.model2.train import TrainSpec
from tests.model2.synthetic import sample

TARGET, OVER = 5, (3, 15)
TREES = {"rounds": 10, "leaves": 7, "min_leaf": 20, "threads": 1}
TRAIN = TrainSpec(
    models=("ridge", "lightgbm"), horizon=TARGET, horizons=OVER, draws=3,
    lightgbm=LightGBM(**TREES), xgboost=XGBoost(**TREES),
)  # fmt: skip
SPEC = CpcvSpec(embargo=20, rounds=4)
MARKETS = [sample(n_days=420, n_names=30, horizon=h, strength=0.002) for h in (TARGET, *OVER)]
DATA = replace(MARKETS[0], labels=pd.concat([m.labels for m in MARKETS], ignore_index=True))
END = DATA.sessions[400]


def _sample(train=TRAIN, data=DATA):
    return Sample.of(data.features, data.labels, data.sessions, train, SPEC, END)


SAMPLE = _sample()


def test_a_sampled_row_knows_every_label_at_the_end():
    assert SAMPLE.session.max() + 1 + max(OVER) <= 400 < SAMPLE.session.max() + 6 + max(OVER)
    assert np.isfinite(SAMPLE.data.aims).all() and np.isfinite(SAMPLE.data.raw).all()
    assert_array_equal(np.diff(SAMPLE.session), 5)


def test_no_label_that_any_member_learns_overlaps_a_label_that_tests():
    """Training spans the longest horizon, the test that of the target; both are kept apart."""
    data, day = SAMPLE.data, SAMPLE.session
    for part in SAMPLE.parts:
        rows, _ = SAMPLE.rows(part.train)
        for block in part.groups:
            tested, _ = SAMPLE.rows(block)
            opens, closes = data.session[tested].min(), data.end[tested].max()
            before = data.session[rows] < opens
            assert (data.ends[rows][before] < opens).all()
            assert (data.session[rows][~before] > closes + SPEC.embargo).all()
    nearest = min(day[p.groups[1]].min() - 1 - max(OVER) - day[p.train][day[p.train]
                  < day[p.groups[1]].min()].max() for p in SAMPLE.parts if p.test_groups[1] == 5
                  and p.test_groups[0] < 4)  # fmt: skip
    assert 0 < nearest <= 5  # not more is purged than need be


def test_candidates_have_one_draw_and_few_rounds_but_every_horizon():
    few = quick(TRAIN, SPEC)
    assert few.draws == 1 and few.lightgbm.rounds == few.xgboost.rounds == 4
    made = next(predictions(SAMPLE, few, [7], seed=42))
    assert list(made.values) == [Member(m, h) for m in TRAIN.models for h in OVER]
    assert made.split == 7
    assert_array_equal(np.unique(made.day), SAMPLE.parts[7].test)
    assert_array_equal(made.raw, SAMPLE.data.raw[SAMPLE.rows(SAMPLE.parts[7].test)[0]])


def test_the_table_and_the_search_judge_an_ensemble_alike():
    few = quick(TRAIN, SPEC)
    table = evaluate(DATA.features, DATA.labels, DATA.sessions, TRAIN, SPEC, END, 42)
    own = table[(table["model"] == scores.ENSEMBLE) & (table["split"] >= 0)].set_index("split")
    for tested in splits_of(SAMPLE, few, SPEC, 42):
        np.testing.assert_allclose(tested.ic.mean(), own.loc[tested.split, "ic"])


def test_the_target_decides_who_is_best_whatever_is_learned():
    """Of a target that is redrawn, no member can know anything."""
    labels = DATA.labels.copy()
    mine = labels["horizon"] == TARGET
    labels.loc[mine, "raw"] = labels.loc[mine, "raw"].sample(frac=1.0, random_state=1).to_numpy()
    lost = evaluate(DATA.features, labels, DATA.sessions, TRAIN, SPEC, END, 42)
    kept = evaluate(DATA.features, DATA.labels, DATA.sessions, TRAIN, SPEC, END, 42)
    assert kept.loc[kept["path"] >= 0, "ic"].mean() > 0.1
    assert lost.loc[lost["path"] >= 0, "ic"].abs().max() < 0.06


def test_a_horizon_that_leaves_no_sample_is_an_error():
    long = replace(TRAIN, horizons=(3, 390))
    labels = sample(n_days=420, n_names=30, horizon=390).labels
    data = replace(DATA, labels=pd.concat([DATA.labels, labels], ignore_index=True))
    with pytest.raises(DataError, match="can not be cut into 6 groups"):
        _sample(long, data)


def test_the_splits_are_those_of_the_specification():
    assert len(SAMPLE.parts) == 15
    group = splits.groups_by_date(SAMPLE.session, 6)
    for part in SAMPLE.parts:
        assert_array_equal(part.test, np.flatnonzero(np.isin(group, part.test_groups)))

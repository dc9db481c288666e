import dataclasses

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from quant.core import tables
from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.model2.cpcv import CpcvSpec, evaluate, overlap_sharpe, select
from quant.model2.learners import LightGBM, XGBoost
from quant.model2.train import TrainSpec
from tests.model2.synthetic import sample

H = 5
TREES = {"rounds": 10, "leaves": 7, "min_leaf": 20, "learning_rate": 0.1, "threads": 1}
TRAIN = TrainSpec(horizon=H, horizons=(H,), lightgbm=LightGBM(**TREES), xgboost=XGBoost(**TREES))
SPEC = CpcvSpec(embargo=20)
SAMPLE = sample(n_days=520, n_names=40, strength=0.002)
END = SAMPLE.sessions[450]


def _evaluate(data=SAMPLE, train=TRAIN, spec=SPEC, end=END, seed=42):
    return evaluate(data.features, data.labels, data.sessions, train, spec, end, seed)


CPCV = _evaluate()


def test_fifteen_splits_and_five_paths_for_each_candidate():
    tables.CPCV.check(CPCV)
    count = CPCV.groupby("model").agg(
        splits=("split", lambda s: (s >= 0).sum()), paths=("path", lambda p: (p >= 0).sum())
    )
    assert list(count.index) == ["ensemble", "lightgbm", "ridge", "xgboost"]
    assert (count["splits"] == 15).all() and (count["paths"] == 5).all()


def test_paths_see_every_row_and_splits_leave_some_out():
    rows = len(range(0, 445, 5)) * 40  # t + 1 + H <= 450
    path = CPCV[CPCV["path"] >= 0]
    assert (path["test_rows"] == rows).all()
    split = CPCV[CPCV["split"] >= 0]
    assert (split["train_rows"] + split["test_rows"] < rows).all()
    assert (path["train_rows"] >= split["train_rows"].min()).all()


def test_what_is_planted_is_found_and_what_is_not_is_not():
    assert (CPCV.loc[CPCV["path"] >= 0, "ic"] > 0.1).all()
    nothing = _evaluate(sample(n_days=520, n_names=40, seed=3))
    assert nothing.loc[nothing["path"] >= 0, "ic"].abs().mean() < 0.03


def test_the_mean_over_splits_and_over_paths_agree():
    """Every group is tested as often in both, so the mean rank IC is the same."""
    mean = CPCV.assign(path=CPCV["path"] >= 0).groupby(["model", "path"])["ic"].mean().unstack()
    assert_allclose(mean[True], mean[False], rtol=0.02)


def test_selection_does_not_look_beyond_its_end():
    late = SAMPLE.labels["end"] > END
    labels = SAMPLE.labels.copy()
    labels.loc[late, ["raw", "label"]] = generator(1, "x").standard_normal((late.sum(), 2))
    features = SAMPLE.features.copy()
    after = features["date"] > END
    features.loc[after, "f0"] = 1e6
    spoiled = dataclasses.replace(SAMPLE, labels=labels, features=features)
    pd.testing.assert_frame_equal(_evaluate(spoiled), CPCV, check_exact=True)


def test_the_candidate_with_the_best_paths_is_selected():
    frame = pd.DataFrame(
        {
            "model": ["a", "a", "b", "b", "b"],
            "path": [0, 1, 0, 1, -1],
            "icir": [0.2, 0.3, 0.1, 0.3, 9.0],
        }
    )
    assert select(frame) == "a"
    assert select(frame.assign(icir=[0.2, 0.2, 0.1, 0.3, 9.0])) == "a"  # of equals the first
    with pytest.raises(DataError, match="no candidate"):
        select(frame.assign(icir=np.nan))


@pytest.mark.parametrize(
    ("ensemble", "chosen"),
    [
        ([0.1, 0.1], "b"),
        ([0.1, 0.5], "ensemble"),
        ([0.1, 0.3], "ensemble"),
        ([0.4, 0.4], "ensemble"),
    ],
)
def test_a_model_replaces_the_ensemble_only_where_it_is_better_on_every_path(ensemble, chosen):
    frame = pd.DataFrame(
        {
            "model": ["a", "a", "b", "b", "ensemble", "ensemble"],
            "path": [0, 1] * 3,
            "icir": [0.2, 0.2, 0.3, 0.3, *ensemble],
        }
    )
    assert select(frame) == chosen


def test_selection_finds_the_model_that_fits_the_shape():
    """A U-shaped relation is invisible to a line."""
    data = sample(n_days=520, n_names=40)
    bent = data.features["f0"].abs()
    labels = data.labels.copy()
    labels["label"] = labels["label"] + bent - bent.groupby(data.features["date"]).transform("mean")
    labels["raw"] = 0.01 * labels["label"]
    chosen = select(_evaluate(dataclasses.replace(data, labels=labels)))
    assert chosen in {"lightgbm", "xgboost"}


def test_overlapping_returns_do_not_count_twice():
    """Sums of 4 steps, taken every step: the Sharpe is that of the non-overlapping sums."""
    steps = generator(7, "x").normal(0.01, 0.1, 40_000)
    sums = np.convolve(steps, np.ones(4), mode="valid")
    assert_allclose(overlap_sharpe(sums, 4), 0.01 * 4 / (0.1 * 2), rtol=0.1)
    assert np.isnan(overlap_sharpe(sums[:4], 4))
    assert np.isnan(overlap_sharpe(np.ones(40), 4))


def test_a_short_history_is_an_error():
    with pytest.raises(DataError, match="can not be cut into 6 groups|no labelled row"):
        _evaluate(end=SAMPLE.sessions[30])
    with pytest.raises(DataError, match="no labelled row"):
        _evaluate(spec=CpcvSpec(embargo=400))


def test_a_universe_of_five_can_not_select_and_says_why():
    five = _evaluate(sample(n_days=520, n_names=5, strength=0.01))
    assert five["ic"].isna().all()
    with pytest.raises(DataError, match="needs 10 names a session"):
        select(five)


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="quantiles is 1"):
        CpcvSpec(quantiles=1)

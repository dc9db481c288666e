"""Splits: the published cases exactly, and the laws that keep the future out of training."""

import json
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.evaluation.splits import cpcv, groups_by_date, paths, walk_forward
from tests.shared import need

ANSWERS = json.loads((Path(__file__).parents[1] / "answers/cpcv.json").read_text())
DAYS = np.arange("2010-01-01", "2018-01-01", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]


def test_splits_and_paths_of_the_published_example():
    case = ANSWERS["paths"]["expected"]
    day = np.arange(60)
    splits = cpcv(day, day + 3, 6, 2, embargo=2)
    assert [list(s.test_groups) for s in splits] == case["splits_test_groups"]
    assert paths(6, 2).tolist() == case["path_groups_from_split"]
    assert [list(s.paths) for s in splits] == case["path_id_per_split"]


@pytest.mark.parametrize("n,k,n_splits,n_paths", ANSWERS["counts"]["rows"])
def test_number_of_splits_and_paths(n, k, n_splits, n_paths):
    table = paths(n, k)
    assert len(table) == n_paths
    assert np.unique(table).tolist() == list(range(n_splits))
    assert n_splits == comb(n, k)


def test_training_rows_of_the_published_example():
    case = ANSWERS["purge"]
    day = np.arange(case["inputs"]["T"])
    splits = cpcv(day, day + 3, 6, 2, embargo=2)
    assert [s.train.size for s in splits] == case["train_sizes"]
    first_last = {tuple(g): t for g, t in case["train_of_groups"]}
    for s in splits:
        if s.test_groups in first_last:
            assert s.train.tolist() == first_last[s.test_groups]


def test_training_rows_of_the_shared_case():
    case = json.loads(need("cases/02_cpcv_purge_embargo_T60.json").read_text())
    day = np.arange(60)
    splits = cpcv(day, day + 3, 6, 2, embargo=2)
    for s, expected in zip(splits, case["expected"]["splits"], strict=True):
        assert list(s.test_groups) == expected["test_groups"]
        assert s.train.tolist() == expected["train"]
        assert [[g[0], g[-1]] for g in map(list, s.groups)] == expected["test_first_last"]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(2, 7),
    st.integers(0, 12),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_no_training_label_touches_a_test_block_or_its_embargo(seed, n, embargo, step, copies):
    """Brute force over rows: irregular label lengths, several rows a day, any order of rows."""
    rng = generator(seed, "splits")
    start = rng.permutation(np.repeat(np.arange(0, 20 * n, step), copies))
    end = start + rng.integers(0, 9, start.size)
    group = groups_by_date(start, n)
    for s in cpcv(start, end, n, 1 if n == 2 else 2, embargo):
        expected = []
        for row in range(start.size):
            clear = True
            for g in s.test_groups:
                opens, closes = start[group == g].min(), end[group == g].max()
                overlap = start[row] <= closes and end[row] >= opens
                clear &= not overlap and not closes < start[row] <= closes + embargo
            if clear:
                expected.append(row)
        assert s.train.tolist() == expected
        assert s.test.tolist() == np.flatnonzero(np.isin(group, s.test_groups)).tolist()


def test_every_path_holds_every_row_once():
    day = np.repeat(np.arange(100), 3)
    splits = cpcv(day, day + 5, 6, 2, embargo=4)
    for p in range(5):
        rows = [g for s in splits for g, path in zip(s.groups, s.paths, strict=True) if path == p]
        assert np.sort(np.concatenate(rows)).tolist() == list(range(day.size))


def test_the_order_of_groups_is_that_of_combinations():
    day = np.arange(40)
    assert [s.test_groups for s in cpcv(day, day, 5, 3, 0)] == list(combinations(range(5), 3))


@pytest.mark.parametrize("window", [None, 3.0])
def test_a_refit_knows_no_label_that_ends_after_its_close(window):
    start = np.arange(DAYS.size)
    end = start + 22
    folds = walk_forward(DAYS, np.datetime64("2014-01-04"), 63, 21, window)
    assert DAYS[folds[0].predict_start] == np.datetime64("2014-01-06")
    for fold in folds:
        rows = fold.train(start, end)
        assert end[rows].max() == fold.predict_start
        assert start[rows].max() == fold.train_end
        assert fold.train_end < fold.predict_start


def test_every_session_after_the_first_refit_is_predicted_once():
    start = np.arange(DAYS.size)
    folds = walk_forward(DAYS, np.datetime64("2014-01-06"), 50, 21)
    count = sum(fold.predict(start).astype(int) for fold in folds)
    origin = folds[0].predict_start
    assert (count[origin:] == 1).all() and (count[:origin] == 0).all()


def test_a_rolling_window_forgets_and_an_expanding_one_does_not():
    rolling = walk_forward(DAYS, np.datetime64("2014-01-06"), 63, 21, window_years=2.0)
    for fold in rolling:
        span = DAYS[fold.predict_start] - DAYS[fold.train_start]
        assert 724 <= span.astype(int) <= 731
    expanding = walk_forward(DAYS, np.datetime64("2014-01-06"), 63, 21)
    assert {fold.train_start for fold in expanding} == {0}


def test_a_label_that_ends_late_is_left_out_though_its_date_is_inside():
    fold = walk_forward(DAYS, np.datetime64("2014-01-06"), 63, 21)[0]
    start = np.array([fold.train_end, fold.train_end])
    end = np.array([fold.predict_start, fold.predict_start + 1])
    assert fold.train(start, end).tolist() == [True, False]


def test_faults_are_named():
    day = np.arange(30)
    with pytest.raises(ConfigError, match="6 of 6 groups can not be held out"):
        cpcv(day, day, 6, 6)
    with pytest.raises(ConfigError, match="embargo is -1 sessions"):
        cpcv(day, day, 6, 2, -1)
    with pytest.raises(DataError, match="row 3 starts at session 3 and its label ends at 2"):
        cpcv(day, np.where(day == 3, 2, day), 6, 2, 1)
    with pytest.raises(DataError, match="30 rows but 29 label ends"):
        cpcv(day, day[1:], 6, 2, 1)
    with pytest.raises(DataError, match="4 dates can not be cut into 6 groups"):
        cpcv(day[:4], day[:4], 6, 2, 1)
    with pytest.raises(ConfigError, match="fewer than 252"):
        walk_forward(DAYS, np.datetime64("2010-06-01"), 21, 21)
    with pytest.raises(ConfigError, match="every is 0"):
        walk_forward(DAYS, np.datetime64("2014-01-06"), 0, 21)
    with pytest.raises(ConfigError, match="window_years is -1"):
        walk_forward(DAYS, np.datetime64("2014-01-06"), 21, 21, -1)

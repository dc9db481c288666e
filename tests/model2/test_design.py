import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import rankdata

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.model2.design import NEVER, align, cross_section_ranks, training
from tests.model2.synthetic import sample

SAMPLE = sample(n_days=60, n_names=7)


def test_ranks_agree_with_scipy_ties_and_gaps_included():
    values = generator(1, "ranks").integers(0, 6, (40, 23)).astype(np.float32)
    values[values == 5] = np.nan
    expected = rankdata(values, axis=1, nan_policy="omit")
    present = np.isfinite(values).sum(axis=1, keepdims=True)
    expected = np.nan_to_num((expected - 1) / (present - 1) - 0.5)
    assert_allclose(cross_section_ranks(values), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ([3.0, 1.0, 2.0], [0.5, -0.5, 0.0]),
        ([np.nan, np.nan, np.nan], [0.0, 0.0, 0.0]),
        ([np.nan, 7.0, np.nan], [0.0, 0.0, 0.0]),
        ([2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
        ([-np.inf, np.inf, 0.0], [-0.5, 0.5, 0.0]),
        ([4.0], [0.0]),
    ],
)
def test_ranks_of_one_day(day, expected):
    assert_array_equal(cross_section_ranks(np.array([day], dtype=np.float32)), [expected])


def test_ranks_do_not_see_the_scale():
    values = generator(2, "ranks").standard_normal((5, 30)).astype(np.float32)
    assert_array_equal(cross_section_ranks(values), cross_section_ranks(values**3 * 8))


def test_labels_meet_their_rows_whatever_their_order():
    shuffled = SAMPLE.labels.sample(frac=0.6, random_state=3)
    rows = align(SAMPLE.features, shuffled, SAMPLE.sessions)
    key = ["date", "symbol"]
    expected = SAMPLE.features[key].merge(shuffled, on=key, how="left")
    assert_array_equal(rows.raw, expected["raw"])
    assert_array_equal(rows.label, expected["label"])
    known = rows.end < NEVER
    assert_array_equal(known, expected["raw"].notna())
    ends = rows.sessions[rows.end[known]].astype("datetime64[ns]")
    assert_array_equal(ends, expected["end"].to_numpy()[known])


def test_features_are_not_copied():
    wide = SAMPLE.features.copy()
    rows = align(wide, SAMPLE.labels, SAMPLE.sessions)
    assert all(np.shares_memory(c, wide[n]) for n, c in zip(rows.names, rows.columns, strict=True))


def test_training_rows_are_those_of_every_fifth_session_with_a_known_label():
    rows = align(SAMPLE.features, SAMPLE.labels, SAMPLE.sessions)
    data = training(rows, 5, last=40)
    assert set(data.session) == set(range(0, 35, 5))  # horizon 5: t + 6 <= 40
    assert data.end.max() <= 40
    assert_array_equal(data.x[data.session == 15], rows.standardised(15, 15))
    assert data.x.dtype == np.float32


def test_a_row_needs_its_own_session_only():
    whole = align(SAMPLE.features, SAMPLE.labels, SAMPLE.sessions).standardised(10, 20)
    few = SAMPLE.features[SAMPLE.features["date"] == SAMPLE.sessions[15]]
    alone = align(few, SAMPLE.labels, SAMPLE.sessions).standardised(15, 15)
    assert_array_equal(whole[5 * 7 : 6 * 7], alone)


def _off_calendar(f):
    return f.assign(date=f["date"] + pd.Timedelta(days=7000))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.iloc[::-1], "not sorted"),
        (lambda f: pd.concat([f.iloc[:3], f.iloc[2:]]), "doubled, at N002"),
        (lambda f: f.iloc[:0], "0 rows"),
        (lambda f: f[["date", "symbol"]], "0 columns"),
        (_off_calendar, "no session of the calendar"),
        (lambda f: f.assign(f0=np.nan, f1=np.nan, f2=np.nan, f3=np.nan), "none of the features"),
    ],
)
def test_bad_features_are_named(spoil, message):
    with pytest.raises(DataError, match=message):
        align(spoil(SAMPLE.features), SAMPLE.labels, SAMPLE.sessions)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: pd.concat([f, f.iloc[:1]]), "two rows"),
        (lambda f: f.assign(label=np.nan), "horizon is longer than the data"),
        (lambda f: f.iloc[:0], "horizon is longer than the data"),
        (lambda f: f.assign(end=f["date"]), "on or before its own date"),
    ],
)
def test_bad_labels_are_named(spoil, message):
    with pytest.raises(DataError, match=message):
        align(SAMPLE.features, spoil(SAMPLE.labels), SAMPLE.sessions)

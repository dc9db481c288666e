"""The indices of Model 1, from tables small enough to do by hand; streams by definition."""

import numpy as np
import pandas as pd
import pytest

from quant.model1 import features
from quant.model1.features import Tree, log_volatility, panel, slope, tree, weekly

DATES = pd.bdate_range("2020-01-01", periods=8).to_numpy().astype("datetime64[D]")
SYMBOLS = np.array(list("abcdef"), dtype=object)


def membership(rows: list[tuple[int, str, str, str]]) -> pd.DataFrame:
    """Rows of (session number, symbols, industry, group)."""
    long = [(DATES[t], s, i, g) for t, names, i, g in rows for s in names]
    made = pd.DataFrame(long, columns=["date", "symbol", "industry_id", "group_id"])
    return made.assign(date=made["date"].astype("datetime64[ns]"))


def returns(seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(seed).normal(0, 0.01, (len(DATES), len(SYMBOLS)))
    made[0] = np.nan
    return made


def test_the_tree_has_a_level_for_groups_only_where_they_are_not_the_industries():
    made = tree(membership([(0, "ab", "swL1.2", "swL1.2"), (0, "c", "swL1.1", "swL1.1")]))
    assert list(made.names) == ["market", "swL1.1", "swL1.2"]
    assert list(made.parent) == [-1, 0, 0] and list(made.level) == [0, 2, 2]
    made = tree(membership([(0, "ab", "Tech.1", "Tech"), (0, "c", "Energy.9", "Energy")]))
    assert list(made.names) == ["market", "Energy", "Tech", "Energy.9", "Tech.1"]
    assert list(made.parent) == [-1, 0, 0, 1, 2] and list(made.leaves) == [3, 4]


def test_an_industry_stays_in_the_group_it_was_first_seen_with():
    made = tree(membership([(0, "a", "X.1", "X"), (1, "b", "X.1", "Y"), (1, "c", "Y.2", "Y")]))
    assert list(made.names) == ["market", "X", "Y", "X.1", "Y.2"]
    assert list(made.parent) == [-1, 0, 0, 1, 2]


def test_a_return_is_that_of_the_members_of_the_evening_before():
    own = returns()
    rows = [(t, "abc" if t < 5 else "ab", "I", "I") for t in range(3, 8)]
    rows += [(t, "def" if t < 5 else "cdef", "J", "J") for t in range(3, 8)]
    made = panel(own, DATES, SYMBOLS, membership(rows), least=1)
    market, i, j = range(3)
    np.testing.assert_allclose(made.returns[4:6, i], own[4:6, :3].mean(axis=1))
    np.testing.assert_allclose(made.returns[6:, i], own[6:, :2].mean(axis=1))
    np.testing.assert_allclose(made.returns[6:, j], own[6:, 2:].mean(axis=1))
    np.testing.assert_allclose(made.returns[1:, market], own[1:].mean(axis=1))
    # before it was first seen: the names of its first evening, and none of later ones
    np.testing.assert_allclose(made.returns[1:4, i], own[1:4, :3].mean(axis=1))
    assert np.isnan(made.returns[0]).all()
    assert made.members[:, i].tolist() == [0, 0, 0, 3, 3, 2, 2, 2]
    assert made.members[:, market].tolist() == [0, 0, 0, 6, 6, 6, 6, 6]


def test_sectors_hold_what_their_industries_hold():
    own = returns(1)
    rows = [(t, names, industry, "S") for t in range(8) for names, industry in
            (("ab", "S.1"), ("cde", "S.2"))]  # fmt: skip
    rows += [(t, "f", "R.1", "R") for t in range(8)]
    made = panel(own, DATES, SYMBOLS, membership(rows), least=1)
    names = list(made.tree.names)
    np.testing.assert_allclose(made.returns[1:, names.index("S")], own[1:, :5].mean(axis=1))
    np.testing.assert_allclose(made.returns[1:, 0], own[1:].mean(axis=1))
    assert made.members[0, names.index("S")] == 5


def test_too_few_names_have_no_return_and_a_name_without_one_is_left_out():
    own = returns(2)
    own[6, 0] = np.nan
    rows = [(t, "abc", "I", "I") for t in range(8)]
    made = panel(own, DATES, SYMBOLS, membership(rows), least=3)
    assert np.isnan(made.returns[6, 1]) and np.isfinite(made.returns[5, 1])
    made = panel(own, DATES, SYMBOLS, membership(rows), least=2)
    np.testing.assert_allclose(made.returns[6, 1], own[6, 1:3].mean())


@pytest.mark.parametrize("cut", [3, 5, 6])
def test_what_comes_later_changes_no_row_before(cut):
    own = returns(3)
    rows = [(t, "ab" if t < 4 else "abc", "I", "I") for t in range(1, 8)]
    rows += [(t, "def", "late", "late") for t in range(4, 8)]
    table = membership(rows)
    whole = panel(own, DATES, SYMBOLS, table, least=1)
    known = table[table["date"] <= pd.Timestamp(DATES[cut])]
    short = panel(own[: cut + 1], DATES[: cut + 1], SYMBOLS, known, least=1)
    there = pd.Index(whole.tree.names).get_indexer(short.tree.names)
    np.testing.assert_array_equal(whole.returns[: cut + 1, there], short.returns)
    np.testing.assert_array_equal(whole.members[: cut + 1, there], short.members)


def test_streams_by_their_definitions():
    own = np.random.default_rng(4).normal(0, 0.01, (60, 2))
    own[30, 0] = np.nan
    price = np.cumsum(np.log1p(np.nan_to_num(own)), axis=0)
    made = slope(own, 21)
    assert np.isnan(made[:20]).all() and np.isfinite(made[20:]).all()
    for t in (20, 45, 59):
        fitted = np.polyfit(np.arange(21), price[t - 20 : t + 1], 1)[0]
        np.testing.assert_allclose(made[t], fitted, rtol=1e-9)
    volatility = np.exp(log_volatility(own, 21)) - features.FLOOR
    rows = own[25:46, 0]
    np.testing.assert_allclose(volatility[45, 0], np.sqrt(np.nanmean(rows**2)), rtol=1e-12)
    still = log_volatility(np.zeros((40, 1)))
    assert still[-1, 0] == np.log(features.FLOOR)


def test_streams_are_silent_where_most_of_the_window_is_missing():
    own = np.zeros((60, 1)) + 0.01
    own[20:40] = np.nan
    assert np.isnan(slope(own)[35, 0]) and np.isnan(log_volatility(own)[35, 0])
    assert np.isfinite(slope(own)[59, 0])


def test_a_week_is_refitted_at_its_first_close():
    days = np.array(["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-10", "2020-01-14"])
    assert weekly(days.astype("datetime64[D]")).tolist() == [0, 2, 4]
    assert isinstance(tree(membership([(0, "a", "I", "I")])), Tree)

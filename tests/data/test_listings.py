import numpy as np
import pandas as pd

from quant.core.tables import LISTINGS
from quant.data import listings

FINAL = np.arange("2019-01-01", "2019-03-01", dtype="datetime64[D]")


def days(*texts) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


def test_a_name_is_gone_after_five_sessions_without_a_row():
    assert listings.ends(FINAL[[-1, -5, -6]], FINAL).tolist() == [False, False, True]


def test_many_names_ending_on_one_day_are_the_source_s_end():
    last = np.concatenate([np.repeat(FINAL[20], 5), FINAL[[30]], np.repeat(FINAL[-1], 20)])
    stopped = listings.ends(last, FINAL)
    ended = listings.source_ends(last, stopped)
    assert ended.tolist() == [True] * 5 + [False] * 21
    # in a large source five are not many
    large = np.concatenate([last, np.repeat(FINAL[-1], 400)])
    assert not listings.source_ends(large, listings.ends(large, FINAL)).any()


def test_failures_are_told_from_takeovers():
    first = np.array([True, False, True, False, True, False, True, False])
    close = np.array([50.0, 55, 50, 20, 5, 2.9, 9, 9])
    is_st = np.array([False] * 7 + [True])
    found = listings.failed(close, np.ones(8), is_st, first, "us")
    assert found.tolist() == [False, True, True, True]
    # a price of 2.9 is no failure in China, where the par value is one
    assert listings.failed(close, np.ones(8), is_st, first, "cn").tolist() == [
        False,
        True,
        False,
        True,
    ]
    # a split is no loss
    factor = np.array([1, 1, 1, 2.5, 1, 1, 1, 1])
    assert not listings.failed(close, factor, is_st, first, "us")[1]


def test_the_table_completes_what_the_source_says():
    names = np.array(["600000.SH", "688001.SH"], dtype=object)
    given = pd.DataFrame(
        {"symbol": ["688001.SH"], "list_date": pd.to_datetime(["2019-07-22"]), "truncated": [True]}
    )
    frame = listings.table(
        names, given, days("2019-12-31", "2019-12-30"), np.array([False, True]), "cn"
    )
    LISTINGS.check(frame)
    assert frame["board"].tolist() == ["main", "star"]
    assert frame["delist_date"].isna().tolist() == [True, False]
    assert frame["truncated"].tolist() == [False, True]


def test_a_delisting_counts_from_its_own_day_and_not_from_the_last_trade():
    """A suspended name that never came back was suspended, as far as anybody knew."""
    names = np.array(["600001.SH", "600002.SH", "600003.SH"], dtype=object)
    given = pd.DataFrame(
        {
            "symbol": names,
            "delist_date": pd.to_datetime(["2019-06-28", "2019-01-02", "2019-06-28"]),
        }
    )
    last = days("2019-01-31", "2019-01-31", "2019-01-31")
    frame = listings.table(names, given, last, np.array([True, True, False]), "cn")
    LISTINGS.check(frame)
    known = frame["delist_date"].to_numpy().astype("datetime64[D]")
    np.testing.assert_array_equal(known[:2], days("2019-06-28", "2019-01-31"))
    assert np.isnat(known[2])


def test_only_failures_of_unknown_payout_stay_unknown():
    names = np.array(["A", "B", "C", "D", "E"], dtype=object)
    given = pd.DataFrame(
        {
            "symbol": names,
            "delist_return": [np.nan, np.nan, -0.9, np.nan, np.nan],
            "truncated": [False, False, False, True, False],
        }
    )
    gone = np.array([True, True, True, True, False])
    frame = listings.table(names, given, np.repeat(days("2019-01-31"), 5), gone, "us")
    settled = listings.settled(frame, np.array([False, True, True, True, False]))
    assert settled["delist_return"].tolist()[0] == 0.0
    assert settled["delist_return"].isna().tolist() == [False, True, False, True, True]
    assert settled["delist_return"].tolist()[2] == -0.9


def test_last_rows():
    code, day = np.array([0, 0, 2]), days("2019-01-01", "2019-01-02", "2019-01-03")
    last = listings.last_rows(code, day, 3)
    assert last[0] == np.datetime64("2019-01-02") and np.isnat(last[1])

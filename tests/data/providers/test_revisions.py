"""Which of two answers counts, and what is said about the difference."""

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import ConfigError
from quant.data.providers.revisions import Version, facts, merge

DAYS = pd.bdate_range("2024-01-01", periods=6)


def frame(values: dict[str, list[float]], days=DAYS) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame({"date": days[: len(v)], "symbol": s, "close": v})
            for s, v in values.items()
        ],
        ignore_index=True,
    )


def version(values, symbols=("A", "B"), days=DAYS, seen="2024-02-01") -> Version:
    low, high = days[0].to_datetime64(), days[-1].to_datetime64()
    return Version(frame(values, days), low, high, symbols, seen)


OLD = version({"A": [1, 2, 3, 4, 5, 6], "B": [7, 8, 9, 10, 11, 12]})


def test_equal_answers_are_no_revision():
    rows, report = merge("k", [OLD, OLD], {"close": 1e-6}, "keep")
    assert report.empty
    pd.testing.assert_frame_equal(
        rows, OLD.frame.sort_values(["date", "symbol"], ignore_index=True)
    )


def test_a_difference_within_the_tolerance_is_none():
    new = version({"A": [1 + 1e-8, 2, 3, 4, 5, 6]}, ("A",))
    assert merge("k", [OLD, new], {"close": 1e-6}, "keep")[1].empty
    assert len(merge("k", [OLD, new], {"close": 1e-9}, "keep")[1]) == 1


def test_a_changed_value_is_reported_and_the_policy_decides():
    new = version({"A": [1, 2, 33, 4, 5, 6], "B": [7, 8, 9, 10, 11, 12]}, seen="2024-03-01")
    kept, report = merge("k", [OLD, new], {"close": 1e-6}, "keep")
    taken, same = merge("k", [OLD, new], {"close": 1e-6}, "accept")
    assert kept.loc[kept["close"].isin([3, 33]), "close"].tolist() == [3]
    assert taken.loc[taken["close"].isin([3, 33]), "close"].tolist() == [33]
    pd.testing.assert_frame_equal(report, same)
    row = report.iloc[0]
    assert (row["symbol"], row["field"], row["was"], row["now"]) == ("A", "close", "3", "33")
    assert row["seen"] == "2024-03-01" and row["date"] == DAYS[2]


def test_rows_that_came_or_went_are_reported():
    holes = version({"A": [1, 2, 3, 4, 5, 6], "B": [7, 8, 9, 10, 11, 12]})
    less = Version(holes.frame.drop(index=[1]), holes.start, holes.end, ("A", "B"), "s")
    for first, second, words in [(OLD, less, "absent"), (less, OLD, "present")]:
        kept, report = merge("k", [first, second], {"close": 1e-6}, "keep")
        taken, _ = merge("k", [first, second], {"close": 1e-6}, "accept")
        assert report[["symbol", "field", "now"]].to_numpy().tolist() == [["A", "row", words]]
        assert len(kept) == len(first.frame) and len(taken) == len(second.frame)


def test_days_and_names_that_were_never_covered_are_news():
    later = pd.bdate_range(DAYS[-1] + pd.Timedelta(days=1), periods=3)
    tail = version({"A": [7.0, 8.0, 9.0]}, ("A",), later)
    other = version({"C": [5, 5, 5, 5, 5, 5]}, ("C",))
    rows, report = merge("k", [OLD, tail, other], {"close": 1e-6}, "keep")
    assert report.empty
    assert len(rows) == 12 + 3 + 6
    # B was not asked for in the tail, so nothing of it is missing there
    assert rows.loc[rows["symbol"] == "B", "close"].max() == 12


def test_nulls_are_equal_to_nulls_only():
    null = version({"A": [1, np.nan, 3, 4, 5, 6], "B": [7, 8, 9, 10, 11, 12]})
    assert merge("k", [null, null], {"close": 1e-6}, "keep")[1].empty
    assert len(merge("k", [OLD, null], {"close": 1e-6}, "keep")[1]) == 1


def test_a_market_wide_answer_covers_every_symbol():
    whole = Version(OLD.frame, OLD.start, OLD.end, (), "s1")
    less = Version(OLD.frame[OLD.frame["symbol"] == "A"], OLD.start, OLD.end, (), "s2")
    report = merge("k", [whole, less], {"close": 1e-6}, "keep")[1]
    assert len(report) == 6 and set(report["symbol"]) == {"B"}


def listing(**more) -> pd.DataFrame:
    row = {"code": "X", "name": "old", "left": None} | more
    return pd.DataFrame([row]).astype("string")


def test_a_null_that_is_filled_is_news_and_a_change_is_a_revision():
    seen = [("d1", listing()), ("d2", listing(left="2024")), ("d3", listing(name="new"))]
    kept, report = facts("k", seen, ["code"], ["name", "left"], "keep")
    assert kept.loc[0, ["name", "left", "seen"]].tolist() == ["old", "2024", "d1"]
    assert report[["field", "was", "now", "seen"]].to_numpy().tolist() == [
        ["name", "old", "new", "d3"]
    ]
    assert facts("k", seen, ["code"], ["name", "left"], "accept")[0].loc[0, "name"] == "new"


def test_an_unknown_policy_is_refused():
    with pytest.raises(ConfigError, match="'newest'; it must be one of"):
        merge("k", [OLD], {"close": 0}, "newest")

"""Units, ST spells and memberships from Tushare's rows."""

from datetime import date

import numpy as np
import pandas as pd

from quant.data import derive
from quant.data.providers import tushare_reading
from quant.data.providers import tushare_tables as tables


def text(rows: list[tuple], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns).astype("string")


def test_st_names_and_their_spells():
    names = ["甲", "ST甲", "*ST甲", "SST甲", "S*ST甲", "TEST", "*STTCL"]
    rows = [(f"60000{i}.SH", n, "20200101", None) for i, n in enumerate(names)]
    spells = tables.st_spells(text(rows, ["ts_code", "name", "start_date", "end_date"]))
    # *STTCL is TCL of 2007 under special treatment: a Latin letter may follow
    assert [s[-4] for s in spells["symbol"]] == ["1", "2", "3", "4", "6"]


def test_a_name_ends_where_the_next_begins():
    rows = [
        ("A", "ST甲", "20200101", None),
        ("A", "甲", "20200301", None),
        ("A", "ST甲", "20200501", "20200930"),
        ("A", "*ST甲", "20200601", None),
        ("A", "bad", "x", None),
    ]
    spells = tables.st_spells(text(rows, ["ts_code", "name", "start_date", "end_date"]))
    ends = spells["out_date"].dt.strftime("%m%d").fillna("open").tolist()
    assert ends == ["0229", "0531", "open"]
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(["2019-12-31", "2020-01-01", "2020-02-29", "2020-03-01"] * 2),
            "symbol": ["A"] * 4 + ["B"] * 4,
        }
    )
    assert tables.in_spells(frame, spells).tolist() == [False, True, True, False] + [False] * 4


def test_only_dividends_that_were_carried_out_count_and_add_up():
    rows = pd.DataFrame(
        {
            "ts_code": ["A", "A", "A"], "ex_date": ["20200601"] * 3,
            "div_proc": ["预案", "实施", "实施"],
            "stk_div": [0.5, 0.5, np.nan], "cash_div_tax": [1.0, 1.0, 0.2],
        }
    )  # fmt: skip
    out = tables.converted("dividend", rows)
    assert out[["dividend", "split"]].to_numpy().tolist() == [[1.2, 1.5]]


def test_index_membership_is_the_run_of_listings():
    def rows(symbol, days):
        return pd.DataFrame({"date": pd.to_datetime(days), "symbol": symbol, "weight": 1.0})

    listings = ["2020-01-31", "2020-02-28", "2020-03-31", "2020-04-30"]
    weights = pd.concat(
        [rows("A", listings), rows("B", [listings[0], listings[2]]), rows("C", listings[1:3])]
    )
    spells = tables.index_members(weights, "I").set_index("symbol")
    assert pd.isna(spells.loc["A", "out_date"])
    both = spells.loc["B"]
    assert both["in_date"].tolist() == [pd.Timestamp("2020-01-31"), pd.Timestamp("2020-03-31")]
    assert both["out_date"].tolist() == [pd.Timestamp("2020-02-27"), pd.Timestamp("2020-04-29")]
    assert spells.loc["C", "out_date"] == pd.Timestamp("2020-04-29")


def test_stocks_are_told_from_old_codes():
    mask = tables.stocks(np.array(["600519.SH", "T00018.SH", "300750.SZ", "830799.BJ"]))
    assert mask.tolist() == [True, False, True, True]


def test_the_index_with_dividends_is_preferred():
    days = pd.to_datetime(["2020-01-02", "2020-01-03"] * 2)
    levels = pd.DataFrame(
        {"date": days, "symbol": ["000300.SH"] * 2 + ["H00300.CSI"] * 2, "close": [1.0, 2, 3, 4]}
    )
    both = tables.benchmark(levels)
    assert both["close"].tolist() == [3.0, 4.0] and both["total_return"].all()
    assert not tables.benchmark(levels[:2])["total_return"].any()


def test_a_name_that_is_suspended_until_it_is_delisted_is_listed_until_then():
    """The last trade is of March; that it was the last one, nobody knew before the summer."""
    day = np.array(["2019-03-28", "2019-03-29"], dtype="datetime64[D]")
    values = {"close": [5.0, 5.0], "factor": [1.0, 1.0], "is_st": [0.0, 0.0]}
    columns = {name: np.array(value) for name, value in values.items()}
    rows = derive.Rows(np.array(["600001.SH"], dtype=object), np.zeros(2, int), day, columns)
    known = pd.DataFrame(
        {"ts_code": ["600001.SH"], "list_date": ["20000104"], "delist_date": ["20190701"]}
    )
    for end, last in ((date(2019, 7, 1), "2019-06-30"), (date(2019, 6, 30), "NaT")):
        listed = tushare_reading.listed(rows, known, end)
        np.testing.assert_array_equal(listed["delist_date"].to_numpy(), np.array([last], "M8[ns]"))

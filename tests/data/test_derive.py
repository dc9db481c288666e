import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.tables import BARS
from quant.data import derive

DAYS = np.arange("2015-05-04", "2015-05-09", dtype="datetime64[D]")


def frame_of(symbols=("600000.SH", "600001.SH"), **columns) -> pd.DataFrame:
    size = len(symbols) * DAYS.size
    frame = pd.DataFrame(
        {
            "date": np.tile(DAYS.astype("datetime64[ns]"), len(symbols)),
            "symbol": pd.Categorical(np.repeat(symbols, DAYS.size)),
        }
    )
    for name in derive.PRICES:
        frame[name] = 10.0
    frame["volume"] = 100.0
    for name, value in columns.items():
        frame[name] = np.broadcast_to(value, size)
    return frame


def test_rows_are_grouped_by_symbol_whatever_the_categories_order():
    frame = frame_of()
    frame["symbol"] = frame["symbol"].cat.reorder_categories(["600001.SH", "600000.SH"])
    rows = derive.ordered(frame.sort_values("date"))
    assert rows.names.tolist() == ["600000.SH", "600001.SH"]
    assert rows.first.tolist() == ([True] + [False] * 4) * 2
    assert (rows.day == np.tile(DAYS, 2)).all()
    assert rows.notes == ()


def test_joined_sources_keep_each_symbol_s_rows():
    one = derive.with_factor(derive.ordered(frame_of(("B",), pre_close=10.0)), "raw")
    two = derive.with_factor(derive.ordered(frame_of(("A", "C"), close=11.0)), "adjusted")
    both = derive.joined([one, two])
    table = derive.bars(both)
    BARS.check(table)
    closes = table.groupby("symbol")["close"].first()
    assert closes.to_dict() == {"A": 11.0, "B": 10.0, "C": 11.0}
    assert table["is_st"].dtype == bool and not table["is_st"].any()


def test_symbols_without_rows_in_the_cut_disappear():
    frame = frame_of(pre_close=10.0)
    late = (frame["symbol"] == "600001.SH") & (frame["date"] < "2015-05-08")
    rows = derive.with_factor(derive.ordered(frame[~late]), "raw")
    short = derive.joined([derive.cut(rows, DAYS[0], DAYS[2])])
    assert short.names.tolist() == ["600000.SH"]
    assert derive.cut(rows, DAYS[0] - 10, DAYS[0] - 9).code.size == 0


def test_amounts_of_the_source_win_over_close_times_volume():
    amount = np.array([5.0, np.nan, 5, 5, 5])
    frame = frame_of(("600000.SH",), pre_close=10.0, amount=amount)
    table = derive.bars(derive.with_factor(derive.ordered(frame), "raw"))
    assert table["amount"].tolist() == [5.0, 1000.0, 5.0, 5.0, 5.0]


def limits_of(listed=None, **columns):
    frame = frame_of(("600000.SH",), **{"pre_close": 10.0, **columns})
    rows = derive.with_factor(derive.ordered(frame), "raw")
    return derive.limits(rows, np.array([listed], dtype="datetime64[D]"), DAYS)


def test_limits_use_the_reference_price_and_st():
    up, down = limits_of(pre_close=np.array([10, 10, 5, 10, 10.0]), close=5.0, low=4.8, high=5.0)
    assert up[2] == 5.5 and down[2] == 4.5
    up, _ = limits_of(is_st=True)
    assert up.tolist() == [10.5] * 5


def test_first_days_follow_the_listing():
    up, down = limits_of(listed="2015-05-05")
    assert (up[1], down[1]) == (14.4, 6.4)
    assert up[2] == 11.0
    # listed before the calendar or unknown: an old name
    assert limits_of(listed="2001-01-01")[0].tolist() == [11.0] * 5


def test_trading_beyond_the_derived_limits_shows_that_there_were_none():
    high = np.array([10, 10, 14, 11, 10.0])
    up, down = limits_of(high=high)
    assert np.isnan([up[2], down[2]]).all()
    assert up[3] == 11.0


def test_an_st_day_beyond_the_narrow_limits_had_the_wide_ones():
    low = np.array([10, 9.0, 9.6, 8.9, 10.0])
    up, down = limits_of(is_st=True, low=low)
    assert up[[0, 1, 2, 4]].tolist() == [10.5, 11.0, 10.5, 10.5]
    assert down[1] == 9.0
    assert np.isnan([up[3], down[3]]).all()


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_an_impossible_factor_is_refused(bad):
    frame = frame_of(factor=np.array([1, 1, bad, 1, 1, 1, 1, 1, 1, 1.0]))
    with pytest.raises(DataError, match=f"factor is {bad:g} for 600000.SH on 2015-05-06"):
        derive.with_factor(derive.ordered(frame), "raw")

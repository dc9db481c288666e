import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.panel import Panel


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": pd.to_datetime(["2020-01-02", "2020-01-02", "2020-01-03"]),
            "symbol": ["B", "A", "A"],
            "close": [2.0, 1.0, 1.5],
        }
    )


def test_long_gives_back_what_of_was_given():
    back = Panel.of(frame(), ["close"]).long()
    pd.testing.assert_frame_equal(
        back, frame().sort_values(["date", "symbol"]).reset_index(drop=True)
    )


def test_a_missing_row_is_nan_and_axes_are_sorted():
    panel = Panel.of(frame(), ["close"])
    assert list(panel.symbols) == ["A", "B"]
    np.testing.assert_array_equal(panel["close"], [[1.0, 2.0], [1.5, np.nan]])


def test_rows_outside_given_axes_are_left_out():
    dates = np.array(["2020-01-03", "2020-01-06"], dtype="datetime64[D]")
    panel = Panel.of(frame(), ["close"], dates=dates, symbols=np.array(["A", "Z"], dtype=object))
    np.testing.assert_array_equal(panel["close"], [[1.5, np.nan], [np.nan, np.nan]])


def test_two_rows_for_one_day_and_symbol_are_refused_by_name():
    twice = pd.concat([frame(), frame().iloc[[2]]])
    with pytest.raises(DataError, match="A has two rows on 2020-01-03"):
        Panel.of(twice, ["close"])

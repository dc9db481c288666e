"""The comparison finds what differs, names the first of it, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from quant import audit
from quant.core import tables
from quant.stages import load

DAYS = pd.date_range("2020-01-01", periods=6, freq="B")
KEY = ("date", "symbol")
CUT = np.datetime64(DAYS[3])


def panel() -> pd.DataFrame:
    rows = [(d, s) for d in DAYS for s in ("A", "B")]
    frame = pd.DataFrame(rows, columns=["date", "symbol"])
    frame["x"] = np.arange(len(frame), dtype=float)
    frame["y"] = np.float32(0.1)
    frame.loc[2, "x"] = np.nan
    return frame


def test_equal_tables_are_equal_missing_values_too():
    found = audit.compare(panel(), panel(), KEY)
    assert found.first is None
    assert (found.rows, found.values) == (12, 24)


def test_one_last_bit_is_found_and_named():
    other = panel()
    other.loc[5, "x"] = np.nextafter(other.loc[5, "x"], np.inf)
    first = audit.compare(panel(), other, KEY).first
    assert (first.column, first.symbol, first.day) == ("x", "B", DAYS[2])
    assert float(first.whole) != float(first.replayed)


def test_the_earliest_session_comes_first_whatever_the_column():
    other = panel()
    other.loc[9, "x"] = -1.0
    other.loc[4, "y"] = 5.0
    first = audit.compare(panel(), other, KEY).first
    assert (first.column, first.day) == ("y", DAYS[2])


@pytest.mark.parametrize("swap", [False, True])
def test_a_row_that_stands_in_one_alone_is_named(swap):
    pair = [panel(), panel().drop(index=7)]
    first = audit.compare(*(pair[::-1] if swap else pair), KEY).first
    assert (first.column, first.symbol, first.day) == ("", "B", DAYS[3])
    assert {first.whole, first.replayed} == {"a row", "no such row"}


def test_a_value_that_became_known_is_a_difference():
    other = panel()
    other.loc[2, "x"] = 1.0
    assert audit.compare(panel(), other, KEY).first.whole == "nan"


def test_columns_that_only_one_has_are_a_difference():
    assert audit.compare(panel(), panel().drop(columns="y"), KEY).first.column == "y"


def test_known_rows_are_those_of_the_tables_own_column():
    labels = pd.DataFrame({"date": DAYS, "symbol": "A", "horizon": 2, "raw": 0.1, "label": 0.2,
                           "end": DAYS + pd.offsets.BDay(2)})  # fmt: skip
    assert audit.known(labels, tables.LABELS, CUT)["date"].max() == DAYS[1]
    folds = pd.DataFrame({"fold": 0, "model": "m", "horizon": 2, "draw": 0,
                          "predict_start": DAYS, "predict_end": DAYS[-1]})  # fmt: skip
    assert "predict_end" not in audit.known(folds, tables.FOLDS, CUT)
    assert len(audit.known(folds, tables.FOLDS, CUT)) == 4
    assert audit.known(pd.DataFrame({"lag": [0]}), tables.DECAY, CUT).empty
    assert len(audit.known(pd.DataFrame({c: [0] for c in tables.CPCV.key}), tables.CPCV, CUT)) == 1


def test_every_table_says_when_it_is_known():
    """A new producer joins the audit by its table; this is where a table without a date fails."""
    for stage in load():
        for table in stage.makes:
            if table.known not in (tables.ALWAYS, tables.SUMMARY):
                assert table.known in table.schema.names, table.name
            assert set(table.moves) <= set(table.schema.names) - set(table.key), table.name


def test_nothing_but_pages_reads_a_summary_of_the_whole_window():
    """A statistic of the whole window that fed a stage would carry the future into it."""
    for stage in load():
        read = {t.name for t in stage.needs if t.known == tables.SUMMARY}
        assert not read or stage.name in ("report", "cards", "audit", "explain"), (stage.name, read)

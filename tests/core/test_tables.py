import hashlib

import numpy as np
import pandas as pd
import pytest

from quant.core import tables
from quant.core.errors import DataError


def alpha(order: list[int]) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "date": pd.to_datetime(["2020-01-02", "2020-01-02", "2020-01-03"]),
            "symbol": ["A", "B", "A"],
            "score": [1.0, 2.0, np.nan],
            "uncertainty": [0.0, 0.5, 0.5],
            "alpha": [0.1, 0.2, 0.3],
            "fold": [0, 0, 1],
        }
    )
    return rows.iloc[order].reset_index(drop=True)


def test_bytes_depend_on_content_not_on_row_order(tmp_path):
    digests = set()
    for number, order in enumerate([[0, 1, 2], [2, 1, 0]]):
        path = tmp_path / f"{number}.parquet"
        tables.ALPHA.write(alpha(order), path)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_what_is_written_is_what_is_read(tmp_path):
    tables.ALPHA.write(alpha([2, 0, 1]), tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(tables.ALPHA.read(tmp_path / "a.parquet"), alpha([0, 1, 2]))


def test_extra_columns_take_the_declared_type(tmp_path):
    rows = alpha([0, 1, 2])[["date", "symbol"]].assign(momentum=[1.0, 2.0, 3.0])
    tables.FEATURES.write(rows, tmp_path / "f.parquet")
    assert tables.FEATURES.read(tmp_path / "f.parquet")["momentum"].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="score"), "lacks \\['score'\\]"),
        (lambda f: f.assign(more=1.0), "does not know \\['more'\\]"),
        (lambda f: pd.concat([f, f.iloc[[0]]]), "1 double rows, the first at .*'symbol': 'A'"),
        (lambda f: f.assign(symbol=[None, "B", "C"]), "key column symbol has nulls"),
        (lambda f: f.assign(score=["x", "y", "z"]), "table alpha: .*schema"),
    ],
)
def test_a_table_that_breaks_its_schema_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        tables.ALPHA.check(change(alpha([0, 1, 2])))

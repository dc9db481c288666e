"""The folder of parts: whole or absent, nothing overwritten, digests of content."""

import os
from datetime import date

import pandas as pd
import pytest

from quant.core.errors import StoreError
from quant.data.providers.snapshot import Ask, Snapshot, covered

FRAME = pd.DataFrame({"date": pd.to_datetime(["2024-01-02"]), "close": [1.5], "name": ["x"]})
DAY = date(2024, 1, 2)


def ask(kind="chart", seen=DAY, **more) -> Ask:
    return Ask(kind, DAY, more.pop("end", DAY), seen, **more)


def test_parts_come_back_as_they_went(tmp_path):
    store = Snapshot(tmp_path / "new", "v")
    with store.lock():
        part = store.add(ask(subjects=("A", "B"), missing=("B",)), FRAME)
    again = Snapshot(tmp_path / "new", "v")
    assert again.parts == [part]
    pd.testing.assert_frame_equal(again.frame(part), FRAME)
    assert covered(again.parts) == {"A": (DAY, DAY), "B": (DAY, DAY)}


def test_the_digest_is_that_of_the_content_not_of_the_day_it_was_asked(tmp_path):
    digests = []
    for name, seen, kind in [("a", DAY, "k"), ("b", date(2024, 5, 5), "k"), ("c", DAY, "other")]:
        store = Snapshot(tmp_path / name, "v")
        with store.lock():
            store.add(ask(kind, seen), FRAME)
        digests.append(store.digest())
    assert digests[0] == digests[1] != digests[2]


def test_what_a_kill_left_behind_is_cleared_and_never_listed(tmp_path):
    store = Snapshot(tmp_path, "v")
    (tmp_path / "chart-00000-abc.parquet").write_bytes(b"not listed")
    (tmp_path / "manifest.json.77.tmp").write_bytes(b"half")
    with store.lock():
        assert not list(tmp_path.glob("*.tmp"))
        store.add(ask(), FRAME)
    assert len(Snapshot(tmp_path, "v").parts) == 1


def test_a_second_process_sees_what_the_first_added(tmp_path):
    first, second = Snapshot(tmp_path, "v"), Snapshot(tmp_path, "v")
    with first.lock():
        first.add(ask(), FRAME)
    with second.lock():
        second.add(ask(end=date(2024, 1, 3)), FRAME)
    assert len(Snapshot(tmp_path, "v").parts) == 2


def test_spans_join(tmp_path):
    store = Snapshot(tmp_path, "v")
    with store.lock():
        store.add(ask(), FRAME)
        store.add(ask(end=date(2024, 2, 1)), FRAME)
    assert covered(store.parts) == {"": (DAY, date(2024, 2, 1))}


def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="can not be written: .*make the folder writable"):
        with Snapshot(tmp_path / "file" / "raw", "v").lock():
            os.stat(tmp_path)

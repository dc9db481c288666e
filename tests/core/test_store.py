import errno
import os
import shutil
import subprocess

import pandas as pd
import pytest

from quant.core.errors import StoreError
from quant.core.store import Store
from quant.core.tables import SESSIONS


def frame() -> pd.DataFrame:
    return pd.DataFrame({"date": pd.to_datetime(["2020-01-02", "2020-01-03"])})


def put(store: Store, key: str = "k" * 64):
    return store.put("ingest", key, [(SESSIONS, frame())], {}, {"why": "test"})


def test_what_is_put_is_got(tmp_path):
    put(Store(tmp_path))
    found = Store(tmp_path).get("ingest", "k" * 64)
    pd.testing.assert_frame_equal(found.read(SESSIONS), frame())


def test_another_key_is_absent(tmp_path):
    put(Store(tmp_path))
    assert Store(tmp_path).get("ingest", "j" * 64) is None


def test_a_changed_table_is_refused_by_path(tmp_path):
    result = put(Store(tmp_path))
    with open(result.folder / "sessions.parquet", "ab") as handle:
        handle.write(b"x")
    with pytest.raises(StoreError, match="changed after it was stored .* delete the folder"):
        Store(tmp_path).get("ingest", "k" * 64).read(SESSIONS)


@pytest.mark.parametrize("damage", ["truncate", "garbage", "remove table", "remove record"])
def test_a_damaged_record_is_refused(tmp_path, damage):
    result = put(Store(tmp_path))
    meta = result.folder / "meta.json"
    if damage == "truncate":
        meta.write_text(meta.read_text()[:20])
    elif damage == "garbage":
        meta.write_text("[]")
    elif damage == "remove table":
        (result.folder / "sessions.parquet").unlink()
    else:
        meta.unlink()
    with pytest.raises(StoreError, match="run again"):
        Store(tmp_path).get("ingest", "k" * 64)


def test_a_crash_while_writing_leaves_the_key_absent(tmp_path, monkeypatch):
    def crash(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        put(Store(tmp_path))
    assert Store(tmp_path).get("ingest", "k" * 64) is None
    assert list((tmp_path / "ingest").iterdir()) == []


def test_a_full_disk_is_said_and_loses_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path)
    put(store)

    def full(self, frame, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("quant.core.tables.Table.write", full)
    with pytest.raises(StoreError, match="no space left on the disk"):
        put(store, "j" * 64)
    assert len(store.get("ingest", "k" * 64).read(SESSIONS)) == 2


def test_the_second_writer_of_a_key_keeps_the_first_result(tmp_path):
    first = put(Store(tmp_path))
    second = put(Store(tmp_path))
    assert first.hashes == second.hashes
    assert [p.name for p in (tmp_path / "ingest").iterdir()] == [first.folder.name]


def test_files_are_moved_into_the_result_and_verified(tmp_path):
    source = tmp_path / "made"
    source.mkdir()
    (source / "a.bin").write_bytes(b"abc")
    result = Store(tmp_path / "s").put("dataset", "k" * 64, [], {"qlib": source}, {})
    assert result.path("qlib/a.bin").read_bytes() == b"abc"
    shutil.rmtree(result.folder)
    assert Store(tmp_path / "s").get("dataset", "k" * 64) is None


def test_a_stored_folder_is_verified_whole(tmp_path):
    source = tmp_path / "made"
    source.mkdir()
    (source / "a.bin").write_bytes(b"abc")
    result = Store(tmp_path / "s").put("model2", "k" * 64, [], {"models": source}, {})
    assert result.path("models") == result.folder / "models"
    (result.folder / "models" / "a.bin").write_bytes(b"abd")
    with pytest.raises(StoreError, match="a.bin is missing or was changed"):
        result.path("models")


def test_what_a_killed_process_left_behind_is_swept_and_what_lives_is_not(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    kept = put(Store(tmp_path)).folder
    mine = [tmp_path / f".scratch-{os.getpid()}-a", tmp_path / "ingest" / f".k-{os.getpid()}-a"]
    left = [tmp_path / f".scratch-{gone.pid}-a", tmp_path / "ingest" / f".k-{gone.pid}-a"]
    young = tmp_path / f".scratch-{gone.pid}-b"
    for folder in (*mine, *left, young):
        folder.mkdir()
    for folder in (*mine, *left):
        os.utime(folder, (0, 0))
    Store(tmp_path).sweep()
    assert all(p.exists() for p in (kept, young, *mine)) and not any(p.exists() for p in left)

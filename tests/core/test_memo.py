"""The memo: what comes out is what would be made, and nothing else is ever read from it."""

import numpy as np
import pandas as pd
import pytest

from quant.core import memo as room
from quant.core.memo import NOTHING, Memo, digest

MODULE = "quant.core.memo"


class Maker:
    def __init__(self, content=b"made"):
        self.content, self.calls = content, 0

    def __call__(self):
        self.calls += 1
        return self.content


def test_a_piece_is_made_once_and_read_by_the_next_process(tmp_path):
    make = Maker()
    one = Memo(tmp_path, MODULE)
    assert one(["a", 1], make) == one(["a", 1], make) == b"made"
    assert Memo(tmp_path, MODULE)(["a", 1], make) == b"made"
    assert make.calls == 1 and (one.found, one.made) == (1, 1)


@pytest.mark.parametrize("parts", [["a", 2], ["b", 1], ["a"], ["a", 1, None]])
def test_other_parts_are_another_piece(tmp_path, parts):
    one = Memo(tmp_path, MODULE)
    one(["a", 1], Maker(b"first"))
    assert one(parts, Maker(b"second")) == b"second"


def test_other_code_or_another_environment_is_another_piece(tmp_path, monkeypatch):
    Memo(tmp_path, MODULE)("a", Maker(b"old"))
    assert Memo(tmp_path, "quant.core.seeds")("a", Maker(b"new")) == b"new"
    monkeypatch.setattr(room.sources, "environment", lambda: "other lock")
    assert Memo(tmp_path, MODULE)("a", Maker(b"newer")) == b"newer"


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-1], lambda c: c[:40], lambda c: b"", lambda c: c + b"x"]
)
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    one = Memo(tmp_path, MODULE)
    one("a", Maker(b"0123456789"))
    (path,) = (p for p in tmp_path.rglob("*") if p.is_file())
    path.write_bytes(damage(path.read_bytes()))
    assert one("a", Maker(b"0123456789")) == b"0123456789" and one.made == 2
    assert one("a", Maker(b"wrong")) == b"0123456789"


def test_without_a_folder_nothing_is_kept():
    make = Maker()
    assert NOTHING("a", make) == NOTHING("a", make) == b"made" and make.calls == 2


def test_a_table_comes_back_as_it_was(tmp_path):
    frame = pd.DataFrame({"b": ["y", "x"], "v": [np.nan, 0.1], "n": [3, 2]})
    one = Memo(tmp_path, MODULE)
    for _ in range(2):
        pd.testing.assert_frame_equal(one.frame("t", lambda: frame), frame)
    assert one.made == 1


def test_the_digest_is_of_type_shape_and_values():
    x = np.arange(6.0)
    assert digest(x) == digest(x.copy())
    others = [x.astype(np.float32), x.reshape(2, 3), x[::-1], x[:5]]
    assert len({digest(x), *map(digest, others), digest(x, x)}) == 6
    days = np.array(["2020-01-01"], "M8[D]")
    assert digest(days) != digest(days + 1)
    assert digest(x.reshape(2, 3).T) == digest(np.ascontiguousarray(x.reshape(2, 3).T))

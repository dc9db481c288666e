"""Pieces of a result kept by the content they were made from.

A stage is made anew as soon as anything it reads has changed, and a new session changes every
table. What a piece of it needs may be the same to the last bit all the same: a model refitted on
labels of last year. Its key names that content, the code and the environment; so a memo decides
how long a run takes, never what comes out. The look-ahead audit runs without one.
"""

import hashlib
import io
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from quant.core import sources
from quant.core.store import digest_json, full_disk
from quant.core.types import Frame


class Memo:
    """Bytes under `folder` by key; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, module: str):
        """Module : whose code, with all that it imports, makes the pieces"""
        self.folder = folder
        self._code = "" if folder is None else sources.fingerprint(module)
        self.found = self.made = 0

    def __call__(self, parts: object, make: Callable[[], bytes]) -> bytes:
        """The piece that `parts`, JSON-able, name; made where it is not there.

        A file that is not what was written is made anew.
        """
        if self.folder is None:
            return make()
        key = digest_json([parts, self._code, sources.environment()])
        path = self.folder / key[:2] / key[:40]
        if path.is_file():
            content = path.read_bytes()
            if content[:32] == hashlib.sha256(content[32:]).digest():
                self.found += 1
                return content[32:]
        content = make()
        self.made += 1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")
            draft.write_bytes(hashlib.sha256(content).digest() + content)
            draft.replace(path)
        except OSError as error:
            raise full_disk(error, path) from error
        return content

    def frame(self, parts: object, make: Callable[[], Frame]) -> Frame:
        """The same of a table, its rows in their order."""

        def written() -> bytes:
            out = io.BytesIO()
            make().reset_index(drop=True).to_feather(out)
            return out.getvalue()

        return pd.read_feather(io.BytesIO(self(parts, written)))


NOTHING = Memo(None, "")


def digest(*arrays: np.ndarray) -> str:
    """sha256 over arrays: their types, shapes and values."""
    made = hashlib.sha256()
    for one in arrays:
        plain = np.ascontiguousarray(one)
        made.update(f"{plain.dtype.str}{plain.shape}".encode())
        made.update(plain.view(np.uint8) if plain.dtype.kind in "mM" else plain.data)
    return made.hexdigest()

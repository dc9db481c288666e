"""The whole library, each family taken from an earlier run where nothing it depends on changed.

A family depends on its module, on what that imports, on the code that calls it, and on the bars and
the membership: their digest names its file, and the digest of the file's own bytes vouches for it.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from quant.core import sources
from quant.core.panel import Panel
from quant.core.store import full_disk
from quant.core.types import Frame
from quant.features import compute as engine
from quant.features.producer import Producer
from quant.features.producers import FAMILIES, PRODUCERS
from quant.features.view import FIELDS

KEEP = 3  # files of one family that stay: markets and spans that are worked on in turn
# what names the families but computes nothing
LISTS = frozenset({"quant.features"})


def compute(panel: Panel, membership: Frame, producers: Sequence[Producer] = PRODUCERS) -> Frame:
    """Features of every membership row; see quant.features.compute."""
    return engine.compute(panel, membership, producers)


def cached(panel: Panel, membership: Frame, folder: Path) -> Frame:
    """All features, bit for bit as `compute` makes them, families kept in `folder`.

    A file that is damaged or of another length is made anew.
    Raises StoreError where the disk is full.
    """
    given = _digest(panel, membership)
    places = {family: f"{_name(family)}-{_key(family, given)}" for family in FAMILIES}
    known: dict[str, np.ndarray] = {}
    for family, stem in places.items():
        known |= _read(folder, stem, family, len(membership))
    made = engine.compute(panel, membership, PRODUCERS, known)
    for family, stem in places.items():
        if family.ROWS[0].name not in known:
            _write(folder, stem, made[[row.name for row in family.ROWS]].to_numpy().T)
            _prune(folder, _name(family))
    return made


def _name(family: ModuleType) -> str:
    return family.__name__.rpartition(".")[2]


def _digest(panel: Panel, membership: Frame) -> str:
    """Of everything that the engine reads."""
    found = hashlib.sha256(np.ascontiguousarray(panel.dates).view(np.int64).data)
    found.update("\n".join(panel.symbols).encode())
    for name in FIELDS:
        found.update(np.ascontiguousarray(panel[name]).data)
    found.update(membership["date"].to_numpy().astype("datetime64[D]").view(np.int64).data)
    for name in ("symbol", "industry_id", "group_id"):
        found.update(pd.util.hash_array(membership[name].to_numpy(dtype=object)).data)
    return found.hexdigest()


def _key(family: ModuleType, given: str) -> str:
    code = [sources.fingerprint(m, LISTS) for m in (family.__name__, engine.__name__)]
    return hashlib.sha256("/".join([given, *code, sources.environment()]).encode()).hexdigest()[:20]


def _read(folder: Path, stem: str, family: ModuleType, n_rows: int) -> dict[str, np.ndarray]:
    """Columns of the family's file by name, mapped into memory; none where it is not as written."""
    for path in folder.glob(f"{stem}-*.npy"):
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest()[:20] != path.stem.rpartition("-")[2]:
                continue
        columns = np.load(path, mmap_mode="r")
        if columns.shape == (len(family.ROWS), n_rows):
            os.utime(path)
            return {row.name: c for row, c in zip(family.ROWS, columns, strict=True)}
    return {}


def _write(folder: Path, stem: str, columns: np.ndarray) -> None:
    temporary = folder / f".{stem}-{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.save(file, np.ascontiguousarray(columns))
        with temporary.open("rb") as file:
            own = hashlib.file_digest(file, "sha256").hexdigest()[:20]
        os.replace(temporary, folder / f"{stem}-{own}.npy")
    except OSError as error:
        raise full_disk(error, folder) from error
    finally:
        temporary.unlink(missing_ok=True)


def _prune(folder: Path, name: str) -> None:
    """Remove all but the files of the family that were used last."""
    for path in sorted(folder.glob(f"{name}-*.npy"), key=_used, reverse=True)[KEEP:]:
        path.unlink(missing_ok=True)


def _used(path: Path) -> float:
    """When the file was read or written; never, where another process removed it first."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

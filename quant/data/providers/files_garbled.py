"""A copy of the user's files in which everything after a session is nonsense, for the audit."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from quant.core.seeds import generator
from quant.core.types import Frame, Mask
from quant.data.providers import reading
from quant.data.providers.layout import OPTIONAL, REQUIRED, FilesLayout, TableFiles

# canonical columns that move together, so that a bar stays a bar, and how far (log, deviation)
TOGETHER = {
    ("open", "high", "low", "close"): 0.3,
    ("pre_close",): 0.3,
    ("adj_close",): 0.3,
    ("factor",): 0.3,
    ("volume",): 2.0,
    ("amount",): 2.0,
    ("float_shares",): 1.0,
    ("dividend",): 1.0,
    ("rf",): 1.0,
}


def garbled(layout: FilesLayout, cut: np.datetime64, folder: Path, seed: int) -> FilesLayout:
    """The same layout on a copy in `folder`, where what is dated after `cut` is garbage.

    Values stay positive and bars keep their shape, so that no check refuses them. Tables of spells
    are copied as they are: what later spells may change is told by the replay of other stages.
    """
    for number, files in enumerate(layout.tables()):
        for path in reading.paths_of(layout.root, files):
            target = folder / path.relative_to(layout.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():  # one file may be two tables
                continue
            if "date" not in REQUIRED[files.table]:
                shutil.copyfile(path, target)
                continue
            rng = generator(seed, "garbled files", str(number), path.name)
            _write(_moved(_read(path), files, cut, rng), target)
    return dataclasses.replace(layout, root=folder)


def _read(path: Path) -> Frame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _write(frame: Frame, path: Path) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)


def _moved(frame: Frame, files: TableFiles, cut: np.datetime64, rng: np.random.Generator) -> Frame:
    known = REQUIRED[files.table] + OPTIONAL[files.table]
    theirs = dict(files.columns) or {name: name for name in known if name in frame}
    later = (pd.to_datetime(frame[theirs["date"]].astype(str)) > pd.Timestamp(cut)).to_numpy()
    for names, spread in TOGETHER.items():
        times = np.exp(rng.normal(0.0, spread, int(later.sum())))
        for name in names:
            if theirs.get(name) in frame:
                frame[theirs[name]] = _times(frame[theirs[name]], later, times)
    return frame


def _times(column: pd.Series, later: Mask, times: np.ndarray) -> pd.Series:
    """`column` with its later values multiplied; texts stay texts, what is missing stays so."""
    if column.dtype.kind in "fiu":
        values = column.to_numpy(dtype=np.float64, copy=True)
        values[later] *= times
        return pd.Series(values, index=column.index)
    texts = column.to_numpy(dtype=object, copy=True)
    numbers = pd.to_numeric(pd.Series(texts[later]), errors="coerce").to_numpy() * times
    told = np.array([repr(float(v)) for v in numbers], dtype=object)
    texts[later] = np.where(np.isfinite(numbers), told, texts[later])
    return pd.Series(texts, index=column.index)

"""A copy of the user's files without their future, or with a false one, for the audit.

The source under test is not asked to stop at a date: what it could read too early is not there.
"""

import dataclasses
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
# when a row of a table without dates begins, and what is filled in later
BEGINS = ("in_date", "list_date")
ENDS = ("out_date", "delist_date")


def blind(
    layout: FilesLayout, cut: np.datetime64, how: str, folder: Path, seed: int
) -> FilesLayout:
    """The same layout on a copy in `folder` in which nothing true is dated after `cut`.

    how : "cut" leaves later rows, spells and ends out; "garbled" keeps later rows and makes them
          garbage: values stay positive and bars keep their shape, so that no check refuses them,
          and every end still to come is another one
    """
    for number, files in enumerate(layout.tables()):
        for path in reading.paths_of(layout.root, files):
            target = folder / path.relative_to(layout.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():  # one file may be two tables
                continue
            rng = generator(seed, "blind files", str(number), path.name)
            change = _dated if "date" in REQUIRED[files.table] else _spells
            _write(change(_read(path), files, cut, how, rng), target)
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


def _theirs(frame: Frame, files: TableFiles) -> dict[str, str]:
    """Canonical name -> column of the file."""
    known = REQUIRED[files.table] + OPTIONAL[files.table]
    named = dict(files.columns) or {name: name for name in known if name in frame}
    return {name: column for name, column in named.items() if column in frame}


def _after(column: pd.Series, cut: np.datetime64) -> Mask:
    days = pd.to_datetime(column.astype(str), errors="coerce")
    return (days > pd.Timestamp(cut)).to_numpy()


def _dated(
    frame: Frame, files: TableFiles, cut: np.datetime64, how: str, rng: np.random.Generator
) -> Frame:
    theirs = _theirs(frame, files)
    later = _after(frame[theirs["date"]], cut)
    if how == "cut":
        return frame[~later].reset_index(drop=True)
    for names, spread in TOGETHER.items():
        times = np.exp(rng.normal(0.0, spread, int(later.sum())))
        for name in names:
            if name in theirs:
                frame[theirs[name]] = _times(frame[theirs[name]], later, times)
    if "is_st" in theirs and frame[theirs["is_st"]].dtype == bool:
        flags = frame[theirs["is_st"]].to_numpy(copy=True)
        flags[later] = rng.random(int(later.sum())) < 0.2
        frame[theirs["is_st"]] = flags
    return frame


def _spells(
    frame: Frame, files: TableFiles, cut: np.datetime64, how: str, rng: np.random.Generator
) -> Frame:
    theirs = _theirs(frame, files)
    for name in BEGINS:
        if name in theirs:
            frame = frame[~_after(frame[theirs[name]], cut)].reset_index(drop=True)
    for name in ENDS:
        if name not in theirs:
            continue
        column = frame[theirs[name]].astype(object)
        open_ended = (
            _after(column, cut)
            | pd.to_datetime(column.astype(str), errors="coerce").isna().to_numpy()
        )
        column[open_ended] = "" if frame[theirs[name]].dtype == object else None
        if how == "garbled" and frame[theirs[name]].dtype == object:
            odd = open_ended & (rng.random(len(frame)) < 0.3)
            column[odd] = str(cut + np.timedelta64(9, "D"))
        frame[theirs[name]] = column.astype(frame[theirs[name]].dtype)
        if "delist_return" in theirs:
            frame.loc[open_ended, theirs["delist_return"]] = (
                "" if frame[theirs["delist_return"]].dtype == object else np.nan
            )
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

"""Leaks before the universe: vendor rows and industries."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.core.types import Frame, Vector
from quant.data.providers import reading
from quant.features.compute import Members
from tests.leaks.leak import instead, leak

READ = reading.read


def rows(change: Callable[[Frame], Frame]) -> object:
    """The vendor's bars have been over `change`."""

    def read(root: Path, files: Any) -> Frame:
        frame = READ(root, files)
        return change(frame) if files.table == "bars" else frame

    return instead(reading, "read", read)


@leak("missing bars interpolated", "ingest", "rank IC", market="cn halted")
def interpolated_bars():
    """A suspension is a straight line from the last price to the one at which trading resumes."""

    def filled(frame: Frame) -> Frame:
        days = pd.Index(frame["date"].unique()).sort_values()
        parts = []
        for symbol, own in frame.groupby("symbol", observed=True):
            own = own.set_index("date").drop(columns="symbol").astype(float)
            own = own.reindex(days[days.slice_indexer(own.index[0], own.index[-1])])
            own = own.interpolate().assign(symbol=symbol)
            own["pre_close"] = own["pre_close"].where(own["pre_close"].notna(), own["close"])
            parts.append(own.rename_axis("date").reset_index())
        whole = pd.concat(parts, ignore_index=True)
        return whole.assign(symbol=whole["symbol"].astype("category"))

    return rows(filled)


@leak("names that are gone are left out", "ingest", "Sharpe", market="us failing")
def survivors_only():
    """The vendor's list of symbols is today's."""

    def alive(frame: Frame) -> Frame:
        last = frame.groupby("symbol", observed=True)["date"].transform("max")
        return frame[last == frame["date"].max()].reset_index(drop=True)

    return rows(alive)


@leak("label begins before the decision", "features", "rank IC", check="labels start later")
def label_from_the_open_of_the_day_itself():
    """Features of the close of t explain a return from the open of t."""
    room = importlib.import_module("quant.features.labels")
    real = room._total_return

    def early(panel: Panel, where: Members, *more: Any) -> Vector:
        opened = panel["open"] * panel["factor"]
        later = np.minimum(where.row + 1, len(opened) - 1)
        day = opened[later, where.column] / opened[where.row, where.column]
        return (1.0 + real(panel, where, *more)) * day - 1.0

    return instead(room, "_total_return", early)

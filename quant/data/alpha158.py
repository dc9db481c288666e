"""Qlib's Alpha158 by Qlib itself, for the members of each day: the features of a published rival.

Prices are adjusted by the causal factor, days without a bar NaN. The
source of names and expressions is `qlib.contrib.data.handler.Alpha158` (Qlib 0.9.7).
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from quant.core.progress import Tick, silent
from quant.core.types import Dates, Frame
from quant.data import qlib_store

CHUNK = 50  # instruments computed at once: 158 columns over all sessions are in memory


def compute(
    bars: Frame, membership: Frame, sessions: Dates, region: str, tick: Tick = silent
) -> Frame:
    """FEATURES table of the 158 expressions, float32, NaN where one has no finite value.

    A value at t uses bars up to t alone: every expression looks back, and names never meet.
    """
    keys = membership[["date", "symbol"]].sort_values(["date", "symbol"], ignore_index=True)
    symbols = sorted(keys["symbol"].unique())
    wanted = qlib_store.alpha158()
    out = np.full((len(wanted), len(keys)), np.nan, dtype=np.float32)
    by_name = keys.groupby("symbol", sort=False).indices
    # Qlib carries windows over a gap, but not past the last bar: with both, a suspension would
    # look different before it ended and after
    traded = pd.MultiIndex.from_frame(keys).isin(pd.MultiIndex.from_frame(bars[["date", "symbol"]]))
    with tempfile.TemporaryDirectory() as home:
        held = bars[bars["symbol"].isin(symbols)]
        folder = qlib_store.write(held, sessions, Path(home) / "qlib", region)
        qlib_store.init(folder, region)
        for first in range(0, len(symbols), CHUNK):
            part = symbols[first : first + CHUNK]
            names = {symbol: qlib_store.instrument(symbol) for symbol in part}
            values = qlib_store.evaluate(list(names.values()), list(wanted.values()))
            by_instrument = values.groupby(level="instrument", sort=False).indices
            days = values.index.get_level_values("datetime").to_numpy()
            for symbol, name in names.items():
                rows, at = by_name[symbol][traded[by_name[symbol]]], by_instrument[name]
                found = pd.Index(days[at]).get_indexer(keys["date"].to_numpy()[rows])
                out[:, rows] = _finite(values.iloc[at].to_numpy(np.float32)[found], found)
            tick(min(first + CHUNK, len(symbols)), len(symbols))
    columns = {name: out[i] for i, name in enumerate(wanted)}
    return pd.concat([keys, pd.DataFrame(columns)], axis=1)


def _finite(values: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(n_features, n_rows), NaN for what is not finite or was not found (-1)."""
    values = np.where(np.isfinite(values) & (found >= 0)[:, None], values, np.nan)
    return values.T


def markdown() -> str:
    """Names and expressions as a page."""
    lines = [f"| `{name}` | `{text}` |" for name, text in qlib_store.alpha158().items()]
    head = ["# Alpha158 (Qlib)", "", "| feature | expression |", "|---|---|"]
    return "\n".join([*head, *lines]) + "\n"

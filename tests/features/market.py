"""A small random market for the tests of this folder: gaps, listings, splits, dividends."""

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.core.seeds import generator
from quant.features import FIELDS

DAYS = np.arange("2015-01-01", "2025-12-31", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]


def bars(n_days: int = 330, n_assets: int = 24, seed: int = 42) -> pd.DataFrame:
    """Raw bars with suspensions, late listings, early endings, and steps of the factor."""
    rng = generator(seed, "tests", "bars")
    market = rng.normal(0.0003, 0.01, (n_days, 1))
    night = 0.4 * market + rng.normal(0.0, 0.006, (n_days, n_assets))
    day = 0.6 * market + rng.normal(0.0, 0.015, (n_days, n_assets))
    log_close = np.cumsum(night + day, axis=0) + rng.normal(2.5, 0.8, n_assets)
    close, opened = np.exp(log_close), np.exp(log_close - day)
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.006, close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.006, close.shape)))
    steps = np.where(rng.random(close.shape) < 0.004, rng.choice([1.01, 2.0, 1.5], close.shape), 1)
    factor = np.cumprod(steps, axis=0)
    volume = np.exp(rng.normal(13.0, 1.0, n_assets) + rng.normal(0.0, 0.4, close.shape)) * factor
    average = (high + low + close) / 3.0
    # some 3 % of the days close at a limit of two and a half deviations
    before = np.vstack([opened[:1], close[:-1]])
    limits = np.maximum(before * 1.04, close), np.minimum(before * 0.96, close)
    rows = rng.random(close.shape) > 0.03
    rows[:60, 1], rows[200:, 2], rows[100:130, 3], rows[150:, 4] = False, False, False, False
    floats = 3e7 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, close.shape), axis=0))
    r, c = np.nonzero(rows)
    table = {
        "date": DAYS[:n_days][r].astype("datetime64[ns]"),
        "symbol": np.array([f"S{j:03d}" for j in range(n_assets)], dtype=object)[c],
        "open": (opened / factor)[r, c],
        "high": (high / factor)[r, c],
        "low": (low / factor)[r, c],
        "close": (close / factor)[r, c],
        "volume": volume[r, c],
        "amount": (volume * average / factor)[r, c],
        "factor": factor[r, c],
        "limit_up": (limits[0] / factor)[r, c],
        "limit_down": (limits[1] / factor)[r, c],
        "float_shares": (floats * factor)[r, c],
    }
    return pd.DataFrame(table)


def membership(frame: pd.DataFrame, first: int = 20) -> pd.DataFrame:
    """Every name that has traded by then, in four industries of which one is small."""
    rows = frame[frame["date"] >= np.datetime64(DAYS[first], "ns")]
    symbols = np.unique(frame["symbol"])
    industry = {s: f"i{0 if j < 3 else 1 + j % 3}" for j, s in enumerate(symbols)}
    out = rows[["date", "symbol"]].sort_values(["date", "symbol"]).reset_index(drop=True)
    out["industry_id"] = out["symbol"].map(industry)
    out["group_id"] = np.where(out["industry_id"] < "i2", "g0", "g1")
    return out


def panel(frame: pd.DataFrame, n_days: int | None = None, names: object = None) -> Panel:
    """Panel of the bars on all sessions up to the last row (or `n_days`)."""
    last = frame["date"].max()
    days = DAYS[DAYS <= np.datetime64(last, "D")] if n_days is None else DAYS[:n_days]
    return Panel.of(frame, FIELDS, dates=days, symbols=names)

"""Whether alphas are as large as what came: deciles, slope; and how fast the signal turns over."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from quant.core.crosssection import group_sums, percentiles
from quant.core.types import Frame, Matrix, Vector
from quant.evaluation.inference import newey_west_variance

OVERLAP = 6 / 5  # Bartlett weights at 2h lags see 5/6 of what overlap makes
TOP = 0.8  # quantile above which a name is in the top quintile


def deciles(rows: Frame, horizon: int, n: int = 10) -> Frame:
    """CALIBRATION_CHECK rows: alpha and realised return by decile of the day's alphas.

    rows : date, alpha, raw, decimal over the horizon; a day of equal alphas is left out
    """
    rows = rows[np.isfinite(rows["alpha"]) & np.isfinite(rows["raw"])]
    by_day = rows.groupby("date")["alpha"]
    rows = rows[by_day.transform("max") > by_day.transform("min")]
    days, day = np.unique(rows["date"].to_numpy(), return_inverse=True)
    alpha, raw = rows["alpha"].to_numpy(), rows["raw"].to_numpy()
    decile = np.minimum((percentiles(alpha, day) * n).astype(np.int64), n - 1)
    out = []
    for k in range(n):
        mine = decile == k
        told, count = group_sums(alpha[mine], day[mine], days.size)
        came, _ = group_sums(raw[mine], day[mine], days.size)
        some = count > 0
        told, came = told[some] / count[some], came[some] / count[some]
        if told.size:
            gap = _error(came - told, horizon)
            out.append((k + 1, float(told.mean()), float(came.mean()), gap, int(count.sum())))
    return pd.DataFrame(out, columns=["decile", "alpha", "realised", "se", "n"])


def slope(rows: Frame, horizon: int) -> dict[str, float]:
    """Slope of realised return on alpha through zero, all and by year, with Newey-West errors.

    rows : date, alpha, raw; 1 = unbiased. The error is that of a ratio of sums over days.
    """
    rows = rows[np.isfinite(rows["alpha"]) & np.isfinite(rows["raw"])]
    date = rows["date"].to_numpy()
    cross = (rows["alpha"] * rows["raw"]).groupby(date).sum()
    square = np.square(rows["alpha"]).groupby(date).sum()
    value, error = _ratio(cross.to_numpy(), square.to_numpy(), horizon)
    out = {"slope": value, "slope_se": error}
    for year in sorted(set(cross.index.year)):
        mine = cross.index.year == year
        value, error = _ratio(cross[mine].to_numpy(), square[mine].to_numpy(), horizon)
        out |= {f"slope_{year}": value, f"slope_se_{year}": error}
    return out


def turnover(scores: Frame, lags: Iterable[int] = (1, 5, 21)) -> dict[str, float]:
    """Share of the top quintile that is new after `lag` sessions, and the ranks' autocorrelation.

    scores : date, symbol, score; a name without a score then or now is not in the quintile
    """
    _, day = np.unique(scores["date"].to_numpy(), return_inverse=True)
    level = percentiles(scores["score"].to_numpy(np.float64), day)
    wide = scores.assign(level=level).pivot(index="date", columns="symbol", values="level")
    rank = wide.to_numpy(np.float64)
    top = rank > TOP
    out = {}
    for lag in lags:
        if len(rank) <= lag:
            break
        kept = (top[lag:] & top[:-lag]).sum(axis=1) / np.maximum(top[lag:].sum(axis=1), 1)
        out[f"turnover_{lag}"] = float(1.0 - kept.mean())
        out[f"autocorrelation_{lag}"] = float(np.nanmean(_correlation(rank[lag:], rank[:-lag])))
    return out


def _correlation(x: Matrix, y: Matrix) -> Vector:
    both = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(both.sum(axis=1, keepdims=True), 1)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    x = np.where(both, x - x.sum(axis=1, keepdims=True) / count, 0.0)
    y = np.where(both, y - y.sum(axis=1, keepdims=True) / count, 0.0)
    size = np.sqrt(np.square(x).sum(axis=1) * np.square(y).sum(axis=1))
    return np.divide((x * y).sum(axis=1), size, out=np.full(size.size, np.nan), where=size > 0)


def _ratio(cross: Vector, square: Vector, horizon: int) -> tuple[float, float]:
    total = float(square.sum())
    if total <= 0.0:
        return float("nan"), float("nan")
    value = float(cross.sum()) / total
    return value, _error(cross - value * square, horizon) * cross.size / total


def _error(series: Vector, horizon: int) -> float:
    """Standard error of the mean of daily values that each span `horizon` days."""
    if series.size <= 2 * horizon:
        return float("nan")
    variance = OVERLAP * newey_west_variance(series, 2 * horizon)
    return float(np.sqrt(max(variance, 0.0) / series.size))

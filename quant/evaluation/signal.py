"""How well scores order the returns that followed: IC, spread, decay, coverage.

Rows are (date, symbol) pairs as parallel vectors; statistics are per date first.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from quant.core.crosssection import group_sums, percentiles
from quant.core.errors import ConfigError, DataError
from quant.core.types import Codes, Dates, Frame, Vector
from quant.evaluation.inference import newey_west_t

# a correlation over fewer names says nothing
MIN_NAMES = 10
ROUNDING = 1e-20


def ic(date: Dates, score: Vector, target: Vector) -> Frame:
    """Correlation across names of score and target, for every date.

    date, score, target : (n_rows,), any order; rows with either missing are left out
    Returns : date, ic (Pearson), rank_ic (Spearman), n; NaN with fewer than 10 names or where
              either is constant
    Source  : Grinold & Kahn (2000), ch. 6
    """
    days, day, score, target = _rows(date, score, target)
    plain = _correlation(score, target, day, days.size)
    ranked = _correlation(percentiles(score, day), percentiles(target, day), day, days.size)
    count = np.bincount(day, minlength=days.size)
    few = count < MIN_NAMES
    plain[few], ranked[few] = np.nan, np.nan
    return pd.DataFrame({"date": days, "ic": plain, "rank_ic": ranked, "n": count})


def icir(series: Vector, lags: int | None = None, periods: float = 1.0) -> dict[str, float]:
    """Mean IC, its deviation, their ratio x sqrt(periods a year) and the Newey-West t.

    series : (n_dates,) of IC; missing dates are left out
    lags   : at least the horizon - 1 where horizons overlap, in dates
    """
    known = np.asarray(series, dtype=np.float64)
    known = known[np.isfinite(known)]
    if known.size < 2:
        return {"mean": np.nan, "std": np.nan, "icir": np.nan, "t": np.nan, "n": known.size}
    mean, std = float(known.mean()), float(known.std(ddof=1))
    ratio = float(mean / std * np.sqrt(periods)) if std > 0 else float("nan")
    return {
        "mean": mean,
        "std": std,
        "icir": ratio,
        "t": newey_west_t(known, lags),
        "n": known.size,
    }


def quantile_returns(date: Dates, score: Vector, target: Vector, n: int = 5) -> Frame:
    """Mean target of each score quantile, for every date.

    Returns : date, q1 (lowest scores) .. qn, spread (qn - q1); NaN where a quantile is empty
    """
    if n < 2:
        raise ConfigError(f"{n} quantiles can not be compared; use 2 or more.")
    days, day, score, target = _rows(date, score, target)
    quantile = np.minimum((percentiles(score, day) * n).astype(np.int64), n - 1)
    sums, counts = group_sums(target, day * n + quantile, days.size * n)
    means = np.divide(sums, counts, out=np.full(sums.size, np.nan), where=counts > 0)
    table = pd.DataFrame(means.reshape(-1, n), columns=[f"q{i}" for i in range(1, n + 1)])
    table["spread"] = table[f"q{n}"] - table["q1"]
    table.insert(0, "date", days)
    return table


def decay(date: Dates, score: Vector, targets: Mapping[int, Vector], step: int = 1) -> Frame:
    """Mean IC of one score against returns over several horizons.

    targets : horizon in sessions -> (n_rows,) residual return over it
    step    : sessions between dates; horizons overlap by horizon / step dates
    Returns : horizon, ic, rank_ic, icir and t of the rank IC (Newey-West), n
    """
    rows = []
    for horizon, target in sorted(targets.items()):
        daily = ic(date, score, target)
        stats = icir(daily["rank_ic"].to_numpy(), lags=max(-(-horizon // step) - 1, 0))
        known = daily["ic"].dropna()
        mean = float(known.mean()) if len(known) else np.nan
        rows.append((horizon, mean, stats["mean"], stats["icir"], stats["t"], int(stats["n"])))
    return pd.DataFrame(rows, columns=["horizon", "ic", "rank_ic", "icir", "t", "n"])


def coverage(scores: Frame, membership: Frame, column: str = "score") -> Frame:
    """Share of each day's members that have a score.

    scores, membership : date, symbol; scores also `column`
    Returns            : date, members, scored, share
    """
    keys = ["date", "symbol"]
    known = scores.loc[np.isfinite(scores[column].to_numpy(dtype=np.float64)), keys]
    both = membership[keys].merge(known.assign(scored=1), on=keys, how="left")
    table = both.groupby("date").agg(members=("symbol", "size"), scored=("scored", "count"))
    return table.assign(share=table["scored"] / table["members"]).reset_index()


def _rows(date: Dates, score: Vector, target: Vector) -> tuple[Dates, Codes, Vector, Vector]:
    """Dates that have any row, and the complete rows sorted by date."""
    date, score, target = np.asarray(date), np.asarray(score, float), np.asarray(target, float)
    if not date.shape == score.shape == target.shape:
        raise DataError(
            f"{date.size} dates, {score.size} scores and {target.size} targets; "
            "give three parallel columns."
        )
    days, day = np.unique(date, return_inverse=True)
    keep = np.isfinite(score) & np.isfinite(target)
    order = np.flatnonzero(keep)[np.argsort(day[keep], kind="stable")]
    return days, day[order], score[order], target[order]


def _correlation(x: Vector, y: Vector, day: Codes, n_days: int) -> Vector:
    count = np.maximum(np.bincount(day, minlength=n_days), 1)

    def mean(values: Vector) -> Vector:
        return np.bincount(day, weights=values, minlength=n_days) / count

    # what is left of a constant after rounding is no variation
    least_x, least_y = ROUNDING * mean(x * x), ROUNDING * mean(y * y)
    x, y = x - mean(x)[day], y - mean(y)[day]
    cov, vx, vy = mean(x * y), mean(x * x), mean(y * y)
    flat = (vx <= least_x) | (vy <= least_y)
    return np.where(flat, np.nan, cov / np.sqrt(np.where(flat, 1.0, vx * vy)))

"""Where the signal works: by year, horizon, industry, size, uncertainty and state of the market.

Every slice is made of what was known at the close of the score. Rows are (date, symbol) pairs:
date, symbol, score, raw (residual return over the horizon, decimal).
"""

import numpy as np
import pandas as pd

from quant.core.crosssection import percentiles
from quant.core.types import Dates, Frame, Vector
from quant.evaluation import signal
from quant.evaluation.inference import overlap_t

COLUMNS = ("dimension", "slice", "rank_ic", "ic", "t", "spread_bp", "n_days")
SPANS = 10  # horizons of days that a t-statistic needs
VOL, TREND, PAST = 63, 126, 252  # sessions: volatility, trend, past that says what is high


def by_name(dimension: str, rows: Frame, names: pd.Series, horizon: int) -> Frame:
    """Slices of the cross-section: correlations within them; a null name is in none."""
    made = [
        _numbers(dimension, str(name), _daily(rows.loc[part.index]), horizon)
        for name, part in names.dropna().groupby(names)
    ]
    return pd.DataFrame(made, columns=list(COLUMNS))


def by_day(dimension: str, daily: Frame, names: pd.Series, horizon: int) -> Frame:
    """Slices of time; daily : as of `days`; names : (n_dates,) by date, null = in none."""
    of_day = names.reindex(daily["date"]).to_numpy(dtype=object)
    made = [
        _numbers(dimension, str(name), part, horizon)
        for name, part in daily.groupby(pd.Series(of_day, index=daily.index))
    ]
    return pd.DataFrame(made, columns=list(COLUMNS))


def days(rows: Frame) -> Frame:
    """date, ic, rank_ic, n and the spread of quintiles (decimal) of every day."""
    return _daily(rows)


def by_horizon(scores: Frame, labels: Frame) -> Frame:
    """The score against residual returns over each of the horizons that `labels` has.

    scores : date, symbol, score; labels : LABELS
    """
    made = []
    for horizon, part in labels.groupby("horizon"):
        rows = scores.merge(part[["date", "symbol", "raw"]], on=["date", "symbol"])
        made.append(_numbers("horizon", str(horizon), _daily(rows), int(horizon)))
    return pd.DataFrame(made, columns=list(COLUMNS))


def terciles(date: Dates, values: Vector) -> pd.Series:
    """Third of the day's cross-section, 1 = lowest; null where unknown or where all are equal."""
    known = np.isfinite(values)
    out = pd.Series(np.nan, index=range(len(values)), dtype=object)
    if known.any():
        _, day = np.unique(date[known], return_inverse=True)
        level = percentiles(values[known], day)
        third = np.minimum((3 * level).astype(np.int64), 2)
        low = pd.Series(values[known]).groupby(day).transform("min").to_numpy()
        high = pd.Series(values[known]).groupby(day).transform("max").to_numpy()
        names = np.array(["1 low", "2 middle", "3 high"], dtype=object)[third]
        out.iloc[np.flatnonzero(known)] = np.where(high > low, names, np.nan)
    return out


def sizes(rows: Frame, members: Frame) -> Vector:
    """(n_rows,) trailing daily amount at the last reconstitution that was in force on the day."""
    then = members[["effective", "symbol", "adv"]].sort_values("effective")
    mine = rows[["date", "symbol"]].reset_index(names="row").sort_values("date", kind="stable")
    found = pd.merge_asof(mine, then, left_on="date", right_on="effective", by="symbol")
    return found.set_index("row")["adv"].reindex(rows.index).to_numpy(np.float64)


def market(levels: pd.Series) -> dict[str, pd.Series]:
    """State of the market by date: volatility against its own past, and sign of its trend.

    levels : index of the market by date, ascending; null until its past is long enough
    """
    change = np.log(levels).diff()
    rank = change.rolling(VOL).std().expanding(PAST).rank(pct=True)
    vol = pd.cut(rank, [0.0, 1 / 3, 2 / 3, 1.0], labels=["1 calm", "2 middle", "3 rough"])
    moved = levels / levels.shift(TREND) - 1.0
    trend = moved.map(lambda x: "rising" if x > 0 else "falling", na_action="ignore")
    return {"market_volatility": vol.astype(object), "market_trend": trend.astype(object)}


def _daily(rows: Frame) -> Frame:
    columns = [rows[c].to_numpy() for c in ("date", "score", "raw")]
    daily = signal.ic(*columns)
    daily["spread"] = signal.quantile_returns(*columns, 5)["spread"].to_numpy()
    return daily


def _numbers(dimension: str, name: str, daily: Frame, horizon: int) -> tuple:
    daily = daily[daily["rank_ic"].notna()]
    ranked = daily["rank_ic"].to_numpy(np.float64)
    spread = 1e4 * float(daily["spread"].mean()) if len(daily) else np.nan
    mean = float(ranked.mean()) if ranked.size else np.nan
    plain = float(daily["ic"].mean()) if len(daily) else np.nan
    # with fewer than ten labels side by side the error itself is hardly known
    t = overlap_t(ranked, horizon) if ranked.size >= SPANS * horizon else np.nan
    return dimension, name, mean, plain, t, spread, len(daily)

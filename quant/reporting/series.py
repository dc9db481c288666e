"""Display series from NAV levels: drawdowns, rolling figures, calendar returns.

Levels and returns are pandas series by date. The numbers of the verdict come from the metrics
table; these are for drawing, with the same conventions (excess of cash, ddof 1). What
`quant.evaluation.metrics` has is taken from there.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd


def returns(levels: pd.Series) -> pd.Series:
    """Simple returns between sessions; the first session has none."""
    return (levels / levels.shift(1) - 1.0).iloc[1:]


def growth(levels: pd.Series) -> pd.Series:
    """Levels as a multiple of the first known one."""
    known = levels.dropna()
    return levels / known.iloc[0] if len(known) else levels


def drawdown(levels: pd.Series) -> pd.Series:
    """Decimal fall below the highest level so far, <= 0."""
    return levels / levels.cummax() - 1.0


def rolling_vol(daily: pd.Series, window: int, periods: int) -> pd.Series:
    """Annualised standard deviation (ddof 1) over the last `window` sessions."""
    return daily.rolling(window).std() * np.sqrt(periods)


def rolling_sharpe(excess: pd.Series, window: int, periods: int) -> pd.Series:
    """Annualised mean over standard deviation (ddof 1) of returns in excess of cash."""
    spread = excess.rolling(window).std()
    return excess.rolling(window).mean() / spread.where(spread > 0) * np.sqrt(periods)


def rolling_beta(daily: pd.Series, market: pd.Series, window: int) -> pd.Series:
    """Slope of `daily` on `market` over the last `window` sessions."""
    both = pd.concat([daily, market], axis=1).dropna()
    a, b = both.iloc[:, 0], both.iloc[:, 1]
    spread = b.rolling(window).var()
    return (a.rolling(window).cov(b) / spread.where(spread > 0)).reindex(daily.index)


def by_year(daily: pd.Series, how: Callable[[pd.Series], float]) -> pd.Series:
    """`how` of the values of each calendar year."""
    return daily.groupby(pd.DatetimeIndex(daily.index).year).apply(how)


def compounded(daily: pd.Series) -> float:
    """Return of the whole stretch."""
    return float((1.0 + daily).prod() - 1.0)


def month_ends(dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The last date of each calendar month among `dates`."""
    ordered = pd.Series(dates.sort_values(), index=dates.sort_values())
    return pd.DatetimeIndex(ordered.groupby(ordered.index.to_period("M")).last())

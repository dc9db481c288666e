"""Performance of one book, and how much of it is luck.

Returns are simple and per period (a session); cash is the risk-free rate of the same periods.
Sharpe ratios inside PSR, DSR and MinTRL are per period, never annualised; kurtosis is raw
(normal = 3). Periods a year: 252 (US), 243 (CN) (readings 35).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from quant.core.errors import DataError
from quant.core.types import Dates, Frame, Vector

# a deviation below this share of the largest value is rounding
ROUNDING = 1e-12


@dataclass(frozen=True)
class Shape:
    """What PSR needs of a series: Sharpe per period, n observations, skewness, raw kurtosis."""

    sharpe: float
    n: int
    skew: float = 0.0
    kurtosis: float = 3.0

    @property
    def spread(self) -> float:
        """1 - g3 SR + (g4 - 1)/4 SR^2, the variance of the Sharpe estimate x (n - 1).

        Raises DataError where the moments contradict each other.
        """
        s = self.sharpe
        value = 1.0 - self.skew * s + (self.kurtosis - 1.0) / 4.0 * s * s
        if not value > 0:
            raise DataError(
                f"Sharpe {s:.4g}, skewness {self.skew:.4g} and kurtosis {self.kurtosis:.4g} give "
                "a negative variance; kurtosis is raw (3 for the normal) and Sharpe per period."
            )
        return value


def excess(returns: Vector, cash: Vector | float = 0.0) -> Vector:
    """Returns minus cash, without missing periods. Raises DataError with fewer than 2."""
    series = np.asarray(returns, dtype=np.float64) - cash
    series = series[np.isfinite(series)]
    if series.size < 2:
        raise DataError(f"{series.size} returns are too few for a statistic; give 2 or more.")
    return series


def shape(returns: Vector, cash: Vector | float = 0.0) -> Shape:
    """Sharpe per period (ddof 1), count, population skewness and raw kurtosis of the excess."""
    series = excess(returns, cash)
    centred = series - series.mean()
    m2 = np.mean(centred**2)
    if np.sqrt(m2) <= ROUNDING * np.abs(series).max():
        raise DataError("the returns do not vary; a Sharpe ratio needs some variation.")
    return Shape(
        sharpe=float(series.mean() / series.std(ddof=1)),
        n=series.size,
        skew=float(np.mean(centred**3) / m2**1.5),
        kurtosis=float(np.mean(centred**4) / m2**2),
    )


def sharpe(returns: Vector, cash: Vector | float = 0.0, periods: float = 1.0) -> float:
    """Mean over standard deviation (ddof 1) of the excess of cash, x sqrt(periods a year).

    Returns NaN where the series does not vary (a book that holds only cash).
    """
    series = excess(returns, cash)
    deviation = series.std(ddof=1)
    flat = deviation <= ROUNDING * np.abs(series).max()
    return float("nan") if flat else float(series.mean() / deviation * np.sqrt(periods))


def ann_return(returns: Vector, periods: float) -> float:
    """Arithmetic mean x periods a year, decimal."""
    return float(excess(returns).mean() * periods)


def ann_growth(returns: Vector, periods: float) -> float:
    """Compounded return a year, decimal; -1 after a total loss."""
    series = excess(returns)
    grown = float(np.prod(1.0 + series))
    return max(grown, 0.0) ** (periods / series.size) - 1.0


def ann_vol(returns: Vector, periods: float) -> float:
    """Standard deviation (ddof 1) x sqrt(periods a year), decimal."""
    return float(excess(returns).std(ddof=1) * np.sqrt(periods))


def drawdowns(returns: Vector) -> Vector:
    """(n,) compounded value over its running peak (the start counts), minus 1; 0 or negative."""
    value = np.cumprod(1.0 + np.nan_to_num(returns))
    return value / np.maximum(np.maximum.accumulate(value), 1.0) - 1.0


def max_drawdown(returns: Vector) -> float:
    """Deepest drawdown, decimal, 0 or negative; 0 for an empty series."""
    return float(drawdowns(returns).min(initial=0.0))


def drawdown_table(returns: Vector, dates: Dates, top: int = 10) -> Frame:
    """The deepest drawdowns, deepest first.

    Returns : start (first period below the peak), trough, end (first period at or above the old
              peak; NaT where still below), depth (decimal), periods (start to end or to the last)
    """
    below = drawdowns(returns)
    days = np.asarray(dates).astype("datetime64[ns]")
    edge = np.diff(np.r_[False, below < 0, False].astype(np.int8))
    rows = []
    for start, end in zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True):
        trough = start + int(below[start:end].argmin())
        back = days[end] if end < days.size else np.datetime64("NaT")
        rows.append((days[start], days[trough], back, float(below[trough]), int(end - start)))
    table = pd.DataFrame(rows, columns=["start", "trough", "end", "depth", "periods"])
    return table.sort_values("depth", kind="stable").head(top).reset_index(drop=True)


def monthly(returns: Vector, dates: Dates) -> Frame:
    """Compounded returns by calendar month: rows are years, columns 1..12 and `year`."""
    day = pd.DatetimeIndex(np.asarray(dates).astype("datetime64[ns]"))
    grown = pd.Series(np.log1p(np.nan_to_num(returns)))
    months = np.expm1(grown.groupby([day.year, day.month]).sum()).unstack()
    months = months.reindex(columns=range(1, 13))
    months["year"] = np.expm1(grown.groupby(day.year).sum())
    return months.rename_axis(index="year", columns=None)


def turnover(traded: Vector, periods: float) -> float:
    """Traded share of NAV a year, two-way. traded: (n,) sum |d| of each period, decimal."""
    return float(np.nansum(traded) / np.size(traded) * periods) if np.size(traded) else 0.0


def relative(
    returns: Vector, benchmark: Vector, cash: Vector | float, periods: float
) -> dict[str, float]:
    """Beta, alpha a year, tracking error a year and information ratio against a benchmark.

    returns, benchmark, cash : (n,) of the same periods; periods missing in either are left out
    """
    book, other = np.asarray(returns) - cash, np.asarray(benchmark) - cash
    both = np.isfinite(book) & np.isfinite(other)
    book, other = excess(book[both]), excess(other[both])
    cov = np.cov(book, other)
    beta = float(cov[0, 1] / cov[1, 1]) if cov[1, 1] > 0 else float("nan")
    active = book - other
    error = float(active.std(ddof=1) * np.sqrt(periods))
    return {
        "beta": beta,
        "alpha": float((book.mean() - beta * other.mean()) * periods),
        "tracking_error": error,
        "information_ratio": float(active.mean() * periods / error) if error > 0 else float("nan"),
    }


def psr(series: Shape, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe exceeds `benchmark` (per period).

    Source: Bailey & Lopez de Prado (2012): variance at the estimate, n - 1 (readings 34)
    """
    return float(ndtr(score(series, benchmark)))


def score(series: Shape, benchmark: float = 0.0) -> float:
    """Standard errors of the Sharpe ratio above `benchmark`: PSR before it is a probability."""
    return float((series.sharpe - benchmark) * np.sqrt(series.n - 1.0) / np.sqrt(series.spread))


def expected_max_sharpe(n_trials: float, variance: float) -> float:
    """Best Sharpe (per period) that `n_trials` worthless strategies would show; 0 for one.

    variance : of the Sharpe ratios (per period) across trials
    Source   : Bailey & Lopez de Prado (2014), eq. 1
    """
    if n_trials < 1 or variance < 0:
        raise DataError(
            f"{n_trials} trials with variance {variance} make no ledger; "
            "count this run as one trial and give a variance of 0 or more."
        )
    if n_trials == 1:
        return 0.0
    first, second = ndtri(1.0 - 1.0 / n_trials), ndtri(1.0 - 1.0 / (n_trials * np.e))
    return float(np.sqrt(variance) * ((1.0 - np.euler_gamma) * first + np.euler_gamma * second))


def dsr(series: Shape, n_trials: float = 1, variance: float = 0.0) -> float:
    """Deflated Sharpe ratio: PSR against what the best of `n_trials` shows by luck.

    n_trials : effective number of trials in the ledger, this one included
    variance : of the Sharpe ratios (per period) across those trials
    Source   : Bailey & Lopez de Prado (2014); readings 34
    """
    return psr(series, expected_max_sharpe(n_trials, variance))


def min_track_record(series: Shape, benchmark: float = 0.0, level: float = 0.05) -> float:
    """Observations after which PSR reaches 1 - level; infinite where the Sharpe is no higher.

    Source: Bailey & Lopez de Prado (2012), minimum track record length
    """
    gap = series.sharpe - benchmark
    if gap <= 0:
        return float("inf")
    return float(1.0 + series.spread * (ndtri(1.0 - level) / gap) ** 2)

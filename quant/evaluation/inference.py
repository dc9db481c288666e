"""Errors of statistics of dependent series: block bootstrap, Newey-West."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quant.core.errors import ConfigError
from quant.core.types import Codes, Vector


@dataclass(frozen=True)
class Bootstrap:
    """Estimate, standard error and percentile interval of a statistic."""

    estimate: float
    error: float
    low: float
    high: float
    draws: Vector


def newey_west_variance(x: Vector, lags: int) -> float:
    """Long-run variance with Bartlett weights. Source: Newey & West (1987).

    x    : (n,) finite
    lags : 0 gives the population variance
    """
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    n = centred.size
    value = float(centred @ centred) / n
    for k in range(1, min(lags, n - 1) + 1):
        value += 2.0 * (1.0 - k / (lags + 1.0)) * float(centred[k:] @ centred[:-k]) / n
    return value


def newey_west_t(x: Vector, lags: int | None = None) -> float:
    """t-statistic of the mean, robust to dependence; NaN where it is not defined.

    x    : (n,) values that are not finite are left out
    lags : by default 4 (n / 100)^(2/9), Newey & West (1994)
    """
    series = np.asarray(x, dtype=np.float64)
    series = series[np.isfinite(series)]
    if series.size < 2:
        return float("nan")
    if lags is None:
        lags = int(4.0 * (series.size / 100.0) ** (2.0 / 9.0))
    variance = newey_west_variance(series, lags)
    return float(series.mean() / np.sqrt(variance / series.size)) if variance > 0 else float("nan")


def overlap_t(x: Vector, horizon: int) -> float:
    """t-statistic of a mean of daily values that each span `horizon` days.

    Bartlett weights at 2h lags see 5/6 of the variance that the overlap makes; it is put back.

    x : (n,) values that are not finite are left out
    """
    return newey_west_t(x, 2 * horizon) / float(np.sqrt(6.0 / 5.0))


def block_indices(
    n: int, block: float, n_draws: int, rng: np.random.Generator, kind: str = "stationary"
) -> Codes:
    """Indices (n_draws, n) of resampled series, on a circle.

    block : mean length (stationary: geometric lengths, Politis & Romano 1994) or fixed length
            (circular, Politis & Romano 1992), in periods
    """
    if not 1 <= block <= n:
        raise ConfigError(f"blocks of {block} periods do not fit a series of {n}; use 1 to {n}.")
    if kind not in ("stationary", "circular"):
        raise ConfigError(f"bootstrap {kind!r} is unknown; use 'stationary' or 'circular'.")
    if kind == "stationary":
        begin = rng.random((n_draws, n)) < 1.0 / block
    else:
        begin = np.zeros((n_draws, n), dtype=bool)
        begin[:, :: int(block)] = True
    begin[:, 0] = True
    position = np.arange(n)
    opened = np.maximum.accumulate(np.where(begin, position, 0), axis=1)
    anchor = np.take_along_axis(rng.integers(0, n, (n_draws, n)), opened, axis=1)
    return (anchor + position - opened) % n


def bootstrap(
    series: Vector,
    statistic: Callable[[Vector], float],
    block: float,
    n_draws: int,
    rng: np.random.Generator,
    kind: str = "stationary",
    level: float = 0.95,
) -> Bootstrap:
    """Resample blocks of rows of `series` and report the spread of `statistic`.

    series    : (n,) or (n, k), rows stay together, so pairs may be compared
    statistic : of one resampled series
    """
    series = np.asarray(series, dtype=np.float64)
    index = block_indices(len(series), block, n_draws, rng, kind)
    draws = np.array([statistic(series[line]) for line in index])
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    error = float(np.nanstd(draws, ddof=1))
    return Bootstrap(float(statistic(series)), error, float(low), float(high), draws)

"""Is one Sharpe ratio better than another? Robust to fat tails and dependence, and to chance.

Source: Ledoit & Wolf (2008), Robust performance hypothesis testing with the Sharpe ratio,
J. Empirical Finance 15(5) 850-859; below, v = (mean, mean, mean square, mean square).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from quant.core.errors import ConfigError, DataError
from quant.core.types import Matrix, Vector

SIZE = 0.05  # of the test, two-sided
POWER = 0.8  # with which a detectable difference is found
MIN_DRAWS = 19  # fewer can not show a size of 5 %
MIN_BLOCKS = 10  # fewer say nothing about the spread between them
MIN_PERIODS = 60
BETTER, WORSE, INCONCLUSIVE = "BETTER", "WORSE", "INCONCLUSIVE"
# differences of standardised returns below this are rounding
ROUNDING = 1e-7
CHUNK = 1_000_000  # resampled blocks held at a time


@dataclass(frozen=True)
class Comparison:
    """Difference of two Sharpe ratios, annualised; low and high enclose it with 95 %.

    detectable : smallest true difference that the test finds with a probability of 0.8
    n_obs      : periods that both have
    verdict    : BETTER or WORSE where the interval leaves 0 out, else INCONCLUSIVE
    """

    difference: float
    se: float
    low: float
    high: float
    p_value: float
    detectable: float
    n_obs: int
    verdict: str


def enough(n: int, block: int) -> bool:
    """Whether `n` periods are enough to compare on, with blocks of `block` periods."""
    return n >= max(MIN_PERIODS, MIN_BLOCKS * block)


def sharpe_difference(
    book: Vector, other: Vector, periods: float, block: int, draws: int, rng: np.random.Generator
) -> Comparison:
    """Test of equal Sharpe ratios: studentised circular block bootstrap, symmetric interval.

    book, other : (n,) returns of the same periods in excess of cash; periods missing in either are
                  left out
    periods     : a year, for the annualised numbers
    block       : periods a block; draws : 0 takes the normal distribution instead
    Raises DataError for too few periods or a series that does not vary, ConfigError for draws.
    """
    if 0 < draws < MIN_DRAWS:
        raise ConfigError(
            f"{draws} draws can not show a size of 5 %; give {MIN_DRAWS} or more, or 0 for the "
            "normal distribution."
        )
    scaled = _standardised(book, other, block)
    n = len(scaled)
    scale = float(np.sqrt(periods * (n - 1) / n))  # annualised, ddof 1 as everywhere
    if np.abs(scaled[:, 0] - scaled[:, 1]).max() <= ROUNDING:  # one series, up to its scale
        return Comparison(0.0, 0.0, 0.0, 0.0, 1.0, 0.0, n, INCONCLUSIVE)
    level, moments = _moments(scaled)
    difference = float(_difference(level))
    se = float(np.sqrt(long_run_variance(moments, _gradient(level)) / n))
    score = abs(difference) / se
    if draws:
        drawn = _studentised(level, moments, block, draws, rng)
        p_value = (np.count_nonzero(drawn >= score) + 1.0) / (draws + 1.0)
        # that order statistic for which score > critical just where p_value <= SIZE
        critical = float(-np.sort(-drawn)[int(SIZE * (draws + 1)) - 1])
    else:
        p_value, critical = 2.0 * float(ndtr(-score)), float(ndtri(1.0 - SIZE / 2.0))
    found = score > critical
    width = critical * se if np.isfinite(critical) else np.nan
    return Comparison(
        difference=difference * scale,
        se=se * scale,
        low=(difference - width) * scale,
        high=(difference + width) * scale,
        p_value=float(p_value),
        detectable=float(width + ndtri(POWER) * se) * scale,
        n_obs=n,
        verdict=(BETTER if difference > 0 else WORSE) if found else INCONCLUSIVE,
    )


def _standardised(book: Vector, other: Vector, block: int) -> Matrix:
    """(n, 2) returns over their standard deviations, which no Sharpe ratio notices."""
    pair = np.column_stack([np.asarray(book, np.float64), np.asarray(other, np.float64)])
    pair = pair[np.isfinite(pair).all(axis=1)]
    if not enough(len(pair), block):
        raise DataError(
            f"{len(pair)} common periods are too few to compare two Sharpe ratios with blocks of "
            f"{block}; it takes {max(MIN_PERIODS, MIN_BLOCKS * block)}: compare over a longer "
            "window or with shorter blocks."
        )
    deviation = pair.std(axis=0, ddof=1)
    if (deviation <= 1e-12 * np.abs(pair).max(axis=0)).any():
        raise DataError("the returns do not vary; a Sharpe ratio needs some variation.")
    return pair / deviation


def _moments(pair: Matrix) -> tuple[Vector, Matrix]:
    """Return v and the (n, 4) deviations from it."""
    powers = np.column_stack([pair, pair * pair])
    level = powers.mean(axis=0)
    return level, powers - level


def _difference(v: Matrix) -> Vector:
    """Sharpe ratio of the first less that of the second, for v (..., 4)."""
    a, b, c, d = np.moveaxis(v, -1, 0)
    return a / np.sqrt(c - a * a) - b / np.sqrt(d - b * b)


def _gradient(v: Matrix) -> Matrix:
    """Gradient of the difference by v, (..., 4)."""
    a, b, c, d = np.moveaxis(v, -1, 0)
    first, second = (c - a * a) ** -1.5, (d - b * b) ** -1.5
    return np.stack([c * first, -d * second, -0.5 * a * first, 0.5 * b * second], axis=-1)


def long_run_variance(y: Matrix, gradient: Vector) -> float:
    """Long-run variance of y @ gradient: prewhitened, quadratic spectral kernel.

    Taken in coordinates in which y is white across columns: there the singular values of the
    VAR(1) are correlations, and the cap on them does not depend on units.

    y      : (n, k) with mean 0
    Source : Andrews & Monahan (1992), singular values of at most 0.97
    """
    n, k = y.shape
    left, size, right = np.linalg.svd(y, full_matrices=False)
    kept = size > 1e-12 * size[0]
    y = left[:, kept] * np.sqrt(n)
    gradient = size[kept] * (right[kept] @ gradient) / np.sqrt(n)
    past, now = y[:-1], y[1:]
    left, values, right = np.linalg.svd(np.linalg.lstsq(past, now, rcond=None)[0].T)
    a = left * np.minimum(values, 0.97) @ right
    white = now - past @ a.T
    series = white @ np.linalg.solve((np.eye(len(a)) - a).T, gradient)
    n = len(series)
    covariance = np.correlate(series, series, "full")[n - 1 :] / n
    weight = quadratic_spectral(np.arange(1, n), bandwidth(white))
    return float((covariance[0] + 2.0 * weight @ covariance[1:]) * n / (n - k))


def bandwidth(y: Matrix) -> float:
    """Bandwidth of the quadratic spectral kernel from AR(1) fits. Source: Andrews (1991), eq. 6.4.

    y : (n, k)
    """
    y = y - y.mean(axis=0)
    past, now = y[:-1], y[1:]
    rho = np.clip((past * now).sum(axis=0) / (past * past).sum(axis=0), -0.97, 0.97)
    fourth = ((now - rho * past) ** 2).mean(axis=0) ** 2
    top = (4.0 * rho**2 * fourth / (1.0 - rho) ** 8).sum()
    alpha = top / (fourth / (1.0 - rho) ** 4).sum()
    return float(1.3221 * (alpha * len(y)) ** 0.2)


def quadratic_spectral(lag: Vector, width: float) -> Vector:
    """Weights of the quadratic spectral kernel at lags of 1 and more; 0 without a bandwidth."""
    if width <= 0:
        return np.zeros(len(lag))
    x = 1.2 * np.pi * np.asarray(lag) / width
    return 3.0 / (x * x) * (np.sin(x) / x - np.cos(x))


def _studentised(
    level: Vector, moments: Matrix, block: int, draws: int, rng: np.random.Generator
) -> Vector:
    """(draws,) |difference* - difference| over its own error, on resampled blocks.

    The error is that of the blocks' own spread (Götze & Künsch 1996).
    """
    n = len(moments)
    n_blocks = n // block
    total = np.cumsum(np.vstack([np.zeros(4), moments, moments[:block]]), axis=0)
    sums = (total[block:] - total[:-block])[:n]  # of the block that starts at each period
    start = rng.integers(0, n, (draws, n_blocks))
    step = max(CHUNK // n_blocks, 1)
    parts = [_scores(level, sums[start[i : i + step]], block) for i in range(0, draws, step)]
    return np.concatenate(parts)


def _scores(level: Vector, sums: Matrix, block: int) -> Vector:
    """Studentised distances of draws (draws, n_blocks, 4) of block sums from `level`."""
    n_blocks = sums.shape[1]
    mean = sums.mean(axis=1) / block
    drawn = level + mean
    spread = ((sums - block * mean[:, None]) @ _gradient(drawn)[:, :, None])[..., 0]
    error = np.sqrt((spread**2).mean(axis=1) / block / (n_blocks * block))
    away = np.abs(_difference(drawn) - _difference(level))
    # a draw in which both are the same has no error: it counts against a finding
    return np.divide(away, error, out=np.full(len(away), np.inf), where=error > 0)

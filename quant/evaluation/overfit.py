"""Probability of backtest overfitting by combinatorially symmetric cross-validation."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from quant.core.errors import ConfigError, DataError
from quant.core.types import Codes, Matrix, Vector

MIN_CONFIGS = 10  # of a sweep or ledger
MIN_BLOCK = 10  # periods
ROUNDING = 1e-14


@dataclass(frozen=True)
class Overfit:
    """What became of the in-sample winners.

    pbo       : share of splits in which the winner ends in the lower half out of sample
    logits    : (n_splits,) log(w / (1 - w)), w = rank / (n_configs + 1)
    best      : (n_splits,) index of the in-sample winner, the first among equals
    rank      : (n_splits,) its rank out of sample, 1 = worst, ties at their average
    loss      : share of splits in which the winner's performance out of sample is negative
    """

    pbo: float
    logits: Vector
    best: Codes
    rank: Vector
    loss: float


def cscv(returns: Matrix, n_blocks: int = 16, performance: str = "sharpe") -> Overfit:
    """Split time into blocks, choose on every half of them, look at the other half.

    returns     : (n_periods, n_configs) per period, excess of cash, in time order, no NaN
    n_blocks    : even; blocks by numpy.array_split
    performance : "sharpe" (mean over standard deviation, ddof 1) or "mean"
    Source      : Bailey, Borwein, Lopez de Prado & Zhu (2017), J. Computational Finance 20(4)
    """
    returns = np.asarray(returns, dtype=np.float64)
    _check(returns, n_blocks, performance)
    parts = np.array_split(returns, n_blocks)
    sums = np.array([p.sum(axis=0) for p in parts])
    squares = np.array([(p * p).sum(axis=0) for p in parts])
    sizes = np.array([len(p) for p in parts], dtype=np.float64)
    chosen = np.zeros((len(list(combinations(range(n_blocks), n_blocks // 2))), n_blocks))
    for line, blocks in enumerate(combinations(range(n_blocks), n_blocks // 2)):
        chosen[line, list(blocks)] = 1.0
    inside = _score(chosen, sums, squares, sizes, performance)
    outside = _score(1.0 - chosen, sums, squares, sizes, performance)
    best = inside.argmax(axis=1)
    line = np.arange(len(best))
    rank = rankdata(outside, axis=1)[line, best]
    share = rank / (returns.shape[1] + 1.0)
    logits = np.log(share / (1.0 - share))
    return Overfit(
        pbo=float(np.mean(logits <= 0.0)),
        logits=logits,
        best=best,
        rank=rank,
        loss=float(np.mean(outside[line, best] < 0.0)),
    )


def pbo(returns: Matrix, n_blocks: int = 16) -> float:
    """Share of splits in which the winner ends in the lower half; NaN where it can not be told.

    It takes 10 configurations whose returns vary and 10 periods a block.

    returns : as in `cscv`
    """
    varying = returns[:, np.ptp(returns, axis=0) > 0] if len(returns) else returns
    if varying.shape[1] < MIN_CONFIGS or len(varying) < MIN_BLOCK * n_blocks:
        return float("nan")
    return cscv(varying, n_blocks).pbo


def _score(
    chosen: Matrix, sums: Matrix, squares: Matrix, sizes: Vector, performance: str
) -> Matrix:
    """(n_splits, n_configs) performance over the chosen blocks."""
    count = (chosen @ sizes)[:, None]
    mean = chosen @ sums / count
    if performance == "mean":
        return mean
    square = chosen @ squares
    variance = (square - count * mean * mean) / (count - 1.0)
    # a book that sat in cash throughout these blocks: neither good nor bad
    varies = variance > ROUNDING * square
    return np.divide(mean, np.sqrt(np.abs(variance)), out=np.zeros_like(mean), where=varies)


def _check(returns: Matrix, n_blocks: int, performance: str) -> None:
    if performance not in ("sharpe", "mean"):
        raise ConfigError(f"performance {performance!r} is unknown; use 'sharpe' or 'mean'.")
    if n_blocks < 2 or n_blocks % 2:
        raise ConfigError(f"n_blocks is {n_blocks}; it must be even and at least 2.")
    if returns.ndim != 2 or returns.shape[1] < 2 or returns.shape[0] < n_blocks:
        raise DataError(
            f"returns are {returns.shape}; give (n_periods, n_configs) with at least "
            f"{n_blocks} periods and 2 configurations."
        )
    if not np.isfinite(returns).all():
        raise DataError("returns have missing values; keep the periods that all configs share.")
    if performance == "sharpe" and (returns.std(axis=0) == 0).any():
        raise DataError("a configuration's returns do not vary; leave it out.")

"""How many ideas a ledger of trials holds: configurations that trade alike are one.

The deflated Sharpe ratio needs the number of independent trials and the variance of Sharpe ratios
across them. Source: Lopez de Prado & Lewis (2019), Detection of false investment strategies using
unsupervised learning methods, Quantitative Finance 19(9); Bailey & Lopez de Prado (2014), app. 3.

Trials are compared by what they do beside the market: two long-only books of unlike signals
correlate by 0.9 through it. Whatever is not known of a trial keeps it apart from the others, so
that N is rather too large than too small. Only near copies should be merged: V, the variance across
trials, already shrinks with their correlation, and what N leaves out is the choice among the
members of one idea. Of twenty trials alike by 0.7 the best is 1.3 standard errors out by luck; with
all of them in one cluster the ratio would not be deflated at all. The ratio deflated by every
configuration stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from quant.core.types import Codes, Frame, Matrix, Vector
from quant.evaluation import metrics

MIN_COMMON = 63  # sessions; fewer say nothing about a correlation


@dataclass(frozen=True)
class Trial:
    """One configuration that was evaluated on a market.

    sharpe  : a session, in excess of cash
    returns : date, book, benchmark, rf (decimal a session, by date), or None where none were kept
    """

    config_hash: str
    name: str
    sharpe: float
    n_obs: int
    returns: Frame | None = None


def up_to(trial: Trial, last: str) -> Trial:
    """The trial without its returns after `last` (ISO date), its Sharpe ratio made anew.

    One of which nothing is left stands alone, its Sharpe ratio unknown (NaN). One without stored
    returns stays as it is: its Sharpe ratio may know what came later.
    """
    if trial.returns is None:
        return trial
    left = trial.returns[trial.returns["date"] <= pd.Timestamp(last)].reset_index(drop=True)
    if len(left) == len(trial.returns):
        return trial
    if len(left) < 2:
        return replace(trial, sharpe=float("nan"), n_obs=len(left), returns=None)
    sharpe = metrics.sharpe(left["book"].to_numpy(), left["rf"].to_numpy())
    return replace(trial, sharpe=sharpe, n_obs=len(left), returns=left)


@dataclass(frozen=True)
class Ideas:
    """Trials sorted into ideas.

    cluster : (n_trials,) number of each trial's idea, from 1
    sharpe  : (n,) Sharpe ratio of each idea, a session
    """

    cluster: Codes
    sharpe: Vector

    @property
    def n(self) -> int:
        """Effective number of trials."""
        return len(self.sharpe)

    @property
    def variance(self) -> float:
        """Variance of the ideas' Sharpe ratios, a session."""
        return variance(self.sharpe)


def variance(sharpe: Vector) -> float:
    """Variance (ddof 1) of the ratios that are known; 0 for a single one."""
    known = np.asarray(sharpe)[np.isfinite(sharpe)]
    return float(known.var(ddof=1)) if known.size > 1 else 0.0


def ideas(trials: Sequence[Trial], same_idea: float) -> Ideas:
    """Cluster trials: two groups are one idea while their members correlate by `same_idea` on mean.

    An idea speaks by the Sharpe ratio of the mean of its members' returns in excess of cash; a
    trial without returns, alone, by its own.

    trials    : with distinct config hashes, in any order
    same_idea : correlation of active returns
    """
    order = sorted(range(len(trials)), key=lambda i: trials[i].config_hash)
    sorted_trials = [trials[i] for i in order]
    label = _labels(correlation(sorted_trials), same_idea)
    cluster = np.empty(len(trials), dtype=np.int64)
    cluster[order] = label
    members = [[t for t, k in zip(sorted_trials, label, strict=True) if k == number]
               for number in range(1, label.max(initial=0) + 1)]  # fmt: skip
    return Ideas(cluster, np.array([_sharpe(group) for group in members]))


def correlation(trials: Sequence[Trial]) -> Matrix:
    """(n, n) correlation of active returns on common sessions; -1 where it is not known."""
    out = np.full((len(trials), len(trials)), -1.0)
    np.fill_diagonal(out, 1.0)
    long = {i: active(t.returns) for i, t in enumerate(trials)
            if t.returns is not None and len(t.returns) >= MIN_COMMON}  # fmt: skip
    if not long:
        return out
    wide = pd.DataFrame(long)
    found = wide.corr(min_periods=MIN_COMMON).to_numpy(np.float64, copy=True)
    # books that do nothing beside the market do the same
    still = np.flatnonzero(wide.std().to_numpy() == 0)
    found[np.ix_(still, still)] = 1.0
    known = wide.notna().to_numpy(np.float64)
    found[(known.T @ known < MIN_COMMON) | np.isnan(found)] = -1.0
    at = np.fromiter(long, dtype=np.int64)
    out[np.ix_(at, at)] = np.clip(found, -1.0, 1.0)
    return out


def active(returns: Frame) -> pd.Series:
    """Daily return in excess of cash, less beta times the benchmark's: what the book did itself."""
    cash = returns["rf"].to_numpy(np.float64)
    book = returns["book"].to_numpy(np.float64) - cash
    market = returns["benchmark"].to_numpy(np.float64) - cash
    spread = market - market.mean()
    power = spread @ spread
    own = book - (spread @ book / power if power > 0 else 0.0) * market
    if own.std() <= metrics.ROUNDING * np.abs(book).max(initial=0.0):
        own = np.zeros(len(own))
    return pd.Series(own, index=pd.DatetimeIndex(returns["date"]))


def excess(trials: Sequence[Trial]) -> Frame:
    """Daily returns in excess of cash, a column for each trial that has any; NaN where none is."""
    return pd.DataFrame(
        {
            t.config_hash: pd.Series(
                (t.returns["book"] - t.returns["rf"]).to_numpy(np.float64),
                index=pd.DatetimeIndex(t.returns["date"]),
            )
            for t in trials
            if t.returns is not None
        }
    ).sort_index()


def _labels(correlated: Matrix, same_idea: float) -> Codes:
    """Cluster of each trial, numbered by first appearance from 1. Average linkage."""
    n = len(correlated)
    if n < 2:
        return np.ones(n, dtype=np.int64)
    apart = squareform(1.0 - (correlated + correlated.T) / 2.0, checks=False)
    found = fcluster(linkage(apart, "average"), 1.0 - same_idea + 1e-12, "distance")
    first = pd.factorize(found)[0]
    return first.astype(np.int64) + 1


def _sharpe(members: Sequence[Trial]) -> float:
    daily = excess(members)
    if len(daily) < 2:
        return float(np.mean([t.sharpe for t in members]))
    return metrics.sharpe(daily.mean(axis=1).to_numpy())

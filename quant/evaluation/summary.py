"""The headline numbers of a book and of a signal, each with its unit."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from quant.core.types import Frame, Vector
from quant.evaluation import metrics, signal
from quant.evaluation.inference import bootstrap, overlap_t

UNITS = {
    "ann_return": "decimal a year", "ann_growth": "decimal a year", "ann_vol": "decimal a year",
    "sharpe": "annualised", "sharpe_gross": "annualised", "sharpe_se": "annualised",
    "sharpe_period": "a session", "sortino": "annualised", "max_drawdown": "decimal",
    "psr": "probability", "dsr": "probability", "pbo": "probability",
    "dsr_configs": "probability",
    "n_trials": "ideas", "n_configs": "configurations", "n_tuned": "configurations",
    "n_tuned_inside": "configurations", "expected_max_sharpe": "a session",
    "min_trl": "sessions", "n_obs": "sessions", "turnover_ann": "times NAV a year, two-way",
    "cost_bp_ann": "bp of NAV a year", "beta": "slope", "alpha": "decimal a year",
    "tracking_error": "decimal a year", "active_return": "decimal a year",
    "active_return_lo": "decimal a year", "active_return_hi": "decimal a year",
    "hit_rate": "share", "rank_ic_t": "t", "ic_t": "t",
}  # fmt: skip


def returns(nav: Frame, gross: bool = False) -> Vector:
    """(n_days - 1,) daily returns of one book.

    nav   : NAV rows of the book, by date
    gross : with the session's costs and fees added back
    """
    level = nav["nav"].to_numpy(np.float64)
    paid = (nav["cost"] + nav["fee"]).to_numpy(np.float64)[1:] if gross else 0.0
    return (level[1:] + paid) / level[:-1] - 1.0


def daily(portfolio: Frame, benchmark: Frame) -> Frame:
    """Daily returns of a book beside its benchmark's and cash: date, book, benchmark, rf.

    portfolio, benchmark : NAV rows of one book each, by date, on the same sessions
    """
    later = portfolio.iloc[1:]
    return pd.DataFrame(
        {
            "date": later["date"].to_numpy(),
            "book": returns(portfolio),
            "benchmark": returns(benchmark),
            "rf": later["rf"].to_numpy(np.float64),
        }
    )


def book(nav: Frame, periods: float) -> dict[str, float]:
    """Numbers that any book has.

    nav     : NAV rows of one book, by date; the first row is the start, without a return
    periods : sessions a year
    """
    daily, cash = returns(nav), nav["rf"].to_numpy(np.float64)[1:]
    level = nav["nav"].to_numpy(np.float64)
    paid = (nav["cost"] + nav["fee"]).to_numpy(np.float64)[1:] / level[:-1]
    out = series(daily, cash, periods)
    out["sharpe_gross"] = metrics.sharpe(returns(nav, gross=True), cash, periods)
    out["turnover_ann"] = metrics.turnover(nav["turnover"].to_numpy(np.float64)[1:], periods)
    out["cost_bp_ann"] = float(paid.mean() * periods * 1e4)
    return out


def series(daily: Vector, cash: Vector, periods: float) -> dict[str, float]:
    """Numbers of a return series, (n_days,) daily decimals, in excess of `cash` where said."""
    moments = metrics.shape(daily, cash)
    over = daily - cash
    downside = float(np.sqrt(np.mean(np.minimum(over, 0.0) ** 2)))
    growth, deepest = metrics.ann_growth(daily, periods), metrics.max_drawdown(daily)
    return {
        "ann_return": metrics.ann_return(daily, periods),
        "ann_growth": growth,
        "ann_vol": metrics.ann_vol(daily, periods),
        "sharpe": moments.sharpe * np.sqrt(periods),
        "sharpe_period": moments.sharpe,
        "sharpe_se": float(np.sqrt(moments.spread / (moments.n - 1) * periods)),
        "sortino": over.mean() / downside * np.sqrt(periods) if downside > 0 else np.nan,
        "calmar": growth / -deepest if deepest < 0 else np.nan,
        "max_drawdown": deepest,
        "skew": moments.skew,
        "kurtosis": moments.kurtosis,
        "hit_rate": float((daily > 0).mean()),
        "psr": metrics.psr(moments),
        "min_trl": metrics.min_track_record(moments),
        "n_obs": float(moments.n),
    }


def against(
    nav: Frame, other: Frame, periods: float, draws: int, block: int, rng: np.random.Generator
) -> dict[str, float]:
    """The book against its benchmark: beta, alpha, active return with a bootstrap interval.

    block : sessions of the stationary bootstrap's blocks; draws : 0 leaves the interval out
    """
    mine, theirs = returns(nav), returns(other)
    cash = nav["rf"].to_numpy(np.float64)[1:]
    active = mine - theirs
    out = dict(metrics.relative(mine, theirs, cash, periods))
    out["active_return"] = float(active.mean() * periods)
    if draws:
        drawn = bootstrap(active, lambda x: float(x.mean() * periods), block, draws, rng)
        out["active_return_lo"], out["active_return_hi"] = drawn.low, drawn.high
    return out


def deflated(daily: Vector, cash: Vector, n_trials: int, variance: float) -> dict[str, float]:
    """DSR with the number of trials behind it, and what the best of them shows by luck.

    n_trials : effective number; variance : of Sharpe ratios a session; see metrics.dsr
    """
    moments = metrics.shape(daily, cash)
    return {
        "dsr": metrics.dsr(moments, n_trials, variance),
        "n_trials": float(n_trials),
        "expected_max_sharpe": metrics.expected_max_sharpe(n_trials, variance),
    }


def quantiles(rows: Frame, n: int, horizon: int) -> Frame:
    """Mean residual return by score quantile, bp over the horizon, with Newey-West errors.

    rows : date, score, raw
    """
    table = signal.quantile_returns(
        rows["date"].to_numpy(), rows["score"].to_numpy(), rows["raw"].to_numpy(), n
    )
    out = []
    for bucket in range(1, n + 1):
        values = table[f"q{bucket}"].dropna().to_numpy()
        mean = float(values.mean()) if values.size else np.nan
        t = overlap_t(values, horizon)
        out.append((bucket, mean * 1e4, abs(mean / t) * 1e4 if t else np.nan))
    return pd.DataFrame(out, columns=["bucket", "mean_bp", "se_bp"])


def decay(scores: Frame, labels: Frame, lags: Iterable[int], step: int = 5) -> Frame:
    """Mean rank IC of the score of t - lag with the residual return that starts at t + 1.

    scores : date, symbol, score; labels : date, symbol, raw
    lags   : sessions; step : every so many sessions are looked at
    """
    days = np.unique(labels["date"].to_numpy())
    place = pd.Series(np.arange(days.size), index=days)
    later = labels.assign(at=place.reindex(labels["date"]).to_numpy())
    later = later[later["at"] % step == 0]
    known = scores.assign(at=place.reindex(scores["date"]).to_numpy()).dropna(subset=["at"])
    rows = []
    for lag in lags:
        shifted = known.assign(at=known["at"] + lag)[["at", "symbol", "score"]]
        both = later.merge(shifted, on=["at", "symbol"])
        daily = signal.ic(both["at"].to_numpy(), both["score"].to_numpy(), both["raw"].to_numpy())
        rows.append((lag, float(daily["rank_ic"].mean())))
    return pd.DataFrame(rows, columns=["lag", "rank_ic"])


def signal_numbers(daily: Frame, horizon: int) -> dict[str, float]:
    """Mean IC and rank IC with Newey-West t over the overlap of labels; daily : IC table."""
    plain, ranked = daily["ic"].to_numpy(), daily["rank_ic"].to_numpy()
    numbers = signal.icir(ranked)
    return {
        "ic": signal.icir(plain)["mean"],
        "ic_t": overlap_t(plain, horizon),
        "rank_ic": numbers["mean"],
        "rank_ic_t": overlap_t(ranked, horizon),
        "icir": numbers["icir"],
    }


def table(found: dict[str, dict[str, float]]) -> Frame:
    """METRICS rows from book -> metric -> value; what is not finite is left out."""
    rows = [
        (name, metric, UNITS.get(metric, "number"), float(value))
        for name, numbers in found.items()
        for metric, value in numbers.items()
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows, columns=["book", "metric", "unit", "value"])

"""What a leak inflates: a series by day for the clean and the leaky run, compared in pairs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core import horizons
from quant.core.seeds import generator
from quant.evaluation import signal
from quant.evaluation.inference import bootstrap, overlap_t
from tests.pipeline import Frames

T_LEAST, P_MOST = 3.0, 0.05
DRAWS, BLOCK = 500, 21


@dataclass(frozen=True)
class Gain:
    """A figure without and with the leak, and how sure the difference is.

    sure : the rule that the difference must pass, with its value
    """

    clean: float
    leaky: float
    inflated: bool
    sure: str


def rank_ic(clean: Frames, leaky: Frames, horizon: int, periods: int) -> Gain:
    """Mean daily rank IC of the score; Newey-West t of the daily difference above 3."""
    return _paired(_ic(clean), _ic(leaky), horizon)


def _paired(one: pd.Series, other: pd.Series, horizon: int) -> Gain:
    days = one.index.intersection(other.index)
    one, other = one[days].to_numpy(), other[days].to_numpy()
    t = overlap_t(other - one, horizon)
    return Gain(one.mean(), other.mean(), bool(t > T_LEAST), f"t = {t:.1f}")


def hold_out_ic(clean: Frames, leaky: Frames, horizon: int, periods: int) -> Gain:
    """The same, on the sessions of the last model."""
    first = clean["folds"]["predict_start"].max()
    late = [f | {"alpha": f["alpha"][f["alpha"]["date"] >= first]} for f in (clean, leaky)]
    return rank_ic(*late, horizon, periods)


def alpha_ic(clean: Frames, leaky: Frames, horizon: int, periods: int) -> Gain:
    """The same of the calibrated alpha; the same alpha for all names has an IC of 0."""
    flat = [
        f | {"alpha": f["alpha"].dropna(subset=["alpha"]).assign(score=f["alpha"]["alpha"])}
        for f in (clean, leaky)
    ]
    return _paired(*(_ic(f, 0.0) for f in flat), horizon)


def _ic(frames: Frames, constant: float = np.nan) -> pd.Series:
    rows = frames["alpha"].merge(horizons.at(frames["labels"], 21), on=["date", "symbol"])
    daily = signal.ic(rows["date"].to_numpy(), rows["score"].to_numpy(), rows["raw"].to_numpy())
    return daily.set_index("date")["rank_ic"].fillna(constant).dropna()


def sharpe(clean: Frames, leaky: Frames, horizon: int, periods: int) -> Gain:
    """Sharpe of the book in excess of cash."""
    return _sharpe(_excess(clean, "portfolio"), _excess(leaky, "portfolio"), periods)


def active(clean: Frames, leaky: Frames, horizon: int, periods: int) -> Gain:
    """Sharpe of the book less its benchmark."""
    one, other = (_excess(f, "portfolio") - _excess(f, "benchmark") for f in (clean, leaky))
    return _sharpe(one, other, periods)


def benchmark(clean: Frames, leaky: Frames, horizon: int, periods: int) -> Gain:
    """Sharpe of the benchmark."""
    return _sharpe(_excess(clean, "benchmark"), _excess(leaky, "benchmark"), periods)


def _excess(frames: Frames, book: str) -> pd.Series:
    rows = frames["nav"][frames["nav"]["book"] == book].set_index("date")
    return (rows["nav"].pct_change() - rows["rf"]).iloc[1:]


def _sharpe(clean: pd.Series, leaky: pd.Series, periods: int) -> Gain:
    """Paired stationary bootstrap: the leaky Sharpe is higher with p below 5 %, one-sided."""
    both = pd.concat([clean, leaky], axis=1, join="inner").to_numpy()

    def ratios(x: np.ndarray) -> np.ndarray:
        return x.mean(axis=0) / x.std(axis=0, ddof=1) * np.sqrt(periods)

    drawn = bootstrap(
        both, lambda x: float(np.diff(ratios(x))[0]), BLOCK, DRAWS, generator(1, "leaks")
    )
    p = float((drawn.draws <= 0).mean())
    return Gain(*map(float, ratios(both)), p < P_MOST, f"p = {p:.3f}")


def reported(clean: Frames, leaky: Frames, horizon: int, periods: int) -> Gain:
    """Sharpe as evaluated: of the same book, so half a standard error of it is no accident."""
    one, other = (
        f["metrics"].query("book == 'portfolio'").set_index("metric")["value"]
        for f in (clean, leaky)
    )
    gain = (other["sharpe"] - one["sharpe"]) / one["sharpe_se"]
    return Gain(one["sharpe"], other["sharpe"], bool(gain > 0.5), f"{gain:.2f} s.e.")


def cpcv_ic(clean: Frames, leaky: Frames, horizon: int, periods: int) -> Gain:
    """Mean rank IC of the splits of cross-validation; t above 3, counting groups, not splits."""
    one, other = (
        f["cpcv"][f["cpcv"]["split"] >= 0].groupby("split")["ic"].mean() for f in (clean, leaky)
    )
    gap = other - one
    groups = clean["cpcv"]["test_groups"].str.split(",").explode().nunique()
    t = gap.mean() / (gap.std(ddof=1) / np.sqrt(groups))
    return Gain(one.mean(), other.mean(), bool(t > T_LEAST), f"t = {t:.1f}")


FIGURES: dict[str, Callable[[Frames, Frames, int, int], Gain]] = {
    "rank IC": rank_ic,
    "Sharpe": sharpe,
    "active Sharpe": active,
    "benchmark Sharpe": benchmark,
    "hold-out IC": hold_out_ic,
    "alpha IC": alpha_ic,
    "CPCV IC": cpcv_ic,
    "reported Sharpe": reported,
}
# the last stage that a figure needs
NEEDS = {
    "rank IC": "model2",
    "hold-out IC": "model2",
    "alpha IC": "model2",
    "CPCV IC": "model2",
    "Sharpe": "backtest",
    "active Sharpe": "backtest",
    "benchmark Sharpe": "backtest",
    "reported Sharpe": "evaluate",
}

"""How likely the trend is to be another in ten sessions.

A flip: the most likely trend state at t + 10 differs from that at t (reading 31). One model for all
series, of features at the close of t, refitted as time goes on; what a refit learns from ends an
embargo before the day its labels were known. Its log-odds are scaled and shifted by what its own
earlier forecasts turned out to be worth, as in Platt (1999), shrunk towards leaving them alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from threadpoolctl import threadpool_limits

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import derive
from quant.core.types import Codes, Frame, Matrix, Vector

HORIZON = 10  # sessions
# before anything is learned: one change in 90 sessions, the hazard of the change detectors
BASE_RATE = 1 - (1 - 1 / 90) ** HORIZON
STRIDE = 5  # labels of neighbouring sessions overlap: every fifth is learned from
TRAILING = 1260  # sessions of own forecasts that calibrate and score
PRIOR = 25.0  # precision of scale 1 and shift 0: a standard deviation of 0.2
PENALTY = 50.0  # of squared coefficients; rows overlap and series move together, so few are news
FAR = 3.0  # standard deviations; beyond what was learned from, a feature says no more
TIE = 2.0**-22  # a lead that is rounding: stored thirds have no most likely state
LARGEST = 12.0  # log-odds; a forecast is never certain
MODELS = ("logistic", "xgboost")
FEATURES = (
    "p_bear", "p_bull", "gap", "log_gap", "gap_change", "entropy", "log_age",
    "p_turbulent", "p_crisis", "p_systemic", "young_vol", "young_slope", "parent_agrees",
)  # fmt: skip
Score = Callable[[Matrix], Vector]  # rows of features -> log-odds


def flips(trend: Matrix, horizon: int = HORIZON) -> Matrix:
    """Whether the most likely trend state is another `horizon` sessions later.

    trend : (n_days, n_series, 3), NaN = unknown
    Returns (n_days, n_series) of 0 and 1; NaN in the last `horizon` rows, and where either day is
    unknown or has no most likely state (equal probabilities, before there is a model). Row t is
    known at the close of t + horizon.
    """
    top = _top(trend)
    made = np.full(top.shape, np.nan)
    now, then = top[:-horizon], top[horizon:]
    known = (now >= 0) & (then >= 0)
    made[: now.shape[0]] = np.where(known, now != then, np.nan)
    return made


def features(
    trend: Matrix, vol: Matrix, above: Matrix, systemic: Vector, young_vol: Matrix,
    young_slope: Matrix,
) -> Matrix:  # fmt: skip
    """FEATURES of every series, as of each close.

    trend, vol, above : (n_days, n_series, 3) probabilities; `above` of the parent's trend
    systemic          : (n_days,) probability
    young_vol, young_slope : (n_days, n_series) probability that the run since the last change is
                        young, of the two streams
    Returns (n_days, n_series, n_features). gap is the most likely state's lead over the second,
    gap_change that over five sessions before, age the sessions since another state was the most
    likely, parent_agrees the parent's probability of the series' own most likely state.
    """
    ranked = np.sort(trend, axis=2)
    gap = ranked[..., 2] - ranked[..., 1]
    change = np.zeros(gap.shape)
    change[5:] = gap[5:] - gap[:-5]
    top = _top(trend)
    entropy = -(trend * np.log(np.maximum(trend, 1e-12))).sum(axis=2)
    agrees = np.take_along_axis(above, np.maximum(top, 0)[..., None], axis=2)[..., 0]
    made = {
        "p_bear": trend[..., 0],
        "p_bull": trend[..., 2],
        "gap": gap,
        "log_gap": np.log(gap + 0.01),
        "gap_change": np.where(np.isnan(change), 0.0, change),
        "entropy": entropy,
        "log_age": np.log1p(_age(top)),
        "p_turbulent": vol[..., 1],
        "p_crisis": vol[..., 2],
        "p_systemic": np.broadcast_to(systemic[:, None], gap.shape),
        "young_vol": young_vol,
        "young_slope": young_slope,
        "parent_agrees": agrees,
    }
    return np.stack([made[name] for name in FEATURES], axis=2)


@dataclass(frozen=True)
class Forecast:
    """Forecasts, and how they came about.

    p_flip : (n_days, n_series) in (0, 1), NaN where a feature is
    refits : by `row` of the refit: `rows` learned from, their share of flips `base_rate`, and over
             the trailing forecasts known by then the Brier score `brier` and that of the shares,
             `brier_base` (NaN where there are none yet)
    """

    p_flip: Matrix
    refits: Frame


def walk(
    x: Matrix,
    flips: Matrix,
    refits: Codes,
    embargo: int = 10,
    min_rows: int = 500,
    model: str = "logistic",
    seed: int = 0,
) -> Forecast:
    """Forecast flips with what was known: refit r learns from rows t with t + 10 + embargo <= r.

    x        : (n_days, n_series, n_features) as of each close, NaN where a series has no states
    flips    : (n_days, n_series) of 0, 1 and NaN
    refits   : (n_refits,) rows, growing; rows after one, up to the next, are forecast by it alone
    min_rows : below which, or without flips of both kinds, the model before stays
    model    : logistic or xgboost
    Before the first model the forecast is BASE_RATE. Raises ConfigError for another model,
    DataError for shapes that differ and refits that do not grow.
    """
    _check(x, flips, refits, model)
    valid = np.isfinite(x).all(axis=2)
    labelled = valid & ~np.isnan(flips)
    odds, share = np.full(flips.shape, np.nan), np.full(flips.shape[0], BASE_RATE)
    made, score, table = np.where(valid, BASE_RATE, np.nan), None, []
    ends = [*refits[1:].tolist(), flips.shape[0] - 1]
    with threadpool_limits(1):  # the order of sums, so the bits, does not hang on cores
        for r, end in zip(refits.tolist(), ends, strict=False):
            until = max(r - HORIZON - embargo + 1, 0)
            learned = labelled[:until:STRIDE]
            y = flips[:until:STRIDE][learned]
            if y.size >= min_rows and y.min() < y.max():
                score = _fit(x[:until:STRIDE][learned], y, model, seed)
                past = slice(max(until - TRAILING, 0), until)
                own = labelled[past] & ~np.isnan(odds[past])
                truth, base = flips[past][own], np.broadcast_to(share[past, None], own.shape)[own]
                shift, scale = _platt(odds[past][own], truth)
                table.append((r, y.size, y.mean(), _brier(made[past][own], truth),
                              _brier(base, truth)))  # fmt: skip
            ahead = slice(r + 1, end + 1)
            if score is not None and valid[ahead].any():
                z = np.full(valid[ahead].shape, np.nan)
                z[valid[ahead]] = np.clip(score(x[ahead][valid[ahead]]), -LARGEST, LARGEST)
                odds[ahead], share[ahead] = z, table[-1][2]
                made[ahead] = expit(np.clip(shift + scale * z, -LARGEST, LARGEST))
    columns = {"row": np.int64, "rows": np.int64, "base_rate": float, "brier": float,
               "brier_base": float}  # fmt: skip
    return Forecast(made, pd.DataFrame(table, columns=list(columns)).astype(columns))


def _check(x: Matrix, flips: Matrix, refits: Codes, model: str) -> None:
    if model not in MODELS:
        raise ConfigError(f"flip model {model!r} is unknown; choose one of {', '.join(MODELS)}.")
    if x.shape[:2] != flips.shape:
        raise DataError(
            f"features are {x.shape} and flips {flips.shape}; give both the same days and series."
        )
    if (np.diff(refits) <= 0).any():
        raise DataError(f"refits {refits.tolist()} do not grow; sort them and drop doubles.")


def _top(trend: Matrix) -> Codes:
    """(n_days, n_series) number of the most likely state, -1 = unknown, or none is."""
    ranked = np.sort(trend, axis=2)  # NaN last
    return np.where(ranked[..., -1] - ranked[..., -2] > TIE, trend.argmax(axis=2), -1)


def _age(top: Codes) -> Codes:
    """Sessions since `top` last changed, or since the first row."""
    day = np.arange(top.shape[0])[:, None]
    changed = np.zeros(top.shape, dtype=bool)
    changed[1:] = top[1:] != top[:-1]
    return day - np.maximum.accumulate(np.where(changed, day, 0), axis=0)


def _brier(p: Vector, truth: Vector) -> float:
    return float(np.mean((p - truth) ** 2)) if p.size else np.nan


def _fit(x: Matrix, y: Vector, model: str, seed: int) -> Score:
    """A model of the log-odds, learned from the rows `x`."""
    return _logistic(x, y) if model == "logistic" else _trees(x, y, derive(seed, "flips"))


def _logistic(x: Matrix, y: Vector) -> Score:
    from sklearn.linear_model import LogisticRegression

    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation[deviation < 1e-9] = np.inf  # a feature that never moved says nothing

    def scaled(rows: Matrix) -> Matrix:
        return np.clip((rows - mean) / deviation, -FAR, FAR)

    fitted = LogisticRegression(C=1 / PENALTY, max_iter=1000).fit(scaled(x), y)
    weights, level = fitted.coef_[0], fitted.intercept_[0]
    # not by BLAS: the bits of a row must not depend on how many come with it
    return lambda rows: (scaled(rows) * weights).sum(axis=1) + level


def _trees(x: Matrix, y: Vector, seed: int) -> Score:
    import xgboost

    settings = {
        "objective": "binary:logistic", "max_depth": 3, "eta": 0.05, "min_child_weight": 20,
        "reg_lambda": 50, "subsample": 0.7, "nthread": 1, "seed": seed,
    }  # fmt: skip
    fitted = xgboost.train(settings, xgboost.DMatrix(x, y), num_boost_round=100)
    return lambda rows: fitted.predict(xgboost.DMatrix(rows), output_margin=True).astype(float)


def _platt(odds: Vector, truth: Vector) -> tuple[float, float]:
    """Shift and scale of log-odds that make them true, by Newton's method (Platt 1999).

    Ten sessions' labels overlap, so a row counts a tenth; shrunk towards (0, 1) with PRIOR, which
    is the answer where nothing is known.
    """
    design = np.stack([np.ones(odds.size), odds], axis=1)
    start = np.array([0.0, 1.0])
    at = start.copy()
    for _ in range(50):
        p = expit(design @ at)
        slope = design.T @ (p - truth) / HORIZON + PRIOR * (at - start)
        curve = (design.T * (p * (1 - p))) @ design / HORIZON + PRIOR * np.eye(2)
        step = np.linalg.solve(curve, slope)
        at = at - step / max(1.0, np.abs(step).max())  # saturated rows have no curve to speak of
        if np.abs(step).max() < 1e-10:
            break
    return float(at[0]), float(at[1])

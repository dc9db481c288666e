"""A small panel with a planted (or no) relation between features and residual returns."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from quant.core.seeds import generator

N_INDUSTRIES = 4


@dataclass(frozen=True)
class Sample:
    sessions: np.ndarray
    features: pd.DataFrame
    labels: pd.DataFrame
    membership: pd.DataFrame


def sample(
    n_days=700, n_names=60, n_features=4, horizon=5, strength=0.0, seed=1, persistence=0.97
) -> Sample:
    """Residual returns of 2 % a day; `strength` is their mean's slope on the first feature."""
    rng = generator(seed, "tests", "model2")
    sessions = pd.bdate_range("2010-01-04", periods=n_days).to_numpy().astype("datetime64[D]")
    shocks = rng.standard_normal((n_days, n_names, n_features))
    values = np.empty_like(shocks)
    values[0] = shocks[0]
    for day in range(1, n_days):
        values[day] = persistence * values[day - 1] + np.sqrt(1 - persistence**2) * shocks[day]
    returns = 0.02 * rng.standard_normal((n_days, n_names))
    returns[1:] += strength * values[:-1, :, 0]
    industry = np.arange(n_names) % N_INDUSTRIES
    return Sample(
        sessions,
        _features(sessions, values),
        labels_of(sessions, returns, industry, horizon),
        _long(sessions, n_names, industry_id=np.tile(industry.astype(str), n_days)),
    )


def _names(n_names):
    return np.array([f"N{i:03d}" for i in range(n_names)], dtype=object)


def _long(sessions, n_names, **columns):
    date = np.repeat(sessions.astype("datetime64[ns]"), n_names)
    return pd.DataFrame(
        {"date": date, "symbol": np.tile(_names(n_names), sessions.size), **columns}
    )


def _features(sessions, values):
    n_days, n_names, n_features = values.shape
    flat = values.reshape(-1, n_features).astype(np.float32)
    return _long(sessions, n_names, **{f"f{j}": flat[:, j] for j in range(n_features)})


def labels_of(sessions, returns, industry, horizon):
    """Return of t + 2 .. t + 1 + h less the industry's mean; known on session t + 1 + h."""
    n_days, n_names = returns.shape
    total = np.vstack([np.zeros(n_names), np.cumsum(returns, axis=0)])
    raw = np.full(returns.shape, np.nan)
    labelled = n_days - 1 - horizon
    if labelled > 0:
        raw[:labelled] = total[horizon + 2 :] - total[2 : n_days - horizon + 1]
    for group in np.unique(industry):
        raw[:, industry == group] -= raw[:, industry == group].mean(axis=1, keepdims=True)
    rank = np.full(raw.shape, np.nan)
    end = np.full(n_days, np.datetime64("NaT"), dtype="datetime64[ns]")
    for day in range(max(labelled, 0)):
        rank[day] = norm.ppf((rankdata(raw[day]) - 0.5) / n_names)
        end[day] = sessions[day + 1 + horizon]
    ends = np.repeat(end, n_names)
    made = {"horizon": np.int64(horizon), "raw": raw.ravel(), "label": rank.ravel(), "end": ends}
    return _long(sessions, n_names, **made)

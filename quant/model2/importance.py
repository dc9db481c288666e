"""What the ensemble makes of its features at every refit, on rows known at the refit.

A row's Shapley values are the weighted mean over members of their contributions to their
standardised scores (quant.model2.shap), so that they add up, with the day's base, to the score
that is calibrated. Their unit is a standard deviation of scores within the day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.core.types import Codes, Frame, Matrix, Vector
from quant.model2 import scores, shap
from quant.model2.design import Design32, Rows
from quant.model2.models import Member, Model

OTHER = "other"  # family of a feature that no list knows


@dataclass(frozen=True)
class ShapSpec:
    """Which rows are explained.

    rows     : explained at a refit; shown : of these, kept one by one for the `top` features
    sessions : from which they are drawn, the last of them that of the refit; apart : sessions
               between two of them
    """

    rows: int = 500
    sessions: int = 4
    apart: int = 21
    shown: int = 400
    top: int = 20

    def __post_init__(self) -> None:
        if min(self.rows, self.sessions, self.apart, self.shown, self.top) < 1:
            raise ConfigError(f"{self}: each must be at least 1.")


@dataclass(frozen=True)
class Sample:
    """All names of some sessions before a refit, and those that are explained.

    x, day  : (n_all, n_features) ranks, (n_all,) number of the session among those sampled
    rows    : (n_rows,) position of the explained among them
    at      : (n_all,) row of the feature table
    """

    x: Design32
    day: Codes
    rows: Codes
    at: Codes


@dataclass(frozen=True)
class Explained:
    """Shapley values (n_rows, n_features) of the score, and its base (n_rows,)."""

    values: Matrix
    base: Vector


def sample(rows: Rows, refit: int, spec: ShapSpec, seed: int) -> Sample:
    """Draw the rows of a refit from its session and earlier ones; nothing later is looked at.

    refit  : position of its session
    Raises : DataError where no such session has names
    """
    wanted = refit - spec.apart * np.arange(spec.sessions)[::-1]
    days = [s for s in wanted if s >= 0 and rows.starts[s] < rows.starts[s + 1]]
    if not days:
        raise DataError(
            f"no feature row on or before the refit of {rows.sessions[refit]} can be explained; "
            "lengthen the features."
        )
    rng = generator(seed, "importance", str(rows.sessions[refit]))
    x, day, drawn, at, before = [], [], [], [], 0
    share = -(-spec.rows // len(days))
    for number, session in enumerate(days):
        begin, stop = rows.starts[session], rows.starts[session + 1]
        width = int(stop - begin)
        x.append(rows.standardised(session, session))
        day.append(np.full(width, number))
        at.append(np.arange(begin, stop))
        chosen = rng.choice(width, min(share, width), replace=False)
        drawn.append(before + np.sort(chosen))
        before += width
    return Sample(*(np.concatenate(part) for part in (x, day, drawn, at)))


def explained(models: Mapping[Member, Model], on: Sample) -> Explained:
    """Shapley values of the score of the ensemble `models` on the drawn rows."""
    x, of = on.x[on.rows], on.day[on.rows]
    values, base = np.zeros(x.shape), np.zeros(on.rows.size)
    for weight, model in zip(scores.weights(list(models)), models.values(), strict=True):
        own, middle = shap.contributions(model, x)
        own, level = shap.scaled(own, middle, model.predict(on.x), on.day, of)
        values += weight * own
        base += weight * level
    return Explained(values, base)


def table(names: Sequence[str], values: Matrix, families: Mapping[str, str]) -> Frame:
    """IMPORTANCE rows of one refit: mean |SHAP| of each feature and its share of their sum."""
    mean = np.abs(values).mean(axis=0)
    whole = mean.sum()
    return pd.DataFrame(
        {
            "feature": list(names),
            "family": [families.get(name, OTHER) for name in names],
            "mean_abs_shap": mean,
            "share": mean / whole if whole > 0 else mean,
        }
    )


def dependence(rows: Rows, on: Sample, found: Explained, spec: ShapSpec) -> Frame:
    """SHAP rows of one refit: rank and contribution of the `top` features on every `shown` row."""
    order = np.argsort(-np.abs(found.values).mean(axis=0), kind="stable")[: spec.top]
    kept = np.unique(np.linspace(0, on.rows.size - 1, min(spec.shown, on.rows.size)).astype(int))
    place = on.at[on.rows[kept]]
    day = np.searchsorted(rows.starts, place, side="right") - 1
    n = order.size
    return pd.DataFrame(
        {
            "session": np.repeat(rows.sessions[day].astype("datetime64[ns]"), n),
            "symbol": np.repeat(rows.symbols[place], n),
            "feature": np.tile(np.array(rows.names, dtype=object)[order], kept.size),
            "rank": on.x[on.rows[kept]][:, order].astype(np.float64).ravel(),
            "shap": found.values[kept][:, order].ravel(),
        }
    )


def stability(importance: Frame, top: int = 10) -> Frame:
    """How much of a refit's order of features the one before had.

    importance : IMPORTANCE table
    Returns    : date, rank_correlation (Spearman, of mean |SHAP|), overlap (share of the `top`
                 features in common); from the second refit on
    """
    wide = importance.pivot(index="date", columns="feature", values="mean_abs_shap").sort_index()
    rank = wide.rank(axis=1)
    most = min(top, wide.shape[1])
    leading = [set(row.nlargest(most, keep="first").index) for _, row in wide.iterrows()]
    pairs = range(1, len(wide))
    return pd.DataFrame(
        {
            "date": wide.index[1:],
            "rank_correlation": [_correlation(rank.iloc[i - 1], rank.iloc[i]) for i in pairs],
            "overlap": [len(leading[i - 1] & leading[i]) / most for i in pairs],
        }
    )


def _correlation(before: pd.Series, now: pd.Series) -> float:
    a, b = before - before.mean(), now - now.mean()
    scale = np.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 0 else np.nan

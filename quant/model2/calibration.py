"""From score to expected residual return, learned from past out-of-sample scores alone.

At each refit r, the scores of earlier sessions whose labels are known at the close of r are cut
into quantile bins by session; the mean residual returns of the bins make the curve of
`quant.model2.curve`. Alphas are read from it by quantile, made smaller for names on which the
ensemble disagrees (`quant.model2.doubt`), and centred within the day's industries (within the day
where none are given).

Until `min_dates` sessions of scores have known labels there is no alpha: rows carry NaN, and a
book starts at the first refit after that.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from quant.core.crosssection import group_means, percentiles
from quant.core.errors import ConfigError, DataError
from quant.core.types import Codes, Dates, Frame, Matrix, Vector
from quant.model2 import doubt
from quant.model2.curve import Curve, fit_curve
from quant.model2.design import NEVER, Rows, align

FACTORS = ("factor_low", "factor_middle", "factor_high")  # by third of the day's uncertainty


@dataclass(frozen=True)
class CalibrationSpec:
    """How scores become alphas."""

    horizon: int = 21  # sessions of the label
    bins: int = 20  # quantile bins a session
    min_dates: int = 252  # sessions of labelled scores before the first alpha
    max_dates: int = 1260  # trailing sessions that count
    names_per_bin: int = 2  # smaller sessions teach nothing

    def __post_init__(self) -> None:
        if self.bins < 2 or self.names_per_bin < 1 or self.horizon < 1:
            raise ConfigError(
                f"calibration bins {self.bins}, names_per_bin {self.names_per_bin}, horizon "
                f"{self.horizon}: at least 2 bins, 1 name and 1 session are needed."
            )
        if not 2 <= self.min_dates <= self.max_dates:
            raise ConfigError(
                f"calibration min_dates is {self.min_dates} and max_dates {self.max_dates}; "
                "the rule is 2 <= min_dates <= max_dates."
            )


@dataclass(frozen=True)
class Calibrated:
    """Alphas, and the curve behind those of each refit.

    alpha  : ALPHA table; NaN before the first calibration
    curves : CALIBRATION table
    shrink : refit -> its shrinkage factor in [0, 1]
    """

    alpha: Frame
    curves: Frame
    shrink: dict[int, float]


def calibrate(
    scores: Frame,
    labels: Frame,
    sessions: Dates,
    spec: CalibrationSpec,
    membership: Frame | None = None,
) -> Calibrated:
    """Turn walk-forward scores into expected residual returns (decimal over the horizon).

    scores     : date, symbol, score, uncertainty, fold as `train.walk_forward` returns them
    labels     : LABELS table; membership : MEMBERSHIP table to neutralise within industries
    Raises     : DataError where no session has enough names for the bins, where history is too
                 short for any alpha, or where a scored row has no industry
    """
    rows = align(scores[["date", "symbol", "score"]], labels, sessions)
    session = rows.session
    industry = _industry(scores, membership)
    score, uncertainty = scores["score"].to_numpy(), scores["uncertainty"].to_numpy()
    quantile = percentiles(neutral(score, groups(session, industry)), session)
    fold = scores["fold"].to_numpy()
    refits = _refits(fold, session)
    daily = _daily_bins(rows, quantile, doubt.thirds(uncertainty, session), refits, spec)
    alpha = np.full(len(scores), np.nan)
    curves, shrink = [], {}
    for number, refit in refits.items():
        curve = _fitted(daily, refit, spec)
        if curve is None:
            continue
        mine = fold == number
        parts = (score[mine], uncertainty[mine], session[mine], industry[mine])
        alpha[mine] = alphas(curve, *parts)
        curves.append(_table(number, rows.sessions[refit], curve))
        shrink[number] = curve.shrink
    if not curves:
        raise DataError(
            f"out-of-sample scores have fewer than {spec.min_dates} sessions with known labels "
            f"before the last refit; lengthen the sample, or lower min_train_years or min_dates."
        )
    table = pd.DataFrame(
        {
            "date": scores["date"].to_numpy(),
            "symbol": scores["symbol"].to_numpy(),
            "score": score,
            "uncertainty": uncertainty,
            "alpha": alpha,
            "fold": fold,
        }
    )
    return Calibrated(table, pd.concat(curves, ignore_index=True), shrink)


def alphas(
    curve: Curve, score: Vector, uncertainty: Vector, session: Codes, industry: Codes
) -> Vector:
    """(n_rows,) expected residual returns of whole sessions, neutral within their industries.

    All arguments but the curve: (n_rows,), by session, ascending
    """
    group = groups(session, industry)
    quantile = percentiles(neutral(score, group), session)
    sure = doubt.scale(curve.factors, doubt.thirds(uncertainty, session))
    return neutral(sure * curve.at(quantile), group)


@dataclass(frozen=True)
class _Daily:
    """Bin means of every scored session, made when its labels were first known to a refit."""

    session: Codes  # (n_dates,)
    known: Codes  # (n_dates,) session position of that refit
    means: Matrix  # (n_dates, n_bins)
    score: Matrix  # (n_dates, n_bins) sum of scores
    count: Matrix  # (n_dates, n_bins)
    came: Matrix  # (n_dates, 3, n_bins) sum of returns less the day's mean, by third of doubt
    names: Matrix  # (n_dates, 3, n_bins)


def _daily_bins(
    rows: Rows, quantile: Vector, third: Codes, refits: dict[int, int], spec: CalibrationSpec
) -> _Daily:
    """Bins by session; a label that is later than its session's others is left out for good."""
    at = np.array(list(refits.values()))
    bin_of = np.minimum((quantile * spec.bins).astype(np.int64), spec.bins - 1)
    score = rows.columns[0]
    kept, known, means, sums, counts, came, names = [], [], [], [], [], [], []
    cells = doubt.THIRDS * spec.bins
    widest = 0
    for session in np.flatnonzero(np.diff(rows.starts)):
        begin, stop = rows.starts[session], rows.starts[session + 1]
        widest = max(widest, stop - begin)
        end = rows.end[begin:stop]
        refit = np.searchsorted(at, end.min())
        if refit == at.size or end.min() == NEVER:
            continue
        use = end <= at[refit]
        mine, raw = bin_of[begin:stop][use], rows.raw[begin:stop][use]
        count = np.bincount(mine, minlength=spec.bins)
        if count.min() < spec.names_per_bin:
            continue
        kept.append(session)
        known.append(at[refit])
        counts.append(count)
        means.append(np.bincount(mine, weights=raw, minlength=spec.bins) / count)
        sums.append(np.bincount(mine, weights=score[begin:stop][use], minlength=spec.bins))
        told = third[begin:stop][use] != doubt.NONE
        cell = (third[begin:stop][use] * spec.bins + mine)[told]
        came.append(np.bincount(cell, weights=(raw - raw.mean())[told], minlength=cells))
        names.append(np.bincount(cell, minlength=cells))
    if widest < spec.bins * spec.names_per_bin:
        raise DataError(
            f"the widest session has {widest} names but {spec.bins} calibration bins need "
            f"{spec.names_per_bin} each: lower the number of bins "
            "(model2.walk_forward.calibration_bins) or widen the universe."
        )
    shape, split = (len(kept), spec.bins), (len(kept), doubt.THIRDS, spec.bins)
    return _Daily(
        np.array(kept, dtype=np.int64),
        np.array(known, dtype=np.int64),
        *(np.array(part, dtype=np.float64).reshape(shape) for part in (means, sums, counts)),
        *(np.array(part, dtype=np.float64).reshape(split) for part in (came, names)),
    )


def _fitted(daily: _Daily, refit: int, spec: CalibrationSpec) -> Curve | None:
    use = np.flatnonzero(daily.known <= refit)[-spec.max_dates :]
    if use.size < spec.min_dates:
        return None
    count = daily.count[use].sum(axis=0)
    score = daily.score[use].sum(axis=0) / count
    curve = fit_curve(daily.means[use], score, count.astype(np.int64), spec.horizon)
    sure = doubt.factors(curve.alpha, daily.came[use], daily.names[use], spec.horizon)
    return replace(curve, factors=sure)


def _table(fold: int, refit: np.datetime64, curve: Curve) -> Frame:
    return pd.DataFrame(
        {
            "date": refit.astype("datetime64[ns]"),
            "fold": np.int64(fold),
            "bin": np.arange(curve.alpha.size),
            "score": curve.score,
            "realised": curve.realised,
            "alpha": curve.alpha,
            "rows": curve.rows,
            **dict(zip(FACTORS, curve.factors, strict=True)),
        }
    )


def _refits(fold: Codes, session: Codes) -> dict[int, int]:
    """Refit number -> its session position, ascending."""
    numbers, first = np.unique(fold, return_index=True)
    return {int(n): int(s) for n, s in zip(numbers, session[first], strict=True)}


def _industry(scores: Frame, membership: Frame | None) -> Codes:
    if membership is None:
        return np.zeros(len(scores), dtype=np.int64)
    key = ["date", "symbol"]
    joined = scores[key].merge(membership[[*key, "industry_id"]], on=key, how="left")
    lost = joined["industry_id"].isna()
    if lost.any():
        row = joined[lost].iloc[0]
        raise DataError(
            f"{row['symbol']} has a score on {row['date']:%Y-%m-%d} but no industry; "
            "score the rows of the membership table only."
        )
    return pd.factorize(joined["industry_id"])[0].astype(np.int64)


def groups(session: Codes, industry: Codes) -> Codes:
    """(n_rows,) number of the row's industry within its session; by session, ascending."""
    return np.unique(session * (industry.max() + 1) + industry, return_inverse=True)[1]


def neutral(values: Vector, group: Codes) -> Vector:
    """Values (n_rows,) less the mean of their group."""
    return values - group_means(values, group, group.max(initial=-1) + 1)[0][group]

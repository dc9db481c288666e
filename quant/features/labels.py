"""Labels: the residual return that a decision at the close of t can still earn."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.special import ndtri

from quant.core.crosssection import group_means, percentiles
from quant.core.errors import ConfigError
from quant.core.panel import Panel
from quant.core.types import Codes, Frame, Matrix, Vector
from quant.features.betas import betas
from quant.features.compute import Members, members
from quant.features.crosswise import Section, relative
from quant.features.kernels import carried, lag
from quant.features.view import positive

RESIDUALS = ("industry", "industry_beta")


def labels(
    panel: Panel,
    membership: Frame,
    horizons: Iterable[int] = (21,),
    residual: str = "industry_beta",
    delistings: Frame | None = None,
) -> Frame:
    """Residual total return from open(t+1) to open(t+1+h), and its rank, for every horizon h.

    The residual by `industry_beta` is the return less beta x that of the equal-weight market of
    the day's members, then less its mean over the industry; by `industry` the mean alone is taken
    off. Beta comes first because the optimizer's equilibrium premium already pays it: a score that
    foretold beta would be paid twice, and in a rising market any model learns to foretell it.

    A member that does not trade on t+1 has no label: nothing could be bought. One that does not
    trade on t+1+h is valued at its last close before, and where it was delisted by then, at that
    close x (1 + delisting return). Days whose t+1+h lies beyond the panel have no labels.

    panel      : open, close, factor as traded, on all sessions and symbols
    membership : date, symbol, industry_id, group_id
    horizons   : h, sessions
    residual   : one of RESIDUALS; beta is known at the close of t
    delistings : symbol, delist_date (last day on which it was listed), delist_return (decimal,
                 null = 0)
    Returns    : date, symbol, horizon, raw (decimal), label (standard normal scores of raw across
                 the day's members), end (session t+1+h, on which it becomes known)
    Raises     : ConfigError for a horizon or residual that is none
    Source     : readings 7 and 8
    """
    horizons = sorted(set(horizons))
    if not horizons or horizons[0] < 1:
        raise ConfigError(f"label horizons are {horizons} sessions; give some, each 1 or more.")
    if residual not in RESIDUALS:
        raise ConfigError(f"residual is {residual!r}; it must be one of {', '.join(RESIDUALS)}.")
    where = members(panel, membership)
    with np.errstate(all="ignore"):
        beta = betas(panel, where) if residual == "industry_beta" else None
        raw = [
            _residual(_total_return(panel, where, h, delistings), beta, where.section)
            for h in horizons
        ]
    score = [ndtri(percentiles(values, where.section.day)) for values in raw]
    return _long(panel, where, np.array(horizons), np.array(raw), np.array(score))


def _residual(total: Vector, beta: Vector | None, s: Section) -> Vector:
    """Less beta x the members' mean, where there is a beta, then less the industry's mean."""
    if beta is None or not total.size:
        return relative(total, s)
    market = group_means(total, s.day, int(s.day.max()) + 1)[0]
    return relative(total - beta * market[s.day], s)


def _long(panel: Panel, where: Members, horizons: Codes, raw: Matrix, score: Matrix) -> Frame:
    """One row for each member and horizon with a label, by date, symbol and horizon."""
    row, place = np.nonzero(np.isfinite(raw.T))
    date = where.frame["date"].to_numpy().astype("datetime64[ns]")
    return pd.DataFrame(
        {
            "date": date[row],
            "symbol": where.frame["symbol"].to_numpy()[row],
            "horizon": horizons[place],
            "raw": raw[place, row],
            "label": score[place, row],
            "end": panel.dates[where.row[row] + 1 + horizons[place]].astype("datetime64[ns]"),
        }
    )


def _total_return(panel: Panel, where: Members, horizon: int, delistings: Frame | None) -> Vector:
    """(n_rows,) return from the open of t+1 to that of t+1+h; NaN where there is none."""
    n_days = panel.shape[0]
    opened = positive(panel["open"] * panel["factor"])
    # at the open of a day the close of the day before is the last one known
    before = lag(carried(positive(panel["close"] * panel["factor"]), horizon), 1)
    row, column = where.row + 1, where.column
    end = row + horizon
    inside = np.flatnonzero(end < n_days)
    row, end, column = row[inside], end[inside], column[inside]
    sold = opened[end, column]
    closed = np.isnan(sold)
    sold[closed] = before[end[closed], column[closed]]
    if delistings is not None:
        last, payout = _payouts(panel, delistings)
        gone = last[column] < end
        sold[gone] = before[end[gone], column[gone]] * payout[column[gone]]
    total = np.full(where.row.size, np.nan)
    total[inside] = sold / opened[row, column] - 1.0
    return total


def _payouts(panel: Panel, delistings: Frame) -> tuple[Codes, Vector]:
    """Position of each asset's last session, and the share of its last price that it paid."""
    last = np.full(panel.shape[1], panel.shape[0], dtype=np.int64)
    payout = np.ones(panel.shape[1])
    dated = delistings[delistings["delist_date"].notna()]
    column = pd.Index(panel.symbols).get_indexer(dated["symbol"])
    here = column >= 0
    date = dated["delist_date"].to_numpy()[here].astype("datetime64[D]")
    last[column[here]] = np.searchsorted(panel.dates, date, side="right") - 1
    payout[column[here]] = 1.0 + dated["delist_return"].fillna(0.0).to_numpy()[here]
    return last, payout

"""Labels: the residual return that a decision at the close of t can still earn."""

import numpy as np
import pandas as pd
from scipy.special import ndtri

from quant.core.crosssection import percentiles
from quant.core.errors import ConfigError
from quant.core.panel import Panel
from quant.core.types import Codes, Frame, Vector
from quant.features.compute import Members, members
from quant.features.crosswise import relative
from quant.features.kernels import carried, lag
from quant.features.view import positive


def labels(
    panel: Panel, membership: Frame, horizon: int = 21, delistings: Frame | None = None
) -> Frame:
    """Total return from open(t+1) to open(t+1+h), minus the industry's mean, and its rank.

    A member that does not trade on t+1 has no label: nothing could be bought. One that does not
    trade on t+1+h is valued at its last close before, and where it was delisted by then, at that
    close x (1 + delisting return). Days whose t+1+h lies beyond the panel have no labels.

    panel      : open, close, factor as traded, on all sessions and symbols
    membership : date, symbol, industry_id, group_id
    horizon    : h, sessions
    delistings : symbol, delist_date (last day on which it was listed), delist_return (decimal,
                 null = 0)
    Returns    : date, symbol, raw (decimal), label (standard normal scores of raw across the
                 day's members), end (session t+1+h, on which it becomes known)
    Source     : readings 7 and 8
    """
    if horizon < 1:
        raise ConfigError(f"horizon is {horizon} sessions; it must be 1 or more.")
    where = members(panel, membership)
    with np.errstate(all="ignore"):
        total = _total_return(panel, where, horizon, delistings)
    raw = relative(total, where.section)
    score = ndtri(percentiles(raw, where.section.day))
    keep = np.isfinite(raw)
    end = np.minimum(where.row + 1 + horizon, panel.shape[0] - 1)
    frame = pd.DataFrame(
        {
            "date": where.frame["date"].to_numpy(),
            "symbol": where.frame["symbol"].to_numpy(),
            "raw": raw,
            "label": score,
            "end": panel.dates[end].astype("datetime64[ns]"),
        }
    )
    return frame[keep].reset_index(drop=True)


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

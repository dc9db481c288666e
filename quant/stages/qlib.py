"""The recorded decisions replayed in Qlib, the reference engine, and how far the two agree."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.core import logs, tables
from quant.core.types import Frame
from quant.stages import book, desk
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config


def settings(config: "Config") -> dict[str, Any]:
    """The book's settings, and whether to replay it at all."""
    return {**book.settings(config), "replay": config.backtest.qlib}


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """An empty table where the replay is turned off (backtest.qlib=false)."""
    nav = f["nav"]
    ours = nav[nav["book"] == "portfolio"]
    if not s["replay"]:
        return {"qlib_nav": _apart(ours.iloc[:0], np.empty(0))}
    from quant.backtest.reference import replay

    market, bars = book.market(s, f, c.region)
    first = market.index(ours["date"].iloc[0])
    last = market.index(ours["date"].iloc[-1])
    params, membership = f["lambda_params"], f["membership"]
    charged = book.charged(s, market, bars, c.region, params, membership)
    folder = f.file("instruments", "qlib")
    traded = desk.execute(s, market, bars, f["intraday"], c.region, c.seed)
    capital, decisions = s["region"].nav, f["decisions"]
    theirs = replay(folder, c.region, market, charged, decisions, capital, first, last, traded)
    made = _apart(ours, theirs["nav"].to_numpy())
    worst = float(made["apart_bp"].abs().max())
    c.metrics["qlib.worst_apart_bp"] = worst
    logs.event(f"qlib: ledger and Qlib agree within {worst:.2g} bp of NAV on every session")
    return {"qlib_nav": made}


def _apart(ours: Frame, theirs: np.ndarray) -> Frame:
    ledger = ours["nav"].to_numpy()
    return pd.DataFrame(
        {
            "date": ours["date"].to_numpy(),
            "nav": theirs,
            "ledger": ledger,
            "apart_bp": (theirs / ledger - 1.0) * 1e4,
        }
    )


STAGE = Stage(
    "qlib",
    needs=(
        tables.BARS, tables.SESSIONS, tables.LISTINGS, tables.RATES, tables.INSTRUMENTS,
        tables.NAV, tables.DECISIONS, tables.INTRADAY, tables.LAMBDA_PARAMS, tables.MEMBERSHIP,
    ),
    makes=(tables.QLIB_NAV,),
    settings=settings,
    run=run,
    module=__name__,
)  # fmt: skip

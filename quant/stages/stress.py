"""What delistings that the data lack would take from the book and its benchmark."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from quant.core import tables
from quant.core.panel import Panel, sessions_of
from quant.core.seeds import generator
from quant.core.types import Dates, Frame, Mask, Matrix
from quant.evaluation import summary, survivorship
from quant.stages.registry import Context, Inputs, Stage


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """One block of rows for each hazard, over the window of the backtest."""
    asked, periods = s["survivorship"], s["periods"]
    nav = {name: rows.sort_values("date") for name, rows in f["nav"].groupby("book")}
    days = sessions_of(nav["portfolio"])
    membership = f["membership"]
    membership = membership[membership["date"].isin(nav["portfolio"]["date"])]
    weights = f["weights"]
    names = np.unique(np.concatenate([weights["symbol"], membership["symbol"]]).astype(object))
    held = np.nan_to_num(Panel.of(weights, ["weight"], days, names)["weight"])
    inside = Panel.of(membership.assign(one=1.0), ["one"], days, names)["one"] == 1.0
    books = survivorship.Books(
        book=summary.returns(nav["portfolio"]),
        benchmark=summary.returns(nav["benchmark"]),
        cash=nav["portfolio"]["rf"].to_numpy(np.float64)[1:],
        held=held[:-1],
        index=_index(inside, nav["benchmark"])[:-1],
        periods=periods,
    )
    past = _past(f["bars"], sessions_of(f["sessions"]), names, periods, days)
    made, known = [], survivorship.observed_rate(f["listings"], membership, periods)
    for name, hazard in survivorship.HAZARDS.items():
        table = survivorship.stress(
            books, hazard(past, inside)[:-1], asked.rates, asked.losses, asked.draws,
            generator(c.seed, "stress", name),
        )  # fmt: skip
        made.append(table.assign(hazard=name))
    table = pd.concat(made, ignore_index=True)
    c.metrics["stress.observed_rate"] = known
    if table["break_even"].notna().any():
        c.metrics["stress.break_even_rate"] = float(table["break_even"].min())
    return {"survivorship": table}


def _index(inside: Mask, nav: Frame) -> Matrix:
    """Weights of the benchmark: the day's members alike, as far as it is invested."""
    invested = 1.0 - (nav["cash"] / nav["nav"]).to_numpy(np.float64)
    return inside * (invested / np.maximum(inside.sum(axis=1), 1))[:, None]


def _past(bars: Frame, sessions: Dates, names: np.ndarray, periods: int, days: Dates) -> Matrix:
    """Return over the year up to the close of each of `days`."""
    panel = Panel.of(bars, ("close", "factor"), sessions, names)
    past = survivorship.past_returns(panel["close"] * panel["factor"], periods)
    return past[np.searchsorted(sessions, days)]


STAGE = Stage(
    "stress",
    needs=(
        tables.NAV, tables.WEIGHTS, tables.MEMBERSHIP, tables.LISTINGS, tables.BARS,
        tables.SESSIONS,
    ),
    makes=(tables.SURVIVORSHIP,),
    settings=lambda c: {
        "survivorship": c.evaluation.survivorship, "periods": c.region.periods,
    },
    run=run,
    module=__name__,
)  # fmt: skip

"""The trials of a search: in the order in which they were tried, by setting, and in a table."""

import json
from typing import Any

import numpy as np
import pandas as pd

from quant.core.types import Frame, Vector
from quant.reporting.blocks import Block, Cell, Grid, Tabular, cells, empty
from quant.reporting.figures import Cloud, Scatter, figure
from quant.reporting.formats import COUNT, DASH, RATIO, count, number

OPEN_ROWS = 25  # a longer table starts closed
LISTED = 500  # best trials listed
WIDE = 20.0  # a setting tried over more than this ratio is drawn by its logarithm


def ended(rows: Frame) -> Frame:
    """Trials that found something, the best first: those that were given up after the others."""
    kept = rows[rows["state"] != "failed"]
    order = ["state", "dsr", "score", "number"]
    return kept.sort_values(order, ascending=[True, False, False, True], ignore_index=True)


def parameters(rows: Frame) -> Frame:
    """A column for each setting, in the order of `rows`."""
    return pd.DataFrame([json.loads(text) for text in rows["parameters"]], index=rows.index)


def history(rows: Frame, stamp: str) -> Block:
    """Sharpe ratio of each trial in the order in which they were tried, and the best so far."""
    tried = ended(rows).sort_values("number")
    clouds = _clouds(tried, tried["number"].to_numpy(float))
    whole = tried[tried["state"] == "complete"]
    best = whole["sharpe"].cummax().to_numpy(float)
    clouds.append(Cloud("best so far", whole["number"].to_numpy(float), best, 2, joined=True))
    chart = Scatter("Sharpe ratio of the spread, trial by trial", clouds, "trial", COUNT, RATIO)
    caption = (
        "Of the quantile spread over one label period, out of sample on every path. Faint: given "
        "up early, and seen on fewer paths."
    )
    return figure("history", chart, caption, stamp=stamp)


def settings(rows: Frame, stamp: str) -> Block:
    """Sharpe ratio by each setting that takes numbers."""
    tried = ended(rows)
    values = parameters(tried)
    drawn = []
    for name in values.columns:
        x = pd.to_numeric(values[name], errors="coerce").to_numpy(float)
        if not np.isfinite(x).all() or not np.ptp(x):
            continue
        log = x.min() > 0 and x.max() / x.min() > WIDE
        label = f"{name}, log10" if log else name
        chart = Scatter(name, _clouds(tried, np.log10(x) if log else x), label)
        drawn.append(figure(f"by-{name.replace('.', '-')}", chart, "", 240, half=True, stamp=stamp))
    return Grid(tuple(drawn)) if drawn else empty("No setting took two values")


def _clouds(tried: Frame, x: Vector) -> list[Cloud]:
    """Complete trials strong, those given up faint."""
    y, whole = tried["sharpe"].to_numpy(float), (tried["state"] == "complete").to_numpy()
    clouds = [Cloud("complete", x[whole], y[whole], 0)]
    if not whole.all():
        clouds.append(Cloud("given up", x[~whole], y[~whole], 1, faint=True))
    return clouds


def table(rows: Frame) -> Tabular:
    """Every trial with its settings; the best first."""
    tried = ended(rows)
    values = parameters(tried)
    shown = []
    for i, r in enumerate(tried.head(LISTED).itertuples(index=False)):
        given = tuple(_value(values[name].iloc[i]) for name in values.columns)
        line = (
            count(r.number), r.state, *given, number(r.rank_ic, 3), number(r.icir),
            number(r.sharpe), number(r.psr), number(r.dsr_then), number(r.dsr),
            number(r.dsr_each), count(r.idea), count(r.splits), number(r.seconds, 1),
        )  # fmt: skip
        shown.append(tuple(Cell(c.text, "strong" if i == 0 else "") for c in cells(line)))
    left = len(tried) - len(shown)
    return Tabular(
        f"Trials ({count(len(tried))})",
        ("Trial", "State", *values.columns, "Rank IC", "ICIR", "Sharpe", "PSR", "DSR then", "DSR",
         "DSR each", "Idea", "Splits", "Seconds"),
        tuple(shown),
        "Best first, by DSR; those given up after the others. Sharpe: of the quantile spread over "
        "one label period, not annualised. PSR: against zero. DSR then: against the luck of the "
        "ideas tried until that trial ended; DSR: of those of the whole search; DSR each: with "
        "every trial as an idea of its own." + f" {count(left)} more are not listed." * bool(left),
        texts=2,
        fold=len(tried) > OPEN_ROWS,
    )  # fmt: skip


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return DASH if pd.isna(value) else f"{value:g}"

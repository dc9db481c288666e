"""Tables of the look-ahead audit; `rows` is an AUDIT table."""

import math
from collections.abc import Mapping

import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import Block, Cell, Tabular, cells
from quant.reporting.formats import DASH, count, day, number, times


def stages(rows: Frame) -> Block:
    """A mark for each stage and replay."""
    replays = list(rows.groupby(["cut", "how"]).groups)
    body = []
    for stage in dict.fromkeys(rows.sort_values("step", kind="stable")["stage"]):
        line = [Cell(stage)]
        for cut, how in replays:
            part = rows[(rows["stage"] == stage) & (rows["cut"] == cut) & (rows["how"] == how)]
            line.append(_mark(part))
        body.append(tuple(line))
    return Tabular(
        "Tables compared, by stage and replay",
        ("Stage", *(f"{day(cut)} {how}" for cut, how in replays)),
        tuple(body),
        "Cut: no data after the date. Garbled: prices, volumes, factors, listings, rates and "
        "industries after the date are nonsense. A number: that many tables, all the same; "
        "empty: there is nothing in them up to the date; a dash: not compared.",
    )


def _mark(part: Frame) -> Cell:
    if not len(part):
        return Cell(DASH, tip="not compared")
    wrong, hollow = int((~part["same"]).sum()), int((part["same"] & (part["values"] == 0)).sum())
    if wrong:
        return Cell(f"{wrong} of {len(part)} DIFFER", "n4 strong")
    if hollow == len(part):
        return Cell("empty", tip="nothing to compare up to the date")
    return Cell(f"{len(part) - hollow} same" + f", {hollow} empty" * bool(hollow), "p1")


def replays(rows: Frame, seconds: Mapping[str, float], run_seconds: float) -> Block:
    """What each replay compared and took; `seconds` names it by kind and date."""
    body = []
    for (cut, how), part in rows.groupby(["cut", "how"]):
        spent = seconds.get(f"{how} {day(cut)}", math.nan)
        share = spent / run_seconds if run_seconds else math.nan
        line = (day(cut), how, count(len(part)), count(part["values"].sum()))
        different = count((~part["same"]).sum())
        body.append(cells((*line, different, number(spent, 1), times(share, 1))))
    return Tabular(
        "Replays",
        ("Date", "Data after it", "Tables", "Values", "Different", "Seconds", "of the run"),
        tuple(body),
        "Every replay computes the stages anew, models refitted. Of the run: seconds over "
        "those of the run itself when its stored results were made.",
        texts=2,
        fold=len(body) > 12,
    )


def comparisons(rows: Frame) -> Block:
    """Every comparison, and where it first differs."""
    body = tuple(
        (
            *cells((r.stage, r.table, day(r.cut), r.how)),
            Cell("same" if r.values else "empty") if r.same else Cell(_where(r), "long n2"),
            *cells((count(r.rows), count(r.values))),
        )
        for r in rows.itertuples()
    )
    return Tabular(
        f"All {len(body)} comparisons",
        ("Stage", "Table", "Date", "Data after it", "Result", "Rows", "Values"),
        body,
        "Rows that were known at the date; values: rows times columns beside the key.",
        texts=5,
        fold=True,
    )


def _where(row: tuple) -> str:
    parts = [row.column, row.symbol, "" if pd.isna(row.day) else day(row.day)]
    place = ", ".join(p for p in parts if p)
    return f"{place}: {row.whole} in the run, {row.replayed} in the replay"

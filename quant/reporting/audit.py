"""The page of the look-ahead audit: what the run gave again without its future, and what not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import (
    Answer,
    Block,
    Cell,
    Items,
    Section,
    Tabular,
    Text,
    Tile,
    Tiles,
    Verbatim,
    cells,
)
from quant.reporting.formats import count, day, number, times
from quant.reporting.page import Head, layout


@dataclass(frozen=True)
class AuditInputs:
    """Everything that the page shows.

    rows        : AUDIT table
    seconds     : of each replay, by its name
    run_seconds : that the audited run took; 0 = unknown
    holdout     : sentences on who read a hold-out, and the reads as a table
    left_out    : what was not replayed, and why
    """

    title: str
    region: str
    git_sha: str
    config_hash: str
    command: str
    simulated: bool
    rows: Frame
    seconds: Mapping[str, float]
    run_seconds: float
    holdout: tuple[str, ...] = ()
    reads: Frame = field(default_factory=pd.DataFrame)
    left_out: tuple[str, ...] = ()


def render(inputs: AuditInputs) -> str:
    """Return the whole page."""
    cuts = inputs.rows["cut"]
    head = Head(
        title=inputs.title,
        kicker=(
            f"{inputs.region.upper()} equities",
            "look-ahead audit",
            f"cut after {', '.join(day(c) for c in sorted(cuts.unique()))}",
        ),
        footer=(inputs.git_sha, inputs.config_hash),
        simulated=inputs.simulated,
    )
    return layout(
        head,
        [
            Section("answer", "Verdict", (_answer(inputs), _tiles(inputs))),
            Section("stages", "Stage by stage", tuple(_stages(inputs))),
            Section("tables", "Table by table", (_tables(inputs),)),
            Section("holdout", "Hold-out", tuple(_holdout(inputs))),
            Section("method", "What was done", tuple(_method(inputs))),
        ],
    )


def sentence(row: Mapping[str, Any]) -> str:
    """Where a replay first differs, in words."""
    place = [f"stage {row['stage']}", f"table {row['table']}"]
    place += [f"column {row['column']}"] * bool(row["column"])
    place += [f"symbol {row['symbol']}"] * bool(row["symbol"])
    place += [] if pd.isna(row["day"]) else [f"on {pd.Timestamp(row['day']):%Y-%m-%d}"]
    return (
        f"{', '.join(place)}: {row['whole']} in the run, {row['replayed']} where the data are "
        f"{row['how']} after {pd.Timestamp(row['cut']):%Y-%m-%d}"
    )


def _answer(inputs: AuditInputs) -> Answer:
    rows = inputs.rows
    wrong = rows[~rows["same"]]
    dates = rows["cut"].nunique()
    if not len(wrong):
        return Answer(
            "Nothing dated t depends on what came after t",
            (
                f"{count(rows['values'].sum())} values of {rows['table'].nunique()} tables were "
                f"computed again at {dates} date{'s' * (dates != 1)}, with the later data cut off "
                "and with the later data replaced by garbage; all are equal to the last bit.",
            ),
            "good",
        )
    return Answer(
        f"LOOK-AHEAD: {sentence(wrong.iloc[0])}",
        (
            "What is dated up to a session must not know what came later.",
            f"{len(wrong)} of {len(rows)} comparisons differ; this is the first of the earliest "
            "stage, and what follows it may only have inherited it.",
        ),
        "bad",
    )


def _tiles(inputs: AuditInputs) -> Tiles:
    rows, spent = inputs.rows, sum(inputs.seconds.values())
    own = inputs.run_seconds
    return Tiles(
        (
            Tile("Differences", count((~rows["same"]).sum()), f"of {count(len(rows))} comparisons"),
            Tile("Values compared", count(rows["values"].sum()), "to the last bit"),
            Tile("Dates", count(rows["cut"].nunique()), "each cut, and garbled"),
            Tile("Seconds", count(spent), f"the run itself: {count(own) if own else 'unknown'}"),
            Tile("Cost", times(spent / own, 1) if own else number(float("nan")), "of the run"),
        )
    )


def _stages(inputs: AuditInputs) -> list[Block]:
    rows = inputs.rows
    replays = list(rows.groupby(["cut", "how"]).groups)
    body = []
    for stage in dict.fromkeys(rows.sort_values("step", kind="stable")["stage"]):
        line = [Cell(stage)]
        for cut, how in replays:
            part = rows[(rows["stage"] == stage) & (rows["cut"] == cut) & (rows["how"] == how)]
            line.append(_mark(part))
        body.append(tuple(line))
    head = ("Stage", *(f"{day(cut)} {how}" for cut, how in replays))
    return [
        Tabular(
            "Tables compared, by stage and replay",
            head,
            tuple(body),
            "Cut: no data after the date. Garbled: prices, volumes, factors, listings, rates and "
            "industries after the date are nonsense. A number: that many tables, all the same; "
            "a dash: nothing to compare.",
        )
    ]


def _mark(part: Frame) -> Cell:
    if not len(part):
        return Cell("–", tip="nothing to compare")
    wrong = int((~part["same"]).sum())
    if wrong:
        return Cell(f"{wrong} of {len(part)} DIFFER", "n4 strong")
    return Cell(f"{len(part)} same", "p1")


def _tables(inputs: AuditInputs) -> Tabular:
    body = tuple(
        (
            *cells((r.stage, r.table, day(r.cut), r.how)),
            Cell("same") if r.same else Cell(_where(r), "long n2"),
            *cells((count(r.rows), count(r.values))),
        )
        for r in inputs.rows.itertuples()
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


def _holdout(inputs: AuditInputs) -> list[Block]:
    blocks: list[Block] = [Text(s) for s in inputs.holdout]
    if len(inputs.reads):
        body = tuple(cells(r) for r in inputs.reads.itertuples(index=False))
        blocks.append(
            Tabular("Who read it, and when", tuple(inputs.reads.columns), body, texts=len(body[0]))
        )
    return blocks


def _method(inputs: AuditInputs) -> list[Block]:
    return [
        Items("Not replayed, and why", inputs.left_out),
        Verbatim("Run it again", inputs.command),
    ]

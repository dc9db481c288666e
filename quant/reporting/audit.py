"""The page of the look-ahead audit: what the run gave again without its future, and what not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import (
    Answer,
    Block,
    Items,
    Section,
    Tile,
    Tiles,
    Verbatim,
)
from quant.reporting.formats import DASH, count, day, times
from quant.reporting.holdout import Holdout, blocks
from quant.reporting.page import Head, layout
from quant.reporting.sections import replayed

NAMED = 4  # dates named in the line over the title


@dataclass(frozen=True)
class AuditInputs:
    """Everything that the page shows.

    rows        : AUDIT table
    seconds     : of each replay, by its name
    run_seconds : that the audited run took; 0 = unknown
    holdout     : what the ledger of looks says of the hold-out that concerns the run
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
    holdout: Holdout = field(default_factory=Holdout)
    left_out: tuple[str, ...] = ()


def render(inputs: AuditInputs) -> str:
    """Return the whole page."""
    cuts = inputs.rows["cut"]
    head = Head(
        title=inputs.title,
        kicker=(
            f"{inputs.region.upper()} equities",
            "look-ahead audit",
            f"cut after {_days(cuts)}",
        ),
        footer=(inputs.git_sha, inputs.config_hash),
        simulated=inputs.simulated,
    )
    stages = replayed.stages(inputs.rows)
    replays = replayed.replays(inputs.rows, inputs.seconds, inputs.run_seconds)
    return layout(
        head,
        [
            Section("answer", "Verdict", (_answer(inputs), _tiles(inputs))),
            Section("stages", "Stage by stage", (stages, replays)),
            Section("tables", "Table by table", (replayed.comparisons(inputs.rows),)),
            Section("holdout", "Hold-out", tuple(blocks(inputs.holdout, inputs.config_hash))),
            Section("method", "What was done", tuple(_method(inputs))),
        ],
    )


def _days(cuts: pd.Series) -> str:
    days = [day(c) for c in sorted(cuts.unique())]
    if len(days) <= NAMED:
        return ", ".join(days)
    return f"{len(days)} dates from {days[0]} to {days[-1]}"


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
    if not rows["values"].sum() and not len(wrong):
        return Answer("Nothing was compared", ("No table has a row up to these dates.",), "none")
    if not len(wrong):
        return Answer(
            f"No look-ahead found at {dates} date{'s' * (dates != 1)}",
            (
                f"{count(rows['values'].sum())} values of "
                f"{rows.loc[rows['values'] > 0, 'table'].nunique()} tables were computed again at "
                f"{dates} date{'s' * (dates != 1)}, with the later data cut off and with the later "
                "data replaced by garbage; all are equal to the last bit: nothing dated up to then "
                "depends on what came later.",
            ),
            "good",
        )
    return Answer(
        f"LOOK-AHEAD: {sentence(wrong.iloc[0])}",
        (
            "What is dated up to a session must not know what came later.",
            f"{count(len(wrong))} of {count(len(rows))} comparisons differ. This is the first, in "
            "the order of the dates and then of the stages; later stages may have inherited it.",
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
            Tile("Cost", times(spent / own, 1) if own else DASH, "of the run"),
        )
    )


def _method(inputs: AuditInputs) -> list[Block]:
    return [
        Items("Not replayed, and why", inputs.left_out),
        Verbatim("Run it again", inputs.command),
    ]

"""The universe and the data: how many names each rule left, what the checks found, the notes."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import Block, Cell, Items, Section, Tabular, Text, cells, empty
from quant.reporting.figures import Line, Lines, figure
from quant.reporting.formats import COUNT, count, day, money, number
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp

LINES = 5  # rules drawn
EXAMPLES = 3


def build(inputs: ReportInputs) -> Section:
    """Counts per rule through time, members, quality, notes."""
    blocks: list[Block] = [*_members(inputs), *_counts(inputs), quality(inputs), _notes(inputs)]
    return Section("data", "Universe and data", tuple(blocks))


def _members(inputs: ReportInputs) -> list[Block]:
    members = inputs.members
    if not len(members):
        return [empty("There are no members: no universe was built")]
    sizes = members.groupby("asof").size()
    names = members.groupby("asof")["symbol"].agg(set)
    kept = [len(a & b) / len(b) for a, b in zip(names[:-1], names[1:], strict=True) if b]
    last = members[members["asof"] == members["asof"].max()]
    churn = (
        f" On average {number((1 - np.mean(kept)) * 100, 1)}% are new each time." if kept else ""
    )
    return [
        Text(
            f"{len(sizes):,} reconstitutions from {day(sizes.index[0])} to {day(sizes.index[-1])}, "
            f"{count(sizes.min())} to {count(sizes.max())} names.{churn} At the last one the "
            f"smallest median daily value traded is "
            f"{money(last['adv'].min(), inputs.meta.currency)}."
        )
    ]


def _counts(inputs: ReportInputs) -> list[Block]:
    frame = inputs.universe_counts
    if not len(frame):
        return [empty("There are no counts of the universe's rules")]
    table = frame.pivot_table(index="asof", columns="rule", values="count", aggfunc="first")
    rules = list(table.mean().sort_values(ascending=False, kind="stable").index)
    drawn = rules[:LINES]
    lines = [
        Line(r, table[r].to_numpy(float), tone)
        for r, tone in zip(drawn, (0, 1, 3, 4, 5), strict=False)
    ]
    blocks: list[Block] = []
    if len(table) > 1:
        blocks.append(
            figure(
                "rules",
                Lines("Names counted by rule", table.index.to_numpy(), lines, COUNT, base=0.0),
                "At every reconstitution; the largest counts are drawn, the table has all.",
                height=240,
                stamp=stamp(inputs),
            )
        )
    years = table.groupby(pd.DatetimeIndex(table.index).year).mean()
    rows = tuple(
        (Cell(str(y)), *(Cell(count(row[r])) for r in rules)) for y, row in years.iterrows()
    )
    blocks.append(
        Tabular(
            "Names by rule, mean of the year's reconstitutions",
            ("Year", *rules),
            rows,
            "Counts as the universe stage stored them (universe_counts).",
        )
    )
    return blocks


def quality(inputs: ReportInputs) -> Block:
    """What the data checks found, by check."""
    frame: Frame = inputs.quality
    if not len(frame):
        return Text("The data checks found nothing, or were not run.", "empty")
    rows = []
    for (severity, check), part in sorted(frame.groupby(["severity", "check"])):
        part = part.sort_values(["date", "symbol"])
        some = "; ".join(f"{r.symbol} {day(r.date)}" for r in part.head(EXAMPLES).itertuples())
        rows.append(
            (
                *cells((check, severity)),
                Cell(some, "long"),
                *cells((count(len(part)), count(part["symbol"].nunique()))),
                *cells((day(part["date"].min()), day(part["date"].max()))),
            )
        )
    return Tabular(
        "What the data checks found",
        ("Check", "Severity", "First cases", "Cases", "Names", "From", "To"),
        tuple(rows),
        "One case is one name on one day. The whole list is the quality table of the run.",
        texts=3,
    )


def _notes(inputs: ReportInputs) -> Block:
    if not len(inputs.notes):
        return empty("The data provider left no notes")
    return Items(
        "Notes on the data",
        tuple(f"{r.topic.replace('_', ' ')}: {r.text}" for r in inputs.notes.itertuples()),
    )

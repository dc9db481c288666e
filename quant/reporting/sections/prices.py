"""Limits over the whole backtest: what each costs where it binds, and what gave way, and why."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.optimizer import binding
from quant.reporting.blocks import Block, Cell, Tabular, Text, cells
from quant.reporting.formats import DASH, count, number, percent
from quant.reporting.inputs import ReportInputs

# limits in words, in the order of the tables; of names below those of the book
BOOK = {
    "volatility": "Volatility cap",
    "tracking error": "Tracking-error cap",
    "turnover": "Turnover cap",
    "gross": "Cap on gross exposure",
    "cash": "Limit on cash",
    "group": "Group caps",
}
NAMES = {
    binding.ABSENT: "Names that left the universe",
    binding.BOUND: "Names above their largest weight",
    binding.LEAST: "Names below their least weight",
}


def prices(inputs: ReportInputs) -> list[Block]:
    """How often each limit binds, and its price there."""
    table = _kinds(inputs.bindings)
    bound = table[table["binds"].astype(bool)] if len(table) else table
    if not len(bound) or not len(inputs.solves):
        return []
    rows = []
    for kind, label in BOOK.items():
        mine = bound[bound["kind"] == kind]
        if len(mine):
            # of several groups on one day the dearest
            dearest = mine.groupby("date")["price_bp"].max().to_numpy(float)
            share = dearest.size / len(inputs.solves)
            rows.append(cells((label, percent(share, 0), number(dearest.mean(), 2),
                               number(np.quantile(dearest, 0.95), 2))))  # fmt: skip
    horizon = inputs.meta.horizon
    return [
        Tabular(
            "What a limit costs where it binds",
            ("Limit", "Binds, share of rebalances", "Price of one point, mean", "95th percentile"),
            tuple(rows),
            f"Price: bp of NAV over {horizon} sessions that the objective would gain from one "
            "percentage point more of the limit, less where it is a least: of annual volatility, "
            "of turnover, of exposure. "
            "Over the rebalances where it binds; of groups the dearest of the day. "
            "stage=explain date=<session> takes one session apart.",
        )
    ]


def told_apart(inputs: ReportInputs) -> Frame:
    """The solves, with the days on which a limit on the book gave way apart from names that wait.

    Without the bindings table every relaxed solve counts as one where a limit gave way.
    """
    solves, bindings = inputs.solves, inputs.bindings
    if not len(bindings):
        return solves.assign(gave_way=solves["relaxed"], waiting=False)
    loose = bindings[bindings["relaxed"].astype(bool)]
    days = {name: loose.loc[of, "date"] for name, of in
            (("gave_way", loose["names"] == 0), ("waiting", loose["names"] > 0))}  # fmt: skip
    return solves.assign(**{name: solves["date"].isin(day) for name, day in days.items()})


def causes(inputs: ReportInputs) -> list[Block]:
    """Relaxations by limit and cause; names that wait are counted apart from limits that gave."""
    table = _kinds(inputs.bindings)
    loose = table[table["relaxed"].astype(bool)] if len(table) else table
    if not len(loose) or not len(inputs.solves):
        return []
    told = told_apart(inputs)
    joint, single = float(told["gave_way"].mean()), float(told["waiting"].mean())
    said = (
        f"A limit on the book (volatility, turnover, groups, cash) gave way at {percent(joint)} of "
        f"the rebalances. At {percent(single)} of them there were names that may not be held, or "
        "not so much of them, and that can not be traded all the way in one day: leavers of the "
        "universe, suspended or larger than their trade cap. They are traded down as far as the "
        "day allows; that takes time and is no limit that failed, though the status of such a "
        "solve is relaxed."
    )
    rows = [row for kind in (*BOOK, *NAMES) for row in _by_cause(loose, kind, len(inputs.solves))]
    return [
        Text(said),
        Tabular(
            "What gave way, by limit and cause",
            ("Limit", "Because", "Rebalances", "share", "Names a day", "Excess, mean", "largest"),
            tuple(rows),
            "Excess: of what was imposed over what was asked, in percentage points of the limit; "
            "of names the sum of their weights beyond their bounds, of NAV.",
            texts=2,
        ),
    ]


def _by_cause(loose: Frame, kind: str, n_solves: int) -> list[tuple[Cell, ...]]:
    rows = []
    for cause, part in loose[loose["kind"] == kind].groupby("cause"):
        excess = (part["reached"] - part["asked"]).abs().to_numpy(float)
        days, names = part["date"].nunique(), part["names"].to_numpy(float)
        line = ({**BOOK, **NAMES}[kind], Cell(str(cause), "long"))
        line += (count(days), percent(days / n_solves))
        line += (number(names.mean(), 1) if names.any() else DASH,)
        rows.append(cells((*line, percent(excess.mean(), 2), percent(excess.max(), 2))))
    return rows


def _kinds(bindings: Frame) -> Frame:
    """The table with a column `kind`: all groups are one."""
    if not len(bindings):
        return pd.DataFrame()
    group = bindings["limit"].str.startswith("group ")
    return bindings.assign(kind=bindings["limit"].where(~group, "group"))

"""The portfolio: what it held, how much risk it took, which limits bound."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.reporting import series as of
from quant.reporting.blocks import Block, Grid, Section, Tabular, cells, empty
from quant.reporting.figures import Heat, Line, Lines, figure, heat_height
from quant.reporting.formats import COUNT, DASH, PERCENT, day, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import book, stamp
from quant.reporting.sections import risk
from quant.reporting.sections.limits import binding, relaxations, solvers, volatility
from quant.reporting.sections.prices import causes, prices

COLUMNS = 48  # of the exposure map
TOP = 20
LEFT = "left the universe"


def build(inputs: ReportInputs) -> Section:
    """Exposures, holdings, risk against its limit, relaxations."""
    blocks: list[Block] = [*_exposures(inputs), _holdings(inputs)]
    blocks += [volatility(inputs), binding(inputs), *prices(inputs)]
    blocks += [*causes(inputs), *relaxations(inputs), solvers(inputs)]
    blocks += [*risk.blocks(inputs), _largest(inputs)]
    return Section("portfolio", "Portfolio", tuple(blocks))


def exposures(weights: Frame, membership: Frame, dates: pd.DatetimeIndex) -> Frame:
    """Sum of weights by group on each of `dates`: rows groups, columns dates.

    A holding that is not in the universe that day counts as having left it.
    """
    held = weights[weights["date"].isin(dates)]
    if len(membership):
        known = membership.loc[membership["date"].isin(dates), ["date", "symbol", "group_id"]]
        held = held.merge(known, on=["date", "symbol"], how="left")
        held["group_id"] = held["group_id"].fillna(LEFT)
    else:
        held = held.assign(group_id="all names")
    table = held.pivot_table(index="group_id", columns="date", values="weight", aggfunc="sum")
    table = table.reindex(columns=dates).fillna(0.0)
    order = table.mean(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order]


def _exposures(inputs: ReportInputs) -> list[Block]:
    if not len(inputs.weights):
        return [empty("There are no weights, so no exposures")]
    ends = of.month_ends(pd.DatetimeIndex(inputs.weights["date"].unique()))
    step = max(1, int(np.ceil(len(ends) / COLUMNS)))
    dates = ends[::-1][::step][::-1]
    table = exposures(inputs.weights, inputs.membership, dates)
    cap = inputs.meta.group_cap
    most = max(float(table.to_numpy().max()), 1e-9)
    # a cap far above everything would leave one pale shade
    cap = cap if cap and most > cap / 2 else None
    top = cap or most
    years = [str(d.year) for d in dates]
    labels = [y if i == 0 or y != years[i - 1] else "" for i, y in enumerate(years)]
    limit = f" The darkest shade is the cap, {percent(cap, 0)} of NAV." if cap else ""
    every = "every month end" if step == 1 else f"one month end in {step}"
    return [
        figure(
            "exposures",
            Heat(
                "Exposure by group, share of NAV",
                list(table.index),
                labels,
                table.to_numpy(float),
                top,
                PERCENT,
            ),
            f"Held weights at {every}, groups in force on the day, largest on average first; the "
            f"last column is written out.{limit}",
            height=heat_height(len(table)),
            stamp=stamp(inputs),
        )
    ]


def _holdings(inputs: ReportInputs) -> Block:
    mine = book(inputs, "portfolio")
    drawn: list[Block] = []
    if len(mine) > 1:
        dates = mine.index.to_numpy()
        held = Line("Names", mine["n_held"].to_numpy(float), 0)
        cash = Line("Cash", (mine["cash"] / mine["nav"]).to_numpy(float), 3, fill=True)
        drawn.append(
            figure(
                "held",
                Lines("Names held", dates, [held], COUNT, base=0.0),
                height=230,
                half=True,
                stamp=stamp(inputs),
            )
        )
        chart = Lines("Cash, share of NAV", dates, [cash], PERCENT, base=0.0)
        drawn.append(figure("cash", chart, height=230, half=True, stamp=stamp(inputs)))
    if len(inputs.weights):
        drawn += _concentration(inputs)
    return Grid(tuple(drawn)) if drawn else empty("There is no NAV, so no holdings over time")


def _concentration(inputs: ReportInputs) -> list[Block]:
    w = inputs.weights.sort_values(["date", "weight"], ascending=[True, False], kind="stable")
    by_day = w.groupby("date")["weight"]
    top = w[by_day.cumcount() < 10].groupby("date")["weight"].sum()
    invested = by_day.sum()
    squares = (w["weight"] ** 2).groupby(w["date"]).sum()
    effective = (invested**2 / squares.where(squares > 0)).to_numpy(float)
    dates = invested.index.to_numpy()
    if dates.size < 2:
        return []
    share = Line("Ten largest", top.reindex(invested.index).to_numpy(float), 4)
    names = Line("Effective names", effective, 5)
    return [
        figure(
            "top10",
            Lines("Ten largest positions, share of NAV", dates, [share], PERCENT, base=0.0),
            height=230,
            half=True,
            stamp=stamp(inputs),
        ),
        figure(
            "effective",
            Lines("Effective number of names", dates, [names], COUNT, base=0.0),
            "Invested weight squared over the sum of squared weights.",
            height=230,
            half=True,
            stamp=stamp(inputs),
        ),
    ]


def _largest(inputs: ReportInputs) -> Block:
    if not len(inputs.weights):
        return empty("There are no weights, so no largest holdings")
    last = inputs.weights["date"].max()
    held = inputs.weights[inputs.weights["date"] == last]
    held = held.sort_values(["weight", "symbol"], ascending=[False, True]).head(TOP)
    groups = {}
    if len(inputs.membership):
        members = inputs.membership[inputs.membership["date"] == last]
        groups = dict(zip(members["symbol"], members["group_id"], strict=True))
    rows = tuple(
        cells((r.symbol, groups.get(r.symbol, LEFT if groups else DASH), percent(r.weight, 2)))
        for r in held.itertuples()
    )
    total = percent(held["weight"].sum())
    head, half = ("Symbol", "Group", "Weight"), (TOP + 1) // 2
    foot = f"The {len(rows)} largest hold {total} of NAV. Weight: value at the close over NAV."
    first = Tabular(f"Largest holdings on {day(last)}", head, rows[:half], foot, texts=2)
    if len(rows) <= half:
        return first
    return Grid((first, Tabular("The next largest", head, rows[half:], texts=2)))

"""Trading: how much, what it cost and to whom it went, what could not be done."""

from dataclasses import replace

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import Block, Grid, Section, Tabular, Text, cells, empty
from quant.reporting.figures import Bars, figure
from quant.reporting.formats import DASH, Unit, basis, count, money, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import book, stamp


def build(inputs: ReportInputs) -> Section:
    """Turnover, costs by part and year, unfilled orders by reason."""
    if not len(inputs.fills):
        blocks: list[Block] = [empty("There are no fills: nothing was traded")]
        return Section("trading", "Trading and costs", tuple(blocks))
    ordered = replace(inputs, fills=inputs.fills[~_events(inputs.fills)])
    table = attribution(ordered.fills, book(inputs, "portfolio"), inputs.meta.lambda1)
    blocks = [_lead(ordered), *_charts(ordered, table), _costs(ordered, table)]
    blocks += [unfilled(ordered), *exits(inputs)]
    return Section("trading", "Trading and costs", tuple(blocks))


def attribution(fills: Frame, nav: Frame, lambda1: float | None) -> Frame:
    """Money by year and part: linear, impact (or cost), fees; traded value; mean NAV.

    The linear part is lambda1 times traded value, at most the whole cost; impact is the rest.
    Without lambda1 the cost stays whole.
    """
    year = pd.DatetimeIndex(fills["date"]).year
    value, cost = fills["notional"].abs(), fills["cost"].fillna(0.0)
    parts = {"cost": cost}
    if lambda1 is not None:
        linear = np.minimum(value.fillna(0.0) * lambda1, cost)
        parts = {"linear": linear, "impact": cost - linear}
    parts |= {"fees": fills["fee"].fillna(0.0), "traded": value.fillna(0.0)}
    table = pd.DataFrame(parts).groupby(year).sum()
    if len(nav):
        table["nav"] = nav["nav"].groupby(pd.DatetimeIndex(nav.index).year).mean()
        table["turnover"] = nav["turnover"].groupby(pd.DatetimeIndex(nav.index).year).sum()
    else:
        table["nav"] = table["turnover"] = np.nan
    return table


def _parts(table: Frame) -> list[str]:
    return [c for c in ("linear", "impact", "cost", "fees") if c in table]


def _lead(inputs: ReportInputs) -> Block:
    fills, currency = inputs.fills, inputs.meta.currency
    value = fills["notional"].abs().sum()
    spent = fills["cost"].sum() + fills["fee"].sum()
    each = basis(spent / value * 1e4, 1) if value > 0 else DASH
    return Text(
        f"{len(fills):,} orders, {money(value, currency)} traded, {money(spent, currency)} spent "
        f"on costs and fees: {each} of the value traded."
    )


def _charts(inputs: ReportInputs, table: Frame) -> list[Block]:
    years = [str(y) for y in table.index]
    drawn: list[Block] = []
    if table["turnover"].notna().any():
        chart = Bars(
            "Turnover by year, multiples of NAV",
            years,
            table[["turnover"]].to_numpy(float),
            ("turnover",),
            Unit(suffix="×", digits=1),
        )
        drawn.append(figure("turnover", chart, "Two-way.", 250, half=True, stamp=stamp(inputs)))
    if table["nav"].notna().any():
        parts = _parts(table)
        rates = table[parts].div(table["nav"], axis=0).to_numpy(float) * 1e4
        unit = Unit(digits=0 if np.nanmax(rates.sum(axis=1)) >= 20 else 1)
        chart = Bars("Costs by year, bp of NAV", years, rates, parts, unit)
        drawn.append(
            figure(
                "costs", chart, "Over mean NAV of the year.", 250, half=True, stamp=stamp(inputs)
            )
        )
    return [Grid(tuple(drawn))] if drawn else []


def _costs(inputs: ReportInputs, table: Frame) -> Block:
    parts = _parts(table)
    whole = table[parts].sum(axis=1)
    rows = []
    for year, row in table.iterrows():
        spent = [money(row[p], inputs.meta.currency) for p in parts]
        rows.append(
            cells(
                (
                    year,
                    money(row["traded"], inputs.meta.currency),
                    *spent,
                    basis(whole[year] / row["traded"] * 1e4, 1) if row["traded"] > 0 else DASH,
                    basis(whole[year] / row["nav"] * 1e4),
                )
            )
        )
    split = (
        f"Linear: lambda1 = {basis(inputs.meta.lambda1 * 1e4, 1)} of the value traded; impact: the "
        "rest of the cost model, lambda2 times the square of the trade. "
        if inputs.meta.lambda1 is not None
        else ""
    )
    return Tabular(
        "Where the costs go",
        (
            *("Year", "Traded", *(p.capitalize() for p in parts)),
            *("All, of value traded", "All, of NAV"),
        ),
        tuple(rows),
        f"{split}Fees: statutory. All from the fills table; positions that an event closed are no "
        "trades.",
    )


def unfilled(inputs: ReportInputs) -> Block:
    """Orders that were not filled in full, by reason."""
    fills = inputs.fills
    gap = (fills["ordered"] - fills["shares"]).abs()
    short = fills[~_whole(fills)].copy()
    if not len(short):
        return Text("Every order was filled in full.")
    short["gap"] = gap[short.index] * short["price"]
    short["none"] = short["shares"] == 0
    short["reason"] = short["reason"].fillna("").replace("", "no reason given")
    rows = []
    by = short.groupby("reason")
    for reason, n in by.size().sort_values(ascending=False, kind="stable").items():
        part = by.get_group(reason)
        rows.append(
            cells(
                (
                    reason,
                    count(n),
                    percent(n / len(fills), 2),
                    count(part["none"].sum()),
                    money(part["gap"].sum(), inputs.meta.currency)
                    if part["gap"].notna().any()
                    else DASH,
                )
            )
        )
    return Tabular(
        "Orders not filled in full",
        ("Reason", "Orders", "of all orders", "not filled at all", "Value left"),
        tuple(rows),
        "Value left: shares ordered and not traded, at the fill price where there is one.",
    )


def exits(inputs: ReportInputs) -> list[Block]:
    """Fills in full that carry a reason all the same: the end of a listing or of the source."""
    told = inputs.fills[_events(inputs.fills)]
    if not len(told):
        return []
    by = told.groupby("reason")
    parts = [
        f"{reason}: {len(part):,} ({money(part['notional'].abs().sum(), inputs.meta.currency)})"
        for reason, part in by
    ]
    return [Text(f"Positions closed by an event, not by an order: {'; '.join(parts)}.", "note")]


def _events(fills: Frame) -> pd.Series:
    """Fills that no order asked for: they are no trades, and cost nothing."""
    return _whole(fills) & (fills["reason"].fillna("") != "")


def _whole(fills: Frame) -> pd.Series:
    gap = (fills["ordered"] - fills["shares"]).abs()
    return gap <= 1e-9 * fills["ordered"].abs().clip(lower=1.0)

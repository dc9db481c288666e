"""What the regimes are: market, sectors and industries over time, and all of them at the end."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.tables import VOL
from quant.core.types import Frame, Mask
from quant.model1.features import MARKET
from quant.model1.mapping import CRISIS_AT, SYSTEMIC_AT
from quant.reporting.blocks import Block, Cell, Tabular, cells, empty
from quant.reporting.figures import Heat, figure, heat_height
from quant.reporting.formats import DASH, PERCENT, Unit, count, day, number, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp

WEEKS = 130  # columns of a map; a longer window is shown by month
POINTS = Unit(100.0, " pp", 0)
TREND = ("p_trend_bull", "p_trend_sideways", "p_trend_bear")
STATES = tuple(name.removeprefix("p_vol_") for name in VOL)
HEAD = ("Bull", "Sideways", "Bear", "Calm", "Turbulent", "Crisis")


def within(inputs: ReportInputs, name: str) -> Frame:
    """Rows of the frame `name` that lie in the report's window, by date and node."""
    frame = getattr(inputs, name)
    if not len(frame):
        return frame
    meta = inputs.meta
    kept = frame[frame["date"].between(pd.Timestamp(meta.start), pd.Timestamp(meta.end))]
    keys = [c for c in ("date", "node_id", "industry_id", "stream", "kind") if c in kept]
    return kept.sort_values(keys, ignore_index=True)


def market_states(inputs: ReportInputs) -> pd.Series:
    """(n_dates,) the market's likeliest volatility state as of each close."""
    rows = within(inputs, "parent_states")
    own = rows[rows["node_id"] == MARKET].set_index("date") if len(rows) else rows
    if not len(own):
        return pd.Series(dtype=object)
    likely = own[list(VOL)].to_numpy(float).argmax(axis=1)
    return pd.Series([STATES[i] for i in likely], index=own.index)


def at_end(frame: Frame, node: str) -> Frame:
    """Rows of the last session, by node."""
    return frame[frame["date"] == frame["date"].max()].set_index(node) if len(frame) else frame


def untightened(inputs: ReportInputs) -> float:
    """The optimizer's cap of a group, fraction of NAV; the widest there was where not stated."""
    stated = inputs.meta.group_cap
    return float(inputs.states["cap_long"].max()) if stated is None else stated


def tightened(states: Frame, cap: float) -> Mask:
    """(n_rows,) whether the cap is below the optimizer's."""
    return states["cap_long"].to_numpy(float) < cap * (1 - 1e-6)


@dataclass(frozen=True)
class Now:
    """The last session.

    market     : one row of PARENT_STATES with `members`, or none
    sectors    : rows of PARENT_STATES by sector; none where there are no sectors
    industries : rows of STATES by industry, with `sector` (itself where there are none), `members`
                 (NaN = not known), `tight` and `why`
    cap        : of a group where nothing tightens it, fraction of NAV
    """

    market: Frame
    sectors: Frame
    industries: Frame
    cap: float


def now(inputs: ReportInputs) -> Now | None:
    """States at the last session of the window; None where there are none."""
    states = at_end(within(inputs, "states"), "industry_id")
    if not len(states):
        return None
    date = states["date"].iloc[0]
    parents = within(inputs, "parent_states")
    parents = parents[parents["date"] == date] if len(parents) else _no_parents()
    parents = parents.set_index("node_id")
    market, sectors = (parents[parents["level"] == name] for name in ("market", "sector"))
    above = pd.Series(states.index, states.index).map(_sectors(inputs)) if len(sectors) else None
    states["sector"] = states.index if above is None else above.fillna(DASH)
    members = _members(inputs, date)
    states["members"] = states.index.map(members)
    market = market.assign(members=members.get(MARKET, np.nan))
    crisis = states if above is None else sectors
    p_group = states["sector"].map(crisis["p_vol_crisis"].astype(float))
    cap = untightened(inputs)
    states["tight"] = tightened(states, cap)
    states["why"] = [
        _why(systemic >= SYSTEMIC_AT, p >= CRISIS_AT) if tight else ""
        for systemic, p, tight in zip(
            states["p_sys_systemic"], p_group, states["tight"], strict=True
        )
    ]
    return Now(market, sectors, states, cap)


def _why(systemic: bool, crisis: bool) -> str:
    """Where neither is known to hold it is a crisis: caps are tightened for these two alone."""
    return "systemic, crisis" if systemic and crisis else "systemic" if systemic else "crisis"


def _no_parents() -> Frame:
    return pd.DataFrame(columns=["node_id", "level", *TREND, *VOL])


def _sectors(inputs: ReportInputs) -> pd.Series:
    """Sector by industry: the group with which the industry was first seen."""
    rows = inputs.membership
    if "industry_id" not in rows:
        return pd.Series(dtype=object)
    rows = rows.sort_values(["date", "symbol"]).drop_duplicates("industry_id")
    return rows.set_index("industry_id")["group_id"]


def _members(inputs: ReportInputs, date: pd.Timestamp) -> pd.Series:
    rows = within(inputs, "indices")
    if not len(rows):
        return pd.Series(dtype=float)
    return rows[rows["date"] == date].set_index("node_id")["members"].astype(float)


def maps(inputs: ReportInputs) -> list[Block]:
    """Trend and crisis over time: of market and sectors where there are any, else industries."""
    frame = _nodes(inputs)
    if not len(frame):
        return [empty("There are no states, so no maps of them")]
    frame = frame.assign(trend=frame["p_trend_bull"].astype(float) - frame["p_trend_bear"])
    every, name = ("W", "week") if _weeks(frame) <= WEEKS else ("M", "month")
    trend, crisis = (_by_period(frame, c, every) for c in ("trend", "p_vol_crisis"))
    order = trend.iloc[:, -1].drop(MARKET, errors="ignore").sort_values(ascending=False).index
    order = [n for n in (MARKET,) if n in trend.index] + list(order)
    said = f"Mean over the sessions of each {name}; the last column, which may be a part of one, "
    said += "is written out. Strongest trend of the last column first, the market above all."
    return [
        _map("regimetrend", "Trend: probability of bull less that of bear", trend.loc[order],
             f"{said} A line runs through the cells where bear leads, the palest excepted.", inputs,
             signed=True),
        _map("regimecrisis", "Volatility: probability of crisis", crisis.loc[order],
             f"{said} Caps of a group tighten on sessions with {percent(CRISIS_AT, 0)} and more.",
             inputs),
    ]  # fmt: skip


def _nodes(inputs: ReportInputs) -> Frame:
    parents, states = within(inputs, "parent_states"), within(inputs, "states")
    if len(parents) and (parents["level"] == "sector").any():
        return parents
    own = states.rename(columns={"industry_id": "node_id"})
    found = [f[["date", "node_id", *TREND, *VOL]] for f in (parents, own) if len(f)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _weeks(frame: Frame) -> float:
    return (frame["date"].max() - frame["date"].min()).days / 7


def _by_period(frame: Frame, column: str, every: str) -> Frame:
    """Means by node and week or month; columns are the first days of the periods."""
    period = frame["date"].dt.to_period(every).dt.start_time.rename("period")
    means = frame[column].astype(float).groupby([frame["node_id"], period]).mean()
    return means.unstack("period").sort_index()


def _map(
    key: str, title: str, table: Frame, caption: str, inputs: ReportInputs, signed: bool = False
) -> Block:
    years = [str(d.year) for d in table.columns]
    labels = [y if i == 0 or y != years[i - 1] else "" for i, y in enumerate(years)]
    rows = [n.capitalize() if n == MARKET else n for n in table.index]
    values, top = table.to_numpy(float), 1.0 if signed else 0.8
    form = POINTS if signed else PERCENT
    chart = Heat(title, rows, labels, values, top, form, signed=signed)
    return figure(key, chart, caption, height=heat_height(len(rows)), stamp=stamp(inputs))


def probabilities(row: pd.Series) -> list[Cell]:
    """Trend and volatility of one row in percent, the likeliest state of each set bold."""
    made = []
    for names in (TREND, VOL):
        values = row[list(names)].to_numpy(float)
        best = int(np.nanargmax(values)) if np.isfinite(values).any() else -1
        made += [Cell(percent(v, 0), "strong" * (i == best)) for i, v in enumerate(values)]
    return made


def table(inputs: ReportInputs, found: Now) -> list[Block]:
    """Every industry at the end; under sectors, where there are any, folded."""
    own, last = found.industries, found.industries["date"].iloc[0]
    sectors = bool(len(found.sectors))
    own = own.assign(place=own["sector"] if sectors else "", name=own.index)
    own = own.sort_values(["place", "tilt_bp", "name"], ascending=[True, False, True])
    # a name that begins with its sector's says it already
    told = all(n.startswith(f"{s}.") for n, s in own["sector"].items())
    beside = sectors and not told
    rows = [_row(name, row, beside) for name, row in own.iterrows()]
    head = ["Industry", *["Sector"] * beside, "Members", *HEAD, "Flip", "Tilt, bp", "Cap", "Tight"]
    foot = (
        "Probabilities in percent, the likeliest state bold. Flip: that the likeliest trend is "
        f"another in ten sessions. Tilt: of the expected return over {inputs.meta.horizon} "
        "sessions. Cap: largest exposure of the group, share of NAV; tight: whether it is below "
        f"the {percent(found.cap, 0)} of quiet times, and why: systemic correlations, or a crisis "
        f"of {'the sector' if sectors else 'the industry'}, on which the cap acts. "
        + _target(inputs)
    )  # fmt: skip
    if not sectors:
        top = [_market(r, count(r["members"]), 4) for _, r in found.market.iterrows()]
        return [Tabular(f"Industries on {day(last)}", tuple(head), (*top, *rows), foot)]
    whole = Tabular(
        f"All {len(rows)} industries on {day(last)}", tuple(head), tuple(rows), foot,
        texts=1 + beside, fold=True,
    )  # fmt: skip
    return [_by_sector(found, last), whole]


def _row(name: str, row: pd.Series, beside: bool) -> tuple[Cell, ...]:
    return cells(
        (
            name, *[row["sector"]] * beside, count(row["members"]), *probabilities(row),
            percent(row["p_flip_10d"], 0), number(row["tilt_bp"], 1, signed=True),
            percent(row["cap_long"], 1), row["why"] if row["tight"] else "no",
        )
    )  # fmt: skip


def _target(inputs: ReportInputs) -> str:
    regime = within(inputs, "regime")
    if not len(regime):
        return ""
    target = percent(regime["vol_target"].iloc[-1])
    return f"Volatility target of the whole book: {target} a year."


def _market(row: pd.Series, number_of: str, blanks: int) -> tuple[Cell, ...]:
    """The market above the others: it has no tilt and no cap."""
    return (Cell("Market"), Cell(number_of), *probabilities(row), *cells([DASH] * blanks))


def _by_sector(found: Now, last: pd.Timestamp) -> Tabular:
    many = count(len(found.industries))
    market = [_market(r, many, 3) for _, r in found.market.iterrows()]
    score = found.sectors["p_trend_bull"] - found.sectors["p_trend_bear"]
    rows = []
    for name in score.sort_values(ascending=False, kind="stable").index:
        own = found.industries[found.industries["sector"] == name]
        said = own["why"].iloc[0] or "no" if len(own) else DASH
        rows.append((
            Cell(name), Cell(count(len(own))), *probabilities(found.sectors.loc[name]),
            *cells((number(own["tilt_bp"].astype(float).mean(), 1, signed=True),
                    percent(own["cap_long"].min(), 1), said)),
        ))  # fmt: skip
    return Tabular(
        f"Market and sectors on {day(last)}",
        ("Sector", "Industries", *HEAD, "Mean tilt, bp", "Cap", "Tight"),
        (*market, *rows),
        "The states that industries are reconciled with, strongest trend first; mean tilt: over "
        "the sector's industries. The columns are explained under the table of industries below.",
    )

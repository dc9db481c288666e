"""Limits of the optimizer: risk against target, what bound, what had to give, how it was solved."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.reporting import series as of
from quant.reporting.blocks import Block, Cell, Tabular, Text, cells, empty
from quant.reporting.figures import Line, Lines, figure
from quant.reporting.formats import PERCENT, count, day, number, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import book, stamp
from quant.reporting.sections.prices import told_apart

REALISED = 63  # sessions
SHOWN = 250  # relaxations listed
LIMITS = (
    ("vol_binds", ""),  # of volatility or of tracking error
    ("turnover_binds", "Turnover cap"),
    ("group_binds", "Group caps"),
    ("gave_way", "A limit gave way"),
    ("waiting", "Names waiting"),
)


def volatility(inputs: ReportInputs) -> Block:
    """Ex-ante volatility, or tracking error, its target, and what was realised."""
    if len(inputs.solves) < 2:
        return empty(f"There are no solved rebalances, so no ex-ante {_risk(inputs)}")
    solves = inputs.solves.sort_values("date").set_index("date")
    real = realised(inputs).reindex(solves.index).to_numpy(float)
    lines = [
        Line("Ex ante", solves["vol"].to_numpy(float), 0),
        Line(f"Realised, {REALISED} sessions", real, 1),
        Line("Target", solves["vol_target"].to_numpy(float), 2, step=True),
    ]
    chart = Lines(
        f"{_risk(inputs).capitalize()}: ex ante, target, realised",
        solves.index.to_numpy(),
        [x for x in lines if np.isfinite(x.values).any()],
        PERCENT,
        base=0.0,
    )
    less = (" less the benchmark's",) * 2 if inputs.meta.relative else ("", "")
    return figure(
        "vol",
        chart,
        f"Ex ante: of the solved weights{less[0]} under the risk model, annualised. "
        f"Realised: of daily returns{less[1]}. Target: the cap the "
        "optimizer was given; where it could not be reached in one day, the excess is listed "
        "below as a relaxation.",
        height=260,
        stamp=stamp(inputs),
    )


def realised(inputs: ReportInputs) -> pd.Series:
    """Annualised volatility of the last sessions, of the active return where risk is relative."""
    daily = of.returns(book(inputs, "portfolio")["nav"])
    if inputs.meta.relative:
        daily = daily - of.returns(book(inputs, "benchmark")["nav"])
    return of.rolling_vol(daily.astype(float), REALISED, inputs.meta.periods_per_year)


def _risk(inputs: ReportInputs) -> str:
    """What the optimizer's cap on risk is a cap on."""
    return "tracking error" if inputs.meta.relative else "volatility"


def _cap(inputs: ReportInputs) -> str:
    return f"{_risk(inputs).capitalize().replace(' ', '-')} cap"


def binding(inputs: ReportInputs) -> Block:
    """How often each limit bound, by year."""
    if not len(inputs.solves):
        return empty("There are no solved rebalances, so no limits that bind")
    solves = told_apart(inputs)
    rows = [_share("All", solves)]
    for year, part in solves.groupby(pd.DatetimeIndex(solves["date"]).year):
        rows.append(_share(str(year), part))
    return Tabular(
        "How often limits bind, share of rebalances",
        (
            "",
            "Rebalances",
            *(label or _cap(inputs) for _, label in LIMITS),
            "Turnover",
            "Names held",
        ),
        tuple(rows),
        "A limit binds where the solution lies on it (solves table). Gave way: a limit on the book "
        "was out of reach. Names waiting: single names could not be brought to their bounds in one "
        "day, leavers of the universe mostly. Turnover: mean two-way turnover of a rebalance. "
        "Names held: mean.",
    )


def _share(name: str, part: Frame) -> tuple[Cell, ...]:
    values = [Cell(name), Cell(count(len(part)))]
    for column, _ in LIMITS:
        share = float(part[column].astype(float).mean())
        step = f"p{min(4, int(share * 4) + 1)}" if share > 0 else ""
        values.append(Cell(percent(share, 0), step))
    values.append(Cell(percent(part["turnover"].mean())))
    values.append(Cell(count(part["n_held"].mean())))
    return tuple(values)


def relaxations(inputs: ReportInputs) -> list[Block]:
    """Which limits had to give, when and why."""
    solves = inputs.solves
    if not len(solves):
        return []
    told = told_apart(inputs)
    loose = told[told["gave_way"].astype(bool)].sort_values("date")
    if not len(loose):
        return [Text("No limit on the book had to be relaxed at any rebalance.")]
    rows = tuple(
        cells(
            (
                day(r.date),
                Cell(_of_the_book(r.reason), "long"),
                percent(r.tau),
                percent(r.tau_eff),
                percent(r.vol_target),
                percent(r.vol_reached),
            )
        )
        for r in loose.head(SHOWN).itertuples()
    )
    more = f" The first {SHOWN} of {len(loose)} are listed." if len(loose) > SHOWN else ""
    return [
        Tabular(
            f"Limits that gave way: {len(loose):,} of {len(solves):,} rebalances, with reasons",
            ("Date", "Reason", "Turnover cap", "used", _cap(inputs), "reached"),
            rows,
            f"Hardest first: physical limits, group caps, {_risk(inputs)}, turnover; what can not "
            f"be reached in one day is traded towards as far as the physical limits allow.{more}",
            texts=2,
            fold=True,
        )
    ]


def _of_the_book(reason: str) -> str:
    """The part of a solve's reason that is not about single names."""
    parts = [part for part in str(reason or "").split("; ") if not part.startswith("name ")]
    return "; ".join(parts) or "no reason given"


def solvers(inputs: ReportInputs) -> Block:
    """One sentence on how the problems were solved."""
    solves = inputs.solves
    if not len(solves):
        return empty("No optimizer was run")
    status = solves.groupby(["solver", "status"]).size()
    parts = [f"{s} {t}: {n:,}" for (s, t), n in status.items()]
    worst, gap = solves["violation"].max(), solves["gap"].abs().max()
    return Text(
        f"Solved by {'; '.join(parts)}. Audited after every solve: largest violation "
        f"{_tiny(worst)} against the limits that were reachable, largest gap {_tiny(gap)}.",
        "note",
    )


def _tiny(value: float) -> str:
    return number(value, 0) if pd.isna(value) else f"{value:.1e}".replace("-", "\N{MINUS SIGN}")

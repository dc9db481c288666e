"""Performance: growth, drawdowns, rolling figures, calendar tables, the scorecard."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.evaluation.metrics import drawdown_table
from quant.reporting import series as of
from quant.reporting.blocks import Block, Grid, Section, Tabular, cells, empty
from quant.reporting.figures import Histogram, Line, Lines, figure
from quant.reporting.formats import PERCENT, RATIO, count, day, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import book, index_levels, stamp
from quant.reporting.sections.calendar import monthly_table, yearly_table
from quant.reporting.sections.curves import drawdowns, growth, relative
from quant.reporting.sections.scorecard import scorecard

WORST = 6  # drawdowns listed
SHORTEST = 5  # sessions below which no curve is worth a chart


def build(inputs: ReportInputs) -> Section:
    """Everything that follows from the NAV table."""
    mine = book(inputs, "portfolio")
    if len(mine) < SHORTEST:
        said = empty(f"The NAV table has {len(mine)} sessions of the portfolio: no curves")
        return Section("performance", "Performance", (said, scorecard(inputs)))
    theirs = book(inputs, "benchmark").reindex(mine.index)
    name, index = index_levels(inputs, pd.DatetimeIndex(mine.index))
    blocks: list[Block] = [growth(inputs, "growth"), drawdowns(inputs), *relative(inputs)]
    blocks += [monthly_table(mine, theirs), yearly_table(inputs, mine, theirs, name, index)]
    blocks += _rolling(inputs, mine, theirs)
    blocks.append(Grid((_worst(mine["nav"]), _shape(inputs, mine["nav"]))))
    blocks.append(scorecard(inputs))
    return Section("performance", "Performance", tuple(blocks))


def _rolling(inputs: ReportInputs, mine: Frame, theirs: Frame) -> list[Block]:
    periods = inputs.meta.periods_per_year
    window = periods
    daily, other = of.returns(mine["nav"]), of.returns(theirs["nav"])
    if len(daily) < window + SHORTEST:
        return [empty(f"Rolling figures need more than {window} sessions; there are {len(daily)}")]
    rf = mine["rf"].fillna(0.0).iloc[1:]
    dates = daily.index.to_numpy()
    pairs = (
        ("rollsharpe", "Sharpe ratio", RATIO, None, of.rolling_sharpe, True),
        ("rollvol", "Volatility", PERCENT, 0.0, of.rolling_vol, False),
    )
    drawn = []
    for key, title, form, base, how, excess in pairs:
        lines = [
            Line(n, how(d - rf if excess else d, window, periods).to_numpy(float), tone)
            for n, d, tone in (("Portfolio", daily, 0), ("Benchmark", other, 1))
            if d.notna().any()
        ]
        base = 0.0 if excess else base
        chart = Lines(f"{title}, last {window} sessions", dates, lines, form, base=base)
        drawn.append(figure(key, chart, height=250, half=True, stamp=stamp(inputs)))
    if other.notna().any():
        beta = of.rolling_beta(daily, other, window).to_numpy(float)
        chart = Lines(
            f"Beta to the benchmark, last {window} sessions",
            dates,
            [Line("Beta", beta, 0)],
            RATIO,
            include=(0.0, 1.0),
        )
        drawn.append(figure("rollbeta", chart, height=250, half=True, stamp=stamp(inputs)))
        drawn.append(_active(inputs, daily - other, window))
    return [Grid(tuple(drawn))]


def _active(inputs: ReportInputs, active: pd.Series, window: int) -> Block:
    rolled = active.rolling(window).mean().to_numpy(float) * inputs.meta.periods_per_year
    chart = Lines(
        f"Active return a year, last {window} sessions",
        active.index.to_numpy(),
        [Line("Active", rolled, 3)],
        PERCENT,
        base=0.0,
    )
    return figure("rollactive", chart, height=250, half=True, stamp=stamp(inputs))


def _worst(levels: pd.Series) -> Block:
    daily = of.returns(levels)
    found = drawdown_table(daily.to_numpy(float), daily.index.to_numpy(), top=WORST)
    rows = []
    for e in found.itertuples():
        back = "not yet" if pd.isna(e.end) else day(e.end)
        rows.append(cells((day(e.start), day(e.trough), back, percent(e.depth), count(e.periods))))
    if not rows:
        return empty("NAV never fell below an earlier high")
    return Tabular(
        "Deepest drawdowns of the portfolio",
        ("Below its high from", "Trough", "Recovered", "Depth", "Sessions"),
        tuple(rows),
        "Sessions run from the first close below the high to the recovery, or to the last session.",
        texts=3,
    )


def _shape(inputs: ReportInputs, levels: pd.Series) -> Block:
    daily = of.returns(levels).to_numpy(float)
    tail = np.nanquantile(daily, 0.05)
    return figure(
        "returns",
        Histogram("Daily returns of the portfolio", daily, PERCENT),
        f"{len(daily):,} sessions; the worst 5% lost {percent(-tail, 2)} or more. "
        "The outer bars hold everything beyond the 0.1 and 99.9 percentiles.",
        height=230,
        half=True,
        stamp=stamp(inputs),
    )

"""Calendar tables: returns by month and the account of every year."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.evaluation.metrics import monthly, sharpe
from quant.reporting import series as of
from quant.reporting.blocks import Block, Cell, Tabular, cells
from quant.reporting.formats import DASH, basis, missing, number, percent, points, times
from quant.reporting.inputs import ReportInputs

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SHADE = 0.02  # return a step of shade, for months; a year steps four times as wide


def shade(value: float, step: float) -> str:
    """Class of a heat cell: n4 to p4 by size, nothing around zero."""
    if missing(value) or abs(value) < step / 4:
        return ""
    return f"{'p' if value > 0 else 'n'}{min(4, int(abs(value) / step) + 1)}"


def monthly_table(mine: Frame, theirs: Frame) -> Block:
    """Years by months, with the totals of the portfolio and the benchmark."""
    daily, other = of.returns(mine["nav"]), of.returns(theirs["nav"]).dropna()
    table = monthly(daily.to_numpy(float), daily.index.to_numpy())
    totals = table.pop("year")
    versus = of.by_year(other, of.compounded) if len(other) else pd.Series(dtype=float)
    rows = []
    for year, months in table.iterrows():
        values = [Cell(_plain(v), shade(v, SHADE)) for v in months]
        total, bench = totals[year], versus.get(year, np.nan)
        rows.append(
            (
                Cell(str(year)),
                *values,
                Cell(_plain(total), f"edge {shade(total, SHADE * 4)}"),
                Cell(_plain(bench), f"edge {shade(bench, SHADE * 4)}"),
            )
        )
    return Tabular(
        "Returns by month, percent",
        ("", *MONTHS, "Year", "Benchmark"),
        tuple(rows),
        "Daily returns after costs, compounded within the month; the first and last months may "
        "be incomplete.",
        css="months",
    )


def _plain(value: float) -> str:
    return "" if missing(value) else number(value * 100, 1)


def yearly_table(
    inputs: ReportInputs, mine: Frame, theirs: Frame, name: str, index: pd.Series
) -> Block:
    """One row a year: returns, risk, trading."""
    periods = inputs.meta.periods_per_year
    years = pd.DatetimeIndex(mine.index).year
    daily, other = of.returns(mine["nav"]), of.returns(theirs["nav"])
    third = of.returns(index) if len(index) else pd.Series(np.nan, daily.index)
    excess = daily - mine["rf"].fillna(0.0).iloc[1:]
    rows = []
    for year in sorted(set(pd.DatetimeIndex(daily.index).year)):
        here = pd.DatetimeIndex(daily.index).year == year
        account = mine[years == year]
        spent = (account["cost"] + account["fee"]).sum() / account["nav"].mean()
        got, bench, ref = (_total(s[here]) for s in (daily, other, third))
        risked = excess[here].to_numpy(float)
        rows.append(
            cells(
                (
                    year,
                    percent(got),
                    percent(bench),
                    percent(ref),
                    points(got - bench),
                    percent(daily[here].std() * np.sqrt(periods)),
                    number(sharpe(risked, periods=periods)) if risked.size > 1 else DASH,
                    percent(_fall(mine["nav"], year)),
                    times(account["turnover"].sum(), 1),
                    basis(spent * 1e4),
                )
            )
        )
    return Tabular(
        "Year by year",
        (
            *("Year", "Portfolio", "Benchmark", name or "Index", "Active", "Volatility", "Sharpe"),
            *("Max drawdown", "Turnover", "Costs"),
        ),
        tuple(rows),
        "Returns compound daily returns; active is their difference. Volatility and Sharpe (excess "
        f"of cash): daily, ddof 1, times the root of {periods}. Drawdown from the highest NAV "
        "within the year. Turnover: sum of two-way turnover over NAV. Costs: cost and fees over "
        "mean NAV.",
    )


def _total(daily: pd.Series) -> float:
    known = daily.dropna()
    return of.compounded(known) if len(known) else np.nan


def _fall(levels: pd.Series, year: int) -> float:
    stamps = pd.DatetimeIndex(levels.index).year
    first = max(int(np.argmax(stamps == year)) - 1, 0)  # from the last close of the year before
    last = int(np.flatnonzero(stamps == year)[-1])
    return float(of.drawdown(levels.iloc[first : last + 1]).min())

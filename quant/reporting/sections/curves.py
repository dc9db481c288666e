"""The curves of NAV: growth, drawdown, relative growth."""

import pandas as pd

from quant.reporting import series as of
from quant.reporting.blocks import Block
from quant.reporting.figures import Line, Lines, figure
from quant.reporting.formats import PERCENT, TIMES
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import book, index_levels, stamp

Curves = dict[str, tuple[pd.Series, int]]  # name -> levels on the portfolio's dates, tone


def curves(inputs: ReportInputs) -> Curves:
    """Levels of portfolio, benchmark and index, those that there are."""
    mine = book(inputs, "portfolio")["nav"]
    theirs = book(inputs, "benchmark")["nav"].reindex(mine.index)
    name, index = index_levels(inputs, pd.DatetimeIndex(mine.index))
    found = {"Portfolio": (mine, 0), inputs.meta.benchmark_label: (theirs, 1), name: (index, 2)}
    return {n: (s, t) for n, (s, t) in found.items() if s.notna().any()}


def growth(inputs: ReportInputs, key: str, half: bool = False) -> Block:
    """Growth of 1 on a logarithmic scale; the half-size one leaves the index out."""
    found = curves(inputs)
    chosen = [(n, s, t) for n, (s, t) in found.items() if not half or t < 2]
    names = {1: "Benchmark"} if half else {}
    lines = [Line(names.get(t, n), of.growth(s).to_numpy(float), t) for n, s, t in chosen]
    dates = chosen[0][1].index.to_numpy()
    title = "Growth of 1 after costs" if half else "Growth of 1 after costs, logarithmic"
    chart = Lines(title, dates, lines, TIMES, log=True, include=(1.0,))
    if half:
        return figure(key, chart, height=258, half=True, stamp=stamp(inputs))
    caption = "NAV after costs over its first value."
    if any("price only" in n for n in found):
        caption += " The index leaves dividends out: it is no fair benchmark here."
    return figure(key, chart, caption, height=360, stamp=stamp(inputs))


def drawdowns(inputs: ReportInputs) -> Block:
    """Fall below the highest NAV so far."""
    found = [(n, s, t) for n, (s, t) in curves(inputs).items() if t < 2]
    lines = [Line(n, of.drawdown(s).to_numpy(float), t, fill=t == 0) for n, s, t in found]
    chart = Lines("Drawdown", found[0][1].index.to_numpy(), lines, PERCENT, base=0.0)
    note = "NAV over its highest value so far, minus 1."
    return figure("drawdown", chart, note, height=220, stamp=stamp(inputs))


def relative(inputs: ReportInputs) -> list[Block]:
    """Growth of the portfolio over growth of its benchmark, where there is one."""
    found = {t: s for s, t in curves(inputs).values()}
    if 1 not in found:
        return []
    ratio = of.growth(found[0]) / of.growth(found[1])
    line = Line("Portfolio / benchmark", ratio.to_numpy(float), 3)
    chart = Lines(
        "Portfolio relative to its benchmark", ratio.index.to_numpy(), [line], TIMES, base=1.0
    )
    note = "Growth of the portfolio over growth of the benchmark; rising = ahead."
    return [figure("relative", chart, note, height=220, stamp=stamp(inputs))]

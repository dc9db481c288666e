"""Price lines of the market and of its best and worst industries, change points marked on them."""

import numpy as np
import pandas as pd

from quant.core.types import Codes, Dates, Frame
from quant.model1.features import MARKET
from quant.reporting import series as of
from quant.reporting.blocks import Block, Grid, empty
from quant.reporting.charts.lines import Marks
from quant.reporting.figures import Line, Lines, figure
from quant.reporting.formats import TIMES, count
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp
from quant.reporting.sections.regimestates import within

EACH = 2  # industries at either end
WHOLE = 0.9  # of the sessions, without which an industry's growth is not compared
QUIET = 5  # sessions between two alarms that are not one
STREAMS = {"vol": ("volatility changed", "wedge", 7), "slope": ("slope changed", "square", 4)}


def blocks(inputs: ReportInputs) -> list[Block]:
    """The market's line, then those of the industries that gained and lost most."""
    prices = levels(within(inputs, "indices"))
    if len(prices) < 2:
        return [empty("There are fewer than two sessions of indices, so no price lines")]
    breaks = within(inputs, "breaks")
    drawn: list[Block] = []
    if MARKET in prices:
        drawn.append(_market(inputs, prices[MARKET], breaks))
    chosen = ends(within(inputs, "indices"), prices)
    small = [
        _line(inputs, f"regimeprice-{i}", f"{said}: {name}", prices[name], breaks)
        for i, (name, said) in enumerate(chosen)
    ]
    return [*drawn, Grid(tuple(small))] if small else drawn


def levels(indices: Frame) -> Frame:
    """Growth of 1 from the window's first session: rows dates, columns nodes.

    A session without a return leaves a gap; growth goes on after it from where it was.
    """
    if not len(indices):
        return pd.DataFrame()
    returns = indices.pivot(index="date", columns="node_id", values="ret").astype(float)
    return (1.0 + returns).cumprod().apply(of.growth)


def ends(indices: Frame, prices: Frame) -> list[tuple[str, str]]:
    """The industries that grew most and least, of those known nearly all the time."""
    names = indices.loc[indices["level"] == "industry", "node_id"].unique()
    known = prices[sorted(names)]
    known = known.loc[:, known.notna().mean() >= WHOLE]
    order = known.ffill().iloc[-1].sort_values(ascending=False, kind="stable").index
    best = list(order[: min(EACH, len(order) // 2)])
    worst = list(order[::-1][: len(best)])
    return [(n, "Grew most") for n in best] + [(n, "Grew least") for n in worst]


def alarms(breaks: Frame, node: str, stream: str, dates: Dates) -> Codes:
    """Positions in `dates` of the first session of every alarm of `node`.

    An alarm lasts while less than QUIET sessions pass between two that are flagged.
    """
    if not len(breaks):
        return np.empty(0, dtype=np.int64)
    own = breaks[(breaks["node_id"] == node) & (breaks["stream"] == stream)]
    at = np.flatnonzero(np.isin(dates, own["date"].to_numpy().astype(dates.dtype)))
    return at[np.diff(at, prepend=-QUIET - 1) > QUIET]


def _marked(name: str, price: pd.Series, breaks: Frame) -> Line:
    dates = price.index.to_numpy()
    marks = [
        Marks(said, alarms(breaks, str(price.name), stream, dates), shape, tone)
        for stream, (said, shape, tone) in STREAMS.items()
    ]
    return Line(name, price.to_numpy(float), 0, marks=marks)


def _line(inputs: ReportInputs, key: str, title: str, price: pd.Series, breaks: Frame) -> Block:
    line = _marked("Growth", price, breaks)
    chart = Lines(title, price.index.to_numpy(), [line], TIMES, log=True, include=(1.0,))
    return figure(key, chart, height=230, half=True, stamp=stamp(inputs))


def _market(inputs: ReportInputs, price: pd.Series, breaks: Frame) -> Block:
    line = _marked("Market", price, breaks)
    chart = Lines(
        "Growth of 1 in the market, logarithmic, with its change points",
        price.index.to_numpy(), [line], TIMES, log=True, include=(1.0,),
    )  # fmt: skip
    found = {m.name: m.at.size for m in line.marks}
    said = "; ".join(f"{name} {count(n)} time{'s' * (n != 1)}" for name, n in found.items())
    return figure(
        "regimemarket",
        chart,
        "Equal-weight index of the universe, before costs. A mark stands on the first session on "
        "which the detector took a change for likely (Bayesian online change points, Adams and "
        f"MacKay 2007); alarms up to {QUIET} sessions apart are one. In the market: {said}.",
        height=320,
        stamp=stamp(inputs),
    )

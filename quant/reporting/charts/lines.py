"""Lines and areas over dates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from quant.core.types import Dates, Vector
from quant.reporting.charts.canvas import (
    LEGEND_ROW,
    Frame,
    Sheet,
    date_axis,
    document,
    legend,
    legend_rows,
    line,
    short,
    spread,
    tag,
    text,
    trace,
    value_axis,
)
from quant.reporting.charts.sampling import LIMIT, extremes
from quant.reporting.charts.scales import Scale, bounds, days, linear_ticks, log_ticks
from quant.reporting.formats import RATIO, Unit


@dataclass(frozen=True)
class Line:
    """One series on the chart's dates.

    values : (n_days,) NaN leaves a gap
    tone   : which colour of the palette; 0 portfolio, 1 benchmark, 2 index
    fill   : shade the area between the line and `Lines.base`
    step   : hold each value until the next date
    """

    name: str
    values: Vector
    tone: int = 0
    fill: bool = False
    thin: bool = False
    step: bool = False


@dataclass(frozen=True)
class Lines:
    """What a line chart shows: dates (n_days,), series on them, and how values read."""

    title: str
    dates: Dates
    series: Sequence[Line]
    form: Unit = RATIO
    log: bool = False
    base: float | None = None
    include: tuple[float, ...] = ()
    description: str = ""
    label_last: bool = True


def draw(chart: Lines, sheet: Sheet) -> Markup:
    """Draw `chart` on `sheet`: every series thinned to its extremes and named at its end."""
    alone = len(chart.series) == 1
    names = [_label(chart, s, sheet.narrow) for s in chart.series]
    longest = max((len(n) for n in names), default=0)
    narrow = sheet.narrow
    right = 8.0 if narrow else min(190.0, 7.3 * longest + 10)
    rows = legend_rows(sheet.width - 46 - right, names) if narrow else [[]]
    top = 38 + LEGEND_ROW * (len(rows) - 1) if narrow else 20
    frame = Frame.within(sheet, 46, right, top=top)
    x = days(chart.dates)
    across = Scale(x[0], max(x[-1], x[0] + 1), frame.left, frame.right)
    up = _value_scale(chart, frame)
    ticks = (log_ticks if chart.log else linear_ticks)(up.low, up.high, 4 if narrow else 6)
    marks = [*value_axis(frame, up, ticks, chart.form), *date_axis(frame, across)]
    if chart.base is not None and up.low <= chart.base <= up.high:
        y = round(float(up.at(np.array(chart.base)))) + 0.5
        marks.append(line(frame.left, y, frame.right, y, "base"))
    for series in reversed(chart.series):
        marks += _series(series, across.at(x), up, frame, chart.base, LIMIT // (2 if narrow else 1))
    marks += _names(chart, names, up, frame, narrow and not alone)
    return document(sheet, chart.title, chart.description or describe(chart), marks)


def describe(chart: Lines) -> str:
    """A sentence with the first, last, lowest and highest value of every series."""
    parts = []
    for s in chart.series:
        good = s.values[np.isfinite(s.values)]
        if good.size:
            edge = (chart.form(v) for v in (good[0], good[-1], good.min(), good.max()))
            parts.append("{}: from {} to {}, lowest {}, highest {}.".format(s.name, *edge))
    span = f"{np.datetime_as_string(chart.dates[[0, -1]].astype('datetime64[D]'))}"
    return " ".join([*parts, span.strip("[]").replace("'", "").replace(" ", " to ") + "."])


def _label(chart: Lines, series: Line, narrow: bool) -> str:
    good = series.values[np.isfinite(series.values)]
    if narrow or not chart.label_last or not good.size:
        return series.name
    return f"{series.name} {chart.form(good[-1])}"


def _value_scale(chart: Lines, frame: Frame) -> Scale:
    data = np.concatenate([s.values for s in chart.series]) if chart.series else np.empty(0)
    include = chart.include if chart.base is None else (*chart.include, chart.base)
    low, high = bounds(data, include, log=chart.log)
    return Scale(low, high, frame.bottom, frame.top, chart.log)


def _series(
    s: Line, x: Vector, up: Scale, frame: Frame, base: float | None, limit: int
) -> list[Markup]:
    at = extremes(s.values, limit)
    px, py = x[at], up.at(s.values[at])
    if s.step:
        px, py = np.repeat(px, 2)[1:], np.repeat(py, 2)[:-1]
    marks, path = [], trace(px, py)
    good = np.flatnonzero(np.isfinite(py))
    if s.fill and good.size:
        floor = frame.bottom if base is None else float(up.at(np.array(base)))
        first, last = short(px[good[0]]), short(px[good[-1]])
        solid = trace(px[good], py[good])
        marks.append(
            tag(
                "path",
                d=f"{solid}L{last} {short(floor)}L{first} {short(floor)}Z",
                class_=f"a{s.tone}",
            )
        )
    marks.append(tag("path", d=path, class_=f"s{s.tone}{' thin' if s.thin else ''}"))
    return marks


def _names(
    chart: Lines, names: Sequence[str], up: Scale, frame: Frame, keyed: bool
) -> list[Markup]:
    if keyed:
        return legend(frame, [(n, s.tone) for n, s in zip(names, chart.series, strict=True)])
    if frame.top > 20:  # a narrow sheet with one series is named by its title
        return []
    ends, marks = [], []
    for s in chart.series:
        good = s.values[np.isfinite(s.values)]
        ends.append(float(up.at(np.array(good[-1]))) if good.size else frame.bottom)
    heights = spread(np.array(ends), frame.top + 2, frame.bottom)
    for name, s, y in zip(names, chart.series, heights, strict=True):
        marks.append(text(frame.right + 6, y + 4, name, f"name t{s.tone}"))
    return marks

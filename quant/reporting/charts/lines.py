"""Lines and areas over dates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from quant.core.types import Codes, Dates, Vector
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

SHAPES = {  # path data around the point that is marked, and how text shows it
    "wedge": ("M{x} {y}m0 -4.5l4.5 8h-9z", "\N{BLACK UP-POINTING TRIANGLE}"),
    "square": ("M{x} {y}m-3.2 -3.2h6.4v6.4h-6.4z", "\N{BLACK SQUARE}"),
}


@dataclass(frozen=True)
class Marks:
    """Dates of one kind that are marked on a line.

    at    : (n_marks,) positions among the chart's dates
    shape : wedge or square
    tone  : palette, see style.css
    """

    name: str
    at: Codes
    shape: str = "wedge"
    tone: int = 7


@dataclass(frozen=True)
class Line:
    """One series on the chart's dates.

    values : (n_days,) NaN leaves a gap
    tone   : which colour of the palette; 0 portfolio, 1 benchmark, 2 index
    fill   : shade the area between the line and `Lines.base`
    step   : hold each value until the next date
    marks  : kinds of dates that are marked on it; a date without a value has no mark
    """

    name: str
    values: Vector
    tone: int = 0
    fill: bool = False
    thin: bool = False
    step: bool = False
    marks: Sequence[Marks] = ()


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
    names = [_label(chart, s, sheet.narrow) for s in chart.series]
    longest = max((len(n) for n in names), default=0)
    narrow = sheet.narrow
    right = 8.0 if narrow else min(190.0, 7.3 * longest + 10)
    rows = legend_rows(sheet.width - 46 - right, names) if narrow else [[]]
    keys = _mark_names(chart)
    top = (38 + LEGEND_ROW * (len(rows) - 1) if narrow else 20) + LEGEND_ROW * bool(keys)
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
    for series in chart.series:
        marks += _marked(series, chart.dates, across.at(x), up)
    marks += _names(chart, names, up, frame, narrow)
    marks += [text(frame.left, 14, "\N{EM SPACE}".join(keys), "ax")] * bool(keys)
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


def _mark_names(chart: Lines) -> list[str]:
    """Shape and name of every kind of marks in the chart."""
    kinds = {m.name: SHAPES[m.shape][1] for s in chart.series for m in s.marks if len(m.at)}
    return [f"{shape} {name}" for name, shape in kinds.items()]


def _marked(s: Line, dates: Dates, x: Vector, up: Scale) -> list[Markup]:
    y, marks = up.at(s.values), []
    for kind in s.marks:
        for i in kind.at[np.isfinite(y[kind.at])]:
            day = np.datetime_as_string(dates[i].astype("datetime64[D]"))
            tip = tag("title", f"{s.name}, {kind.name}: {day}")
            path = SHAPES[kind.shape][0].format(x=short(x[i]), y=short(y[i]))
            marks.append(tag("path", tip, d=path, class_=f"f{kind.tone}"))
    return marks


def _names(
    chart: Lines, names: Sequence[str], up: Scale, frame: Frame, narrow: bool
) -> list[Markup]:
    if narrow and len(chart.series) == 1:  # it is named by the title
        return []
    if narrow:
        return legend(frame, [(n, s.tone) for n, s in zip(names, chart.series, strict=True)])
    ends, marks = [], []
    for s in chart.series:
        good = s.values[np.isfinite(s.values)]
        ends.append(float(up.at(np.array(good[-1]))) if good.size else frame.bottom)
    heights = spread(np.array(ends), frame.top + 2, frame.bottom)
    for name, s, y in zip(names, chart.series, heights, strict=True):
        marks.append(text(frame.right + 6, y + 4, name, f"name t{s.tone}"))
    return marks

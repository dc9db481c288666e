"""A forest plot: one row a name, with a dot and the interval around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from quant.core.types import Vector
from quant.reporting.charts.canvas import Frame, Sheet, document, line, short, tag, text
from quant.reporting.charts.scales import Scale, bounds, linear_ticks
from quant.reporting.formats import RATIO, Unit

ROW, NARROW_ROW = 24.0, 36.0  # pixels a row
LONGEST = 46  # letters of a name on a wide sheet


@dataclass(frozen=True)
class Forest:
    """What a forest plot shows, from top to bottom.

    values, low, high : (n_rows,) NaN leaves the row empty
    tones             : (n_rows,) palette, see style.css
    base              : where the upright line stands
    """

    title: str
    names: Sequence[str]
    values: Vector
    low: Vector
    high: Vector
    tones: Sequence[int]
    form: Unit = RATIO
    base: float = 0.0
    description: str = ""


def height(rows: int, narrow: bool = False) -> float:
    """Pixels that `rows` rows need."""
    return (NARROW_ROW if narrow else ROW) * max(rows, 1) + 48.0


def draw(chart: Forest, sheet: Sheet) -> Markup:
    """Draw `chart`: names at the left, above their row where the sheet is narrow."""
    longest = min(max((len(n) for n in chart.names), default=0), LONGEST)
    frame = Frame.within(sheet, 12 if sheet.narrow else 6.7 * longest + 18, 14, top=20, bottom=26)
    low, high = bounds(np.concatenate([chart.values, chart.low, chart.high]), (chart.base,))
    across = Scale(low, high, frame.left, frame.right)
    marks = _axis(across, frame, linear_ticks(low, high, 4 if sheet.narrow else 8), chart)
    pitch = (frame.bottom - frame.top) / max(1, len(chart.names))
    for i, name in enumerate(chart.names):
        y = frame.top + pitch * (i + (0.75 if sheet.narrow else 0.5))
        marks += _row(chart, i, y, across)
        if sheet.narrow:
            marks.append(text(frame.left, y - 10, _cut(name, LONGEST), "ax"))
        else:
            marks.append(text(frame.left - 12, y + 4, _cut(name, LONGEST), "ax", "end"))
    return document(sheet, chart.title, chart.description or _describe(chart), marks)


def _axis(across: Scale, frame: Frame, ticks: Vector, chart: Forest) -> list[Markup]:
    marks = []
    step = float(np.diff(ticks).min()) if ticks.size > 1 else 1.0
    for value, x in zip(ticks, across.at(ticks), strict=True):
        marks.append(line(x, frame.top, x, frame.bottom, "grid"))
        marks.append(text(x, frame.bottom + 16, chart.form.tick(value, step), "ax", "middle"))
    x = float(across.at(np.array(chart.base)))
    return [*marks, line(x, frame.top, x, frame.bottom, "base")]


def _row(chart: Forest, i: int, y: float, across: Scale) -> list[Markup]:
    value, low, high = (float(v[i]) for v in (chart.values, chart.low, chart.high))
    if not np.isfinite(value):
        return []
    marks = []
    if np.isfinite(low) and np.isfinite(high):
        ends = across.at(np.array([low, high]))
        marks.append(line(ends[0], y, ends[1], y, f"s{chart.tones[i]}"))
    tip = tag("title", _said(chart, i))
    x = short(float(across.at(np.array(value))))
    return [*marks, tag("circle", tip, cx=x, cy=short(y), r="4.5", class_=f"f{chart.tones[i]}")]


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _said(chart: Forest, i: int) -> str:
    value, low, high = (chart.form(float(v[i])) for v in (chart.values, chart.low, chart.high))
    return f"{chart.names[i]}: {value} ({low} to {high})"


def _describe(chart: Forest) -> str:
    return "; ".join(_said(chart, i) for i in range(len(chart.names))) + "."

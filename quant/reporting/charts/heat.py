"""A heat map of rows by dates in a few quantised shades, one path a shade."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from quant.core.types import Matrix
from quant.reporting.charts.canvas import Frame, Sheet, document, rect, short, tag, text
from quant.reporting.formats import RATIO, Unit

SHADES = 8


@dataclass(frozen=True)
class Heat:
    """Shades of `values`.

    rows    : (n_rows,) names at the left
    columns : (n_columns,) names below, thinned to fit
    values  : (n_rows, n_columns) >= 0, NaN = nothing there
    top     : value of the darkest shade
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Matrix
    top: float
    form: Unit = RATIO
    description: str = ""


def height(n_rows: int) -> float:
    """Pixels that `n_rows` rows need."""
    return 20.0 * n_rows + 68.0


def draw(chart: Heat, sheet: Sheet) -> Markup:
    """Draw `chart` with the last column's value written at the right."""
    longest = max((len(r) for r in chart.rows), default=0)
    left = min(sheet.width * 0.36, 6.4 * longest + 12)
    frame = Frame.within(sheet, left, 48, top=18, bottom=50)
    n_rows, n_columns = chart.values.shape
    high, wide = (frame.bottom - frame.top) / n_rows, (frame.right - frame.left) / n_columns
    step = chart.top / SHADES
    level = np.clip(np.ceil(np.nan_to_num(chart.values) / step), 0, SHADES).astype(int)
    marks = []
    for shade in range(1, SHADES + 1):
        boxes = []
        for i, j in np.argwhere(level == shade):
            x, y = frame.left + j * wide, frame.top + i * high
            boxes.append(
                f"M{short(x)} {short(y)}h{short(wide - 0.5)}v{short(high - 1)}H{short(x)}z"
            )
        if boxes:
            marks.append(tag("path", d="".join(boxes), class_=f"h{shade}"))
    keep = int((left - 12) / 6.2)
    for i, row in enumerate(chart.rows):
        y = frame.top + high * (i + 0.5) + 4
        label = row if len(row) <= keep else row[: keep - 1] + "…"
        marks.append(text(frame.left - 6, y, label, "ax", "end"))
        marks.append(text(frame.right + 6, y, chart.form(chart.values[i, -1]), "ax"))
    marks += _below(chart, frame, wide) + _key(chart, frame, sheet.height - 14)
    last = ", ".join(
        f"{r} {chart.form(v)}" for r, v in zip(chart.rows, chart.values[:, -1], strict=True)
    )
    return document(sheet, chart.title, chart.description or f"At the end: {last}.", marks)


def _below(chart: Heat, frame: Frame, wide: float) -> list[Markup]:
    marks, last = [], -1e9
    for j, name in enumerate(chart.columns):
        x = frame.left + wide * j
        if name and x - last > 46 and x < frame.right - 20:
            marks.append(text(x, frame.bottom + 15, name))
            last = x
    return marks


def _key(chart: Heat, frame: Frame, y: float) -> list[Markup]:
    marks = [text(frame.left, y + 9, chart.form.tick(0.0, chart.top))]
    x = frame.left + 34
    for shade in range(1, SHADES + 1):
        marks.append(rect(x, y, 16, 10, f"h{shade}"))
        x += 16.5
    marks.append(text(x + 6, y + 9, f"{chart.form.tick(chart.top, chart.top)} and more"))
    return marks

"""A heat map of rows by dates in a few quantised shades, one path a shade."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from quant.core.types import Codes, Matrix
from quant.reporting.charts.canvas import Frame, Sheet, document, line, rect, short, tag, text
from quant.reporting.formats import RATIO, Unit

SHADES = 8
OPACITY = (0.08, 0.18, 0.3, 0.43, 0.57, 0.71, 0.86, 1.0)  # of h1 to h8 in style.css
DENSE = 6.0  # pixels; narrower columns of one shade run into each other


@dataclass(frozen=True)
class Heat:
    """Shades of `values`.

    rows    : (n_rows,) names at the left
    columns : (n_columns,) names below, thinned to fit
    values  : (n_rows, n_columns) >= 0, NaN = nothing there
    top     : value of the darkest shade
    signed  : values may be below 0: a line is drawn through their cells, those of the palest shade
              excepted, so that nobody needs the colours to tell them from those above 0
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Matrix
    top: float
    form: Unit = RATIO
    description: str = ""
    signed: bool = False


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
    marks = _shades(chart.values, chart, frame)
    if chart.signed:
        marks += _shades(-chart.values, chart, frame, below=True)
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


def _shades(values: Matrix, chart: Heat, frame: Frame, below: bool = False) -> list[Markup]:
    """Boxes of what is above 0; `below`: in the other colour, with a line through them."""
    high = (frame.bottom - frame.top) / values.shape[0]
    wide = (frame.right - frame.left) / values.shape[1]
    gap = 0.5 if wide > DENSE else 0.0
    level = np.clip(np.ceil(np.nan_to_num(values) / (chart.top / SHADES)), 0, SHADES).astype(int)
    marks = []
    for shade in range(1, SHADES + 1):
        boxes = []
        for i, j, n in _runs(level == shade, join=gap == 0.0):
            x, y = frame.left + j * wide, frame.top + i * high
            boxes.append(
                f"M{short(x)} {short(y)}h{short(n * wide - gap)}v{short(high - 1)}H{short(x)}z"
            )
        if boxes:
            marks.append(tag("path", d="".join(boxes), **_look(shade, below)))
    through = ""
    for i, j, n in _runs(below & (level > 1), join=True):
        x, y = frame.left + j * wide, frame.top + (i + 0.5) * high - 0.5
        through += f"M{short(x)} {short(y)}h{short(n * wide)}"
    return [*marks, tag("path", d=through, class_="base")] if through else marks


def _look(shade: int, below: bool) -> dict[str, str]:
    if below:
        return {"class_": "fneg", "fill_opacity": f"{OPACITY[shade - 1]:g}"}
    return {"class_": f"h{shade}"}


def _runs(where: Codes, join: bool) -> Iterator[tuple[int, int, int]]:
    """Row, first column and length of the boxes that cover `where`; one a cell unless `join`."""
    for i, row in enumerate(where):
        at = np.flatnonzero(row)
        ends = np.flatnonzero(np.diff(at) > 1) + 1 if join else np.arange(1, at.size)
        for piece in np.split(at, ends):
            if piece.size:
                yield i, int(piece[0]), piece.size


def _below(chart: Heat, frame: Frame, wide: float) -> list[Markup]:
    marks, last = [], -1e9
    for j, name in enumerate(chart.columns):
        x = frame.left + wide * j
        if name and x - last > 46 and x < frame.right - 20:
            marks.append(text(x, frame.bottom + 15, name))
            last = x
    return marks


def _key(chart: Heat, frame: Frame, y: float) -> list[Markup]:
    if chart.signed:
        return _signed_key(chart, frame, y)
    marks = [text(frame.left, y + 9, chart.form.tick(0.0, chart.top))]
    x = frame.left + 34
    for shade in range(1, SHADES + 1):
        marks.append(rect(x, y, 16, 10, f"h{shade}"))
        x += 16.5
    marks.append(text(x + 6, y + 9, f"{chart.form.tick(chart.top, chart.top)} and more"))
    return marks


def _signed_key(chart: Heat, frame: Frame, y: float) -> list[Markup]:
    box = min(16.0, (frame.right - frame.left - 84) / (2 * SHADES))
    least = chart.form.tick(-chart.top, chart.top)
    marks, x = [text(frame.left, y + 9, least)], frame.left + 7 * len(least)
    for shade in (*range(-SHADES, 0), *range(1, SHADES + 1)):
        size = {"x": short(x), "y": short(y), "width": short(box), "height": "10"}
        marks.append(tag("rect", **size, **_look(abs(shade), shade < 0)))
        x += box + 0.5
    start = frame.left + 7 * len(least)
    marks.append(line(start, y + 5, start + (SHADES - 1) * (box + 0.5), y + 5, "base"))
    return [*marks, text(x + 6, y + 9, chart.form.tick(chart.top, chart.top))]

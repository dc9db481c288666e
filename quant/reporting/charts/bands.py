"""Lines with a band around them over a straight axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from quant.core.types import Vector
from quant.reporting.charts.canvas import (
    Frame,
    Sheet,
    document,
    legend,
    line,
    short,
    tag,
    text,
    trace,
    value_axis,
)
from quant.reporting.charts.scales import Scale, bounds, linear_ticks
from quant.reporting.formats import RATIO, Unit


@dataclass(frozen=True)
class Band:
    """One line of a Bands chart: x ascending, values, low and high are all (n_points,)."""

    name: str
    x: Vector
    values: Vector
    low: Vector
    high: Vector
    tone: int = 0


@dataclass(frozen=True)
class Bands:
    """What the chart shows.

    base    : where the level line stands
    include : values that every such chart of a page must reach, so that their axes agree
    """

    title: str
    bands: Sequence[Band]
    x_name: str
    x_form: Unit = RATIO
    y_form: Unit = RATIO
    base: float = 0.0
    include: tuple[float, ...] = ()
    description: str = ""


def draw(chart: Bands, sheet: Sheet) -> Markup:
    """Draw `chart` on `sheet`: bands behind, lines and dots before them."""
    frame = Frame.within(sheet, 46, 12, top=38, bottom=38)
    x = np.concatenate([b.x for b in chart.bands])
    across = Scale(float(x.min()), max(float(x.max()), float(x.min()) + 1e-9),
                   frame.left, frame.right)  # fmt: skip
    y = np.concatenate([v for b in chart.bands for v in (b.low, b.values, b.high)])
    low, high = bounds(y, (chart.base, *chart.include))
    up = Scale(low, high, frame.bottom, frame.top)
    marks = [*value_axis(frame, up, linear_ticks(low, high, 5), chart.y_form)]
    marks += _below(chart, across, frame)
    level = float(up.at(np.array(chart.base)))
    marks.append(line(frame.left, level, frame.right, level, "base"))
    for band in chart.bands:
        marks += _area(band, across, up)
    for band in chart.bands:
        marks += _line(band, across, up, chart)
    marks += legend(frame, [(b.name, b.tone) for b in chart.bands])
    return document(sheet, chart.title, chart.description or _describe(chart), marks)


def _area(band: Band, across: Scale, up: Scale) -> list[Markup]:
    good = np.isfinite(band.low) & np.isfinite(band.high)
    if good.sum() < 2:
        return []
    x = across.at(band.x[good])
    there, back = trace(x, up.at(band.high[good])), trace(x[::-1], up.at(band.low[good])[::-1])
    return [tag("path", d=f"{there}L{back[1:]}Z", class_=f"a{band.tone}")]


def _line(band: Band, across: Scale, up: Scale, chart: Bands) -> list[Markup]:
    x, y = across.at(band.x), up.at(band.values)
    marks = [tag("path", d=trace(x, y), class_=f"s{band.tone}")]
    for i in np.flatnonzero(np.isfinite(y)):
        tip = tag("title", _said(band, i, chart))
        at = {"cx": short(x[i]), "cy": short(y[i]), "r": "3.5"}
        marks.append(tag("circle", tip, **at, class_=f"f{band.tone}"))
    return marks


def _below(chart: Bands, across: Scale, frame: Frame) -> list[Markup]:
    ticks = linear_ticks(across.low, across.high, 5)
    step = float(np.diff(ticks).min()) if ticks.size > 1 else 1.0
    marks = [
        text(x, frame.bottom + 16, chart.x_form.tick(value, step), "ax", "middle")
        for value, x in zip(ticks, across.at(ticks), strict=True)
    ]
    middle = (frame.left + frame.right) / 2
    return [*marks, text(middle, frame.bottom + 33, chart.x_name, "ax", "middle")]


def _said(band: Band, i: int, chart: Bands) -> str:
    value, low, high = (chart.y_form(float(v[i])) for v in (band.values, band.low, band.high))
    return f"{band.name}, {chart.x_form(float(band.x[i]))}: {value} ({low} to {high})"


def _describe(chart: Bands) -> str:
    return "; ".join(_said(b, len(b.x) - 1, chart) for b in chart.bands if len(b.x)) + "."

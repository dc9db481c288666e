"""Dots: a scatter with a line through it, and strips of dots by name."""

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
class Cloud:
    """Dots at (x, y) with a name and a tone; `joined` draws a line instead of dots."""

    name: str
    x: Vector
    y: Vector
    tone: int = 0
    joined: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Scatter:
    """Clouds on two straight axes, both with zero in sight."""

    title: str
    clouds: Sequence[Cloud]
    x_name: str
    x_form: Unit = RATIO
    y_form: Unit = RATIO
    description: str = ""


def draw(chart: Scatter, sheet: Sheet) -> Markup:
    """Draw `chart` on `sheet`."""
    frame = Frame.within(sheet, 50, 12, top=38, bottom=38)
    x_low, x_high = bounds(np.concatenate([c.x for c in chart.clouds]), pad=0.06)
    y_low, y_high = bounds(np.concatenate([c.y for c in chart.clouds]), pad=0.08)
    across = Scale(x_low, x_high, frame.left, frame.right)
    up = Scale(y_low, y_high, frame.bottom, frame.top)
    marks = value_axis(frame, up, linear_ticks(y_low, y_high, 5), chart.y_form)
    ticks = linear_ticks(x_low, x_high, 5)
    for value, x in zip(ticks, across.at(ticks), strict=True):
        marks.append(line(x, frame.top, x, frame.bottom, "grid"))
        marks.append(
            text(x, frame.bottom + 16, chart.x_form.tick(value, _step(ticks)), "ax", "middle")
        )
    middle = (frame.left + frame.right) / 2
    marks.append(text(middle, frame.bottom + 32, chart.x_name, "ax", "middle"))
    for cloud in chart.clouds:
        x, y = across.at(cloud.x), up.at(cloud.y)
        if cloud.joined:
            marks.append(tag("path", d=trace(x, y), class_=f"s{cloud.tone}"))
            continue
        css = f"f{cloud.tone}{' faint' if cloud.faint else ''}"
        tips = [
            f"{chart.x_form(a)}, {chart.y_form(b)}" for a, b in zip(cloud.x, cloud.y, strict=True)
        ]
        marks += [
            _dot(a, b, 3.5 if not cloud.faint else 2, css, t)
            for a, b, t in zip(x, y, tips, strict=True)
        ]
    marks += legend(frame, [(c.name, c.tone) for c in chart.clouds if c.name])
    said = f"{sum(c.x.size for c in chart.clouds)} points; horizontal: {chart.x_name}."
    return document(sheet, chart.title, chart.description or said, marks)


@dataclass(frozen=True)
class Strips:
    """One horizontal strip a name: strong dots, with faint ones behind them."""

    title: str
    names: Sequence[str]
    strong: Sequence[Vector]
    faint: Sequence[Vector]
    form: Unit = RATIO
    description: str = ""


def draw_strips(chart: Strips, sheet: Sheet) -> Markup:
    """Draw `chart`; a line marks zero, a tick the mean of the strong dots."""
    frame = Frame.within(sheet, 12, 12, top=18, bottom=24)
    low, high = bounds(np.concatenate([*chart.strong, *chart.faint]), (0.0,), pad=0.06)
    low = low if low < 0 else -0.04 * high
    across = Scale(low, high, frame.left, frame.right)
    marks = []
    ticks = linear_ticks(low, high, 4 if sheet.narrow else 7)
    for value, x in zip(ticks, across.at(ticks), strict=True):
        marks.append(line(x, frame.top, x, frame.bottom, "base" if value == 0 else "grid"))
        marks.append(
            text(x, frame.bottom + 17, chart.form.tick(value, _step(ticks)), "ax", "middle")
        )
    pitch = (frame.bottom - frame.top) / max(1, len(chart.names))
    for i, name in enumerate(chart.names):
        y = frame.top + pitch * (i + 0.62)
        marks.append(text(frame.left, y - 14, name, "name t0"))
        for values, size, css in ((chart.faint[i], 2.5, "f0 faint"), (chart.strong[i], 4.5, "f0")):
            good = values[np.isfinite(values)]
            marks += [
                _dot(x, y, size, css, chart.form(v))
                for x, v in zip(across.at(good), good, strict=True)
            ]
        if np.isfinite(chart.strong[i]).any():
            x = float(across.at(np.array(np.nanmean(chart.strong[i]))))
            marks.append(line(x, y - 9, x, y + 9, "ref"))
    said = "; ".join(
        f"{n}: {np.isfinite(s).sum()} paths" for n, s in zip(chart.names, chart.strong, strict=True)
    )
    return document(sheet, chart.title, chart.description or said + ".", marks)


def _dot(x: float, y: float, radius: float, css: str, tip: str) -> Markup:
    return tag("circle", tag("title", tip), cx=short(x), cy=short(y), r=short(radius), class_=css)


def _step(ticks: Vector) -> float:
    return float(ticks[1] - ticks[0]) if ticks.size > 1 else 1.0

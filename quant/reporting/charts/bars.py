"""Bars over names: plain, diverging, stacked; and histograms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from quant.core.types import Dates, Matrix, Vector
from quant.reporting.charts.canvas import (
    Frame,
    Sheet,
    date_axis,
    document,
    legend,
    line,
    rect,
    tag,
    text,
    trace,
    value_axis,
)
from quant.reporting.charts.scales import Scale, bounds, days, linear_ticks
from quant.reporting.formats import COUNT, RATIO, Unit


@dataclass(frozen=True)
class Bars:
    """Bars over names, stacked where there is more than one part.

    names  : (n_bars,) below the bars
    values : (n_bars, n_parts); stacked parts must not be negative
    parts  : (n_parts,) names of the parts
    errors : (n_bars,) half length of a whisker, for a single part
    signed : colour by sign
    """

    title: str
    names: Sequence[str]
    values: Matrix
    parts: Sequence[str]
    form: Unit = RATIO
    errors: Vector | None = None
    signed: bool = False
    description: str = ""
    tones: Sequence[int] = (0, 1, 3, 4, 5, 6)
    label: bool = True


def draw(chart: Bars, sheet: Sheet) -> Markup:
    """Draw `chart` on `sheet`, values written on the bars where they fit."""
    stacked = len(chart.parts) > 1
    frame = Frame.within(sheet, 46, 8, top=38 if stacked else 22)
    values = np.asarray(chart.values, float).reshape(len(chart.names), len(chart.parts))
    whole = np.nansum(values, axis=1)
    reach = whole if chart.errors is None else np.r_[whole - chart.errors, whole + chart.errors]
    low, high = bounds(reach, (0.0,), pad=0.08)
    up = Scale(low, high, frame.bottom, frame.top)
    pitch = (frame.right - frame.left) / max(1, len(chart.names))
    width = max(1.0, min(pitch * 0.72, 54.0))
    marks = value_axis(frame, up, linear_ticks(low, high, 5), chart.form)
    for i, name in enumerate(chart.names):
        middle = frame.left + pitch * (i + 0.5)
        marks += _stack(chart, values[i], name, middle, width, up)
        if chart.errors is not None:
            marks += _whisker(middle, whole[i], float(chart.errors[i]), up)
        elif chart.label and pitch > 30:
            above = whole[i] >= 0
            y = float(up.at(np.array(whole[i]))) + (-5 if above else 14)
            marks.append(text(middle, y, chart.form(whole[i]), "val", "middle"))
    zero = round(float(up.at(np.array(0.0)))) + 0.5
    marks.append(line(frame.left, zero, frame.right, zero, "base"))
    marks += _below(chart.names, frame, pitch)
    if stacked:
        marks += legend(frame, list(zip(chart.parts, chart.tones, strict=False)))
    return document(sheet, chart.title, chart.description or _describe(chart, whole), marks)


def _stack(
    chart: Bars, parts: Vector, name: str, middle: float, width: float, up: Scale
) -> list[Markup]:
    marks, base = [], 0.0
    for j, value in enumerate(parts):
        if not np.isfinite(value) or value == 0:
            continue
        ends = up.at(np.array([base, base + value]))
        css = f"f{chart.tones[j]}" if not chart.signed else "fpos" if value > 0 else "fneg"
        label = f"{name}: {chart.form(value)}"
        if len(chart.parts) > 1:
            label = f"{name}, {chart.parts[j]}: {chart.form(value)}"
        height = max(abs(ends[1] - ends[0]), 0.5)
        marks.append(rect(middle - width / 2, min(ends), width, height, css, label))
        base += value
    return marks


def _whisker(x: float, value: float, half: float, up: Scale) -> list[Markup]:
    if not np.isfinite(half):
        return []
    top, bottom = up.at(np.array([value + half, value - half]))
    return [
        line(x, top, x, bottom, "whisk"),
        *(line(x - 4, y, x + 4, y, "whisk") for y in (top, bottom)),
    ]


def _below(names: Sequence[str], frame: Frame, pitch: float) -> list[Markup]:
    longest = max((len(n) for n in names), default=1)
    every = max(1, int(np.ceil((longest * 6.6 + 6) / pitch)))
    return [
        text(frame.left + pitch * (i + 0.5), frame.bottom + 17, name, "ax", "middle")
        for i, name in enumerate(names)
        if i % every == 0
    ]


def _describe(chart: Bars, whole: Vector) -> str:
    return ", ".join(f"{n}: {chart.form(v)}" for n, v in zip(chart.names, whole, strict=True)) + "."


@dataclass(frozen=True)
class Pulse:
    """Thin signed bars over dates with an optional smooth line: values and smooth (n_dates,)."""

    title: str
    dates: Dates
    values: Vector
    form: Unit = RATIO
    smooth: Vector | None = None
    smooth_name: str = ""
    description: str = ""


def draw_pulse(chart: Pulse, sheet: Sheet) -> Markup:
    """Draw one thin bar a date; two paths hold them all."""
    frame = Frame.within(sheet, 46, 8, top=38)
    x = days(chart.dates)
    half = np.median(np.diff(x)) / 2 if x.size > 1 else 15.0
    across = Scale(x[0] - half, x[-1] + half, frame.left, frame.right)
    low, high = bounds(chart.values, (0.0,))
    low, high = min(low, -0.02 * high), max(high, -0.02 * low)
    up = Scale(low, high, frame.bottom, frame.top)
    px, py, zero = across.at(x), up.at(chart.values), float(up.at(np.array(0.0)))
    width = max(0.6, (px[1] - px[0]) * 0.7) if x.size > 1 else 12.0
    marks = [
        *value_axis(frame, up, linear_ticks(low, high, 5), chart.form),
        *date_axis(frame, across),
        line(frame.left, round(zero) + 0.5, frame.right, round(zero) + 0.5, "base"),
    ]
    for css, side in (("bpos", chart.values > 0), ("bneg", chart.values < 0)):
        path = "".join(
            f"M{a:.1f} {zero:.1f}V{b:.1f}" for a, b in zip(px[side], py[side], strict=True)
        )
        marks.append(tag("path", d=path, class_=css, stroke_width=f"{width:.1f}"))
    keys = [("above zero", "fpos"), ("below zero", "fneg")]
    if chart.smooth is not None:
        marks.append(tag("path", d=trace(px, up.at(chart.smooth)), class_="s8"))
        keys.append((chart.smooth_name, "f8"))
    at = frame.left
    for name, css in keys:
        marks += [rect(at, frame.top - 19, 9, 9, css), text(at + 13, frame.top - 11, name)]
        at += 27 + 6.3 * len(name)
    good = chart.values[np.isfinite(chart.values)]
    said = f"{good.size} bars, {int((good > 0).sum())} above zero, mean {chart.form(good.mean())}."
    return document(sheet, chart.title, chart.description or said, marks)


@dataclass(frozen=True)
class Histogram:
    """Counts of `values` (n,) in equal bins, with a marked reference."""

    title: str
    values: Vector
    form: Unit = RATIO
    bins: int = 41
    mark: float = 0.0
    description: str = ""


def draw_histogram(chart: Histogram, sheet: Sheet) -> Markup:
    """Draw `chart`; the outer bins take what lies beyond the 0.1 and 99.9 percentiles."""
    frame = Frame.within(sheet, 46, 8, top=14)
    data = chart.values[np.isfinite(chart.values)]
    low, high = np.quantile(data, [0.001, 0.999]) if data.size else (0.0, 1.0)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    counts, edges = np.histogram(np.clip(data, low, high), chart.bins, (low, high))
    across = Scale(low, high, frame.left, frame.right)
    up = Scale(0.0, max(1.0, counts.max() * 1.06), frame.bottom, frame.top)
    marks = value_axis(frame, up, linear_ticks(0, up.high, 4), COUNT)
    x, y = across.at(edges), up.at(counts.astype(float))
    for i in np.flatnonzero(counts):
        tip = f"{chart.form(edges[i])} to {chart.form(edges[i + 1])}: {counts[i]}"
        marks.append(rect(x[i] + 0.5, y[i], x[i + 1] - x[i] - 1, frame.bottom - y[i], "f0", tip))
    ticks = linear_ticks(low, high, 4 if sheet.narrow else 7)
    for value, at in zip(ticks, across.at(ticks), strict=True):
        label = chart.form.tick(value, ticks[1] - ticks[0]) if ticks.size > 1 else chart.form(value)
        marks.append(text(at, frame.bottom + 17, label, "ax", "middle"))
    marks.append(line(frame.left, frame.bottom + 0.5, frame.right, frame.bottom + 0.5, "base"))
    if low < chart.mark < high:
        at = float(across.at(np.array(chart.mark)))
        marks.append(line(at, frame.top, at, frame.bottom, "ref"))
    said = f"{data.size} values, mean {chart.form(data.mean() if data.size else np.nan)}."
    return document(sheet, chart.title, chart.description or said, marks)

"""The sheet of a chart: frame, axes, labels, and the SVG text itself.

Colours come from the classes of style.css, so one chart serves light, dark and print.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from quant.core.types import Vector
from quant.reporting.charts.scales import Scale, date_ticks
from quant.reporting.formats import Unit

LABEL_GAP = 14.0  # pixels between two direct labels
LEGEND_ROW = 16.0


@dataclass(frozen=True)
class Sheet:
    """Where one drawing goes: a unique key, its size in pixels, and the stamp it must bear."""

    key: str
    width: float
    height: float
    narrow: bool = False
    stamp: str = ""


@dataclass(frozen=True)
class Frame:
    """The plotting area within a sheet, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def within(
        cls, sheet: Sheet, left: float, right: float, top: float = 14, bottom: float = 24
    ) -> "Frame":
        """Margins off a sheet."""
        return cls(left, top, sheet.width - right, sheet.height - bottom)


def short(value: float) -> str:
    """A coordinate with at most one decimal and no waste."""
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text in {"-0", "0"} else text.replace("0.", ".", 1) if text[:2] == "0." else text


def tag(name: str, body: str = "", **attributes: object) -> Markup:
    """One element; attribute names with `_` become `-`, and every value is escaped."""
    parts = [f" {k.rstrip('_').replace('_', '-')}='{escape(v)}'" for k, v in attributes.items()]
    opening = f"<{name}{''.join(parts)}"
    return Markup(f"{opening}>{escape(body)}</{name}>" if body else f"{opening}/>")


def text(x: float, y: float, body: str, css: str = "ax", anchor: str = "start") -> Markup:
    """A label."""
    extra = {} if anchor == "start" else {"text_anchor": anchor}
    return tag("text", body, x=short(x), y=short(y), class_=css, **extra)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    """A straight line."""
    return tag("path", d=f"M{short(x1)} {short(y1)}L{short(x2)} {short(y2)}", class_=css)


def rect(x: float, y: float, width: float, height: float, css: str, tip: str = "") -> Markup:
    """A box, with a native tooltip where `tip` says something."""
    size = {"x": short(x), "y": short(y), "width": short(width), "height": short(height)}
    body = tag("title", tip) if tip else Markup("")
    return tag("rect", body, **size, class_=css)


def trace(x: Vector, y: Vector) -> str:
    """Path data through the points, in relative steps of a tenth of a pixel; NaN lifts the pen."""
    parts, pen, px, py = [], False, 0, 0
    for a, b in zip(np.asarray(x, float), np.asarray(y, float), strict=True):
        if not (np.isfinite(a) and np.isfinite(b)):
            pen = False
            continue
        ia, ib = round(a * 10), round(b * 10)
        if not pen:
            parts.append(f"M{short(ia / 10)} {short(ib / 10)}")
        elif (ia, ib) != (px, py):
            parts.append(f"l{short((ia - px) / 10)} {short((ib - py) / 10)}")
        pen, px, py = True, ia, ib
    return "".join(parts).replace(" -", "-")


def document(sheet: Sheet, title: str, description: str, marks: Sequence[str]) -> Markup:
    """The whole drawing, named and described for those who can not see it."""
    head = tag("title", title, id=f"{sheet.key}-t") + tag(
        "desc", description or title, id=f"{sheet.key}-d"
    )
    if sheet.stamp:
        marks = [*marks, text(sheet.width - 4, 10, sheet.stamp, "stamp", "end")]
    return tag(
        "svg",
        head + Markup("").join(marks),
        viewBox=f"0 0 {short(sheet.width)} {short(sheet.height)}",
        role="img",
        aria_labelledby=f"{sheet.key}-t {sheet.key}-d",
        class_="narrow" if sheet.narrow else "wide",
    )


def value_axis(frame: Frame, scale: Scale, ticks: Vector, form: Unit) -> list[Markup]:
    """Grid lines and their numbers at the left."""
    marks = []
    step = float(np.diff(ticks).min()) if ticks.size > 1 else 1.0
    for value, y in zip(ticks, scale.at(ticks), strict=True):
        marks.append(line(frame.left, round(y) + 0.5, frame.right, round(y) + 0.5, "grid"))
        marks.append(text(frame.left - 6, y + 4, form.tick(value, step), "ax", "end"))
    return marks


def date_axis(frame: Frame, scale: Scale) -> list[Markup]:
    """Ticks of the calendar below the frame."""
    wanted, taken = max(2, int((frame.right - frame.left) / 62)), -1e9
    marks = [line(frame.left, frame.bottom + 0.5, frame.right, frame.bottom + 0.5, "base")]
    for value, label in date_ticks(scale.low, scale.high, wanted):
        x = float(scale.at(np.array(value)))
        marks.append(line(x, frame.bottom, x, frame.bottom + 4, "base"))
        half = 3.3 * len(label)
        at = min(max(x, frame.left + half - 8), frame.right - half + 8)
        if at - half > taken:
            marks.append(text(at, frame.bottom + 17, label, "ax", "middle"))
            taken = at + half + 4
    return marks


def spread(targets: Vector, low: float, high: float, gap: float = LABEL_GAP) -> Vector:
    """Heights near `targets` that keep `gap` apart within [low, high], order kept."""
    order = np.argsort(targets, kind="stable")
    y = np.clip(np.asarray(targets, float)[order], low, high)
    for i in range(1, y.size):
        y[i] = max(y[i], y[i - 1] + gap)
    for i in range(y.size - 1, -1, -1):
        ceiling = high - (y.size - 1 - i) * gap
        y[i] = min(y[i], ceiling)
    out = np.empty_like(y)
    out[order] = y
    return out


def legend(frame: Frame, names: Sequence[tuple[str, int]]) -> list[Markup]:
    """Names with a coloured key above the frame, the last row of them next to it."""
    rows = legend_rows(frame.right - frame.left, [name for name, _ in names])
    marks, tones = [], iter(tone for _, tone in names)
    for number, row in enumerate(rows):
        x, y = frame.left, frame.top - 11 - LEGEND_ROW * (len(rows) - 1 - number)
        for name in row:
            marks.append(rect(x, y - 8, 9, 9, f"f{next(tones)}"))
            marks.append(text(x + 13, y, name, "ax"))
            x += _key_width(name)
    return marks


def legend_rows(width: float, names: Sequence[str]) -> list[list[str]]:
    """Names in the rows of a legend that is `width` pixels wide."""
    rows: list[list[str]] = [[]]
    x = 0.0
    for name in names:
        if rows[-1] and x + _key_width(name) - 14 > width:
            rows.append([])
            x = 0.0
        rows[-1].append(name)
        x += _key_width(name)
    return rows


def _key_width(name: str) -> float:
    return 13 + 6.3 * len(name) + 14

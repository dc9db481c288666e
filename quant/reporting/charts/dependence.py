"""A cloud of many dots over ranks, in one path, with the mean of each tenth of them."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from quant.core.types import Vector
from quant.reporting.charts.canvas import (
    Frame,
    Sheet,
    document,
    line,
    short,
    tag,
    text,
    trace,
    value_axis,
)
from quant.reporting.charts.scales import Scale, bounds, linear_ticks
from quant.reporting.formats import RATIO, Unit

TENTHS = 10


@dataclass(frozen=True)
class Dependence:
    """What a feature adds against its rank.

    rank : (n_rows,) in [-0.5, 0.5]; effect : (n_rows,)
    reach : values that the vertical axis must reach, so that the axes of a page agree
    """

    title: str
    rank: Vector
    effect: Vector
    form: Unit = RATIO
    reach: tuple[float, ...] = ()
    description: str = ""


def means(rank: Vector, effect: Vector) -> tuple[Vector, Vector]:
    """Mean rank and mean effect of each tenth of the ranks that has any row."""
    tenth = np.clip(((rank + 0.5) * TENTHS).astype(int), 0, TENTHS - 1)
    count = np.bincount(tenth, minlength=TENTHS)
    some = count > 0
    at, level = (np.bincount(tenth, v, TENTHS)[some] / count[some] for v in (rank, effect))
    return at, level


def draw(chart: Dependence, sheet: Sheet) -> Markup:
    """Draw `chart`: dots as dashes of no length, so that hundreds take few bytes."""
    frame = Frame.within(sheet, 46, 12, top=12, bottom=38)
    across = Scale(-0.5, 0.5, frame.left, frame.right)
    low, high = bounds(chart.effect, (0.0, *chart.reach))
    up = Scale(low, high, frame.bottom, frame.top)
    marks = value_axis(frame, up, linear_ticks(low, high, 4), chart.form)
    marks.append(line(frame.left, float(up.at(np.array(0.0))), frame.right,
                      float(up.at(np.array(0.0))), "base"))  # fmt: skip
    for value, name in ((-0.5, "lowest"), (0.0, "middle"), (0.5, "highest")):
        anchor = {-0.5: "start", 0.0: "middle", 0.5: "end"}[value]
        x = float(across.at(np.array(value)))
        marks.append(text(x, frame.bottom + 16, name, "ax", anchor))
    middle = (frame.left + frame.right) / 2
    marks.append(text(middle, frame.bottom + 32, "rank within the day", "ax", "middle"))
    x, y = np.round(across.at(chart.rank)), np.round(up.at(chart.effect))
    dots = "".join(f"M{short(a)} {short(b)}h0" for a, b in zip(x, y, strict=True))
    marks.append(tag("path", d=dots, class_="dots"))
    at, level = means(chart.rank, chart.effect)
    marks.append(tag("path", d=trace(across.at(at), up.at(level)), class_="s1"))
    said = f"{chart.rank.size} rows; mean effect from {chart.form(level[0])} at the lowest ranks "
    said += f"to {chart.form(level[-1])} at the highest."
    return document(sheet, chart.title, chart.description or said, marks)

"""The front of the charts: draw once for wide screens, once for narrow ones, and caption."""

from collections.abc import Callable

from markupsafe import Markup

from quant.reporting.blocks import Figure
from quant.reporting.charts.bands import Band, Bands
from quant.reporting.charts.bands import draw as _draw_bands
from quant.reporting.charts.bars import Bars, Histogram, Pulse
from quant.reporting.charts.bars import draw as _draw_bars
from quant.reporting.charts.bars import draw_histogram as _draw_histogram
from quant.reporting.charts.bars import draw_pulse as _draw_pulse
from quant.reporting.charts.canvas import Sheet
from quant.reporting.charts.dependence import Dependence
from quant.reporting.charts.dependence import draw as _draw_dependence
from quant.reporting.charts.forest import Forest
from quant.reporting.charts.forest import draw as _draw_forest
from quant.reporting.charts.forest import height as forest_height
from quant.reporting.charts.heat import Heat
from quant.reporting.charts.heat import draw as _draw_heat
from quant.reporting.charts.heat import height as heat_height
from quant.reporting.charts.lines import Line, Lines
from quant.reporting.charts.lines import draw as _draw_lines
from quant.reporting.charts.points import Cloud, Scatter, Strips
from quant.reporting.charts.points import draw as _draw_scatter
from quant.reporting.charts.points import draw_strips as _draw_strips

Chart = Lines | Bars | Pulse | Histogram | Scatter | Strips | Heat | Forest | Bands | Dependence
DRAW: dict[type, Callable[..., Markup]] = {
    Lines: _draw_lines,
    Bars: _draw_bars,
    Pulse: _draw_pulse,
    Histogram: _draw_histogram,
    Scatter: _draw_scatter,
    Strips: _draw_strips,
    Heat: _draw_heat,
    Forest: _draw_forest,
    Bands: _draw_bands,
    Dependence: _draw_dependence,
}
FULL, HALF, NARROW = 1080.0, 528.0, 358.0  # pixels; text is legible at these widths

__all__ = [
    "Band",
    "Bands",
    "Bars",
    "Chart",
    "Cloud",
    "Dependence",
    "Forest",
    "Heat",
    "Histogram",
    "Line",
    "Lines",
    "Pulse",
    "Scatter",
    "Strips",
    "figure",
    "forest_height",
    "heat_height",
]


def figure(
    key: str,
    chart: Chart,
    caption: str = "",
    height: float = 300.0,
    half: bool = False,
    stamp: str = "",
) -> Figure:
    """Draw `chart` for both screens.

    key    : unique on the page; names the drawing's title and description
    height : pixels of the wide drawing; the narrow one is at most 250 high, heat maps excepted;
             forest plots take what their rows need
    stamp  : written into a corner of the drawing, so that a copy of it still says it
    """
    low = height if isinstance(chart, Heat) else min(height, 250.0)
    if isinstance(chart, Forest):
        height, low = (forest_height(len(chart.names), narrow) for narrow in (False, True))
    wide = Sheet(f"{key}-w", HALF if half else FULL, height, stamp=stamp)
    narrow = Sheet(f"{key}-n", NARROW, low, narrow=True, stamp=stamp)
    draw = DRAW[type(chart)]
    return Figure(chart.title, draw(chart, wide), draw(chart, narrow), caption, half)

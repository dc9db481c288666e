"""Frontier charts: curves and dots where the numbers say, in the units that the title says."""

import re
from xml.etree import ElementTree

import numpy as np

from quant.reporting.charts.frontier import cost, efficient
from quant.reporting.figures import figure

VOL = np.linspace(0.05, 0.15, 9)
NET = 0.02 * np.sqrt(VOL)
SPENT = np.linspace(0.0, 0.8, 9)
GROSS = 0.010 + 0.004 * np.sqrt(SPENT)
AFTER = GROSS - 0.002 * SPENT


def dots(drawing: str) -> list[tuple[float, float, str]]:
    """Centre and tooltip of every dot."""
    circles = [c for c in ElementTree.fromstring(drawing).iter() if c.tag.endswith("circle")]
    return [(float(c.get("cx")), float(c.get("cy")), "".join(c.itertext())) for c in circles]


def start(path: str) -> tuple[float, float]:
    """Where a line begins."""
    x, y = re.match(r"M([\d.]+) ([\d.]+)", path).groups()
    return float(x), float(y)


def paths(drawing: str, css: str) -> list[str]:
    """Path data of the lines of one colour."""
    return [p.get("d") for p in ElementTree.fromstring(drawing).iter() if p.get("class") == css]


def test_the_choice_is_a_dot_on_the_efficient_frontier():
    chart = efficient(VOL, NET, (VOL[0], NET[0]))
    drawing = figure("f", chart).wide
    ((x, y, tip),) = dots(drawing)
    (line,) = paths(drawing, "s0")
    np.testing.assert_allclose((x, y), start(line), atol=0.11)
    assert tip == "5.0%, 44.7"
    assert "best that can be traded to today" in drawing
    assert "chosen: 5.0% and 44.7 bp" in drawing


def test_costs_are_the_distance_of_the_two_curves():
    chart = cost(SPENT, GROSS, AFTER, (SPENT[4], GROSS[4], AFTER[4]))
    drawing = figure("f", chart).wide
    before, after = dots(drawing)
    assert before[0] == after[0]
    assert before[1] < after[1]  # pixels grow downwards
    assert (before[2], after[2]) == ("40.0%, 125.3", "40.0%, 117.3")
    assert len(paths(drawing, "s1")) == len(paths(drawing, "s0")) == 1


def test_a_frontier_of_one_point_is_drawn():
    chart = efficient(VOL[:1], NET[:1], (VOL[0], NET[0]), "tracking error")
    drawing = figure("f", chart).wide
    assert "tracking error, annualised" in drawing
    assert "NaN" not in drawing and "nan" not in drawing


def test_the_narrow_drawing_says_the_same():
    chart = cost(SPENT, GROSS, AFTER, (0.2, GROSS[2], AFTER[2]))
    both = figure("f", chart)
    assert [tip for *_, tip in dots(both.narrow)] == [tip for *_, tip in dots(both.wide)]

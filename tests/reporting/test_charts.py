"""Charts: ticks are round and true, sampling keeps extremes, marks stand where they should."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from quant.core.seeds import generator
from quant.reporting.charts.canvas import legend_rows, short, spread, tag, trace
from quant.reporting.charts.lines import Marks
from quant.reporting.charts.sampling import extremes
from quant.reporting.charts.scales import (
    Scale,
    bounds,
    date_ticks,
    days,
    linear_ticks,
    log_ticks,
)
from quant.reporting.figures import (
    Band,
    Bands,
    Bars,
    Forest,
    Heat,
    Histogram,
    Line,
    Lines,
    Pulse,
    Strips,
    figure,
    forest_height,
)
from quant.reporting.formats import PERCENT, RATIO, TIMES

RNG = generator(42, "charts test")
DATES = pd.bdate_range("2010-01-04", periods=2500).to_numpy()


def test_scale_maps_its_ends():
    for log in (False, True):
        scale = Scale(1.0, 100.0, 50.0, 250.0, log)
        np.testing.assert_allclose(scale.at(np.array([1.0, 100.0])), [50, 250])
    assert Scale(1.0, 100.0, 0.0, 2.0, True).at(np.array(10.0)) == pytest.approx(1.0)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.37, 0.11), (0.031, 0.034), (-5e6, 2e7)])
def test_linear_ticks_are_inside_even_and_few(low, high):
    ticks = linear_ticks(low, high, 5)
    assert 2 <= ticks.size <= 7
    assert ticks.min() >= low - 1e-9 and ticks.max() <= high + 1e-9
    np.testing.assert_allclose(np.diff(ticks), np.diff(ticks)[0])


@pytest.mark.parametrize(("low", "high"), [(0.8, 2.5), (0.5, 40), (0.97, 1.08), (1e-3, 1e4)])
def test_log_ticks_are_inside_and_few(low, high):
    ticks = log_ticks(low, high, 6)
    assert 1 <= ticks.size <= 8
    assert ticks.min() >= low * 0.998 and ticks.max() <= high * 1.002


def test_tick_labels_are_never_rounded_away():
    """A step of 2.5% printed as 2%, 5%, 8% would lie."""
    assert [PERCENT.tick(v, 0.025) for v in (0.0, 0.025, 0.05)] == ["0.0%", "2.5%", "5.0%"]
    assert PERCENT.tick(0.1, 0.05) == "10%"
    assert TIMES.tick(1.25, 0.25) == "1.25×"
    assert RATIO.tick(-2.0, 1.0) == "−2"


def test_date_ticks_lie_on_first_days():
    first, last = days(np.array(["2010-01-04", "2019-07-30"], "datetime64[D]"))
    ticks = date_ticks(first, last, 12)
    assert [t for _, t in ticks] == [str(y) for y in range(2011, 2020)]
    for at, text in ticks:
        assert np.datetime64(int(at), "D") == np.datetime64(f"{text}-01-01")


def test_bounds_are_never_empty():
    for values in ([], [np.nan], [3.0], [0.0, 0.0]):
        low, high = bounds(np.array(values))
        assert low < high


def test_zero_stays_an_edge():
    assert bounds(np.array([0.2, 0.5]), (0.0,))[0] == 0.0


def test_sampling_keeps_ends_and_extremes():
    values = RNG.normal(0, 1, 5000).cumsum()
    kept = extremes(values, 600)
    assert kept.size <= 600 and kept[0] == 0 and kept[-1] == 4999
    assert (np.diff(kept) > 0).all()
    assert values[kept].max() == values.max() and values[kept].min() == values.min()


def test_sampling_leaves_short_series_alone():
    np.testing.assert_array_equal(extremes(np.arange(600.0)), np.arange(600))


def test_sampling_keeps_gaps():
    values = np.r_[np.ones(2000), np.full(2000, np.nan), np.ones(2000)]
    assert np.isnan(values[extremes(values, 100)]).any()


def test_trace_lifts_the_pen_at_gaps_and_does_not_drift():
    x = np.arange(6.0)
    y = np.array([0, 1, np.nan, 3, 4, 5.0])
    assert trace(x, y).count("M") == 2
    steps = re.findall(
        r"([Ml])(-?[\d.]+)[ ]?(-?[\d.]+)",
        trace(np.arange(999) * 0.33, np.sin(x[0] + np.arange(999))),
    )
    at = np.zeros(2)
    for kind, a, b in steps:
        at = np.array([float(a), float(b)]) + (at if kind == "l" else 0)
    np.testing.assert_allclose(at, [998 * 0.33, np.sin(998)], atol=0.051)


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.5, ".5"), (-0.04, "0"), (10.0, "10"), (-3.26, "-3.3")]
)
def test_coordinates_are_short(value, text):
    assert short(value) == text


def test_labels_keep_apart_and_in_order():
    out = spread(np.array([50.0, 51.0, 49.0, 200.0]), 0, 100, 14)
    assert np.diff(np.sort(out)).min() >= 14 - 1e-9
    assert out.max() <= 100 and out[2] < out[0] < out[1] < out[3]


def test_attributes_and_bodies_are_escaped():
    made = tag("text", "<b>", class_="a'b\"<")
    assert ElementTree.fromstring(str(made)).text == "<b>"
    assert ElementTree.fromstring(str(made)).get("class") == "a'b\"<"


def test_a_line_chart_is_about_four_kilobytes_a_series():
    values = RNG.normal(0, 0.01, DATES.size).cumsum()
    drawn = figure("k", Lines("t", DATES, [Line("a", values)]))
    assert len(drawn.wide) < 9000 and len(drawn.narrow) < 6000


def test_a_constant_series_can_be_drawn():
    drawn = figure("k", Lines("t", DATES[:5], [Line("a", np.ones(5))], log=True))
    assert "nan" not in drawn.wide


def test_bars_are_as_high_as_their_values():
    chart = Bars("t", ["a", "b"], np.array([[1.0], [2.0]]), ("v",))
    heights = [
        float(h) for h in re.findall(r"<rect[^>]*height='([\d.]+)'", figure("k", chart).wide)
    ]
    assert heights[1] == pytest.approx(2 * heights[0], rel=0.01)


def test_stacked_bars_stand_on_each_other():
    chart = Bars("t", ["a"], np.array([[1.0, 3.0]]), ("u", "v"))
    boxes = re.findall(
        r"<rect x='[\d.]+' y='([\d.]+)' width='54' height='([\d.]+)'", figure("k", chart).wide
    )
    (y0, _), (y1, h1) = [(float(a), float(b)) for a, b in boxes]
    assert y1 + h1 == pytest.approx(y0, abs=0.2)


def test_histogram_counts_everything():
    values = np.r_[RNG.normal(0, 1, 1000), 50.0, np.nan]
    drawn = figure("k", Histogram("t", values)).wide
    assert sum(int(n) for n in re.findall(r": (\d+)</title>", drawn)) == 1001


def test_pulse_has_one_stroke_a_date():
    drawn = figure("k", Pulse("t", DATES[:50], np.r_[np.ones(20), -np.ones(30)])).wide
    assert re.search(r"<path d='([^']*)' class='bpos'", drawn)[1].count("M") == 20
    assert re.search(r"<path d='([^']*)' class='bneg'", drawn)[1].count("M") == 30


def test_heat_shades_grow_with_values():
    chart = Heat("t", ["r"], ["a", "b", "c"], np.array([[0.0, 0.1, 0.9]]), 0.8)
    drawn = figure("k", chart, height=100).wide
    assert "class='h1'" in drawn and "class='h8'" in drawn


def test_heat_below_zero_has_another_colour_and_a_line_through_it():
    values = np.array([[0.9, 0.0, -0.9, -0.8, -0.15, np.nan, -0.05]])
    chart = Heat("t", ["r"], list("abcdefg"), values, 0.8, signed=True)
    root = ElementTree.fromstring(figure("k", chart, height=100).wide)
    *shades, through, _ = root.iter("path")  # the last is the key's
    paths = {(p.get("class"), p.get("fill-opacity")): p.get("d") for p in shades}
    # two cells of -0.8 and less, one of the second shade and one of the palest, which bears no
    # line; zero and nothing are left blank
    counted = {k: d.count("M") for k, d in paths.items()}
    assert counted == {
        ("h8", None): 1, ("fneg", "1"): 2, ("fneg", "0.18"): 1, ("fneg", "0.08"): 1,
    }  # fmt: skip
    start, length = re.fullmatch(r"M([\d.]+) [\d.]+h([\d.]+)", through.get("d")).groups()
    left = re.match(r"M([\d.]+)", paths["fneg", "1"])[1]
    cell = float(re.search(r"h([\d.]+)", paths["fneg", "1"])[1]) + 0.5
    assert start == left and float(length) == pytest.approx(3 * cell, abs=0.2)


def test_a_signed_heat_is_a_plain_one_where_nothing_is_below_zero():
    values = np.array([[0.1, 0.5, 0.7]])
    plain, signed = (
        re.findall(
            r"<path d='[^']*' class='h\d'/>",
            figure("k", Heat("t", ["r"], list("abc"), values, 0.8, signed=s), height=90).wide,
        )
        for s in (False, True)
    )
    assert plain == signed and len(plain) == 3


def test_narrow_columns_of_one_shade_are_one_box():
    values = np.tile([0.1, 0.1, 0.1, 0.7], 100)[None]
    drawn = figure("k", Heat("t", ["r"], [""] * 400, values, 0.8), height=100).wide
    boxes = {c: d.count("M") for d, c in re.findall(r"<path d='([^']*)' class='(h\d)'", drawn)}
    assert boxes == {"h1": 100, "h7": 100}
    wide = sum(float(w) for w in re.findall(r"h([\d.]+)v", drawn))
    assert wide == pytest.approx(1080 - 18.4 - 48, rel=0.02)  # no gaps between them


def test_marks_stand_on_their_line():
    values = np.linspace(1.0, 2.0, 11)
    values[5] = np.nan
    marks = [Marks("up", np.array([0, 5, 10])), Marks("down", np.array([3]), "square", 4)]
    drawn = figure("k", Lines("t", DATES[:11], [Line("a", values, marks=marks)]))
    for text in (drawn.wide, drawn.narrow):
        root = ElementTree.fromstring(text)
        (path,) = (p.get("d") for p in root.iter("path") if p.get("class") == "s0")
        first = re.match(r"M(-?[\d.]+ -?[\d.]+)", path)[1]
        stand = [p.get("d") for p in root.iter("path") if p.get("class") == "f7"]
        assert len(stand) == 2 and stand[0].startswith(f"M{first}m")  # a gap bears no mark
        assert len([p for p in root.iter("path") if p.get("class") == "f4"]) == 1
        assert f"a, up: {str(DATES[10])[:10]}" in [t.text for t in root.iter("title")]
        assert "▲ up" in text and "■ down" in text


def test_a_line_without_marks_has_no_key_for_them():
    plain = Lines("t", DATES[:11], [Line("a", np.ones(11))])
    none = Lines("t", DATES[:11], [Line("a", np.ones(11), marks=[Marks("m", np.arange(0))])])
    assert figure("k", plain) == figure("k", none) and "▲" not in figure("k", none).wide


def test_strips_draw_every_finite_dot():
    chart = Strips("t", ["m"], [np.array([0.1, np.nan])], [np.array([0.0, 0.1, 0.2])])
    assert figure("k", chart).wide.count("<circle") == 4


def test_a_legend_wraps_where_its_row_is_full():
    names = ["a" * 10] * 5
    rows = legend_rows(300, names)
    assert [len(r) for r in rows] == [3, 2] and sum(rows, []) == names
    assert legend_rows(10, ["too long for any row"]) == [["too long for any row"]]


def test_many_names_on_a_narrow_sheet_stay_on_it():
    lines = [Line(f"optimizer name {k}", np.ones(DATES.size), k) for k in range(6)]
    drawn = figure("k", Lines("t", DATES, lines), height=360).narrow
    keys = [float(x) for x in re.findall(r"<text x='([\d.]+)' y='[\d.-]+' class='ax'>opt", drawn)]
    assert len(keys) == 6 and max(keys) + 6.3 * 16 < 358
    tops = {float(y) for y in re.findall(r"y='([\d.-]+)' class='ax'>opt", drawn)}
    assert len(tops) == 3 and min(tops) > 0


def bands(high=0.03):
    x = np.array([0.0, 0.01, 0.04])
    middle = np.array([0.02, 0.015, 0.0])
    return Bands("t", [Band("b", x, middle, middle - 0.01, middle + high, 0)], "rate", PERCENT,
                 PERCENT)  # fmt: skip


def test_a_band_is_drawn_around_its_line():
    root = ElementTree.fromstring(figure("k", bands(), height=260).wide)
    dots = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter("circle")]
    assert len(dots) == 3 and dots[0][1] < dots[1][1] < dots[2][1]  # a falling line
    first, last = dots[0][0], dots[2][0]
    assert dots[1][0] == pytest.approx(first + (last - first) / 4, abs=0.2)
    (area,) = (p for p in root.iter("path") if p.get("class") == "a0")
    assert area.get("d").startswith("M") and area.get("d").endswith("Z")
    assert "b, 1.0%: 1.5% (0.5% to 4.5%)" in [t.text for t in root.iter("title")]


def test_a_band_without_bounds_is_a_line():
    drawn = figure("k", bands(high=np.nan), height=260).wide
    root = ElementTree.fromstring(drawn)
    assert not [p for p in root.iter("path") if p.get("class") == "a0"] and "nan" not in drawn


def test_a_forest_grows_with_its_rows_and_keeps_its_order():
    names = [f"n{k}" for k in range(50)]
    value = np.linspace(1, -1, 50)
    chart = Forest("t", names, value, value - 0.3, value + 0.3, [2] * 50)
    made = figure("k", chart)
    for drawn, narrow in ((made.wide, False), (made.narrow, True)):
        root = ElementTree.fromstring(drawn)
        assert float(root.get("viewBox").split()[3]) == forest_height(50, narrow)
        dots = [(float(c.get("cy")), float(c.get("cx"))) for c in root.iter("circle")]
        assert [y for y, _ in dots] == sorted(y for y, _ in dots)
        assert [x for _, x in dots] == sorted((x for _, x in dots), reverse=True)
        assert max(y for y, _ in dots) < forest_height(50, narrow) - 20


def test_a_forest_says_its_interval_from_low_to_high():
    one = [np.array([v]) for v in (0.2, -0.1, 0.5)]
    drawn = figure("k", Forest("t", ["n"], *one, [2])).wide
    assert "n: 0.20 (−0.10 to 0.50)" in drawn

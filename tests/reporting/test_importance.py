"""The section on what the alphas rest on, and the plots by slice."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.reporting.charts.canvas import Sheet
from quant.reporting.charts.dependence import Dependence, draw, means
from quant.reporting.page import render
from quant.reporting.sections import importance, slices, validation
from tests.reporting import sample
from tests.reporting.pages import sound


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=12, years=1.5)


def drawers(inputs):
    return next(b for b in importance.build(inputs).blocks if b.kind_of == "drawers")


def test_leading_features_come_first_and_open_on_their_dots(inputs):
    (_, by_feature), (_, by_family) = drawers(inputs).tabs
    last = inputs.importance[inputs.importance["fold"] == inputs.importance["fold"].max()]
    wanted = last.sort_values("share", ascending=False)["feature"].head(importance.SHOWN)
    assert [row.name for row in by_feature] == list(wanted)
    assert by_feature[0].share == 1.0 and by_feature[0].width == "100.0"
    assert by_feature[0].inside[0].title == wanted.iloc[0]
    assert {row.name for row in by_family} == set(last["family"])
    # all features stand in some family's table
    assert sum(len(row.inside[0].rows) for row in by_family) == len(last)


def test_every_dot_is_drawn_once(inputs):
    (_, by_feature), _ = drawers(inputs).tabs
    assert str(by_feature[0].inside[0].wide).count("h0") == inputs.shap["symbol"].nunique()


def test_means_are_those_of_tenths():
    rank = np.array([-0.5, -0.45, 0.5, 0.41])
    at, level = means(rank, np.array([1.0, 3.0, -1.0, -2.0]))
    np.testing.assert_allclose(at, [-0.475, 0.455])
    np.testing.assert_allclose(level, [2.0, -1.5])
    assert "4 rows" in draw(Dependence("f", rank, rank), Sheet("k", 300, 200))


def test_ablation_tells_what_helps_from_what_hurts(inputs):
    drawn, table = importance.ablation(inputs)
    assert [row[0].text for row in table.rows] == ["momentum", "volume", "value", "risk"]
    assert [row[4].text for row in table.rows][0] == "+2.6"  # 0.02 / (0.02 / 3 + 0.001)
    assert "momentum (6)" in drawn.wide and "6 purged blocks" in drawn.caption


def test_stability_is_said_of_pairs_of_refits_only(inputs):
    text = importance.build(inputs).blocks[0].text
    assert "24 features at 6 refits" in text and "correlates by 0." in text
    one = inputs.importance[inputs.importance["fold"] == 0]
    assert "correlates" not in importance.build(replace(inputs, importance=one)).blocks[0].text


def test_an_interval_reaches_as_far_as_its_t_says(inputs):
    _, grid, table = slices.blocks(inputs)
    size, year = grid.blocks
    # t = 3: 0.03 with a standard error of 0.01
    assert "2012: 0.030 (0.010 to 0.050)" in year.wide
    assert len(table.rows) == len(inputs.signal_slices)
    assert "small: 0.020 (– to –)" in size.wide


def test_without_tables_the_sections_say_so():
    nothing = sample.empty()
    said = [b.text for b in importance.build(nothing).blocks]
    assert said == ["No model was explained.", "No family of features was left out in turn."]
    assert slices.blocks(nothing) == [] and slices.check(nothing) == []
    assert all(b.kind_of == "text" for b in validation.build(nothing).blocks)


def test_the_page_opens_rows_without_script(inputs):
    page = render(inputs)
    sound(page)
    section = re.search(r'<section id="importance">.*?</section>', page, re.S).group(0)
    assert section.count('<input type="radio"') == 2 and " checked" in section
    assert section.count('<details name="shap-1"') == importance.SHOWN
    assert len(section) < 300_000


def test_kept_rows_may_be_fewer_than_the_listed_features(inputs):
    few = inputs.shap[inputs.shap["feature"] == "feature_00"]
    (_, by_feature), _ = drawers(replace(inputs, shap=few)).tabs
    kinds = {row.name: row.inside[0].kind_of for row in by_feature}
    assert kinds.pop("feature_00") == "figure" and set(kinds.values()) == {"text"}
    (_, by_feature), _ = drawers(replace(inputs, shap=pd.DataFrame())).tabs
    assert {row.inside[0].kind_of for row in by_feature} == {"text"}

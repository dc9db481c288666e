"""Drift on the page: the banner, the table of the last look, the map."""

import pytest

from quant.reporting.page import render
from quant.reporting.sections import drift
from tests.reporting import sample
from tests.reporting.pages import sound


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=12, years=1.5)


def test_the_banner_names_what_drifted(inputs):
    said = drift.warning(inputs.drift)
    last = inputs.drift[inputs.drift["date"] == inputs.drift["date"].max()]
    (worst,) = last[last["severity"] == "moderate"]["feature"]
    assert said.startswith("needs review") and "fires on 5 of 5" in said
    assert f"{worst} (moderate)" in said
    page = render(inputs)
    sound(page)
    assert page.index(said[:40]) < page.index('id="importance"')


def test_the_literal_rule_alone_is_said_to_be_no_news(inputs):
    said = drift.warning(inputs.drift.assign(severity="none"))
    assert "none has drifted" in said


def test_no_banner_where_the_literal_rule_is_silent(inputs):
    assert drift.warning(inputs.drift.assign(review=False)) == ""
    assert drift.warning(inputs.drift.head(0)) == ""


def test_rows_are_those_of_the_last_look(inputs):
    _, table, drawn = drift.build(inputs).blocks
    assert [row[0].text for row in table.rows][0] == "score" and len(table.rows) == 5
    assert [row[1].text for row in table.rows].count("moderate") == 1
    assert table.rows[0][-1].text == "< 0.001"
    assert drawn.title == "How far from the past"


def test_an_empty_table_says_so(inputs):
    from dataclasses import replace

    (block,) = drift.build(replace(inputs, drift=inputs.drift.head(0))).blocks
    assert "too few sessions" in block.text

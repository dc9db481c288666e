"""The page of the audit answers first, and names the first difference in full."""

from dataclasses import replace

import pytest

from quant.reporting.audit import render
from quant.reporting.holdout import Holdout
from quant.reporting.sections import replayed
from tests.reporting import sample
from tests.reporting.pages import NASTY, sound


@pytest.fixture(scope="module")
def inputs():
    return sample.audit()


def test_a_clean_run(inputs):
    page = render(inputs)
    sound(page)
    assert "No look-ahead found at" in page and "LOOK-AHEAD" not in page
    # two dates x two replays x 3 x (1000 + 1001 + 1002); qlib_nav is empty: three tables
    assert "36,036 values of 3 tables were computed again at 2 dates" in page
    assert '<dd class="big">2.0×</dd>' in page
    assert render(sample.audit()) == page


def test_the_first_difference_is_named_in_full(inputs):
    rows = sample.leak(sample.leak(inputs.rows, 14), 6)
    page = render(replace(inputs, rows=rows))
    sound(page)
    assert (
        "LOOK-AHEAD: stage model2, table alpha, column score, symbol N007, on 2015-02-27: "
        "0.25 in the run, 0.5 where the data are garbled after 2015-03-02"
    ) in page
    assert "2 of 16 comparisons differ" in page and "No look-ahead" not in page


def test_the_matrix_marks_stage_and_replay(inputs):
    matrix = replayed.stages(sample.leak(inputs.rows, 6))
    assert matrix.head[1:] == (
        *("2015-03-02 cut", "2015-03-02 garbled"),
        *("2016-03-01 cut", "2016-03-01 garbled"),
    )
    cells = {row[0].text: [c.text for c in row[1:]] for row in matrix.rows}
    assert cells == {
        "universe": ["2 same"] * 4,
        "model2": ["1 same", "1 of 1 DIFFER", "1 same", "1 same"],
        "qlib": ["empty"] * 4,
    }


def test_what_is_empty_is_no_proof(inputs):
    hollow = inputs.rows[inputs.rows["stage"] == "qlib"]
    page = render(replace(inputs, rows=hollow))
    assert "Nothing was compared" in page and "No look-ahead" not in page


def test_replays_have_their_time(inputs):
    table = replayed.replays(inputs.rows, inputs.seconds, inputs.run_seconds)
    assert [r[5].text for r in table.rows] == ["40.0", "41.0", "60.0", "59.0"]
    assert [r[6].text for r in table.rows] == ["0.4×", "0.4×", "0.6×", "0.6×"]
    unknown = replayed.replays(inputs.rows, {}, 0.0)
    assert {r[5].text for r in unknown.rows} == {r[6].text for r in unknown.rows} == {"–"}


def test_a_cost_without_the_run_s_own_time_is_not_invented(inputs):
    page = render(replace(inputs, run_seconds=0.0))
    assert "the run itself: unknown" in page and '<dd class="big">–</dd>' in page


def test_the_looks_at_the_hold_out_are_there(inputs):
    assert "Who looked at the hold-out (3)" in render(inputs)
    assert "No hold-out is set" in render(replace(inputs, holdout=Holdout()))


def test_every_text_is_escaped(inputs):
    rows = sample.leak(inputs.rows, 6)
    words = {n: NASTY + rows[n] for n in ("stage", "table", "column", "symbol", "whole")}
    named = {n: NASTY for n in ("title", "command", "config_hash", "git_sha", "region")}
    page = render(replace(inputs, rows=rows.assign(**words), left_out=(NASTY,), **named))
    sound(page)
    assert "&lt;script&gt;" in page


def test_only_a_simulated_market_is_called_so(inputs):
    assert "SIMULATED" in render(inputs)
    assert "SIMULATED" not in render(replace(inputs, simulated=False))

"""The section on the controller: every number of it can be found again in the tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.evaluation import metrics
from quant.optimizer.knobs import NAMES
from quant.reporting.page import render
from quant.reporting.sections import controller
from tests.reporting import sample
from tests.reporting.pages import sound


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=12, years=1.5)


def tables(section) -> dict:
    return {b.title: b for b in section.blocks if b.kind_of == "table"}


def text(row) -> list[str]:
    return [cell.text for cell in row]


def test_without_a_controller_there_is_one_sentence():
    (block,) = controller.build(sample.empty()).blocks
    assert block.kind == "empty" and "knobs were constant" in block.text


def test_the_lead_says_what_the_gate_said(inputs):
    lead = controller.build(inputs).blocks[0].text
    assert "holds in 2 of 2 periods" in lead and "mean of 2 seeds" in lead
    assert "2018-01 to 2018-12 INCONCLUSIVE" in lead
    worse = inputs.rl_gate.assign(passes=False, verdict="FAIL")
    lead = controller.build(replace(inputs, rl_gate=worse)).blocks[0].text
    assert "holds in 0 of 2 periods" in lead and "FAIL" in lead


def test_the_books_are_those_of_the_table(inputs):
    rows = {
        r[0].text: text(r) for r in tables(controller.build(inputs))["The books of the test"].rows
    }
    own = inputs.rl_books[inputs.rl_books["book"] == "rl"].groupby("date").mean(numeric_only=True)
    sharpe = metrics.sharpe(own["ret"].to_numpy(), own["rf"].to_numpy(), 252)
    none = inputs.rl_books[inputs.rl_books["book"] == "no_rl"]
    base = metrics.sharpe(none["ret"].to_numpy(), none["rf"].to_numpy(), 252)
    assert rows["Controller"][3] == f"{sharpe:.2f}".replace("-", "\N{MINUS SIGN}")
    assert rows["Controller"][4] == f"{sharpe - base:+.2f}".replace("-", "\N{MINUS SIGN}")
    assert rows["No controller"][4] == "\N{EN DASH}"
    assert rows["Best constant"][-1] == str(round(2e-5 * 252 * 1e4))
    assert set(rows) == set(controller.BOOKS.values())


def test_the_days_it_changed_add_up(inputs):
    section = controller.build(inputs)
    figures = [b for b in section.blocks if b.kind_of == "figure"]
    assert [f.title for f in figures][0] == "What the controller changed, day by day"
    own = controller.series(inputs.rl_books, "rl")["ret"]
    seeds = inputs.rl_books[inputs.rl_books["book"] == "rl"].pivot(
        index="date", columns="seed", values="ret"
    )
    np.testing.assert_allclose(own, seeds.mean(axis=1))


def test_bounds_and_limits_are_counted(inputs):
    rows = [text(r) for r in tables(controller.build(inputs))["Bounds and limits"].rows]
    assert [r[0] for r in rows] == [controller.LABELS[n] for n in NAMES]
    assert {r[2] for r in rows} == {"0.00%"} and {r[3] for r in rows} == {"1.00%"}
    own = inputs.rl_knobs[inputs.rl_knobs["book"] == "rl"]
    assert rows[3][5] == f"{(own['relaxed'] == 'turnover').mean():.2%}"
    assert rows[0][5] == "\N{EN DASH}" and rows[5][5] == "0.00%"


def test_shares_are_of_the_ranges(inputs):
    made = controller.shares(inputs.rl_knobs)
    assert made.min() >= 0 and made.max() <= 1
    np.testing.assert_allclose(made[:, 3], (inputs.rl_knobs["tau"] - 0.05) / 0.30)


def test_training_is_told_and_the_page_is_sound(inputs):
    rows = [text(r) for r in tables(controller.build(inputs))["Training"].rows]
    assert rows[0][0] == "seed 0 (steers)" and rows[1][3] == "no more improvement"
    sound(render(inputs))


def test_a_policy_that_was_given_has_no_curve(inputs):
    given = replace(inputs, rl_curve=pd.DataFrame(), rl_looks=pd.DataFrame())
    assert not [b for b in controller.build(given).blocks if b.kind_of == "grid"]

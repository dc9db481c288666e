"""The section on what trading cost: every number of it can be found again in the tables."""

from dataclasses import replace

import numpy as np
import pytest

from quant.reporting.page import render
from quant.reporting.sections import execution
from tests.reporting import sample
from tests.reporting.pages import sound

PARTS = execution.PARTS


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=12, years=1.5)


def texts(section) -> str:
    return " ".join(b.text for b in section.blocks if b.kind_of == "text")


def tables(section) -> dict:
    return {b.title: b for b in section.blocks if b.kind_of == "table"}


def test_without_orders_there_is_one_sentence():
    (block,) = execution.build(sample.empty()).blocks
    assert block.kind == "empty" and block.text.startswith("No order was traded")


def test_the_lead_weighs_orders_by_their_money(inputs):
    orders = inputs.tca_orders
    weight = orders["ordered"] / orders["ordered"].sum()
    total = sum((orders[p] * weight).sum() for p in PARTS)
    section = execution.build(inputs)
    assert f"an order cost {total:.1f} bp" in texts(section)
    whole = execution.averages(orders)
    assert whole["total"] == pytest.approx(total)
    # the averages of any grouping come back to the whole
    for _, rows in orders.groupby("side"):
        assert len(rows)
    parts = [execution.averages(rows) for _, rows in orders.groupby("bucket")]
    money = np.array([p["money"] for p in parts])
    again = sum(p["total"] * m for p, m in zip(parts, money, strict=True)) / money.sum()
    assert again == pytest.approx(total)


def test_groups_the_fit_the_verdict_and_the_curves_are_told(inputs):
    section = execution.build(inputs)
    made = tables(section)
    names = [row[1].text for row in made["Shortfall by part"].rows]
    assert names[0] == "" and "bucket 1" in names and "sell" in names
    assert "fifth 5, largest" in names and "fifth 2" in names
    fit = made["The last fit"].rows
    assert len(fit) == 6 and fit[0][2].text == "12.0" and fit[5][2].text == "7.0"
    assert "1.0 to 20.0" in fit[0][-1].text  # |d| in bp of NAV
    verdicts = made["The verdict under other assumptions"].rows
    assert verdicts[0][0].text == "as it is" and verdicts[0][5].text == "+10.0"
    said = texts(section)
    assert "Acceptance of POV against MOO: FAIL" in said and "blocks a release" in said
    assert "first falls below half of that at 100 M" in said
    assert "simulated" in said


def test_fixed_costs_are_said_in_a_sentence(inputs):
    params = inputs.lambda_params.assign(lambda1_bp=5.0)
    none = inputs.cost_fits.iloc[:0]
    said = texts(execution.build(replace(inputs, lambda_params=params, cost_fits=none)))
    assert "Costs were not fitted: lambda1 is 5.0 bp" in said


@pytest.mark.parametrize(
    "gone", ["tca_hours", "exec_styles", "exec_gate", "capacity", "pace", "cost_fits"]
)
def test_any_table_may_be_empty(inputs, gone):
    some = replace(inputs, **{gone: getattr(inputs, gone).iloc[:0]})
    assert execution.build(some).blocks


def test_the_page_is_sound_with_it(inputs):
    html = render(inputs)
    sound(html)
    assert "Execution and costs" in html and "Holds for |d|" in html

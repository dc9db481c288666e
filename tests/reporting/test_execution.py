"""The section on what trading cost: every number of it can be found again in the tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.reporting.page import render
from quant.reporting.sections import execution
from tests.reporting import sample
from tests.reporting.pages import sound

PARTS = execution.PARTS


def frames(n: int = 600) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(3)
    days = pd.bdate_range("2016-01-04", periods=n // 4)
    orders = pd.DataFrame(
        {
            "date": np.repeat(days, 4), "symbol": np.tile(["A", "B", "C", "D"], n // 4),
            "side": rng.choice(["buy", "sell"], n), "bucket": rng.integers(0, 6, n),
            "size": rng.lognormal(-7, 1, n), "ordered": rng.lognormal(10, 1, n), "reason": "",
        }
    )  # fmt: skip
    orders["filled"] = orders["ordered"] * rng.choice([0.0, 0.5, 1.0], n)
    for name in PARTS:
        orders[name] = rng.normal(2, 10, n)
    asof = [pd.Timestamp("2015-12-31"), days[60], days[120]]
    buckets = [(a, b) for a in asof for b in range(6)]
    params = pd.DataFrame(buckets, columns=["asof_date", "bucket_id"])
    params["lambda1_bp"], params["lambda2"] = 12.0 - params["bucket_id"], 0.1
    params["adv_edge_low"] = np.tile([0, 5, 10, 25, 50, 75.0], 3)
    params["adv_edge_high"] = np.tile([5, 10, 25, 50, 75, 100.0], 3)
    fits = params[params["asof_date"] > asof[0]][["asof_date", "bucket_id"]].copy()
    fits["style"], fits["orders"], fits["pool"] = "POV", 1234, 0
    for name, value in {
        "raw1_bp": 9.5, "raw2": 0.2, "se1_bp": 1.5, "se2": 0.05, "low1_bp": 6.5, "high1_bp": 12.5,
        "low2": 0.1, "high2": 0.3, "size_low": 1e-4, "size_high": 2e-3,
    }.items():  # fmt: skip
        fits[name] = value
    styles = pd.DataFrame(
        [(d, s, c, rng.normal(5, 10), 0.9) for d in days for s in ("MOO", "POV", "VWAP")
         for c in ("base", "square root")],
        columns=["date", "style", "scenario", "shortfall_bp", "filled"],
    )  # fmt: skip
    gate = pd.DataFrame(
        {
            "scenario": ["square root", "base"], "median_pov": 12.0, "median_moo": 2.0,
            "difference": [9.0, 10.0], "low": 8.0, "high": 11.0, "iqr_pov": 6.0, "iqr_moo": 2.0,
            "iqr_ratio": 3.0, "ratio_low": 2.5, "ratio_high": 3.5, "verdict": "FAIL", "days": 150,
        }
    )  # fmt: skip
    numbers = {"ann_vol": 0.1, "sharpe": 0.5, "turnover": 4.0, "filled": 0.9, "cash": 0.1}
    capacity = pd.DataFrame(
        {"nav": [1e6, 1e7, 1e8], "ann_return": [0.10, 0.08, 0.03], "cost_bp": [50, 80, 300.0]}
    ).assign(**numbers)
    pace = pd.DataFrame({"every": [1, 5], "ann_return": [0.1, 0.08], "cost_bp": [50.0, 20.0]})
    return {
        "tca_orders": orders, "lambda_params": params, "cost_fits": fits, "exec_styles": styles,
        "exec_gate": gate, "capacity": capacity, "pace": pace.assign(**numbers),
        "tca_hours": pd.DataFrame(
            {"hour": [0, 1], "value": [3e6, 1e6], "timing": 1.0, "spread": 2.0, "impact": 3.0,
             "fee": 0.5}
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def inputs():
    return replace(sample.full(names=12, years=1.5), **frames())


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
    assert "less than half of that from 100 M" in said
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

"""Costs fitted walk-forward, and what trading cost: the stages, end to end on a small market."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant import settings
from quant.backtest.market import market_arrays
from quant.core import tables
from quant.core.panel import Panel
from quant.execution.shortfall import PARTS
from quant.stages import backtest, book, costs, desk, replay, tca
from quant.stages.registry import Context, Inputs
from tests.pipeline import STAGES, ingested, through, tiny

NAVS = len(tca.NAVS)


def configured(**changes) -> settings.Config:
    config = tiny("us")
    config.costs = settings.Costs(model="fitted", fit=settings.CostFit(every=21, min_orders=40))
    config.execution = settings.Execution(
        style="POV", impact="almgren", min_trade_nav_bp=1, adv_cap_bp=100,
        simulator=settings.Simulator(bar_minutes=30),
    )  # fmt: skip
    for name, value in changes.items():
        setattr(config, name, value)
    return config


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tca")
    frames = ingested("us", 40, 0.2)
    # regimes say nothing here and take their time
    frames = through(configured(), frames, folder, [s for s in STAGES if s.name != "risk"])
    return frames, folder


@pytest.fixture(scope="module")
def made(given):
    frames, _ = given
    return frames | run(tca.STAGE, frames, configured())


def run(stage, frames, config):
    context = Context("us", config.seed, None, lambda label: lambda i, n: None)
    inputs = Inputs({t.name: frames[t.name].copy for t in stage.needs})
    out = dict(stage.run(stage.settings(config), inputs, context))
    for table in stage.makes:
        table.check(out[table.name])
    return out


def test_orders_of_the_replay_pay_what_the_simulator_charged(given):
    frames, _ = given
    rows = frames["shortfall"]
    assert len(rows) > 300 and set(rows["style"]) == {"POV"}
    assert rows["bucket"].between(0, 5).all() and rows["vol_bucket"].between(0, 2).all()
    assert (rows["size"] > 0).all() and rows["size"].max() <= 0.11
    # half a spread and an impact, plus noise that has no side
    assert 1.0 < rows["shortfall_bp"].mean() < 40.0


def test_a_fit_knows_the_orders_before_its_date_alone(given):
    frames, _ = given
    whole = frames["lambda_params"]
    asof = whole["asof_date"].unique()[4]
    orders = frames["shortfall"].copy()
    later = orders["date"] >= asof
    assert later.sum() > 50
    orders.loc[later, "shortfall_bp"] = 1e4
    other = run(costs.STAGE, frames | {"shortfall": orders}, configured())
    for name in ("lambda_params", "cost_fits"):
        one, two = frames[name], other[name]
        pd.testing.assert_frame_equal(one[one["asof_date"] <= asof], two[two["asof_date"] <= asof])
        assert not one[one["asof_date"] > asof].equals(two[two["asof_date"] > asof])


def test_the_optimizer_reads_the_day_s_bucket_of_each_name(given):
    frames, _ = given
    config = configured()
    s = book.settings(config)
    market, bars = book.market(s, frames, "us")
    args = (market, bars, "us", frames["lambda_params"], frames["membership"])
    charged = book.charged(s, *args)
    params = frames["lambda_params"]
    day = np.datetime64("2014-09-17")
    t = market.index(day)
    known = params[params["asof_date"] <= day]
    known = known[known["asof_date"] == known["asof_date"].max()].set_index("bucket_id")
    bucket = desk.bucketed(s, bars, desk.members(market, frames["membership"]))[t]
    expected = known["lambda1_bp"].reindex(bucket).to_numpy(np.float64) / 1e4
    np.testing.assert_allclose(charged.lambda1[t], expected, rtol=1e-6)
    assert np.unique(bucket).size > 3
    twice = book.charged({**s, "costs": replace(s["costs"], multiplier=2.0)}, *args)
    np.testing.assert_array_equal(twice.lambda1, 2 * charged.lambda1)


def test_fixed_costs_and_costs_of_one_s_own_need_no_fit(given):
    frames, _ = given
    fixed = configured(costs=settings.Costs())
    assert not len(run(replay.STAGE, frames, fixed)["shortfall"])
    params = run(costs.STAGE, frames, fixed)["lambda_params"]
    assert set(params["lambda1_bp"]) == {5.0} and set(params["lambda2"]) == {1e-5}
    bars = Panel.of(frames["bars"], ("open", "close", "volume", "amount", "factor", "limit_up",
                                     "limit_down"))  # fmt: skip
    market = market_arrays(bars, frames["listings"], frames["rates"], "us")
    stored = params.astype({"lambda1_bp": np.float32, "lambda2": np.float32})
    found = desk.lambdas(stored, market, np.zeros(bars.shape, np.int8))
    assert (found[0] == 5e-4).all() and (found[1] == 1e-5).all()  # to the last bit
    own = settings.Costs(
        model="fitted", lambda1_per_bucket_bp=[9, 8, 7, 6, 5, 4], lambda2_per_bucket=[0.1] * 6
    )
    params = run(costs.STAGE, frames, configured(costs=own))["lambda_params"]
    assert params["lambda1_bp"].tolist() == [9, 8, 7, 6, 5, 4]


def test_too_few_orders_leave_the_fixed_costs_standing(given):
    frames, _ = given
    config = configured()
    config.costs.fit.min_orders = 10**6
    out = run(costs.STAGE, frames, config)
    assert len(out["lambda_params"]) == 6 and not len(out["cost_fits"])


def test_the_parts_of_the_shortfall_add_up_to_what_the_book_paid(made):
    orders, fills = made["tca_orders"], made["fills"]
    money = orders["ordered"]
    paid = ((orders["spread"] + orders["impact"]) * money / 1e4).sum()
    assert paid == pytest.approx(fills["cost"].sum(), rel=1e-9)
    assert (orders["fee"] * money / 1e4).sum() == pytest.approx(fills["fee"].sum(), abs=1e-6)
    assert (orders["filled"] <= orders["ordered"] * (1 + 1e-9)).all()
    assert np.isfinite(orders[list(PARTS)].to_numpy()).all()
    children = made["children"]
    assert children["spread"].sum() + children["impact"].sum() == pytest.approx(fills["cost"].sum())
    hours = made["tca_hours"]
    value = (children["shares"].abs() * children["price"]).sum()
    assert hours["value"].sum() == pytest.approx(value)
    assert (hours["spread"] * hours["value"]).sum() / 1e4 == pytest.approx(children["spread"].sum())


def test_styles_and_their_verdict_are_of_the_same_days(made):
    daily, gates = made["exec_styles"], made["exec_gate"]
    base = daily[daily["scenario"] == "base"].groupby("style")["date"].nunique()
    assert set(base.index) == {"MOO", "POV", "VWAP"} and base.min() > 100
    assert daily["filled"].between(0, 1 + 1e-9).all()
    row = gates.set_index("scenario").loc["base"]
    wide = daily[daily["scenario"] == "base"].pivot(
        index="date", columns="style", values="shortfall_bp"
    )
    pair = wide[["POV", "MOO"]].dropna()
    assert row["median_pov"] == pytest.approx(pair["POV"].median())
    assert row["difference"] == pytest.approx(pair["POV"].median() - pair["MOO"].median())
    assert row["days"] == len(pair) and set(gates["verdict"]) <= {"PASS", "FAIL", "INCONCLUSIVE"}


def test_more_money_fills_less_and_fewer_decisions_trade_less(made):
    capacity, pace = made["capacity"], made["pace"]
    own = made["nav"].query("book == 'portfolio'").sort_values("date")
    same = capacity[capacity["nav"] == own["nav"].iloc[0]].iloc[0]
    # the run's own money and every decision: the run itself
    turnover = own["turnover"].iloc[1:].mean() * 252
    assert same["turnover"] == pytest.approx(turnover, rel=1e-6)
    assert len(capacity) == NAVS and capacity["filled"].iloc[-1] < 0.2
    assert pace["turnover"].iloc[-1] < pace["turnover"].iloc[0]
    assert pace.iloc[0]["ann_return"] == pytest.approx(same["ann_return"])


def test_every_style_runs_with_fixed_and_with_fitted_costs(given):
    frames, _ = given
    for style, impact in (("MOO", "lambda"), ("MOO", "square_root"), ("VWAP", "almgren")):
        trade = 0.0 if impact == "lambda" else 1.0
        config = configured(
            execution=settings.Execution(style=style, impact=impact, min_trade_nav_bp=trade)
        )
        out = run(backtest.STAGE, frames, config)
        assert out["nav"]["nav"].gt(0).all()
        assert bool(len(out["children"])) == (impact != "lambda")


def test_without_an_order_every_table_is_empty(given):
    frames, _ = given
    none = frames | {"fills": frames["fills"].iloc[:0], "children": tables.CHILDREN.empty()}
    assert not any(len(t) for t in run(tca.STAGE, none, configured()).values())

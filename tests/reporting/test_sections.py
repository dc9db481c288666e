"""What the sections derive from the tables agrees with the tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import ReportError
from quant.reporting.formats import number
from quant.reporting.inputs import COLUMNS, ReportInputs
from quant.reporting.lookup import Metrics, book, index_levels
from quant.reporting.sections.calendar import monthly_table, shade, yearly_table
from quant.reporting.sections.data import quality
from quant.reporting.sections.limits import binding, realised, relaxations, solvers, volatility
from quant.reporting.sections.portfolio import LEFT, exposures
from quant.reporting.sections.prices import causes, prices, told_apart
from quant.reporting.sections.scorecard import ROWS
from quant.reporting.sections.trading import attribution, build, exits, unfilled
from quant.reporting.sections.validation import cpcv
from tests.reporting import sample


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=12, years=1.5)


def test_attribution_adds_up(inputs):
    table = attribution(inputs.fills, book(inputs, "portfolio"), 5e-4)
    parts = table[["linear", "impact", "fees"]].sum().sum()
    assert parts == pytest.approx(inputs.fills["cost"].sum() + inputs.fills["fee"].sum())
    assert table["linear"].sum() == pytest.approx(5e-4 * inputs.fills["notional"].abs().sum())
    assert (table["impact"] >= 0).all()


def test_without_lambda1_the_cost_stays_whole(inputs):
    table = attribution(inputs.fills, book(inputs, "portfolio"), None)
    assert "linear" not in table
    assert table["cost"].sum() == pytest.approx(inputs.fills["cost"].sum())


def test_exposures_add_up_to_the_invested_share(inputs):
    dates = pd.DatetimeIndex(inputs.weights["date"].unique()[-3:])
    table = exposures(inputs.weights, inputs.membership, dates)
    held = inputs.weights.groupby("date")["weight"].sum()
    np.testing.assert_allclose(table.sum(), held[dates])
    assert list(table.columns) == list(dates)
    assert set(table.index) <= {*sample.GROUPS, LEFT}


def test_a_holding_outside_the_universe_is_named_so():
    day = pd.Timestamp("2020-01-31")
    weights = pd.DataFrame({"date": day, "symbol": ["A", "B"], "weight": [0.3, 0.1]})
    members = pd.DataFrame({"date": [day], "symbol": ["A"], "group_id": ["g"]})
    table = exposures(weights, members, pd.DatetimeIndex([day]))
    assert table.loc[LEFT, day] == 0.1 and table.loc["g", day] == 0.3


def test_unfilled_counts_by_reason(inputs):
    table = unfilled(inputs)
    fills = inputs.fills[inputs.fills["ordered"] != inputs.fills["shares"]]
    wanted = fills.groupby("reason").size().sort_values(ascending=False)
    assert [(r[0].text, r[1].text) for r in table.rows] == [(k, str(v)) for k, v in wanted.items()]


def test_exits_are_told_apart_from_orders(inputs):
    fills = inputs.fills.copy()
    whole = fills["ordered"] == fills["shares"]
    fills.loc[fills.index[whole][:3], "reason"] = "delisted"
    (said,) = exits(replace(inputs, fills=fills))
    assert "delisted: 3 (" in said.text
    assert all(r[0].text != "delisted" for r in unfilled(replace(inputs, fills=fills)).rows)
    assert exits(inputs) == []
    # an event is no trade: what it pays out is in no count and under no cost
    ordered = inputs.fills.drop(inputs.fills.index[whole][:3])
    shown = [build(replace(inputs, fills=f)).blocks[0].text for f in (fills, ordered)]
    assert shown[0] == shown[1] and shown[0].startswith(f"{len(ordered):,} orders")


def test_cross_validation_counts_paths_and_splits_apart(inputs):
    table = cpcv(inputs)[1]
    for row in table.rows:
        rows = inputs.cpcv[inputs.cpcv["model"] == row[0].text]
        paths = rows.loc[rows["path"] >= 0, "ic"]
        assert [row[1].text, row[2].text] == ["5", "15"]
        assert row[3].text == number(paths.mean(), 3)
        assert [row[4].text, row[5].text] == [number(paths.min(), 3), number(paths.max(), 3)]


def test_binding_shares(inputs):
    first = binding(inputs).rows[0]
    share = inputs.solves["vol_binds"].mean()
    assert first[0].text == "All" and first[2].text == f"{share * 100:.0f}%"


def test_relaxations_give_date_and_reason(inputs):
    (table,) = relaxations(inputs)
    assert len(table.rows) == inputs.solves["relaxed"].sum()
    assert "smallest feasible" in table.rows[0][1].text and table.rows[0][3].text == "31.0%"


def test_a_relative_book_is_shown_by_its_tracking_error(inputs):
    active = replace(inputs, meta=replace(inputs.meta, relative=True))
    for one, cap, name in ((inputs, "Volatility cap", "Volatility"),
                           (active, "Tracking-error cap", "Tracking error")):  # fmt: skip
        assert cap in binding(one).head and cap in relaxations(one)[0].head
        assert volatility(one).title.startswith(f"{name}: ex ante")
    mine, theirs = (book(inputs, b)["nav"].pct_change() for b in ("portfolio", "benchmark"))
    day = inputs.solves["date"].max()
    wanted = (mine - theirs).loc[:day].iloc[-63:].std() * np.sqrt(252)
    assert realised(active)[day] == pytest.approx(wanted)
    assert "less the benchmark's" in volatility(active).caption


def test_the_largest_gap_is_the_largest_in_size(inputs):
    solves = inputs.solves.assign(gap=-3e-7)
    assert "largest gap 3.0e" in solvers(replace(inputs, solves=solves)).text


def test_no_relaxation_is_said():
    whole = sample.full(names=8, years=1)
    calm = whole.bindings[whole.bindings["limit"] != "turnover"]
    (said,) = relaxations(replace(whole, bindings=calm))
    assert said.text == "No limit on the book had to be relaxed at any rebalance."


def test_names_that_wait_are_no_relaxed_limit(inputs):
    """Three days of four have leavers that take longer; that is told, and told apart."""
    told = told_apart(inputs)
    waiting = inputs.bindings[inputs.bindings["names"] > 0]["date"]
    assert told["waiting"].sum() == len(waiting) > told["gave_way"].sum() > 0
    assert (told["gave_way"] == inputs.solves["relaxed"]).all()
    said, table = causes(inputs)
    assert f"{len(waiting) / len(told):.1%}" in said.text
    rows = {row[0].text: [cell.text for cell in row] for row in table.rows}
    assert rows["Turnover cap"][1:4] == [
        "volatility come first", str(told["gave_way"].sum()), f"{told['gave_way'].mean():.1%}",
    ]  # fmt: skip
    assert rows["Names that left the universe"][4] == "3.0"
    first = binding(inputs).rows[0]
    assert first[6].text == f"{told['waiting'].mean() * 100:.0f}%"
    # a run stored before there were bindings hides nothing
    old = told_apart(replace(inputs, bindings=pd.DataFrame()))
    assert (old["gave_way"] == inputs.solves["relaxed"]).all() and not old["waiting"].any()


def test_prices_are_of_the_days_on_which_a_limit_binds(inputs):
    (table,) = prices(inputs)
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert set(rows) == {"Volatility cap", "Group caps"}
    mine = inputs.bindings[inputs.bindings["limit"] == "volatility"]["price_bp"]
    assert rows["Volatility cap"] == [
        f"{len(mine) / len(inputs.solves) * 100:.0f}%", number(mine.mean(), 2),
        number(mine.quantile(0.95), 2),
    ]  # fmt: skip
    assert prices(replace(inputs, bindings=pd.DataFrame())) == []


def test_of_several_groups_on_a_day_the_dearest_counts(inputs):
    energy = inputs.bindings[inputs.bindings["limit"] == "group Energy"]
    other = energy.assign(limit="group Utilities", price_bp=energy["price_bp"] / 2)
    both = replace(inputs, bindings=pd.concat([energy, other]))
    one = replace(inputs, bindings=energy)
    assert prices(both)[0].rows == prices(one)[0].rows


def test_yearly_returns_agree_with_the_months(inputs):
    mine, theirs = book(inputs, "portfolio"), book(inputs, "benchmark")
    name, index = index_levels(inputs, mine.index)
    years = yearly_table(inputs, mine, theirs, name, index)
    months = monthly_table(mine, theirs)
    assert [r[1].text for r in years.rows] == [f"{r[13].text}%" for r in months.rows]
    assert [r[2].text for r in years.rows] == [f"{r[14].text}%" for r in months.rows]


def test_a_fall_over_new_year_counts():
    days = pd.DatetimeIndex(["2019-12-30", "2019-12-31", "2020-01-02", "2020-01-03"])
    frame = pd.DataFrame(
        {"book": "portfolio", "date": days, "nav": [90.0, 100, 80, 90], "cash": 0.0, "cost": 0.0}
        | {"fee": 0.0, "turnover": 0.0, "rf": 0.0, "n_held": 1}
    )
    inputs = ReportInputs(meta=sample.meta(), nav=frame)
    mine = book(inputs, "portfolio")
    rows = yearly_table(inputs, mine, mine.iloc[:0].reindex(days), "", pd.Series(dtype=float)).rows
    assert rows[-1][0].text == "2020" and rows[-1][7].text == "−20.0%"


@pytest.mark.parametrize(
    ("value", "css"), [(0.0, ""), (0.001, ""), (0.01, "p1"), (-0.05, "n3"), (0.5, "p4")]
)
def test_shades(value, css):
    assert shade(value, 0.02) == css


def test_quality_counts(inputs):
    rows = {r[0].text: r[3].text for r in quality(inputs).rows}
    assert rows == {"stale price": "3", "impossible move": "3"}


def test_the_index_says_when_dividends_are_out(inputs):
    dates = book(inputs, "portfolio").index
    price = replace(inputs, benchmark=inputs.benchmark.assign(total_return=False))
    assert index_levels(inputs, dates)[0] == "SPY"
    assert index_levels(price, dates)[0] == "SPY (price only)"


def test_a_total_return_index_comes_first(inputs):
    other = inputs.benchmark.assign(name="AAA", total_return=False)
    both = replace(inputs, benchmark=pd.concat([other, inputs.benchmark]))
    assert index_levels(both, book(inputs, "portfolio").index)[0] == "SPY"


def test_lookup_knows_books():
    metrics = Metrics.of(sample.metrics())
    assert metrics("sharpe") == 0.74 and metrics("sharpe", "benchmark") == 0.58
    assert np.isnan(metrics("nothing")) and metrics.alpha("rank_ic") == 0.034


def test_scorecard_rows_are_distinct():
    names = [r.metric for r in ROWS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_frame_that_lacks_a_column_is_refused(inputs, name):
    first = COLUMNS[name][0]
    with pytest.raises(ReportError, match=f"report frame {name} lacks .*{first}"):
        replace(inputs, **{name: getattr(inputs, name).drop(columns=first)})


def test_a_window_that_runs_backwards_is_refused():
    with pytest.raises(ReportError, match="runs backwards"):
        sample.meta(start=sample.meta().end, end=sample.meta().start)

"""What would change if a knob or a limit moved: sensitivities and frontiers of one session."""

from collections.abc import Sequence

from quant.optimizer.frontier import Frontier
from quant.optimizer.sensitivity import Change
from quant.reporting.blocks import Block, Grid, Tabular, cells
from quant.reporting.charts import frontier as charts
from quant.reporting.figures import figure
from quant.reporting.formats import number, percent, times

BP = 1e4
KNOBS = {
    "costs": "trading costs",
    "gamma": "risk aversion",
    "tau": "turnover cap",
    "vol_target": "volatility cap",
    "name_bound": "largest weight of a name",
    "group_cap": "cap on groups",
}


def build(
    changes: Sequence[Change], efficient: Frontier, costs: Frontier, horizon: int, active: bool
) -> list[Block]:
    """The table of sensitivities beside both frontiers; active: risk is a tracking error."""
    return [
        Grid((_efficient(efficient, active), _costs(costs, active))),
        _table(changes, horizon, active),
    ]


def _efficient(found: Frontier, active: bool) -> Block:
    now = found.today
    risk, name = ("tracking error",) * 2 if active else ("volatility", "expected volatility")
    chart = charts.efficient(found.vol, found.net, (now.vol, now.net), name)
    return figure(
        "efficient",
        chart,
        f"Every point is the best book at that {risk} that can be traded to today, within "
        "today's turnover; the dot is the one decided.",
        half=True,
    )


def _costs(found: Frontier, active: bool) -> Block:
    now = found.today
    risk = "tracking-error" if active else "volatility"
    chart = charts.cost(
        found.turnover, found.expected, found.net, (now.turnover, now.expected, now.net)
    )
    return figure(
        "costs",
        chart,
        f"Every point is the best book at that turnover, at today's {risk} limit; the dots "
        "are the one decided, before and after costs.",
        half=True,
    )


def _table(changes: Sequence[Change], horizon: int, active: bool) -> Block:
    risk = "tracking error" if active else "volatility"
    knobs = {**KNOBS, "vol_target": "tracking-error cap"} if active else KNOBS
    rows = tuple(
        cells((
            knobs.get(c.knob, c.knob), times(c.step),
            number(BP * c.gained, 2, signed=True), number(BP * c.estimate, 2, signed=True),
            number(BP * (c.after.expected - c.before.expected), 2, signed=True),
            number(BP * (c.after.cost - c.before.cost), 2, signed=True),
            percent(c.after.vol), percent(c.after.turnover), percent(c.after.cash),
            percent(c.moved, 0), percent(c.distance) + " relaxed" * _relaxed(c),
        ))
        for c in changes
    )  # fmt: skip
    return Tabular(
        f"One setting at a time, solved again; bp of NAV over {horizon} sessions",
        (
            *("Setting", "times", "Objective", "foretold", "Expected return", "Cost"),
            *(risk.capitalize(), "Turnover", "Cash", "Names moved", "Distance"),
        ),
        rows,
        "Objective, expected return and cost: change from today. Foretold: by today's prices, a "
        f"slope. {risk.capitalize()}, turnover and cash: as they would be. Names moved: share "
        "whose weight changes by more than 0.01 bp of NAV. Distance: sum of the changes of weight; "
        "relaxed: the limits so moved could not all be met.",
    )


def _relaxed(change: Change) -> bool:
    joint = [r for r in change.solution.relaxations if not r.what.startswith("name")]
    return bool(joint)

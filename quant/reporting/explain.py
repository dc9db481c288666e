"""The page of one explained session: why the optimizer decided as it did, in words first."""

from dataclasses import dataclass

import numpy as np

from quant.optimizer import audit
from quant.optimizer.explain import Costly, Explanation
from quant.optimizer.frontier import Frontier
from quant.optimizer.problem import Problem
from quant.optimizer.sensitivity import Change
from quant.optimizer.solve import Solution
from quant.optimizer.terms import variance
from quant.reporting.blocks import Answer, Section, Text, Tile, Tiles, Verbatim
from quant.reporting.formats import basis, count, day, money, percent
from quant.reporting.page import Head, layout
from quant.reporting.sections import decided, explained, moved
from quant.reporting.sections.explained import limit_name

_MATTERS = 0.05  # bp: less is printed as 0.0


@dataclass(frozen=True)
class ExplainInputs:
    """Everything that the page shows.

    nav      : money at the close of the session
    horizon  : sessions of returns and risk
    groups   : (n_groups,) names of the problem's codes
    apart    : largest difference of a weight from the recorded decision
    told, changes, efficient, costs : of `problem` and `solution`
    """

    region: str
    currency: str
    nav: float
    horizon: int
    git_sha: str
    config_hash: str
    command: str
    simulated: bool
    problem: Problem
    solution: Solution
    groups: np.ndarray
    apart: float
    told: Explanation
    changes: tuple[Change, ...]
    efficient: Frontier
    costs: Frontier


def render(inputs: ExplainInputs) -> str:
    """Return the whole page."""
    date = day(inputs.problem.date)
    head = Head(
        title=f"{inputs.region.upper()} equity, {date} explained",
        kicker=(
            f"{inputs.region.upper()} equities",
            "optimizer",
            f"decided at the close of {date}",
        ),
        footer=(inputs.git_sha, inputs.config_hash),
        simulated=inputs.simulated,
    )
    p, s, told, groups = inputs.problem, inputs.solution, inputs.told, inputs.groups
    return layout(
        head,
        [
            Section("answer", "In plain words", (_answer(inputs), _tiles(inputs))),
            Section("limits", "What bound, and what it cost", tuple(
                explained.limits(p, s, told, groups, inputs.horizon))),
            Section("gave-way", "What gave way", tuple(explained.gave_way(p, told, groups))),
            Section("objective", "Where the objective comes from", tuple(
                [decided.objective(told, inputs.horizon)])),
            Section("trades", "The largest trades", tuple([decided.trades(p, told)])),
            Section("moved", "What would change", tuple(
                moved.build(inputs.changes, inputs.efficient, inputs.costs, inputs.horizon,
                            p.benchmark is not None))),
            Section("proof", "Proof", tuple(_proof(inputs))),
        ],
    )  # fmt: skip


def _answer(inputs: ExplainInputs) -> Answer:
    p, s, told = inputs.problem, inputs.solution, inputs.told
    gave = [g for g in told.gave_way if not g.of_name]
    return Answer(
        _headline(inputs),
        (
            _book(p, s),
            *_locked(p),
            *(_worth(costly, inputs) for costly in told.joint[:3]),
            *(explained.gave_sentence(g, inputs.groups) for g in gave),
            *([] if gave else ["No limit on the book gave way."]),
            *explained.stuck(told),
            f"Trading changes the objective from {_bp(told.parts[-1].held)} to "
            f"{_bp(told.parts[-1].chosen)} over {inputs.horizon} sessions, costs paid"
            f"{_not_allowed(p, s)}.",
        ),
        "fair" if gave else "good",
    )


def _headline(inputs: ExplainInputs) -> str:
    date, told = day(inputs.problem.date), inputs.told
    joint = [costly for costly in told.joint if costly.objective >= _MATTERS]
    kinds = [costly for costly in told.kinds if costly.objective >= _MATTERS]
    if joint:
        dearest = max(joint, key=lambda costly: costly.objective)
        name, dear = limit_name(dearest.bindings[0], inputs.groups), _bp(dearest.objective)
        return f"{date}: the {name} decided; it costs {dear} over {inputs.horizon} sessions"
    if kinds:
        dearest = max(kinds, key=lambda costly: costly.objective)
        name, dear = explained.NAMES[dearest.kind], _bp(dearest.objective)
        return f"{date}: limits of single names decided ({name}); they cost {dear}"
    if told.joint:
        return f"{date}: the book is fully invested; return, risk and costs decided the rest"
    return f"{date}: no limit mattered; return, risk and costs alone decided"


def _book(p: Problem, s: Solution) -> str:
    before = p.volatility(variance(p, p.held))
    risk = "a tracking error" if p.benchmark is not None else "an expected volatility"
    bought, sold = int((s.trades > 0).sum()), int((s.trades < 0).sum())
    return (
        f"The book came in with {percent(1 - p.held.sum())} cash and {risk} of "
        f"{percent(before)}, and is sent to {percent(s.cash)} and {percent(s.vol)}: "
        f"{count(bought)} name{'s are' if bought != 1 else ' is'} bought and {count(sold)} sold, "
        f"{percent(s.turnover)} of NAV."
    )


def _not_allowed(p: Problem, s: Solution) -> str:
    """What staying put would break; the objective of a book that is not allowed is no rival."""
    broken = audit.violation(p, s.limits, p.held) > audit.MAX_VIOLATION
    return "; staying put was no choice, it breaks a limit" if broken else ""


def _locked(p: Problem) -> list[str]:
    locked = (p.buy_cap == 0) & (p.sell_cap == 0)
    if not locked.any():
        return []
    held = float(np.abs(p.held[locked]).sum())
    return [
        f"{count(locked.sum())} of the {count(p.n)} names did not trade that day and are taken as "
        f"locked; {percent(held)} of NAV is held in them."
    ]


def _worth(costly: Costly, inputs: ExplainInputs) -> str:
    bound = costly.bindings[0]
    return (
        f"The {limit_name(bound, inputs.groups)} binds at {percent(bound.level)}: one percentage "
        f"point {'more' if bound.upper else 'less'} would be worth {_bp(bound.price)}; "
        + (
            f"without it the objective would be {_bp(costly.objective)} higher and the expected "
            f"return {_bp(abs(costly.expected))} {'higher' if costly.expected >= 0 else 'lower'}."
            if np.isfinite(costly.objective)
            else "what borrowing without limit would bring is not asked."
        )
    )


def _tiles(inputs: ExplainInputs) -> Tiles:
    p, s = inputs.problem, inputs.solution
    stuck = sum(g.of_name for g in inputs.told.gave_way)
    return Tiles(
        (
            Tile("Volatility" if p.benchmark is None else "Tracking error", percent(s.vol),
                 f"limit {percent(p.vol_target)}"),
            Tile("Turnover", percent(s.turnover), f"limit {percent(p.tau)}, two-way"),
            Tile("Cash", percent(s.cash), f"before {percent(1 - p.held.sum())}"),
            Tile("Names held", count((s.weights > 0).sum()), f"of {count(p.n)} considered"),
            Tile("Still out of bounds", count(stuck), "names that take more than a day"),
        ),
        f"At the close of {day(p.date)}; NAV {money(inputs.nav, inputs.currency)}. "
        "Weights are those aimed at; orders fill at the next open.",
    )  # fmt: skip


def _proof(inputs: ExplainInputs) -> list[Text | Verbatim]:
    s = inputs.solution
    return [
        Text(
            "The problem was built again from what was held at that close, and solved again: the "
            f"weights are those that the backtest decided, to {inputs.apart:.0e} of NAV. "
            f"Solver {s.solver}; limits met to {max(s.violation, 1e-16):.0e}; proven optimal to "
            f"{max(abs(s.gap), 1e-16):.0e} of the objective by the duality gap. Every figure above "
            "that removes or moves a limit is a problem of its own, certified in the same way."
        ),
        Verbatim("Run it again", inputs.command),
    ]


def _bp(value: float) -> str:
    return basis(value, 1)

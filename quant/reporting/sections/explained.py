"""One session explained: the limits that bind with their prices, and those that gave way."""

from collections.abc import Sequence

import numpy as np

from quant.optimizer import binding
from quant.optimizer.binding import Binding, GaveWay
from quant.optimizer.explain import Costly, Explanation
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution
from quant.optimizer.terms import exposures
from quant.reporting.blocks import Block, Cell, Tabular, Text, cells
from quant.reporting.formats import count, number, percent

JOINT = {
    "volatility": "volatility cap",
    "tracking error": "tracking-error cap",
    "turnover": "turnover cap",
    "gross": "cap on gross exposure",
    "cash": "limit on cash",
}
NAMES = {
    binding.ABSENT: "not in the universe: may not be held",
    binding.BOUND: "at the largest weight",
    binding.LEAST: "at the least weight: no short position",
    binding.TRADE_CAP: "at the trade cap of the day",
    binding.LOCKED: "suspended or locked",
    binding.FORCED: "moved as far as it goes for its group or for cash",
}


def limit_name(b: Binding | GaveWay, groups: np.ndarray) -> str:
    """A joint limit in words."""
    return f"limit on group {groups[b.which]}" if b.kind == "group" else JOINT[b.kind]


def limits(
    problem: Problem, solution: Solution, told: Explanation, groups: np.ndarray, horizon: int
) -> list[Block]:
    """Prices and costs of the limits that bind, and how far the others are."""
    head = ("Limit", "Imposed", "Price of one point", "Costs in all", "of expected return")
    foot = (
        f"In bp of NAV over {horizon} sessions. Price: gain of the objective for one percentage "
        "point more of the limit, less where it is a least (annual volatility, turnover, "
        "exposure, cash, weight), the slope today. "
        "Costs in all: gain of the objective without that one limit, found by solving again; of "
        "expected return: the same of expected return before risk and costs."
    )
    blocks: list[Block] = []
    if told.joint:
        rows = tuple(
            _limit_row(limit_name(c.bindings[0], groups), c, percent(c.bindings[0].level, 2))
            for c in told.joint
        )
        blocks.append(Tabular("Limits on the book that bind", head, rows, foot))
    else:
        blocks.append(Text("No limit on the book binds."))
    blocks.append(Text(_slack(problem, solution, told), "note"))
    if told.kinds:
        rows = tuple(_limit_row(NAMES[c.kind], c, count(len(c.bindings))) for c in told.kinds)
        blocks.append(
            Tabular(
                "Limits of single names that bind, by kind",
                ("Limit", "Names", "Dearest price of one point", *head[3:]), rows,
                "Costs: without all limits of the kind at once, those of the other kinds in place.",
            )
        )  # fmt: skip
    if told.names:
        rows = tuple(
            (Cell(str(problem.names[c.bindings[0].which])), Cell(NAMES[c.kind]),
             *_limit_row("", c, percent(c.bindings[0].level, 2))[1:])
            for c in told.names
        )  # fmt: skip
        title = f"The {len(rows)} dearest of them, one at a time"
        blocks.append(Tabular(title, ("Name", *head), rows, texts=2, fold=True))
    return blocks


def _limit_row(name: str, c: Costly, imposed: str) -> tuple[Cell, ...]:
    price = max(b.price for b in c.bindings)
    return cells(
        (name, imposed, number(price, 2), number(c.objective, 2),
         number(c.expected, 2, signed=True))
    )  # fmt: skip


def _slack(problem: Problem, solution: Solution, told: Explanation) -> str:
    bound = {c.kind for c in told.joint}
    said = []
    if not {"volatility", "tracking error"} & bound and np.isfinite(solution.limits.variance):
        risk = "volatility" if problem.benchmark is None else "tracking error"
        imposed = problem.volatility(solution.limits.variance)
        said.append(f"{risk} {percent(solution.vol)} of {percent(imposed)}")
    if "turnover" not in bound and np.isfinite(solution.tau_eff):
        said.append(f"turnover {percent(solution.turnover)} of {percent(solution.tau_eff)}")
    if "gross" not in bound and np.isfinite(solution.limits.gross):
        gross = float(np.abs(solution.weights).sum())
        said.append(f"gross exposure {percent(gross)} of {percent(solution.limits.gross)}")
    if "cash" not in bound:
        said.append(f"cash {percent(solution.cash)}, at least {percent(problem.cash_low)}")
    if "group" not in bound:
        # a group that holds no more than one name's bound is not near a cap
        largest = float(exposures(problem, solution.weights).max())
        said.append(f"largest group {percent(largest)}")
    return f"Not binding: {'; '.join(said)}." if said else "All limits on the book bind."


def gave_sentence(g: GaveWay, groups: np.ndarray) -> str:
    """One joint limit that gave way, in words."""
    return (
        f"The {limit_name(g, groups)} of {percent(g.asked)} was out of reach and gave way to "
        f"{percent(g.reached)}: {g.why}."
    )


def stuck(told: Explanation) -> list[str]:
    """Names that could not be brought to their bound in one day, in words."""
    said = []
    for kind, why, rows in _by_cause(told.gave_way):
        over = sum(abs(g.reached - g.asked) for g in rows)
        what = {
            binding.ABSENT: "may not be held any more",
            binding.BOUND: "have outgrown their largest weight",
            binding.LEAST: "are below their least weight",
        }[kind]
        one = len(rows) == 1
        said.append(
            f"{count(len(rows))} name{'s' * (not one)} ({percent(over, 2)} of NAV) that {what} "
            f"could not be traded all the way ({why}); this takes days and is no failed limit."
        )
    return said


def gave_way(problem: Problem, told: Explanation, groups: np.ndarray) -> list[Block]:
    """Joint limits that gave way; apart from them, names that only take time."""
    joint = [g for g in told.gave_way if not g.of_name]
    blocks: list[Block] = []
    if joint:
        rows = tuple(
            cells((limit_name(g, groups), Cell(g.why, "long"), percent(g.asked, 2),
                   percent(g.reached, 2), percent(g.reached - g.asked, 2, signed=True)))
            for g in joint
        )  # fmt: skip
        blocks.append(
            Tabular(
                "Limits on the book that were out of reach",
                ("Limit", "Gave way because", "Asked", "Imposed", "By"), rows,
                "Hardest first: what can be traded, groups, gross, volatility, turnover. A softer "
                "limit gives way to a harder one, as little as is enough.", texts=2,
            )
        )  # fmt: skip
    else:
        blocks.append(Text("Every limit on the book was met."))
    for kind, why, rows in _by_cause(told.gave_way):
        shown = sorted(rows, key=lambda g: -abs(g.reached - g.asked))
        body = tuple(
            cells((str(problem.names[g.which]), percent(problem.held[g.which], 3),
                   percent(g.reached, 3), percent(g.asked, 3)))
            for g in shown
        )  # fmt: skip
        blocks.append(
            Tabular(
                f"{NAMES[kind].capitalize()}: {count(len(rows))}, {why}",
                ("Name", "Held", "After today", "Bound"), body,
                "Traded as far as the day allows; the rest follows. No limit on the book is broken "
                "by it.", fold=True,
            )
        )  # fmt: skip
    return blocks


def _by_cause(gone: Sequence[GaveWay]) -> list[tuple[str, str, list[GaveWay]]]:
    found: dict[tuple[str, str], list[GaveWay]] = {}
    for g in gone:
        if g.of_name:
            found.setdefault((g.kind, g.why), []).append(g)
    return [(*key, rows) for key, rows in found.items()]

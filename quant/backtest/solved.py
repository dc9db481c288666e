"""What the day loop keeps of a solve: a row of `solves`, and rows of `bindings`."""

import re

import numpy as np
import pandas as pd

from quant.optimizer import binding
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution

Row = dict[str, object]


def solve_row(problem: Problem, solution: Solution, groups: np.ndarray) -> Row:
    """Row of table `solves`; groups: (n_groups,) names of the codes."""
    capped = np.isfinite(solution.limits.variance)
    reached = problem.volatility(solution.limits.variance) if capped else np.inf
    return {
        "date": pd.Timestamp(problem.date),
        "status": solution.status,
        "solver": solution.solver,
        "objective": solution.objective,
        "violation": solution.violation,
        "gap": solution.gap,
        "turnover": solution.turnover,
        "tau": problem.tau,
        "tau_eff": solution.tau_eff,
        "vol": solution.vol,
        "vol_target": problem.vol_target,
        "vol_reached": reached,
        "cash": solution.cash,
        "vol_binds": solution.vol_binds,
        "turnover_binds": solution.turnover_binds,
        "group_binds": bool(np.any(solution.group_binds)),
        "relaxed": bool(solution.relaxations),
        "n_names": problem.n,
        "n_held": int((solution.weights > 0).sum()),
        "rounds": solution.rounds,
        "reason": re.sub(r"\bgroup (\d+)", lambda m: f"group {groups[int(m[1])]}", solution.reason),
    }


def binding_rows(problem: Problem, solution: Solution, groups: np.ndarray) -> list[Row]:
    """Rows of table `bindings`: joint limits one by one, single names together by kind and cause.

    groups : (n_groups,) names of the codes
    """
    rows: dict[tuple[str, str], Row] = {}
    for gone in binding.gave_way(problem, solution):
        key = (label(gone.kind, gone.which, groups), gone.why)
        row = rows.setdefault(key, _row(problem, *key, asked=0.0, reached=0.0, relaxed=True))
        row["asked"] += gone.asked
        row["reached"] += gone.reached
        row["names"] += gone.of_name
    for bound in binding.joint(problem, solution):
        name = label(bound.kind, bound.which, groups)
        key = next((key for key in rows if key[0] == name), (name, ""))
        row = rows.setdefault(key, _row(problem, *key, asked=bound.level, reached=bound.level))
        row |= {"price_bp": bound.price, "binds": True}
    return list(rows.values())


def label(kind: str, which: int, groups: np.ndarray) -> str:
    """Name of a limit: that of the group, where it is one's."""
    return f"group {groups[which]}" if kind == "group" else kind


def _row(
    problem: Problem, limit: str, cause: str, asked: float, reached: float, relaxed: bool = False
) -> Row:
    return {
        "date": pd.Timestamp(problem.date),
        "limit": limit,
        "cause": cause,
        "price_bp": 0.0,
        "asked": asked,
        "reached": reached,
        "binds": False,
        "relaxed": relaxed,
        "names": 0,
    }

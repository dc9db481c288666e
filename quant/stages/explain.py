"""One session explained: what bound, what it cost, what gave way, what else could have been done.

It builds that session's problem again from what was held then and decides nothing, so it is no
part of `e2e`.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.backtest import again
from quant.core import git, logs, tables
from quant.core.types import Frame
from quant.optimizer.explain import explain
from quant.optimizer.frontier import cost_frontier, efficient_frontier
from quant.optimizer.sensitivity import sensitivity
from quant.optimizer.solve import solve
from quant.reporting.explain import ExplainInputs, render
from quant.stages import book
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

NEEDS = (
    *book.NEEDS, tables.NAV, tables.KNOBS, tables.WEIGHTS, tables.DECISIONS, tables.SOLVES,
    tables.NOTES,
)  # fmt: skip


def settings(config: "Config") -> dict[str, Any]:
    """What decided the book, which day is asked about, and what the page prints."""
    from quant.config import config_hash

    return {
        "book": book.settings(config),
        "date": config.date,
        "git_sha": git.sha(),
        "config_hash": config_hash(config),
        "command": logs.redact(" ".join(["python -m quant.main", *sys.argv[1:]])),
    }


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Solve that session's problem again, make sure that it is the same, and draw the page."""
    b = book.optimized(s["book"], f, c)
    market, policy = b.market, b.policy
    method = policy.constants.method
    t = again.decided(
        market, b.first, b.last, policy.constants.every, np.datetime64(s["date"], "D")
    )
    state = again.state(market, t, f["nav"], f["weights"])
    names = policy.names(t, state.shares > 0)
    problem = policy.problem(t, state, names, again.knobs(f["knobs"], market.dates[t]))
    solution = solve(problem, method)
    solves = f["solves"]
    recorded = solves[solves["date"] == problem.date].iloc[0].to_dict()
    agreement = again.agree(problem, solution, f["decisions"], recorded)
    alpha = policy.alpha(t, names)
    tilt = policy.tilt(t, names)
    parts = {"premium": problem.mu - alpha - tilt, "tilt": tilt}
    returns = {name: part for name, part in parts.items() if np.abs(part).max() > 1e-12}
    returns |= {"alpha": alpha}
    inputs = ExplainInputs(
        region=c.region,
        currency=s["book"]["region"].currency,
        nav=state.nav,
        horizon=s["book"]["horizon"],
        git_sha=s["git_sha"],
        config_hash=s["config_hash"],
        command=s["command"],
        simulated=bool((f["notes"]["topic"] == "SIMULATED").any()),
        problem=problem,
        solution=solution,
        groups=policy.signals.groups,
        apart=agreement.weights,
        told=explain(problem, solution, returns, method=method),
        changes=tuple(sensitivity(problem, solution, method=method)),
        efficient=efficient_frontier(problem, solution, method=method),
        costs=cost_frontier(problem, solution, method=method),
    )
    (c.scratch / "explain.html").write_text(render(inputs))
    c.metrics.update(
        {"explain.weights_apart": agreement.weights, "explain.objective_apart": agreement.objective}
    )
    return {}


STAGE = Stage(
    "explain",
    needs=NEEDS,
    makes=(),
    files=("explain.html",),
    settings=settings,
    run=run,
    module=__name__,
)

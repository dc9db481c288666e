"""The day loop with real orders: decide from what is held, trade at the next open."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from quant.backtest import benchmark, engine
from quant.core import tables
from quant.core.types import Frame
from quant.stages import book, desk, world
from quant.stages.registry import Context, Inputs, Stage


def run(s: Any, f: Inputs, c: Context) -> Mapping[str, Frame]:
    """The portfolio's book, and the benchmark's by the same engine at the same costs.

    The benchmark trades once a month, and whole: at the open, at the costs that the optimizer sees.
    """
    b = world.controlled(s, f, c).book
    market, policy, first, last = b.market, b.policy, b.first, b.last
    span = {"charges": policy.charges, "capital": s["region"].nav, "first": first, "last": last}
    traded = b.desk()
    ticking = book.ticking(policy, c, "backtest", first, last)
    portfolio = engine.run(market, ticking, traded, **span)
    equal = engine.run(market, benchmark.equal_weight(market, f["members"], first), **span)
    c.metrics.update(book.solve_metrics(policy, "backtest"))
    navs = [portfolio.nav_table("portfolio"), equal.nav_table("benchmark")]
    return {
        "nav": pd.concat(navs, ignore_index=True),
        "weights": portfolio.weights,
        "fills": portfolio.fills,
        "children": desk.children(traded, market),
        "decisions": portfolio.targets,
        "solves": policy.table(),
        "bindings": policy.bindings(),
        "knobs": policy.knobs(),
    }


STAGE = Stage(
    "backtest",
    needs=(*world.NEEDS, tables.MEMBERS),
    makes=(
        tables.NAV,
        tables.WEIGHTS,
        tables.FILLS,
        tables.CHILDREN,
        tables.DECISIONS,
        tables.SOLVES,
        tables.BINDINGS,
        tables.KNOBS,
    ),  # fmt: skip
    settings=world.settings,
    run=run,
    module=__name__,
)

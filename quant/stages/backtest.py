"""The day loop with real orders: decide from what is held, trade at the next open."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from quant.backtest import benchmark, engine
from quant.core import tables
from quant.core.types import Frame
from quant.stages import book
from quant.stages.registry import Context, Inputs, Stage


def run(s: Any, f: Inputs, c: Context) -> Mapping[str, Frame]:
    """The portfolio's book, and the benchmark's by the same engine at the same costs."""
    market, policy, first, last = book.optimized(s, f, c)
    span = {"charges": policy.charges, "capital": s["region"].nav, "first": first, "last": last}
    portfolio = engine.run(market, book.ticking(policy, c, "backtest", first, last), **span)
    equal = engine.run(market, benchmark.equal_weight(market, f["members"], first), **span)
    c.metrics.update(book.solve_metrics(policy, "backtest"))
    navs = [portfolio.nav_table("portfolio"), equal.nav_table("benchmark")]
    return {
        "nav": pd.concat(navs, ignore_index=True),
        "weights": portfolio.weights,
        "fills": portfolio.fills,
        "decisions": portfolio.targets,
        "solves": policy.table(),
        "bindings": policy.bindings(),
    }


STAGE = Stage(
    "backtest",
    needs=(*book.NEEDS, tables.MEMBERS),
    makes=(
        tables.NAV,
        tables.WEIGHTS,
        tables.FILLS,
        tables.DECISIONS,
        tables.SOLVES,
        tables.BINDINGS,
    ),  # fmt: skip
    settings=book.settings,
    run=run,
    module=__name__,
)

"""Daily target weights by the optimizer alone: every wish is filled at the open."""

from collections.abc import Mapping
from typing import Any

from quant.backtest import engine
from quant.core import tables
from quant.core.types import Frame
from quant.execution import moo
from quant.stages import book, world
from quant.stages.registry import Context, Inputs, Stage


def run(s: Any, f: Inputs, c: Context) -> Mapping[str, Frame]:
    """The day loop with `execute` = fill at target."""
    b = world.controlled(s, f, c).book
    policy = b.policy
    result = engine.run(
        b.market, book.ticking(policy, c, "optimize", b.first, b.last), moo.at_target,
        charges=policy.charges, capital=s["region"].nav, first=b.first, last=b.last,
    )  # fmt: skip
    c.metrics.update(book.solve_metrics(policy, "optimize"))
    return {
        "targets": result.targets,
        "ideal_solves": policy.table(),
        "ideal_bindings": policy.bindings(),
    }


STAGE = Stage(
    "optimize",
    needs=world.NEEDS,
    makes=(tables.TARGETS, tables.IDEAL_SOLVES, tables.IDEAL_BINDINGS),
    settings=world.settings,
    run=run,
    module=__name__,
)

"""What the regimes added or cost: the book once more without their tilts, caps, target, or all.

Flags are taken out one at a time from the book that has all of them, so their differences need not
add up to that of all three together: limits act on each other.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.backtest import engine
from quant.backtest.policy import Optimized, Signals
from quant.core import tables
from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.core.types import Frame
from quant.evaluation import compare, summary
from quant.stages import book, world
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

BOOK = "none"  # nothing is left out


def settings(config: "Config") -> dict[str, Any]:
    """What decides the book, what it would be without regimes, and how two are compared."""
    o, e = config.optimizer, config.evaluation
    return {
        "enabled": config.model1.enabled,
        "book": book.settings(config),
        "cap": o.group_max,
        "vol_target": o.vol_target.base,
        "draws": e.bootstrap,
        "block": e.block,
    }


def without(seen: Signals, flag: str, cap: float, vol_target: float) -> Signals:
    """The signals as Model 1's `flag` would leave them if it were off; all: every one."""
    plain = {
        "tilts": {"tilt": np.zeros_like(seen.tilt)},
        "caps": {"cap": np.full_like(seen.cap, cap)},
        "target": {"vol_target": np.full_like(seen.vol_target, vol_target)},
    }
    chosen = [plain[flag]] if flag != "all" else list(plain.values())
    return replace(seen, **{name: value for one in chosen for name, value in one.items()})


FLAGS = ("tilts", "caps", "target", "all")


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """One row for the book and one for each flag; none where Model 1 is off."""
    columns = tables.ATTRIBUTION.schema.names
    if not s["enabled"]:
        return {"attribution": pd.DataFrame(columns=columns)}
    controlled = world.controlled(s["book"], f, c)
    own_book = controlled.book
    market, policy = own_book.market, own_book.policy
    nav = f["nav"]
    own = nav[nav["book"] == "portfolio"].sort_values("date")
    rows = [_row(BOOK, own, own, s, c)]
    for number, flag in enumerate(FLAGS):
        seen = without(policy.signals, flag, s["cap"], s["vol_target"])
        other = controlled.steer(
            Optimized(market, seen, policy.charges, policy.constants, own_book.first)
        )
        result = engine.run(
            market, other, own_book.desk(), charges=policy.charges,
            capital=s["book"]["region"].nav, first=own_book.first, last=own_book.last,
        )  # fmt: skip
        rows.append(_row(flag, own, result.nav_table(flag), s, c))
        c.tick("attribution")(number + 1, len(FLAGS))
    return {"attribution": pd.DataFrame(rows, columns=columns)}


def _row(flag: str, own: Frame, other: Frame, s: Mapping[str, Any], c: Context) -> dict[str, Any]:
    """Numbers of the book without `flag`, and those of the whole book less them."""
    periods = s["book"]["region"].periods
    mine, theirs = (summary.book(nav, periods) for nav in (own, other))
    low = high = np.nan
    if flag != BOOK:
        cash = own["rf"].to_numpy(np.float64)[1:]
        try:
            found = compare.sharpe_difference(
                summary.returns(own) - cash, summary.returns(other) - cash, periods, s["block"],
                s["draws"], generator(c.seed, "attribution", flag),
            )  # fmt: skip
            low, high = found.low, found.high
        except DataError:
            pass  # too few sessions say nothing: the interval stays empty
    return {
        "flag": flag,
        **{name: theirs[name] for name in ("ann_return", "ann_vol", "sharpe", "max_drawdown")},
        "turnover": theirs["turnover_ann"],
        "d_return": mine["ann_return"] - theirs["ann_return"],
        "d_vol": mine["ann_vol"] - theirs["ann_vol"],
        "d_sharpe": mine["sharpe"] - theirs["sharpe"],
        "low": low,
        "high": high,
    }


STAGE = Stage(
    "attribution",
    needs=(*world.NEEDS, tables.NAV),
    makes=(tables.ATTRIBUTION,),
    settings=settings,
    run=run,
    module=__name__,
)

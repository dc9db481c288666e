"""The book once more at fixed costs, for the shortfall that costs are fitted from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from quant.backtest import engine
from quant.core import tables
from quant.core.types import Frame
from quant.costs import buckets
from quant.stages import book, desk
from quant.stages.registry import Context, Inputs, Stage


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """One row for each order that traded; none where costs are fixed."""
    if s["costs"].model == "fixed":
        return {"shortfall": tables.SHORTFALL.empty()}
    b = book.unfitted(s, f, c)
    market = b.market
    traded = desk.scheduled(s, market, b.bars, f["intraday"], c.region, c.seed)
    result = engine.run(
        market, book.ticking(b.policy, c, "replay", b.first, b.last), traded,
        charges=b.policy.charges, capital=s["region"].nav, first=b.first, last=b.last,
    )  # fmt: skip
    fills = result.fills
    fills = fills[(fills["shares"] != 0) & (fills["cost"] > 0)]
    t = np.searchsorted(market.dates, fills["date"].to_numpy("datetime64[D]"))
    i = np.searchsorted(market.symbols.astype(str), fills["symbol"].to_numpy(str))
    arrival, side = market.open[t, i], np.sign(fills["shares"].to_numpy())
    value = fills["notional"].abs().to_numpy()
    moved = side * (fills["price"].to_numpy() / arrival - 1.0) + fills["cost"].to_numpy() / value
    member = desk.members(market, f["membership"])
    bucket = desk.bucketed(s, b.bars, member)
    calm = buckets.volatility_bucket(desk.sigma(b.bars), member)
    made = pd.DataFrame(
        {
            "date": fills["date"].to_numpy(),
            "symbol": fills["symbol"].to_numpy(),
            "style": s["execution"].style,
            "size": value / result.nav[t - b.first - 1],
            "shortfall_bp": moved * 1e4,
            # of the close before, as the optimizer will read them
            "bucket": bucket[t - 1, i].astype(np.int64),
            "vol_bucket": calm[t - 1, i].astype(np.int64),
        }
    )
    return {"shortfall": made[tables.SHORTFALL.schema.names]}


STAGE = Stage(
    "replay",
    needs=book.UNFITTED,
    makes=(tables.SHORTFALL,),
    settings=book.settings,
    run=run,
    module=__name__,
)

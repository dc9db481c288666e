"""Small handmade markets for the tests of this room."""

import numpy as np
import pandas as pd

from quant.core.tables import BARS, INDEX_MEMBERS, LISTINGS
from quant.data.providers.base import empty


def bars_of(days: np.ndarray, close: dict[str, np.ndarray], amount: dict[str, float], **more):
    """BARS with constant amounts; a NaN close is an absent row. more: is_st by symbol."""
    parts = []
    for symbol, prices in close.items():
        prices = np.asarray(prices, dtype=float)
        part = pd.DataFrame({"date": days.astype("datetime64[ns]"), "symbol": symbol})
        for name in ("open", "high", "low", "close", "pre_close"):
            part[name] = prices
        part["amount"] = amount[symbol]
        part["volume"] = part["amount"] / prices
        part["factor"] = 1.0
        part["limit_up"] = part["limit_down"] = part["float_shares"] = np.nan
        part["is_st"] = more.get("is_st", {}).get(symbol, False)
        parts.append(part[~np.isnan(prices)])
    frame = pd.concat(parts)[BARS.schema.names]
    return frame.sort_values(["date", "symbol"], ignore_index=True)


def listings_of(**by_symbol) -> pd.DataFrame:
    """LISTINGS from symbol (with _ for .) = (list_date, delist_date)."""
    rows = []
    for symbol, (listed, gone) in by_symbol.items():
        rows.append((symbol.lstrip("s").replace("_", "."), listed, gone, "main", np.nan, False))
    frame = pd.DataFrame(rows, columns=LISTINGS.schema.names)
    for name in ("list_date", "delist_date"):
        frame[name] = pd.to_datetime(frame[name])
    return frame if rows else empty(LISTINGS)


NO_LISTINGS = empty(LISTINGS)
NO_INDEX = empty(INDEX_MEMBERS)

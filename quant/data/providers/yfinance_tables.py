"""Yahoo's rows into our tables: as-traded prices, as-paid dividends."""

import numpy as np
import pandas as pd

from quant.core.tables import ACTIONS, BARS, BENCHMARK, LISTINGS, RATES
from quant.core.types import Frame, Vector
from quant.data import adjust

PRICES = ("open", "high", "low", "close")
# relative differences below these are rounding, not a revision
TOLERANCES = {
    "open": 2e-3,
    "high": 2e-3,
    "low": 2e-3,
    "close": 5e-4,
    "volume": 2e-2,
    "dividend": 5e-3,
    "split": 1e-6,
}
PERIODS = 252  # sessions a year, to spread an annual rate


def as_traded(received: Frame) -> Frame:
    """Undo Yahoo's split adjustment of one answer.

    received : date, symbol, open, high, low, close, volume, dividend, split (new shares for one
               old, 0 = none) in one answer that reaches to the day it was asked: Yahoo has
               divided everything before a split by its ratio, dividends too
    Returns  : the same columns as traded: price and dividend x, volume / the product of the
               ratios of all later splits; split is 1 where there is none
    Source   : ../cases 11_adjclose_yahoo; yfinance `history(auto_adjust=False, actions=True)`
    """
    rows = received.sort_values(["symbol", "date"], ignore_index=True)
    ratio = rows["split"].to_numpy(float)
    ratio = np.where(np.isfinite(ratio) & (ratio > 0), ratio, 1.0)
    later = _product_of_later(rows["symbol"].to_numpy(), ratio)
    out = rows[["date", "symbol"]].copy()
    for name in PRICES:
        out[name] = _tidy(rows[name].to_numpy(float) * later)
    out["volume"] = np.round(rows["volume"].to_numpy(float) / later)
    out["dividend"] = np.round(np.nan_to_num(rows["dividend"].to_numpy(float)) * later, 6)
    out["split"] = ratio
    return out


def carry_actions(good: Frame, aside: Frame) -> Frame:
    """Move the actions of rows that were set aside to the symbol's next usable row.

    A dividend or split must not vanish with the unusable price that Yahoo sent beside it.
    """
    acting = aside[((aside["dividend"] > 0) | (aside["split"] != 1.0)) & aside["date"].notna()]
    acting = acting[~acting.duplicated(["date", "symbol"])]
    if acting.empty:
        return good
    good = good.sort_values(["symbol", "date"], ignore_index=True)
    for row in acting.itertuples():
        later = good.index[(good["symbol"] == row.symbol) & (good["date"] >= row.date)]
        if len(later) and good.at[later[0], "date"] > row.date:
            good.at[later[0], "dividend"] += row.dividend
            good.at[later[0], "split"] *= row.split
    return good


def _product_of_later(symbols: np.ndarray, ratio: Vector) -> Vector:
    """Product of the ratios after each row of its symbol (rows sorted by symbol and date)."""
    if not len(ratio):
        return ratio
    logs = np.log(ratio)
    total = np.cumsum(logs)
    ends = np.flatnonzero(np.append(symbols[1:] != symbols[:-1], True))
    sizes = np.diff(np.append(-1, ends))
    product = np.exp(np.repeat(total[ends], sizes) - total)
    whole = np.round(product)  # ratios are mostly whole numbers: take the rounding of exp out
    return np.where(np.isclose(product, whole, rtol=1e-9) & (whole > 0), whole, product)


def _tidy(price: Vector) -> Vector:
    """Round to a hundredth of a tick: Yahoo sends 32-bit numbers."""
    return np.where(np.abs(price) >= 1.0, np.round(price, 4), np.round(price, 6))


def bars(traded: Frame) -> tuple[Frame, Frame]:
    """Return (BARS, dividends set aside) from as-traded rows.

    pre_close is the previous close per new share less the dividend; factor steps by previous
    close / pre_close, so that close x factor is the total return, known causally. A dividend
    that is not below the price it is paid from can not be one: it is left out and returned.
    """
    rows = traded.sort_values(["symbol", "date"], ignore_index=True)
    close = rows["close"].to_numpy(float)
    first = ~rows.duplicated("symbol").to_numpy()
    previous = adjust.previous(close, first)
    split, dividend = rows["split"].to_numpy(float), rows["dividend"].to_numpy(float)
    wrong = ~first & (dividend >= previous / split)
    dividend = np.where(wrong | first, 0.0, dividend)
    reference = adjust.reference_from_actions(previous, dividend, split)
    out = rows[["date", "symbol", *PRICES]].copy()
    out["pre_close"] = reference
    out["volume"] = rows["volume"].to_numpy(float)
    out["amount"] = close * out["volume"]
    out["factor"] = adjust.factor_from_reference(previous, reference, first)
    out["limit_up"] = np.nan
    out["limit_down"] = np.nan
    out["is_st"] = False
    out["float_shares"] = np.nan
    out = out.sort_values(["date", "symbol"], ignore_index=True)
    return out[BARS.schema.names], rows.loc[wrong, ["date", "symbol", "dividend"]]


def actions(traded: Frame) -> Frame:
    """ACTIONS: dividends as paid and split ratios, on their ex-dates."""
    some = traded[(traded["dividend"] > 0) | (traded["split"] != 1.0)]
    rows = some[ACTIONS.schema.names].sort_values(["date", "symbol"], ignore_index=True)
    return rows


def listings(table: Frame, boards: dict[str, str], last: np.datetime64, gap_days: int) -> Frame:
    """LISTINGS: first and last bar of each symbol; the source knows no delistings.

    A series that ends more than `gap_days` before `last` is marked `truncated`: the source ends,
    and nobody knows why.
    """
    spans = table.groupby("symbol", sort=True)["date"].agg(["min", "max"])
    ended = spans["max"] < pd.Timestamp(last) - pd.Timedelta(days=gap_days)
    out = pd.DataFrame(
        {
            "symbol": spans.index.to_numpy(dtype=object),
            "list_date": spans["min"].to_numpy("datetime64[ns]"),
            "delist_date": spans["max"].where(ended).to_numpy("datetime64[ns]"),
            "board": [boards.get(s) or "us" for s in spans.index],
            "delist_return": np.nan,
            "truncated": ended.to_numpy(bool),
        }
    )
    return out[LISTINGS.schema.names]


def benchmark(table: Frame, name: str) -> Frame:
    """BENCHMARK: the fund's close x factor, which has the dividends in it."""
    rows = table[table["symbol"] == name]
    out = pd.DataFrame(
        {
            "date": rows["date"],
            "name": name,
            "close": rows["close"] * rows["factor"],
            "total_return": True,
        }
    )
    return out.reset_index(drop=True)[BENCHMARK.schema.names]


def rates(rate: Frame) -> Frame:
    """RATES: a yield in percent a year as a decimal a session (simple, 252 a year).

    The yield is that of the day before: what cash earns over a session is known at its start.
    """
    rows = rate.sort_values("date", ignore_index=True)
    out = pd.DataFrame({"date": rows["date"], "rf": rows["close"].shift(1) / 100.0 / PERIODS})
    return out.dropna().reset_index(drop=True)[RATES.schema.names]

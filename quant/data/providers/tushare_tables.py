"""Tushare's rows into our units and tables: shares and CNY, ST by names, Shenwan by scheme."""

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.tables import ACTIONS, BENCHMARK, INDEX_MEMBERS
from quant.core.types import Frame, Mask
from quant.data import cn_rules, industries
from quant.data.industries import Spells
from quant.data.providers.base import empty

LOT, THOUSAND, TEN_THOUSAND = 100.0, 1_000.0, 10_000.0
PRICES = ("open", "high", "low", "close")
EXACT = 1e-6  # relative: Tushare sends two to four decimals, unchanged from day to day
# column -> its name and unit here
COLUMNS: dict[str, dict[str, tuple[str, float]]] = {
    "daily": {
        **{name: (name, 1.0) for name in (*PRICES, "pre_close")},
        "vol": ("volume", LOT),
        "amount": ("amount", THOUSAND),
    },
    "adj_factor": {"adj_factor": ("factor", 1.0)},
    "daily_basic": {"float_share": ("float_shares", TEN_THOUSAND)},
    "stk_limit": {"up_limit": ("vendor_up", 1.0), "down_limit": ("vendor_down", 1.0)},
    "dividend": {"cash_div_tax": ("dividend", 1.0), "stk_div": ("split", 1.0)},
    "index_weight": {"weight": ("weight", 1.0)},
    "index_daily": {"close": ("close", 1.0)},
}
_DATES = {"dividend": "ex_date"}
_SYMBOLS = {"index_weight": "con_code"}
_ST = r"^(?:S?\*?ST|SST)"  # ST, *ST, SST, S*ST


def converted(kind: str, received: Frame) -> Frame:
    """Rows of a daily interface as date, symbol and its columns in shares and CNY.

    Volume comes in lots of 100, amount in thousands, float shares in ten thousands. A dividend
    counts once it is carried out ("实施"); its stock part becomes new shares for one old.
    """
    if kind == "dividend":
        received = received[received["div_proc"] == "实施"]
    columns = COLUMNS[kind]
    out = pd.DataFrame(
        {
            "date": day(received[_DATES.get(kind, "trade_date")]),
            "symbol": received[_SYMBOLS.get(kind, "ts_code")].astype(object),
        }
    )
    for theirs, (ours, unit) in columns.items():
        out[ours] = received[theirs].to_numpy(float) * unit
    if kind == "dividend":
        out = out.fillna({"dividend": 0.0, "split": 0.0})
        out = out.groupby(["date", "symbol"], as_index=False)[["dividend", "split"]].sum()
        out["split"] += 1.0
    return out


def day(text: pd.Series) -> pd.Series:
    """Dates of "20240131"; null where that is not one."""
    parsed = pd.to_datetime(text.astype("object"), format="%Y%m%d", errors="coerce")
    return parsed.astype("datetime64[ns]")


def stocks(symbols: np.ndarray) -> Mask:
    """Which symbols are stocks of the three exchanges (a few old codes are not)."""
    known = []
    for symbol in symbols:
        try:
            known.append(bool(cn_rules.board(str(symbol))))
        except DataError:
            known.append(False)
    return np.array(known, dtype=bool)


def st_spells(names: Frame) -> Frame:
    """Spells under an ST name: symbol, in_date, out_date (inclusive, null = open).

    names : ts_code, name, start_date, end_date as text. A name ends the day before the next one
    begins, whatever its own end says.
    """
    rows = pd.DataFrame(
        {
            "symbol": names["ts_code"].astype(object),
            "in_date": day(names["start_date"]),
            "out_date": day(names["end_date"]),
            "st": names["name"].astype("string").str.match(_ST).fillna(False).astype(bool),
        }
    )
    rows = rows[rows["in_date"].notna()].sort_values(["symbol", "in_date"], ignore_index=True)
    following = rows.groupby("symbol")["in_date"].shift(-1) - pd.Timedelta(days=1)
    rows["out_date"] = rows["out_date"].fillna(following)
    rows["out_date"] = rows["out_date"].where(~(following < rows["out_date"]), following)
    spells = rows[rows["st"] & ~(rows["out_date"] < rows["in_date"])]
    return spells.drop(columns="st").reset_index(drop=True)


def in_spells(frame: Frame, spells: Frame) -> Mask:
    """Which rows (date, symbol) of `frame` lie in a spell of their symbol."""
    found = np.zeros(len(frame), dtype=bool)
    some = np.flatnonzero(frame["symbol"].isin(spells["symbol"].unique()).to_numpy())
    rows = pd.DataFrame(
        {
            "at": some,
            "symbol": frame["symbol"].astype(object).to_numpy()[some],
            "date": frame["date"].to_numpy()[some],
        }
    )
    pairs = rows.merge(spells, on="symbol")
    inside = (pairs["date"] >= pairs["in_date"]) & ~(pairs["date"] > pairs["out_date"])
    found[pairs.loc[inside, "at"].to_numpy()] = True
    return found


def shenwan(members: Frame, symbols: np.ndarray, backfill: bool) -> Spells:
    """INDUSTRIES of `symbols` in the scheme in force on each day, with what is to be said.

    members  : ts_code, code (six digits), scheme, in_date, out_date as text
    backfill : let the first known label stand for the days before its scheme; this uses later
               knowledge
    """
    rows = pd.DataFrame(
        {
            "symbol": members["ts_code"].astype(object),
            "code": members["code"].astype(object),
            "scheme": members["scheme"].astype(object),
            "in_date": day(members["in_date"]),
            "out_date": day(members["out_date"]),
        }
    )
    rows = rows[rows["symbol"].isin(symbols) & rows["in_date"].notna()]
    reversed_ = rows["out_date"] < rows["in_date"]
    spells = industries.point_in_time(rows[~reversed_].reset_index(drop=True))
    notes = list(spells.notes)
    if reversed_.any():
        notes.append(f"{int(reversed_.sum())} industry spells that end before they start left out.")
    if not (rows["scheme"] == "SW2014").any():
        notes.append("Tushare gave no Shenwan 2014 members: before 2021-12-13 there are no labels.")
    frame = spells.frame
    if backfill and len(frame):
        frame = _backfilled(frame, rows.groupby("symbol")["in_date"].min())
        notes.append(
            "Shenwan labels of a later scheme stand for the days before it came into force "
            "(industry_backfill): this uses knowledge of the future."
        )
    else:
        notes.append("Shenwan labels before 2014-01-01 are not in Tushare: unknown on those days.")
    return Spells(frame, tuple(notes))


def _backfilled(frame: Frame, since: pd.Series) -> Frame:
    frame = frame.sort_values(["symbol", "in_date"], ignore_index=True)
    first = ~frame.duplicated("symbol")
    earlier = frame["symbol"].map(since)
    start = frame["in_date"].where(~(first & (earlier < frame["in_date"])), earlier)
    return frame.assign(in_date=start)


def index_members(weights: Frame, name: str) -> Frame:
    """INDEX_MEMBERS from dated weights (date, symbol): in from one listing to before the next.

    A name is in from the first listing that has it to the day before the first that has not.
    """
    if weights.empty:
        return empty(INDEX_MEMBERS)
    listings = np.sort(weights["date"].unique())
    rows = weights.sort_values(["symbol", "date"], ignore_index=True)
    number = np.searchsorted(listings, rows["date"].to_numpy())
    symbol = rows["symbol"].to_numpy()
    starts = np.ones(len(rows), dtype=bool)
    starts[1:] = (symbol[1:] != symbol[:-1]) | (number[1:] != number[:-1] + 1)
    final = number[np.append(np.flatnonzero(starts)[1:], len(rows)) - 1]
    following = np.append(listings, np.datetime64("NaT"))[final + 1]
    out = pd.DataFrame(
        {
            "index": name,
            "symbol": symbol[starts],
            "in_date": rows["date"].to_numpy()[starts],
            "out_date": following - np.timedelta64(1, "D"),
        }
    )
    return out[INDEX_MEMBERS.schema.names]


def benchmark(levels: Frame) -> Frame:
    """BENCHMARK from index levels (date, symbol, close): with dividends where there is one."""
    if levels.empty:
        return empty(BENCHMARK)
    total = levels["symbol"].str.startswith("H")
    rows = levels[total] if total.any() else levels
    out = pd.DataFrame(
        {
            "date": rows["date"],
            "name": "CSI 300",
            "close": rows["close"],
            "total_return": bool(total.any()),
        }
    )
    return out.sort_values("date", ignore_index=True)[BENCHMARK.schema.names]


def actions(rows: Frame) -> Frame:
    """ACTIONS from converted dividends."""
    if rows.empty:
        return empty(ACTIONS)
    some = rows[(rows["dividend"] > 0) | (rows["split"] != 1.0)]
    return some.sort_values(["date", "symbol"], ignore_index=True)[ACTIONS.schema.names]

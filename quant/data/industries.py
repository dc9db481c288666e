"""Point-in-time industries: which industry a name belongs to on a day, and what caps act on.

CN is Shenwan level 1 in the scheme in force on the day (`swL1.<code>`, its own group). US is
frozen at first seen: one label for all time (`<sector>.<id>`, group = sector), which uses today's
label for the past and says so in a note.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.tables import INDUSTRIES
from quant.core.types import Dates, Frame
from quant.data import shenwan
from quant.data.providers.base import empty

UNKNOWN = {"us": ("Unknown.0", "Unknown"), "cn": ("swL1.unknown", "swL1.unknown")}
BEGINNING = pd.Timestamp("1900-01-01")
_FAR = np.datetime64("2200-01-01")


@dataclass(frozen=True)
class Spells:
    """Industry spells and what a report must say about how they were made."""

    frame: Frame
    notes: tuple[str, ...]


def static_id(industry: str) -> str:
    """Identifier of a sub-industry's name that does not move when others come or go."""
    name = " ".join(industry.split()).casefold()
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def frozen(symbols: pd.Series, sectors: pd.Series, names: pd.Series, source: str) -> Spells:
    """US spells: one open spell a symbol, from the first row of a symbol in the given order.

    sectors, names : sector and sub-industry as the source writes them, null where unknown
    source         : whichever classification it is ("GICS", "Yahoo"), for the note
    """
    table = pd.DataFrame({"symbol": symbols, "sector": sectors, "name": names})
    table = table.drop_duplicates("symbol").sort_values("symbol", ignore_index=True)
    sector = table["sector"].where(table["sector"].notna(), UNKNOWN["us"][1])
    code = [static_id(n) if isinstance(n, str) and n.strip() else "0" for n in table["name"]]
    frame = pd.DataFrame(
        {
            "symbol": table["symbol"].astype(object),
            "in_date": BEGINNING,
            "out_date": pd.NaT,
            "industry_id": sector.astype(str) + "." + pd.Series(code, dtype=object),
            "group_id": sector.astype(object),
        }
    )
    unknown = int(table["sector"].isna().sum())
    note = (
        f"US industries are {source} labels frozen at first seen: today's label stands for all "
        f"of the past; {unknown} of {len(table)} names have none."
    )
    return Spells(_typed(frame), (note,))


def point_in_time(rows: Frame) -> Spells:
    """CN spells in the scheme in force on every day.

    rows : symbol, code (level-1, six digits), scheme (SW2011, SW2014, SW2021), in_date, out_date
           (both inclusive, null = open) and optionally detail (level-2 or 3 code)
    A row whose scheme is older than the one in force is translated where the code has one
    successor, or its detail decides; else the name is `swL1.unknown` and reported. A row of a
    later scheme says nothing about days before that scheme came into force.
    Raises DataError for an unknown scheme or a reversed spell.
    """
    _check_rows(rows)
    start = rows["in_date"].to_numpy().astype("datetime64[D]")
    end = rows["out_date"].to_numpy().astype("datetime64[D]")
    end = np.where(np.isnat(end), _FAR, end)
    detail = rows["detail"].fillna("").astype(str) if "detail" in rows else [""] * len(rows)
    limits = [*shenwan.IN_FORCE.values(), _FAR + 1]
    spells, lost = [], []
    values = zip(rows["symbol"], rows["code"], rows["scheme"], detail, start, end, strict=True)
    for symbol, code, scheme, fine, first, last in values:
        for era, target in enumerate(shenwan.SCHEMES):
            low, high = max(first, limits[era]), min(last, limits[era + 1] - 1)
            if era == 0:
                low = first
            if low > high or shenwan.SCHEMES.index(scheme) > era:
                continue
            mapped = shenwan.translate(code, fine, scheme, target)
            if mapped is None:
                lost.append(f"{symbol} {code}")
            spells.append((symbol, low, high, mapped or "unknown"))
    return Spells(_joined(spells), _lost(lost))


def _check_rows(rows: Frame) -> None:
    strange = ~rows["scheme"].isin(shenwan.SCHEMES)
    if strange.any():
        raise DataError(
            f"industry scheme {rows.loc[strange, 'scheme'].iloc[0]!r} is not known; "
            f"it is one of {list(shenwan.SCHEMES)}."
        )
    reversed_ = rows["out_date"].notna() & (rows["out_date"] < rows["in_date"])
    if reversed_.any():
        row = rows.loc[reversed_].iloc[0]
        raise DataError(
            f"industry spell of {row['symbol']} ends on {row['out_date']:%Y-%m-%d} before it "
            f"starts on {row['in_date']:%Y-%m-%d}; swap or drop it."
        )


def _joined(spells: list[tuple]) -> Frame:
    """Spells as a frame; a later spell of a symbol cuts the one before it short."""
    if not spells:
        return empty(INDUSTRIES)
    frame = pd.DataFrame(spells, columns=["symbol", "in_date", "out_date", "code"])
    frame = frame.sort_values(["symbol", "in_date"], kind="stable", ignore_index=True)
    frame = frame.drop_duplicates(["symbol", "in_date"], keep="last", ignore_index=True)
    following = frame.groupby("symbol")["in_date"].shift(-1) - pd.Timedelta(days=1)
    cut = following.notna() & (following < frame["out_date"])
    frame["out_date"] = frame["out_date"].where(~cut, following)
    frame["out_date"] = frame["out_date"].where(frame["out_date"] < pd.Timestamp(_FAR))
    frame["industry_id"] = "swL1." + frame["code"]
    frame["group_id"] = frame["industry_id"]
    return _typed(frame[INDUSTRIES.schema.names])


def _lost(lost: list[str]) -> tuple[str, ...]:
    if not lost:
        return ()
    return (
        f"{len(lost)} industry spells of an older Shenwan scheme have no single successor in the "
        f"scheme in force and are swL1.unknown: {', '.join(lost[:20])}"
        f"{' ...' if len(lost) > 20 else ''}.",
    )


def _typed(frame: Frame) -> Frame:
    dates = {n: pd.to_datetime(frame[n]).astype("datetime64[ns]") for n in ("in_date", "out_date")}
    return frame.assign(**dates)


def snapshot(spells: Frame, symbols: np.ndarray, sessions: Dates) -> np.ndarray:
    """Row of `spells` in force, (n_days, n_symbols) int64, -1 where a name has none.

    spells : INDUSTRIES, symbols : (n_symbols,) str, sessions : (n_days,) datetime64[D] sorted
    Where two spells overlap, the later one holds; a name never has two.
    """
    rows = np.full((sessions.size, len(symbols)), -1, dtype=np.int64)
    column = pd.Index(symbols).get_indexer(spells["symbol"])
    start = spells["in_date"].to_numpy().astype("datetime64[D]")
    end = spells["out_date"].to_numpy().astype("datetime64[D]")
    low = np.searchsorted(sessions, start)
    high = np.where(np.isnat(end), sessions.size, np.searchsorted(sessions, end, side="right"))
    for row in np.argsort(start, kind="stable"):
        if column[row] >= 0 and high[row] > low[row]:
            rows[low[row] : high[row], column[row]] = row
    return rows


def monthly_churn(spells: Frame, month_ends: Dates, scheme_days: Dates) -> Frame:
    """Share of names present in both of two consecutive month ends whose industry changed.

    Returns asof, names, churn, scheme_change (True where a new scheme came into force between)
    """
    symbols = np.unique(spells["symbol"].to_numpy(dtype=str))
    codes = pd.factorize(spells["industry_id"])[0]
    rows = snapshot(spells, symbols, month_ends)
    code = np.where(rows >= 0, codes[rows], -1)
    both = (code[1:] >= 0) & (code[:-1] >= 0)
    count = both.sum(axis=1)
    changed = (both & (code[1:] != code[:-1])).sum(axis=1)
    new = [
        bool(((scheme_days > a) & (scheme_days <= b)).any())
        for a, b in zip(month_ends[:-1], month_ends[1:], strict=True)
    ]
    return pd.DataFrame(
        {
            "asof": month_ends[1:].astype("datetime64[ns]"),
            "names": count,
            "churn": changed / np.maximum(count, 1),
            "scheme_change": new,
        }
    )

"""A market whose future is not known, or not true: cut after a session, or garbled after it."""

import numpy as np
import pandas as pd

from quant.core import tables
from quant.core.seeds import generator
from quant.core.types import Frame

Frames = dict[str, Frame]

# prices that move together, so that a bar stays a bar
PRICES = (("open", "high", "low", "close"), ("pre_close",), ("limit_up", "limit_down"))
# column -> standard deviation of the log factor that a garbled value is multiplied by
SPREADS = {"volume": 2.0, "amount": 2.0, "factor": 0.5, "float_shares": 1.0}
DATED = ("bars", "actions", "benchmark", "rates", "sessions", "quality")
SPELLS = ("industries", "index_members")
LAYER = 9  # calendar days from the cut to the invented delistings


def forget(frames: Frames, cut: np.datetime64) -> Frames:
    """The tables of ingest as they stood at the close of `cut`.

    No later row, no end of a spell and no delisting that is still to come. Tables without dates
    pass unchanged. The given frames are not touched.
    """
    day = pd.Timestamp(cut)
    out = dict(frames)
    for name in DATED:
        if name in frames:
            out[name] = frames[name][frames[name]["date"] <= day].reset_index(drop=True)
    if "listings" in frames:
        listings = frames["listings"].copy()
        ahead = listings["delist_date"] > day
        listings.loc[ahead, "delist_date"] = pd.NaT
        listings.loc[ahead, "delist_return"] = np.nan
        listings.loc[ahead, "truncated"] = False
        listings.loc[listings["list_date"] > day, "list_date"] = pd.NaT
        out["listings"] = listings
    for name in SPELLS:
        if name in frames:
            spells = frames[name][frames[name]["in_date"] <= day].reset_index(drop=True)
            spells["out_date"] = spells["out_date"].where(spells["out_date"] <= day)
            out[name] = spells
    return out


def garble(frames: Frames, cut: np.datetime64, tail: int | None = None, seed: int = 3) -> Frames:
    """The tables of ingest with nonsense after `cut`, for `tail` sessions (None = to the end).

    Prices, volumes, gaps, factors, ST flags, newcomers, delistings, rates and industries: all of
    it is plausible enough to pass the checks, and none of it is true.
    """
    sessions = frames["sessions"]["date"].to_numpy().astype("datetime64[ns]")
    last = int(np.searchsorted(sessions, np.datetime64(cut, "ns"), side="right")) - 1
    if tail is not None and last + tail < sessions.size - 1:
        frames = forget(frames, sessions[last + tail])
    day, rng = pd.Timestamp(cut), generator(seed, "garbage", str(np.datetime64(cut, "D")))
    out = dict(frames)
    out["bars"] = _bars(frames["bars"], day, rng)
    out["listings"] = _listings(frames["listings"], day, rng)
    for name in SPELLS:
        out[name] = _reshuffled(frames[name], day, rng)
    rates = frames["rates"].copy()
    rates.loc[rates["date"] > day, "rf"] = 0.01
    out["rates"] = rates
    if "benchmark" in frames:
        levels = frames["benchmark"].copy()
        later = levels["date"] > day
        levels.loc[later, "close"] *= np.exp(rng.normal(0.0, 0.3, int(later.sum())))
        out["benchmark"] = levels
    return out


def _bars(bars: Frame, day: pd.Timestamp, rng: np.random.Generator) -> Frame:
    bars = bars.copy()
    later = (bars["date"] > day).to_numpy()
    n = int(later.sum())
    if not n:
        return bars
    for names in PRICES:
        moved = np.exp(rng.normal(0.0, 0.3, n))
        for name in names:
            bars.loc[later, name] *= moved
    for name, spread in SPREADS.items():
        bars.loc[later, name] *= np.exp(rng.normal(0.0, spread, n))
    bars.loc[later, "is_st"] = rng.random(n) < 0.2
    bars = bars.drop(bars.index[later][rng.random(n) < 0.05])
    # a name that is listed after the cut, and sorts before most others
    model = bars["symbol"].iloc[-1]
    suffix = "." + model.split(".")[-1] if model[-3:] in (".SH", ".SZ") else ""
    names = [s for s in (f"{600000 + i}{suffix}" for i in range(100)) if s not in set(bars.symbol)]
    newcomer = bars[(bars["date"] > day) & (bars["symbol"] == model)].assign(symbol=names[0])
    bars = pd.concat([bars, newcomer], ignore_index=True)
    return bars.sort_values(["date", "symbol"], ignore_index=True)


def _listings(listings: Frame, day: pd.Timestamp, rng: np.random.Generator) -> Frame:
    """Every end still to come is another one: some names end soon, with a return of 500 %."""
    listings = listings.copy()
    ends = (listings["delist_date"] > day) | listings["delist_date"].isna()
    odd = ends & (rng.random(len(listings)) < 0.3)
    listings.loc[ends, "delist_date"] = pd.NaT
    listings.loc[ends, "delist_return"] = np.nan
    listings.loc[ends, "truncated"] = False
    listings.loc[odd, "delist_date"] = day + pd.Timedelta(days=LAYER)
    listings.loc[odd, "delist_return"] = 5.0
    return listings


def _reshuffled(spells: Frame, day: pd.Timestamp, rng: np.random.Generator) -> Frame:
    """Every spell in force ends after `day`, and some names go to groups never seen before."""
    known = spells[spells["in_date"] <= day].copy()
    running = (known["out_date"].isna() | (known["out_date"] > day)).to_numpy()
    known.loc[running, "out_date"] = day
    new = known[running & (rng.random(len(known)) < 0.8)].copy()
    new["in_date"], new["out_date"] = day + pd.Timedelta(days=1), pd.NaT
    for name in ("industry_id", "group_id"):
        if name in new:
            # sorts before every known one
            # a group's name is none of an industry's that lies in another
            kind = "new group" if name == "group_id" else "new"
            new[name] = np.where(rng.random(len(new)) < 0.5, f"0 {kind}", f"1 {kind}")
    both = pd.concat([known, new], ignore_index=True)
    both["out_date"] = both["out_date"].astype("datetime64[ns]")
    return both.sort_values(
        list(tables.INDUSTRIES.key if "industry_id" in spells else tables.INDEX_MEMBERS.key),
        ignore_index=True,
    )

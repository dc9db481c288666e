"""The monthly point-in-time universe: who is in it, from when, and how many each rule cost.

At the close of the last session of every month of the exchange calendar the eligible names are
ranked by median traded amount; the first N are members from the next session to the next
reconstitution. Only rows up to that close are used, so cutting the future changes nothing.
Source: specification, scope and section 1; readings 7 and 8.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.panel import Panel
from quant.core.tables import MEMBERS, MEMBERSHIP, UNIVERSE_COUNTS
from quant.core.types import Dates, Frame, Mask, Matrix, Vector
from quant.data import calendar, cn_rules, industries
from quant.data.providers.base import empty

# in the order in which they are applied; each count is what is left after the rule
RULES = (
    "known",
    "index",
    "traded",
    "history",
    "listed",
    "board",
    "st",
    "price",
    "liquid",
    "selected",
)


@dataclass(frozen=True)
class UniverseRules:
    """Eligibility and ranking.

    size        : names taken, the most liquid first
    min_price   : raw close on the day, currency
    adv_window  : sessions of the median traded amount; a session without a trade counts as zero
    min_history : sessions traded up to and including the day
    min_listed  : sessions since listing, the listing day being the first
    index       : only members of any of these indices on the day; empty for no such rule
    exclude_st  : leave out ST and *ST; boards: leave out names on them (CN: B shares, Beijing)
    """

    region: str
    size: int = 800
    min_price: float = 3.0
    adv_window: int = 63
    min_history: int = 252
    min_listed: int = 0
    index: tuple[str, ...] = ()
    exclude_st: bool = False
    exclude_boards: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        calendar.periods_per_year(self.region)
        for name in ("size", "adv_window", "min_history"):
            if getattr(self, name) < 1:
                raise DataError(f"universe.{name} is {getattr(self, name)}; it is 1 or more.")
        if self.min_price < 0 or self.min_listed < 0:
            raise DataError("universe.min_price and universe.min_listed are 0 or more.")


def us_rules() -> UniverseRules:
    """Return the specification's rules for the US."""
    return UniverseRules("us")


def cn_rules_of_universe() -> UniverseRules:
    """Return the specification's rules for China."""
    return UniverseRules("cn", min_listed=60, exclude_st=True, exclude_boards=("b", "bse"))


def build(
    bars: Frame, listings: Frame, index_members: Frame, sessions: Dates, rules: UniverseRules
) -> tuple[Frame, Frame]:
    """Members at every month end, and how many names are left after each rule.

    bars : BARS; listings : LISTINGS (may be empty); index_members : INDEX_MEMBERS
    sessions : (n_days,) exchange sessions that the bars cover, datetime64[D]
    Returns (MEMBERS, UNIVERSE_COUNTS)
    Raises DataError where the index of the rules has no members at all.
    """
    sessions = np.asarray(sessions).astype("datetime64[D]")
    ends = calendar.month_ends(sessions, rules.region)
    if not ends.size or not len(bars):
        return empty(MEMBERS), empty(UNIVERSE_COUNTS)
    panel = _panel(bars, sessions)
    index = _index_mask(index_members, panel.symbols, ends, rules.index)
    age = _age_at_start(listings, panel, rules)
    allowed = _allowed_boards(panel.symbols, listings, rules)
    members, counts = [], []
    for number, end in enumerate(ends):
        day = int(np.searchsorted(sessions, end))
        count, chosen, adv = _reconstitute(panel, day, index[number], age, allowed, rules)
        counts += [(end, rule, count[rule]) for rule in RULES]
        members.append(_member_rows(panel, day, chosen, adv, rules.region))
    frame = pd.DataFrame(counts, columns=["asof", "rule", "count"])
    frame["asof"] = frame["asof"].astype("datetime64[ns]")
    frame = frame.sort_values(["asof", "rule"], ignore_index=True)
    return pd.concat(members, ignore_index=True), frame


def _panel(bars: Frame, sessions: Dates) -> Panel:
    return Panel.of(bars, ["close", "amount", "is_st"], dates=sessions)


def _reconstitute(
    panel: Panel, day: int, index: Mask, age: Vector, allowed: Mask, rules: UniverseRules
) -> tuple[dict[str, int], np.ndarray, Vector]:
    """Counts by rule, columns of the members by rank, and every name's median amount."""
    close = panel["close"][: day + 1]
    traded = ~np.isnan(close[-1])
    history = (~np.isnan(close)).sum(axis=0)
    window = panel["amount"][max(day + 1 - rules.adv_window, 0) : day + 1]
    adv = np.median(np.nan_to_num(window), axis=0)
    tests = {
        "known": history > 0,
        "index": index,
        "traded": traded,
        "history": history >= rules.min_history,
        "listed": day - age + 1 >= rules.min_listed,
        "board": allowed,
        "st": ~(rules.exclude_st & (np.nan_to_num(panel["is_st"][day]) > 0)),
        "price": np.nan_to_num(close[-1]) >= rules.min_price,
        "liquid": adv > 0,
    }
    left, count = np.ones(panel.symbols.size, dtype=bool), {}
    for rule, passed in tests.items():
        left = left & passed
        count[rule] = int(left.sum())
    eligible = np.flatnonzero(left)
    # symbols are sorted, so a stable sort breaks ties by name
    chosen = eligible[np.argsort(-adv[eligible], kind="stable")][: rules.size]
    count["selected"] = chosen.size
    return count, chosen, adv


def _member_rows(panel: Panel, day: int, chosen: np.ndarray, adv: Vector, region: str) -> Frame:
    rank = np.argsort(chosen, kind="stable")
    chosen = chosen[rank]
    asof = panel.dates[day]
    return pd.DataFrame(
        {
            "asof": np.full(chosen.size, asof.astype("datetime64[ns]")),
            "effective": np.full(
                chosen.size, calendar.next_session(region, asof).astype("datetime64[ns]")
            ),
            "symbol": panel.symbols[chosen],
            "rank": rank.astype(np.int64) + 1,
            "adv": adv[chosen],
            "price": panel["close"][day, chosen],
        }
    )


def _index_mask(spells: Frame, symbols: np.ndarray, days: Dates, index: tuple[str, ...]) -> Mask:
    """(n_days, n_symbols) True where the name is in one of the indices on the day."""
    if not index:
        return np.ones((days.size, symbols.size), dtype=bool)
    inside = np.zeros((days.size, symbols.size), dtype=bool)
    for name in index:
        own = spells[spells["index"] == name]
        if not len(own):
            raise DataError(
                f"universe.index is {name!r}, but the data has no members of it; set it to none or "
                "give its membership spells."
            )
        inside |= industries.snapshot(own, symbols, days) >= 0
    return inside


def _age_at_start(listings: Frame, panel: Panel, rules: UniverseRules) -> Vector:
    """Session number of each name's listing, negative before the panel, by its first row."""
    traded = ~np.isnan(panel["close"])
    first = np.where(traded.any(axis=0), traded.argmax(axis=0), panel.dates.size).astype(float)
    known = listings.dropna(subset=["list_date"]).set_index("symbol")["list_date"]
    listed = known.reindex(panel.symbols).to_numpy().astype("datetime64[D]")
    inside = ~np.isnat(listed)
    start = panel.dates[0]
    number = np.searchsorted(panel.dates, listed[inside]).astype(float)
    # sessions between the listing and the panel's first day, counted on the exchange calendar
    for row in np.flatnonzero(listed[inside] < start):
        day = max(listed[inside][row], np.datetime64(calendar.FIRST[rules.region]))
        number[row] = 1.0 - calendar.sessions(rules.region, day, start).size
    first[inside] = number
    return first


def _allowed_boards(symbols: np.ndarray, listings: Frame, rules: UniverseRules) -> Mask:
    if not rules.exclude_boards:
        return np.ones(symbols.size, dtype=bool)
    board = listings.set_index("symbol")["board"].reindex(symbols)
    if rules.region == "cn":
        derived = pd.Series([cn_rules.board(s) for s in symbols], index=symbols)
        board = board.where(board.notna() & (board != ""), derived)
    return ~board.isin(rules.exclude_boards).to_numpy()


def membership(
    members: Frame,
    spells: Frame,
    sessions: Dates,
    region: str,
    listings: Frame | None = None,
) -> Frame:
    """Daily membership with the industry in force, from the first effective date.

    members : MEMBERS; spells : INDUSTRIES; sessions : (n_days,) datetime64[D]
    listings : LISTINGS; a name leaves after the last day on which it was listed
    Returns MEMBERSHIP; a name without an industry on a day is the region's unknown one.
    """
    sessions = np.asarray(sessions).astype("datetime64[D]")
    symbols = np.unique(members["symbol"].to_numpy(dtype=str)).astype(object)
    inside = _inside(members, symbols, sessions)
    if listings is not None and len(symbols):
        inside &= ~_gone(listings, symbols, sessions)
    if not inside.any():
        return empty(MEMBERSHIP)
    row, column = np.nonzero(inside)
    spell = industries.snapshot(spells, symbols, sessions)[row, column]
    unknown_industry, unknown_group = industries.UNKNOWN[region]
    # the last entry answers for -1, a name without a spell
    industry = np.append(spells["industry_id"].to_numpy(dtype=object), unknown_industry)
    group = np.append(spells["group_id"].to_numpy(dtype=object), unknown_group)
    return pd.DataFrame(
        {
            "date": sessions[row].astype("datetime64[ns]"),
            "symbol": symbols[column],
            "industry_id": industry[spell],
            "group_id": group[spell],
        }
    )


def _inside(members: Frame, symbols: np.ndarray, sessions: Dates) -> Mask:
    """(n_days, n_symbols) True from a reconstitution's effective day to the next one's."""
    inside = np.zeros((sessions.size, symbols.size), dtype=bool)
    effective = calendar.days(members["effective"])
    starts = np.unique(effective)
    bounds = np.append(np.searchsorted(sessions, starts), sessions.size)
    column = pd.Index(symbols).get_indexer(members["symbol"])
    for number, start in enumerate(starts):
        chosen = column[effective == start]
        inside[bounds[number] : bounds[number + 1], chosen] = True
    return inside


def _gone(listings: Frame, symbols: np.ndarray, sessions: Dates) -> Matrix:
    """(n_days, n_symbols) True after a name's last listed day."""
    last = listings.set_index("symbol")["delist_date"].reindex(symbols)
    last = last.to_numpy().astype("datetime64[D]")
    return (sessions[:, None] > last[None, :]) & ~np.isnat(last)[None, :]

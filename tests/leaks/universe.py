"""Leaky universes: membership that knows who will matter, and who will be gone."""

import dataclasses
from contextlib import AbstractContextManager

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.core.types import Dates, Frame
from quant.data import universe
from quant.data.universe import UniverseRules
from tests.leaks.leak import instead, leak

SHARPE = "Sharpe"
PANEL, BUILD, MEMBERSHIP = universe._panel, universe.build, universe.membership


def panel(**changed: object) -> AbstractContextManager:
    """The universe is built from a panel whose fields are made by functions of it."""

    def of(bars: Frame, sessions: Dates) -> Panel:
        made = PANEL(bars, sessions)
        other = Panel.of(bars, ["factor"], dates=sessions)
        fields = {name: f(made, other["factor"]) for name, f in changed.items()}
        return dataclasses.replace(made, fields={**made.fields, **fields})

    return instead(universe, "_panel", of)


def from_bars(kept: object) -> AbstractContextManager:
    """The universe is built from the bars of the names that `kept` picks."""

    def build(bars: Frame, listings: Frame, spells: Frame, sessions: Dates, rules: UniverseRules):
        names = kept(bars, sessions)
        return BUILD(bars[bars["symbol"].isin(names)], listings, spells, sessions, rules)

    return instead(universe, "build", build)


@leak("members of the last day", "universe", SHARPE, market="us failing")
def todays_universe():
    """The latest list stands for all of the past."""

    def build(bars: Frame, listings: Frame, spells: Frame, sessions: Dates, rules: UniverseRules):
        members, counts = BUILD(bars, listings, spells, sessions, rules)
        last = members.loc[members["asof"] == members["asof"].max(), "symbol"]
        loose = dataclasses.replace(rules, size=10_000, min_price=0.0)
        members, counts = BUILD(bars, listings, spells, sessions, loose)
        return members[members["symbol"].isin(last)], counts

    return instead(universe, "build", build)


@leak("liquidity of the sessions to come", "universe", SHARPE, market="us failing")
def future_adv():
    """The window of the traded amount begins where it should end."""

    def ahead(made: Panel, factor: np.ndarray) -> np.ndarray:
        return pd.DataFrame(made["amount"]).shift(-63).to_numpy()

    return panel(amount=ahead)


@leak("price adjusted to the end of the sample", "universe", SHARPE, market="us penny")
def adjusted_price_filter():
    """`adj_close` of a vendor, last day = 1, against the minimum price."""

    def adjusted(made: Panel, factor: np.ndarray) -> np.ndarray:
        last = pd.DataFrame(factor).ffill().iloc[-1].to_numpy()
        return made["close"] * factor / last

    return panel(close=adjusted)


@leak("complete histories only", "universe", SHARPE, market="us failing")
def complete_histories():
    """`dropna(axis=1)`: names with a row on every session of the sample."""

    def complete(bars: Frame, sessions: Dates) -> pd.Index:
        rows = bars.groupby("symbol").size()
        return rows.index[rows >= 0.95 * rows.max()]

    return from_bars(complete)


@leak("delisting known in advance", "universe", SHARPE, market="us failing")
def delisted_names_dropped():
    """Names that will be delisted within the quarter are left out."""

    def membership(members: Frame, spells: Frame, sessions: Dates, region: str, listings: Frame):
        daily = MEMBERSHIP(members, spells, sessions, region, listings)
        end = daily["symbol"].map(listings.set_index("symbol")["delist_date"])
        return daily[~(end - daily["date"] < pd.Timedelta(days=91))].reset_index(drop=True)

    return instead(universe, "membership", membership)


@leak("outliers cleaned with hindsight", "universe", SHARPE, market="us failing")
def names_with_crashes_dropped():
    """A name with a suspicious return anywhere in the sample is taken for bad data."""

    def clean(bars: Frame, sessions: Dates) -> pd.Index:
        worst = (bars["close"] / bars["pre_close"] - 1.0).groupby(bars["symbol"]).min()
        return worst.index[worst > -0.25]

    return from_bars(clean)


@leak("revised classification", "universe", SHARPE, market="us revised")
def shell_companies_of_today_left_out():
    """The industry that a name has in the end decides whether it was ever wanted."""

    def membership(members: Frame, spells: Frame, *more: object):
        latest = spells.sort_values("in_date").groupby("symbol")["group_id"].last()
        kept = members[members["symbol"].map(latest) != "Shell"]
        return MEMBERSHIP(kept, spells, *more)

    return instead(universe, "membership", membership)

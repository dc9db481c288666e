"""Universe to backtest, end to end: what is dated t or before knows nothing of what came after t.

The same small market runs through the stages whole, cut after t, and with everything after t
replaced by garbage; every row dated up to t must be the same to the last bit.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant import settings
from quant.core import tables
from quant.core.seeds import generator
from quant.core.types import Frame
from quant.data import calendar
from quant.data.providers.sim import Sim
from quant.stages import backtest, features, model2, optimize, universe
from quant.stages.registry import Context, Inputs

pytestmark = pytest.mark.slow

STAGES = (universe.STAGE, features.STAGE, model2.STAGE, optimize.STAGE, backtest.STAGE)
NAMES = 40
# the Chinese window spans a change of the industry scheme, which renumbers the exposure groups
SPANS = {
    "us": (date(2012, 1, 3), date(2014, 12, 31)),
    "cn": (date(2011, 1, 4), date(2014, 3, 31)),
}
# neither the end of a month nor the session of a refit
CUTS = {"us": "2014-10-16", "cn": "2013-12-18"}
PRICES = ["open", "high", "low", "close", "pre_close", "limit_up", "limit_down"]
Frames = dict[str, Frame]


@dataclass(frozen=True)
class Market:
    """The tables of ingest, and the configuration that they are run with."""

    config: settings.Config
    frames: Frames
    cut: pd.Timestamp


def tiny(region: str) -> settings.Config:
    return settings.Config(
        region=settings.Region(name=region, periods=calendar.periods_per_year(region)),
        universe=settings.Universe(size=30, min_listed=60 * (region == "cn"), exclude_st=True),
        model2=settings.Model2(
            threads=1,
            cpcv=settings.Cpcv(embargo=5),
            walk_forward=settings.WalkForward(
                min_train_years=0.7,
                row_step=10,
                calibration_min_dates=40,
                calibration_bins=5,
                retrain_every=42,
            ),
            boost=settings.Boost(rounds=5, min_data=20),
        ),
        optimizer=settings.Optimizer(name_max=0.1, turnover=settings.Turnover(0.3)),
    )


def market(region: str) -> Market:
    first, last = SPANS[region]
    raw = Sim(region, 42, NAMES, 0.2).fetch(first, last)
    sessions = calendar.sessions(region, first, last).astype("datetime64[ns]")
    frames = {name: getattr(raw, name) for name in ("bars", "industries", "listings", "rates")}
    cut = pd.Timestamp(CUTS[region])
    # delistings before, on and after the cut, and a name whose source ends
    late = sorted(frames["bars"].loc[frames["bars"]["date"] == sessions[-1], "symbol"])[::6]
    days = sessions[np.searchsorted(sessions, cut.to_numpy()) + np.array([-30, 0, 1, 25])]
    for symbol, day, gain in zip(late, days, (-0.4, -0.3, np.nan, np.nan), strict=False):
        frames = _ended(frames, symbol, day, gain)
    frames["listings"].loc[frames["listings"]["symbol"] == late[3], "truncated"] = True
    frames["sessions"] = pd.DataFrame({"date": sessions})
    frames["index_members"] = _indexed(frames["bars"]["symbol"].unique(), cut)
    return Market(tiny(region), frames, cut)


def _ended(frames: Frames, symbol: str, day: np.datetime64, gain: float) -> Frames:
    bars, listings = frames["bars"], frames["listings"].copy()
    row = listings["symbol"] == symbol
    listings.loc[row, "delist_date"], listings.loc[row, "delist_return"] = day, gain
    gone = (bars["symbol"] == symbol) & (bars["date"] > day)
    return {**frames, "bars": bars[~gone].reset_index(drop=True), "listings": listings}


def _indexed(symbols: np.ndarray, cut: pd.Timestamp) -> Frame:
    """Every name is in the index until after the cut; one leaves it before, one joins late."""
    rows = pd.DataFrame({"index": "X", "symbol": symbols})
    rows["in_date"], rows["out_date"] = pd.Timestamp("2000-01-03"), pd.NaT
    rows.loc[0, "out_date"] = cut - pd.Timedelta(days=100)
    rows.loc[1, "out_date"] = cut + pd.Timedelta(days=1)
    rows.loc[2, "in_date"] = cut + pd.Timedelta(days=1)
    rows["out_date"] = rows["out_date"].astype("datetime64[ns]")
    return rows


def forgotten(frames: Frames, cut: pd.Timestamp) -> Frames:
    """What was known at the close of `cut`: no later row, no end that is still to come."""
    out = dict(frames)
    for name in ("bars", "rates", "sessions"):
        out[name] = frames[name][frames[name]["date"] <= cut].reset_index(drop=True)
    listings = frames["listings"].copy()
    ahead = listings["delist_date"] > cut
    listings.loc[ahead, "delist_date"] = pd.NaT
    listings.loc[ahead, "delist_return"] = np.nan
    listings.loc[ahead, "truncated"] = False
    listings.loc[listings["list_date"] > cut, "list_date"] = pd.NaT
    out["listings"] = listings
    for name in ("industries", "index_members"):
        spells = frames[name][frames[name]["in_date"] <= cut].reset_index(drop=True)
        spells["out_date"] = spells["out_date"].where(spells["out_date"] <= cut)
        out[name] = spells
    return out


def garbled(frames: Frames, cut: pd.Timestamp) -> Frames:
    """Nonsense after `cut`: prices, volumes, gaps, factors, ST, newcomers, ends, industries."""
    rng = generator(3, "garbage")
    bars = frames["bars"].copy()
    later = (bars["date"] > cut).to_numpy()
    n = int(later.sum())
    moved = np.exp(rng.normal(0.0, 0.3, n))
    for name in PRICES:
        bars.loc[later, name] *= moved
    for name, spread in (("volume", 2.0), ("amount", 2.0), ("factor", 0.5), ("float_shares", 1.0)):
        bars.loc[later, name] *= np.exp(rng.normal(0.0, spread, n))
    bars.loc[later, "is_st"] = rng.random(n) < 0.2
    bars = bars.drop(bars.index[later][rng.random(n) < 0.05])
    newcomer = bars[(bars["date"] > cut) & (bars["symbol"] == bars["symbol"].iloc[-1])]
    suffix = ".SH" if newcomer["symbol"].iloc[0].endswith(("SH", "SZ")) else ""
    bars = pd.concat([bars, newcomer.assign(symbol="600000" + suffix)], ignore_index=True)
    out = {**frames, "bars": bars.sort_values(["date", "symbol"], ignore_index=True)}
    listings = frames["listings"].copy()
    ends = (listings["delist_date"] > cut) | listings["delist_date"].isna()
    odd = ends & (rng.random(len(listings)) < 0.3)
    listings.loc[ends, "delist_date"] = pd.NaT
    listings.loc[odd, "delist_date"] = cut + pd.Timedelta(days=9)
    listings.loc[odd, "delist_return"] = 5.0
    out["listings"] = listings
    out["rates"] = frames["rates"].copy()
    out["rates"].loc[out["rates"]["date"] > cut, "rf"] = 0.01
    for name in ("industries", "index_members"):
        out[name] = _reshuffled(frames[name], cut, rng)
    return out


def _reshuffled(spells: Frame, cut: pd.Timestamp, rng: np.random.Generator) -> Frame:
    """Every spell in force ends after `cut`, and some names go to groups never seen before."""
    known = spells[spells["in_date"] <= cut].copy()
    running = known["out_date"].isna() | (known["out_date"] > cut)
    known.loc[running, "out_date"] = cut
    new = known[running & (rng.random(len(known)) < 0.8)].copy()
    new["in_date"], new["out_date"] = cut + pd.Timedelta(days=1), pd.NaT
    for name in ("industry_id", "group_id"):
        if name in new:
            # sorts before every known one
            new[name] = np.where(rng.random(len(new)) < 0.5, "0 new", "1 new")
    both = pd.concat([known, new], ignore_index=True)
    both["out_date"] = both["out_date"].astype("datetime64[ns]")
    return both


def through(config: settings.Config, ingested: Frames, folder: Path) -> Frames:
    """Every table of the stages, passed on in memory."""
    frames = dict(ingested)
    for stage in STAGES:
        scratch = folder / stage.name
        scratch.mkdir(parents=True)
        inputs = Inputs({t.name: frames[t.name].copy for t in stage.needs})
        context = Context(config.region.name, config.seed, scratch, lambda label: lambda i, n: None)
        made = stage.run(stage.settings(config), inputs, context)
        frames |= {t.name: made[t.name] for t in stage.makes}
    return frames


# table -> the column that says when a row is known
KNOWN = {
    "members": "asof", "universe_counts": "asof", "membership": "date", "features": "date",
    "labels": "end", "alpha": "date", "folds": "predict_start", "targets": "date",
    "ideal_solves": "date", "nav": "date", "weights": "date", "fills": "date",
    "decisions": "date", "solves": "date",
}  # fmt: skip


def known(frames: Frames, name: str, cut: pd.Timestamp) -> Frame:
    rows = frames[name]
    rows = rows[rows[KNOWN[name]] <= cut]
    # where a refit's reign ends is the only thing that a later session may move
    rows = rows.drop(columns="predict_end", errors="ignore")
    key = [k for k in getattr(tables, name.upper()).key if k in rows]
    return rows.sort_values(key, ignore_index=True)


@pytest.fixture(scope="module", params=["us", "cn"])
def whole(request, tmp_path_factory):
    given = market(request.param)
    return given, through(given.config, given.frames, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("without", [forgotten, garbled])
def test_nothing_up_to_t_depends_on_what_comes_after(whole, without, tmp_path):
    given, full = whole
    other = through(given.config, without(given.frames, given.cut), tmp_path)
    for name in KNOWN:
        mine, theirs = known(full, name, given.cut), known(other, name, given.cut)
        assert len(mine), name
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True, obj=name)
    for name in ("members", "features", "labels", "alpha", "nav", "fills"):
        # the market goes on after t, and goes on differently
        assert not full[name].equals(other[name]), name
    pd.testing.assert_frame_equal(full["cpcv"], other["cpcv"], check_exact=True)
    folds = known(full, "folds", given.cut)["fold"].max()
    curves = [f["calibration"][f["calibration"]["fold"] <= folds] for f in (full, other)]
    pd.testing.assert_frame_equal(*(c.reset_index(drop=True) for c in curves), check_exact=True)


def test_the_market_has_what_could_leak(whole):
    """Names that end around t, orders that fail, refits and trades before t: no empty test."""
    given, full = whole
    fills = known(full, "fills", given.cut)
    assert (fills["shares"] != 0).sum() > 100
    assert known(full, "nav", given.cut)["date"].nunique() > 40
    assert known(full, "folds", given.cut)["fold"].nunique() > 2
    assert full["alpha"].loc[full["alpha"]["date"] <= given.cut, "alpha"].abs().sum() > 0
    ends = given.frames["listings"]["delist_date"]
    assert (ends > given.cut).any() and (ends == given.cut).any()

"""The markets of the catalogue: without any alpha, each with the events that its leaks live on."""

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from quant import settings
from quant.market import world
from quant.market.region import region
from tests.leaks import vendor
from tests.pipeline import Frames, ingested, through, tiny

US = (date(2010, 1, 4), date(2014, 12, 31))
CN = (date(2011, 1, 4), date(2014, 6, 30))
# neither month ends nor refits, and not a whole number of months apart
US_CUTS = ("2013-10-16", "2012-11-29", "2014-07-08")
CN_CUTS = ("2013-10-16", "2012-11-29", "2014-03-05")


@dataclass(frozen=True)
class Spec:
    """How a market is made.

    cuts   : sessions to cut after
    change : what its dynamics have of their own, as in quant.market.region
    events : what happens to the tables afterwards
    config : settings by dotted name that differ from those of tests.pipeline
    """

    region: str
    span: tuple[date, date]
    cuts: tuple[str, ...]
    names: int = 150
    size: int = 50
    alpha_ic: float = 0.0
    seed: int = 42
    change: dict[str, float] = field(default_factory=dict)
    events: Callable[[Frames], Frames] = lambda frames: frames
    config: dict[str, Any] = field(default_factory=dict)


def growth(frames: Frames) -> pd.Series:
    """Adjusted last price over first, by name."""
    bars = frames["bars"]
    level = (bars["close"] * bars["factor"]).groupby(bars["symbol"])
    return level.last() / level.first()


def penny(frames: Frames) -> Frames:
    """Most names trade below the minimum price; the better half of these is merged late."""
    gain = growth(frames)
    cheap = gain[np.arange(gain.size) % 4 > 0]
    bars = frames["bars"].copy()
    low = bars["symbol"].isin(cheap.index)
    merged = bars["symbol"].isin(cheap.index[cheap > cheap.median()])
    scale = np.where(low, 0.04, 1.0)
    late = (merged & (bars["date"] > pd.Timestamp("2014-11-03"))).to_numpy()
    for name in ("open", "high", "low", "close", "pre_close"):
        bars[name] *= scale * np.where(late, 10.0, 1.0)
    bars["factor"] /= np.where(late, 10.0, 1.0)
    bars["volume"] /= scale * np.where(late, 10.0, 1.0)
    return {**frames, "bars": bars}


def bouncing(frames: Frames) -> Frames:
    """Half of what a name did beyond the others in a session is taken back by the next open."""
    bars = frames["bars"].copy()
    level = bars.assign(level=np.log(bars["close"] * bars["factor"]))
    daily = level.pivot(index="date", columns="symbol", values="level").diff()
    own = daily.sub(daily.mean(axis=1), axis=0).fillna(0.0)
    moved = np.exp(-own.cumsum().shift(1, fill_value=0.0) / 2.0)
    for name in ("open", "high", "low", "close", "pre_close"):
        by = moved.shift(1, fill_value=1.0) if name == "pre_close" else moved
        bars[name] *= by.stack().loc[pd.MultiIndex.from_frame(bars[["date", "symbol"]])].to_numpy()
    return {**frames, "bars": bars}


def reclassified(frames: Frames) -> Frames:
    """The worst third of the names are called shell companies from a late day on."""
    spells, day = frames["industries"], pd.Timestamp("2014-11-03")
    shell = spells["symbol"].map(growth(frames)).rank(pct=True) < 0.33
    moved = spells[shell].assign(in_date=day, industry_id="Shell.01", group_id="Shell")
    stay = spells.assign(out_date=spells["out_date"].where(~shell, day - pd.Timedelta(days=1)))
    both = pd.concat([stay, moved]).sort_values(["symbol", "in_date"], ignore_index=True)
    return {**frames, "industries": both.astype({"out_date": "datetime64[ns]"})}


SPECS = {
    "us": Spec("us", US, US_CUTS),
    # most of the names fail within the five years, and lose most of their value then
    "us failing": Spec(
        "us",
        US,
        US_CUTS,
        names=200,
        change={"idio_vol": 0.5, "failure": 9.0 / 252, "failure_return": -0.6},
    ),
    # cheap names that come back are merged one for ten in the end
    "us penny": Spec("us", US, US_CUTS, names=100, events=penny),
    # losers are moved to an industry of their own in the end
    "us revised": Spec(
        "us",
        US,
        US_CUTS,
        names=80,
        size=80,
        events=reclassified,
        config={"model2.models": ["ridge"]},
    ),
    # refits are frequent, and what they learn from is short
    "us short": Spec(
        "us",
        US,
        US_CUTS,
        config={
            "model2.walk_forward.retrain_every": 21,
            "model2.walk_forward.row_step": 5,
            "model2.walk_forward.max_train_years": 0.8,
        },
    ),
    "us trees": Spec(
        "us",
        US,
        US_CUTS,
        config={
            "model2.models": ["lightgbm"],
            "model2.boost.rounds": 20,
            "model2.walk_forward.retrain_every": 21,
        },
    ),
    # long enough before the first refit for blocks of a quarter
    "us selected": Spec(
        "us",
        US,
        US_CUTS[:1],
        config={
            "model2.horizons": [21],
            "model2.walk_forward.min_train_years": 1.0,
            "model2.walk_forward.row_step": 2,
        },
    ),
    "us ridge": Spec(
        "us", US, US_CUTS, config={"model2.models": ["ridge"], "model2.horizons": [21]}
    ),
    # the last year is a hold-out that has been read: models are frozen at its start
    "us held out": Spec(
        "us",
        US,
        ("2014-07-08", "2013-10-16"),
        config={"evaluation.holdout.start": "2014-01-02", "evaluation.holdout.read": True},
    ),
    # closes are at the bid or the ask: part of a move is gone by the next open
    "us bouncing": Spec(
        "us", US, US_CUTS[:1], events=bouncing, config={"optimizer.rebalance_every": 1}
    ),
    # stamp duty was halved on 2023-08-28; alphas of a week make the book trade enough to pay it
    "cn fees": Spec(
        "cn",
        (date(2020, 1, 2), date(2024, 6, 28)),
        ("2023-03-16", "2022-11-29", "2023-05-10"),
        alpha_ic=0.5,
        config={"model2.horizons": [5], "optimizer.rebalance_every": 1},
    ),
    # every name is suspended for three weeks in about a hundred days
    "cn halted": Spec("cn", CN, CN_CUTS, change={"suspension": 0.01}),
    "cn": Spec("cn", CN, CN_CUTS),
}


@dataclass(frozen=True)
class Market:
    """Settings, the tables of ingest, and the sessions to cut after."""

    config: settings.Config
    frames: Frames
    cuts: tuple[np.datetime64, ...]


@cache
def market(name: str) -> Market:
    """The market `name`, simulated once a process."""
    spec = SPECS[name]
    place = dataclasses.replace(region(spec.region), **spec.change)
    with patch.object(world, "region", lambda _: place):
        frames = ingested(spec.region, spec.names, spec.alpha_ic, spec.seed, spec.span)
    frames = spec.events(frames)
    # replays start from bars that were read once already: reading them again moves no bit
    with tempfile.TemporaryDirectory() as folder:
        read = through(tiny(spec.region), frames, Path(folder), [vendor.STAGE])
    config = tiny(spec.region)
    config.universe.size = spec.size
    config.model2.label.residual = "industry"
    config.model2.models = ["ridge", "lightgbm"]  # for speed
    config.optimizer.rebalance_every = 5  # sessions; daily solves would be most of the time
    for key, value in spec.config.items():
        *path, last = key.split(".")
        part = config
        for step in path:
            part = getattr(part, step)
        setattr(part, last, value)
    cuts = tuple(pd.Timestamp(cut).to_datetime64() for cut in spec.cuts)
    return Market(config, frames | {"bars": read["bars"]}, cuts)

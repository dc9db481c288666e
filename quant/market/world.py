"""The state of a simulated market, and its first day."""

from dataclasses import dataclass

import numpy as np

from quant.core.seeds import generator
from quant.core.types import Matrix, Vector
from quant.market import alpha, events, factors, names, prices, regimes, residual
from quant.market.factors import Factors
from quant.market.names import Names
from quant.market.regimes import Regimes
from quant.market.region import YEAR, Region, region
from quant.market.spec import MarketSpec

WARM_UP = 260  # unseen sessions before the first, so that volatility and signal are in motion
STREAMS = ("residual", "move", "range", "volume", "delist", "suspend", "treat", "actions")


@dataclass
class World:
    """What is fixed for one market, and what `step` changes in place.

    drift   : (n_days, n_industries) expected return a session;   spill : the same shape
    risk    : (n,) typical volatility a session beside market, sector and industry
    close   : (n,) last close in ticks;   shares : (n,) free float
    factor  : (n,) adjustment factor;   missed : (n,) return that a suspension has kept back
    planted : (n,) expected residual return of the next session, decimal
    Rows of all day matrices start WARM_UP sessions before the first.
    """

    spec: MarketSpec
    region: Region
    names: Names
    regimes: Regimes
    drift: Matrix
    spill: Matrix
    factors: Factors
    risk: Vector
    status: events.Status
    residual: residual.Residual
    activity: prices.Activity
    signal: alpha.Signal
    calendar: events.Calendar
    streams: dict[str, np.random.Generator]
    close: Vector
    shares: Vector
    factor: Vector
    missed: Vector
    planted: Vector

    @property
    def cn(self) -> bool:
        """Whether Chinese rules hold."""
        return self.spec.region == "cn"

    def year_return(self, row: int) -> Vector:
        """(n,) log return over the year up to the close of `row`, NaN where unknown."""
        if row < YEAR:
            return np.full(self.names.size, np.nan)
        return self.signal.level[row] - self.signal.level[row - YEAR]


def _risk(drawn: Names, place: Region) -> Vector:
    beside = place.style_vol**2 * (drawn.styles**2).sum(axis=1)
    beside += place.market_vol**2 * (drawn.beta - 1) ** 2
    return np.sqrt(drawn.idio_vol**2 + beside / YEAR)


def begin(spec: MarketSpec, seed: int) -> World:
    """Draw names, regimes and factors, and set everything else to its first state."""
    place = region(spec.region)
    rng = {k: generator(seed, "market", k) for k in ("names", "regimes", "factors", "start")}
    drawn = names.draw(spec, place, WARM_UP, rng["names"])
    n, n_days = drawn.size, spec.sessions.size + WARM_UP
    paths = regimes.draw(n_days, drawn.industries.size, rng["regimes"])
    close = np.maximum(np.rint(drawn.price * 100), 200.0)
    return World(
        spec=spec,
        region=place,
        names=drawn,
        regimes=paths,
        drift=paths.drift(),
        spill=paths.spill(),
        factors=factors.draw(drawn, paths, place, rng["factors"]),
        risk=_risk(drawn, place),
        status=events.Status.start(n),
        residual=residual.Residual.start(n, place, rng["start"]),
        activity=prices.Activity(place.activity * rng["start"].standard_normal(n), place),
        signal=alpha.Signal.start(n_days, drawn.industry),
        calendar=events.Calendar.draw(spec.sessions, drawn, place, rng["start"]),
        streams={name: generator(seed, "market", name) for name in STREAMS},
        close=close,
        shares=np.maximum(np.rint(drawn.cap * 100 / close), 1000.0),
        factor=np.ones(n),
        missed=np.zeros(n),
        planted=np.zeros(n),
    )

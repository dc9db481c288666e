"""What really drove a simulated market. For tests only: no model may see it."""

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.core.types import Frame
from quant.market.alpha import PERSISTENCE
from quant.market.names import STYLES
from quant.market.record import Record
from quant.market.regimes import MARKET, TREND, TURBULENCE
from quant.market.world import WARM_UP, World


def truth(world: World, record: Record) -> dict[str, Frame]:
    """All true states, by the names that SimulatedMarket lists."""
    return {
        "market": _market(world),
        "industry": _industry(world),
        "loadings": _loadings(world),
        "factors": _factors(world),
        "alpha": _alpha(world, record),
    }


def _dates(world: World) -> np.ndarray:
    return world.spec.sessions.astype("datetime64[ns]")


def _market(world: World) -> Frame:
    """Regime, drift, volatility and the mean correlation of two typical names."""
    names, vol = world.names, world.factors.vol[WARM_UP:] ** 2
    state = world.regimes.market[WARM_UP:]
    edges = np.cumsum([1, names.sectors.size, names.industries.size])
    sector, industry = vol[:, 1 : edges[1]].mean(1), vol[:, edges[1] : edges[2]].mean(1)
    style = vol[:, edges[2] :].sum(1)
    own = np.mean(names.idio_vol**2) * (world.spill[WARM_UP:] ** 2).mean(axis=1)
    common = vol[:, 0] + sector / names.sectors.size + industry / names.industries.size
    return pd.DataFrame(
        {
            "date": _dates(world),
            "regime": np.array(MARKET.names, dtype=object)[state],
            "drift": MARKET.daily_drift(state),
            "vol": np.sqrt(vol[:, 0]),
            "correlation": common / (vol[:, 0] + sector + industry + style + own),
        }
    )


def _industry(world: World) -> Frame:
    """Trend, turbulence, drift (market's included) and factor volatility of each industry."""
    n_days, labels = world.spec.sessions.size, world.names.industries
    trend, rough = world.regimes.trend[WARM_UP:], world.regimes.turbulence[WARM_UP:]
    first = 1 + world.names.sectors.size
    vol = world.factors.vol[WARM_UP:, first : first + labels.size]
    return pd.DataFrame(
        {
            "date": np.repeat(_dates(world), labels.size),
            "industry_id": np.tile(labels, n_days),
            "trend": np.array(TREND.names, dtype=object)[trend].ravel(),
            "turbulent": np.array(TURBULENCE.names)[rough].ravel() == "turbulent",
            "drift": world.drift[WARM_UP:].ravel(),
            "vol": vol.ravel(),
        }
    )


def _loadings(world: World) -> Frame:
    names = world.names
    frame = {
        "symbol": names.symbols,
        "sector": names.sectors[names.parent[names.industry]],
        "industry_id": names.industries[names.industry],
        "beta": names.beta,
    }
    frame.update({style: names.styles[:, i] for i, style in enumerate(STYLES)})
    return pd.DataFrame({**frame, "idio_vol": names.idio_vol})


def _factors(world: World) -> Frame:
    ret = (world.factors.overnight + world.factors.intraday)[WARM_UP:]
    n_days, labels = ret.shape[0], world.factors.names
    return pd.DataFrame(
        {
            "date": np.repeat(_dates(world), labels.size),
            "factor": np.tile(labels, n_days),
            "ret": ret.ravel(),
        }
    )


def _alpha(world: World, record: Record) -> Frame:
    fields = {"daily": record.planted, "expected": record.planted * PERSISTENCE}
    return Panel(world.spec.sessions, world.names.symbols, fields).long(keep=record.alive)

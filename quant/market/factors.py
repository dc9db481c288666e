"""Returns of market, sectors, industries and styles: zero mean, fat tails, clustered volatility.

Drift is kept out of the factors and added alike to all names of an industry, so that a loading
alone never earns an expected return. Every factor's volatility falls as its level rises
(elasticity -1, the leverage effect of Black 1976): price changes are then symmetric in money at
every horizon, so the mean and the median of a compounded return agree.
"""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Matrix, Vector
from quant.market.names import STYLES, Names
from quant.market.regimes import MARKET, TURBULENCE, Regimes
from quant.market.region import YEAR, Region

LEVERAGE_MEMORY = 126.0  # half-life in sessions of the returns that move volatility
VOL_SPREAD, VOL_MEMORY = 0.32, 25.0
TAIL = 7.0


@dataclass(frozen=True)
class Factors:
    """Returns of all factors, in the order market, sectors, industries, styles.

    names     : (n_factors,) str
    overnight : (n_days, n_factors) decimal, before the open
    intraday  : (n_days, n_factors) decimal, of the previous close, after the open
    vol       : (n_days, n_factors) standard deviation a session
    """

    names: np.ndarray
    overnight: Matrix
    intraday: Matrix
    vol: Matrix


def shocks(
    rng: np.random.Generator, size: int, tail: float, overnight: float
) -> tuple[Vector, Vector, Vector]:
    """Student-t shocks of unit variance, split into overnight and intraday.

    Both parts are normals with one common random scale, so neither predicts the other.
    Returns (overnight, intraday, scale), each (size,)
    """
    scale = np.sqrt((tail - 2) / (2 * rng.standard_gamma(tail / 2, size)))
    normal = rng.standard_normal((2, size))
    return (
        np.sqrt(overnight) * scale * normal[0],
        np.sqrt(1 - overnight) * scale * normal[1],
        scale,
    )


def _base(names: Names, regimes: Regimes, region: Region) -> Matrix:
    """(n_days, n_factors) volatility a session from the regimes alone."""
    n_days = regimes.market.size
    market = np.asarray(MARKET.scale)[regimes.market]
    spill = np.asarray(MARKET.spill)[regimes.market]
    turbulence = np.asarray(TURBULENCE.scale)[regimes.turbulence]
    columns = [
        region.market_vol * market[:, None],
        region.sector_vol * np.repeat(spill[:, None], names.sectors.size, axis=1),
        region.industry_vol * spill[:, None] * turbulence,
        region.style_vol * np.repeat(spill[:, None], len(STYLES), axis=1),
    ]
    return np.concatenate(columns, axis=1).reshape(n_days, -1) / np.sqrt(YEAR)


def draw(names: Names, regimes: Regimes, region: Region, rng: np.random.Generator) -> Factors:
    """Draw all factor returns for all days."""
    base = _base(names, regimes, region)
    n_days, n_factors = base.shape
    keep_vol, keep_level = 0.5 ** (1 / VOL_MEMORY), 0.5 ** (1 / LEVERAGE_MEMORY)
    step = VOL_SPREAD * np.sqrt(1 - keep_vol**2)
    log_vol, level = VOL_SPREAD * rng.standard_normal(n_factors), np.zeros(n_factors)
    overnight, intraday, vol = (np.empty((n_days, n_factors)) for _ in range(3))
    for day in range(n_days):
        vol[day] = base[day] * np.exp(np.clip(log_vol - VOL_SPREAD**2 - level, -1.2, 1.2))
        before, after, _ = shocks(rng, n_factors, TAIL, region.overnight)
        total = np.clip(before + after, -9, 9)
        overnight[day], intraday[day] = vol[day] * before, vol[day] * (total - before)
        level = keep_level * level + vol[day] * total
        log_vol = keep_vol * log_vol + step * rng.standard_normal(n_factors)
    labels = ["market", *names.sectors, *names.industries, *STYLES]
    return Factors(np.array(labels, dtype=object), overnight, intraday, vol)

"""The names that ever exist: symbols, industries, factor loadings, sizes, days of listing."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Matrix, Vector
from quant.market import cn, us
from quant.market.region import YEAR, Region
from quant.market.spec import MarketSpec

STYLES = ("size", "value", "growth")


@dataclass(frozen=True)
class Names:
    """All names in the order of their symbols.

    symbols    : (n,) str, sorted
    board      : (n,) str
    list_day   : (n,) session on which a name's first row stands; below 0: listed before
    sectors    : (n_sectors,) str;   industries : (n_industries,) str
    parent     : (n_industries,) sector of each industry
    industry   : (n,) industry of each name
    beta       : (n,) loading on the market
    styles     : (n, 3) loadings on STYLES
    idio_vol   : (n,) typical residual volatility a session
    cap        : (n,) first free-float value in currency
    turnover   : (n,) typical daily volume by free float
    price      : (n,) first price, before rounding
    payer      : (n,) pays dividends
    """

    symbols: np.ndarray
    board: np.ndarray
    list_day: Codes
    sectors: np.ndarray
    industries: np.ndarray
    parent: Codes
    industry: Codes
    beta: Vector
    styles: Matrix
    idio_vol: Vector
    cap: Vector
    turnover: Vector
    price: Vector
    payer: np.ndarray

    @property
    def size(self) -> int:
        """Number of names."""
        return self.symbols.size

    def load(self, row: Vector, power: int = 1) -> Vector:
        """(n,) sum of loadings ** power times `row`, the values of all factors on one day.

        Written out, not as a matrix product: the same bytes for any number of threads.
        """
        n_sectors, n_industries = self.sectors.size, self.industries.size
        sector, industry = row[1 : 1 + n_sectors], row[1 + n_sectors : 1 + n_sectors + n_industries]
        out = self.beta**power * row[0]
        out += (sector[self.parent] + industry)[self.industry]
        for column, value in enumerate(row[1 + n_sectors + n_industries :]):
            out += self.styles[:, column] ** power * value
        return out


def _list_days(spec: MarketSpec, warm_up: int, rng: np.random.Generator) -> Codes:
    """First sessions: before the first one for the initial names, even over the rest."""
    first = rng.permutation(spec.n_names) < max(2, round(spec.initial * spec.n_names))
    later = rng.integers(1, max(2, spec.sessions.size - 1), spec.n_names)
    return np.where(first, -warm_up, later)


def _balanced(n_names: int, n_groups: int, rng: np.random.Generator) -> Codes:
    return rng.permutation(np.arange(n_names) % n_groups)


def draw(spec: MarketSpec, region: Region, warm_up: int, rng: np.random.Generator) -> Names:
    """Draw all names. Small names are more volatile; loadings are otherwise independent."""
    n = spec.n_names
    list_day = _list_days(spec, warm_up, rng)
    if spec.region == "cn":
        sectors, industries, parent = cn.hierarchy(n)
        symbols, board = cn.symbols(spec.sessions, list_day, rng)
    else:
        sectors, industries, parent = us.hierarchy(n)
        symbols, board = us.symbols(n, rng)
    order = np.argsort(symbols, kind="stable")
    size = np.clip(rng.standard_normal(n), -2.8, 2.8)
    spread = 0.35 * -size + np.sqrt(1 - 0.35**2) * rng.standard_normal(n)
    idio = region.idio_vol * np.exp(region.idio_spread * np.clip(spread, -2, 2.5))
    styles = np.clip(rng.standard_normal((n, len(STYLES))), -2.5, 2.5)
    styles[:, 0] = -size
    wide = np.clip(rng.standard_normal((2, n)), -2.8, 2.8)
    return Names(
        symbols=symbols[order],
        board=board[order],
        list_day=list_day[order],
        sectors=sectors,
        industries=industries,
        parent=parent,
        industry=_balanced(n, industries.size, rng),
        beta=np.clip(1 + 0.2 * rng.standard_normal(n), 0.5, 1.6),
        styles=styles,
        idio_vol=idio / np.sqrt(YEAR),
        cap=region.cap * 10 ** (region.cap_spread * size),
        turnover=region.turnover * 10 ** (region.turnover_spread * wide[0]),
        price=region.price * np.exp(0.55 * wide[1]),
        payer=rng.random(n) < region.payers,
    )

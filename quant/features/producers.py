"""The list of families. A row of a family's module enrols a feature everywhere."""

from types import ModuleType

from quant.features import (
    daily,
    industry,
    interaction,
    limits,
    liquidity,
    lottery,
    market,
    momentum,
    seasonality,
    turnover,
    volatility,
    volume,
)
from quant.features.producer import Producer

FAMILIES: tuple[ModuleType, ...] = (
    momentum,
    seasonality,
    volatility,
    market,
    volume,
    liquidity,
    turnover,
    daily,
    lottery,
    limits,
    industry,
    interaction,
)
PRODUCERS: list[Producer] = [row for family in FAMILIES for row in family.ROWS]

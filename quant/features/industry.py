"""What a name is beside its industry, and what its industry does.

Each takes the values of one or two features of the members' rows and their Section.
"""

import numpy as np

from quant.core.types import Vector
from quant.features import daily, liquidity, lottery, market, momentum, turnover, volatility, volume
from quant.features.crosswise import Section, peer_mean, relative
from quant.features.producer import Producer, across


def distance(values: Vector, s: Section) -> Vector:
    """Minus the mean of the industry's members. Source: Asness, Porter & Stevens (2000)."""
    return relative(values, s)


def peers(values: Vector, s: Section) -> Vector:
    """Mean of the industry's members. Source: Moskowitz & Grinblatt (1999)."""
    return peer_mean(values, s)


def dispersion(values: Vector, s: Section) -> Vector:
    """Standard deviation among the industry's members.

    Source: Stivers & Sun (2010), cross-sectional dispersion.
    """
    gap = relative(values, s)
    return np.sqrt(peer_mean(gap * gap, s))


def leaders_gap(values: Vector, amount: Vector, s: Section) -> Vector:
    """Return of the industry's more traded half less the name's own.

    Source: Lo & MacKinlay (1990) and Hou (2007), large firms lead within their industry.
    """
    known = np.isfinite(values) & np.isfinite(amount)
    large = np.where(known, amount >= peer_mean(amount, s), np.nan)
    return peer_mean(values * large, s) / peer_mean(large, s) - values


_BASES: dict[str, Producer] = {
    base.name: base
    for module in (momentum, volatility, market, volume, liquidity, turnover, daily, lottery)
    for base in module.ROWS
}


def _of(prefix: str, function: object, *names: str) -> list[Producer]:
    return [across(f"{prefix}_{n}", function, _BASES[n]) for n in names]  # type: ignore[arg-type]


ROWS = (
    *_of("ind", distance, "ret_1d", "ret_5d", "ret_21d", "mom_12_1", "high_52w", "vol_63d"),
    *_of("ind", distance, "beta_252d", "amihud_21d", "turnover_21d", "float_cap"),
    *_of("ind", distance, "volume_ratio_21_252", "max_ret_21d", "overnight_21d"),
    *_of("industry", peers, "ret_1d", "ret_5d", "ret_21d", "mom_12_1", "volume_ratio_21_252"),
    across("industry_spread_21d", dispersion, _BASES["ret_21d"]),
    across("leaders_gap_5d", leaders_gap, _BASES["ret_5d"], _BASES["adv_21d"]),
)

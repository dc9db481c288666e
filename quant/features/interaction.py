"""Where one trait decides what another is worth: products of ranks, for models that are linear.

Each takes the values of two or three features of the members' rows and their Section.
"""

from quant.core.types import Vector
from quant.features import liquidity, lottery, market, momentum, volatility, volume
from quant.features.crosswise import Section, rank
from quant.features.producer import Producer, across


def volume_life_cycle(past: Vector, volume: Vector, s: Section) -> Vector:
    """Rank of momentum times that of abnormal volume. Source: Lee & Swaminathan (2000)."""
    return rank(past, s) * rank(volume, s)


def volume_conditioned_reversal(past: Vector, volume: Vector, s: Section) -> Vector:
    """Rank of the past week times that of abnormal volume.

    Source: Campbell, Grossman & Wang (1993).
    """
    return rank(past, s) * rank(volume, s)


def illiquid_reversal(past: Vector, illiquidity: Vector, s: Section) -> Vector:
    """Rank of the past return times that of illiquidity.

    Source: Avramov, Chordia & Goyal (2006).
    """
    return rank(past, s) * rank(illiquidity, s)


def uncertain_momentum(past: Vector, noise: Vector, s: Section) -> Vector:
    """Rank of momentum times that of idiosyncratic volatility.

    Source: Zhang (2006), information uncertainty.
    """
    return rank(past, s) * rank(noise, s)


def volatile_reversal(past: Vector, noise: Vector, s: Section) -> Vector:
    """Rank of the past month times that of volatility.

    Source: Cheng, Hameed, Subrahmanyam & Titman (2017); Nagel (2012).
    """
    return rank(past, s) * rank(noise, s)


def lottery_overhang(gain: Vector, largest: Vector, s: Section) -> Vector:
    """Rank of unrealised gains times that of the largest return.

    Source: An, Wang, Wang & Yu (2020), lottery demand by capital gains overhang.
    """
    return rank(gain, s) * rank(largest, s)


def noise_overhang(gain: Vector, noise: Vector, s: Section) -> Vector:
    """Rank of unrealised gains times that of idiosyncratic volatility.

    Source: Wang, Yan & Yu (2017), reference-dependent preferences.
    """
    return rank(gain, s) * rank(noise, s)


def lottery_index(price: Vector, noise: Vector, skew: Vector, s: Section) -> Vector:
    """Ranks of idiosyncratic volatility and skewness less that of the price.

    Source: Kumar (2009).
    """
    return rank(noise, s) + rank(skew, s) - rank(price, s)


_BASES: dict[str, Producer] = {
    base.name: base
    for module in (momentum, volatility, market, volume, liquidity, lottery)
    for base in module.ROWS
}


def _row(name: str, function: object, *bases: str) -> Producer:
    return across(name, function, *(_BASES[b] for b in bases))  # type: ignore[arg-type]


ROWS = (
    _row("mom_x_volume", volume_life_cycle, "mom_12_1", "volume_ratio_21_252"),
    _row("week_x_volume", volume_conditioned_reversal, "ret_5d", "volume_ratio_5_63"),
    _row("month_x_amihud", illiquid_reversal, "ret_21d", "amihud_21d"),
    _row("mom_x_ivol", uncertain_momentum, "mom_12_1", "resid_vol_252d"),
    _row("month_x_vol", volatile_reversal, "ret_21d", "vol_63d"),
    _row("max_x_overhang", lottery_overhang, "vwap_gap_252d", "max_ret_21d"),
    _row("ivol_x_overhang", noise_overhang, "vwap_gap_252d", "resid_vol_63d"),
    _row("lottery_index", lottery_index, "nominal_price", "resid_vol_63d", "resid_skew_126d"),
)

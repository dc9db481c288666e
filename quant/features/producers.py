"""The list of features. A row here enrols a feature in `compute` and in the look-ahead tests."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from quant.core.types import Matrix, Vector
from quant.features import crosswise, daily, liquidity, price, systematic, volatility, volume
from quant.features.crosswise import Section
from quant.features.view import View


@dataclass(frozen=True)
class Producer:
    """One feature.

    name, family : column and chapter
    function     : View -> (n_days, n_assets); where `base` is set, (values of the base
                   feature, Section) -> (n_rows,)
    lookback     : sessions before t on which its value may depend; a suspension may reach
                   CARRY sessions further back, for the last traded price
    source       : where it comes from
    base         : the feature it compares across names, or ""
    """

    name: str
    family: str
    function: Callable[[View], Matrix] | Callable[[Vector, Section], Vector]
    lookback: int
    source: str
    base: str = ""


def _row(name: str, family: str, function: Callable[..., Matrix], **windows: int) -> Producer:
    """Row of a feature whose oldest observation is `window` sessions old (1 without a window)."""
    return Producer(
        name, family, partial(function, **windows), windows.get("window", 1), _source(function)
    )


def _across(name: str, function: Callable[[Vector, Section], Vector], base: str) -> Producer:
    lookback = next(row.lookback for row in _SERIES if row.name == base)
    return Producer(name, "industry", function, lookback, _source(function), base)


def _source(function: Callable[..., object]) -> str:
    """What follows `Source:` in the docstring."""
    return " ".join((function.__doc__ or "").partition("Source:")[2].split()).rstrip(".")


_SERIES: list[Producer] = [
    _row("ret_1d", "price", price.past_return, window=1),
    _row("ret_5d", "price", price.past_return, window=5),
    _row("ret_21d", "price", price.past_return, window=21),
    _row("ret_63d", "price", price.past_return, window=63),
    _row("mom_6_1", "price", price.past_return, window=126, skip=21),
    _row("mom_12_1", "price", price.past_return, window=252, skip=21),
    _row("mom_12_7", "price", price.past_return, window=252, skip=126),
    _row("high_52w", "price", price.high_gap, window=252),
    _row("ma_gap_21d", "price", price.average_gap, window=21),
    _row("ma_gap_200d", "price", price.average_gap, window=200),
    _row("trend_slope_63d", "price", price.slope, window=63),
    _row("trend_r2_63d", "price", price.linearity, window=63),
    _row("info_discreteness_252d", "price", price.discreteness, window=252),
    _row("max_ret_21d", "price", price.largest_return, window=21),
    _row("min_ret_21d", "price", price.smallest_return, window=21),
    _row("rsi_14d", "price", price.strength, window=14),
    _row("seasonal_12m", "price", price.seasonal, window=252, length=21),
    _row("vol_21d", "volatility", volatility.total_volatility, window=21),
    _row("vol_63d", "volatility", volatility.total_volatility, window=63),
    _row("vol_252d", "volatility", volatility.total_volatility, window=252),
    _row("vol_ratio_21_252", "volatility", volatility.volatility_ratio, short=21, window=252),
    _row("downside_vol_63d", "volatility", volatility.downside_volatility, window=63),
    _row("skew_63d", "volatility", volatility.return_skewness, window=63),
    _row("kurt_63d", "volatility", volatility.return_kurtosis, window=63),
    _row("parkinson_21d", "volatility", volatility.parkinson, window=21),
    _row("yang_zhang_63d", "volatility", volatility.yang_zhang, window=63),
    _row("beta_63d", "market", systematic.beta, window=63),
    _row("beta_252d", "market", systematic.beta, window=252),
    _row("resid_vol_21d", "market", systematic.residual_volatility, window=21),
    _row("resid_vol_252d", "market", systematic.residual_volatility, window=252),
    _row("downside_beta_252d", "market", systematic.downside_beta, window=252),
    _row("coskew_252d", "market", systematic.coskewness, window=252),
    _row("resid_mom_12_1", "market", systematic.residual_momentum, window=252, skip=21),
    _row("autocorr_63d", "market", systematic.autocorrelation, window=63),
    _row("volume_ratio_5_63", "volume", volume.volume_ratio, short=5, window=63),
    _row("volume_ratio_21_252", "volume", volume.volume_ratio, short=21, window=252),
    _row("abnormal_volume_63d", "volume", volume.abnormal_volume, window=63),
    _row("volume_cv_21d", "volume", volume.volume_variation, window=21),
    _row("volume_trend_21d", "volume", volume.volume_trend, window=21),
    _row("up_volume_21d", "volume", volume.up_volume, window=21),
    _row("vwap_gap_21d", "volume", volume.average_price_gap, window=21),
    _row("corr_close_volume_21d", "volume", volume.close_volume_correlation, window=21),
    _row("corr_ret_volume_21d", "volume", volume.return_volume_correlation, window=21),
    _row("corr_move_volume_63d", "volume", volume.move_volume_correlation, window=63),
    _row("volume_reversal_1d", "volume", volume.volume_reversal),
    _row("amihud_21d", "liquidity", liquidity.illiquidity, window=21),
    _row("amihud_252d", "liquidity", liquidity.illiquidity, window=252),
    _row("amihud_change_21_252", "liquidity", liquidity.illiquidity_change, short=21, window=252),
    _row("adv_21d", "liquidity", liquidity.average_amount, window=21),
    _row("turnover_21d", "liquidity", liquidity.average_turnover, window=21),
    _row("turnover_ratio_21_252", "liquidity", liquidity.turnover_ratio, short=21, window=252),
    _row("turnover_std_63d", "liquidity", liquidity.turnover_variation, window=63),
    _row("float_cap", "liquidity", liquidity.size),
    _row("idle_days_63d", "liquidity", liquidity.idle_days, window=63),
    _row("roll_spread_63d", "liquidity", liquidity.roll_spread, window=63),
    _row("high_low_spread_21d", "liquidity", liquidity.high_low_spread, window=21),
    _row("gap_1d", "daily", daily.gap),
    _row("overnight_21d", "daily", daily.overnight_return, window=21),
    _row("overnight_252d", "daily", daily.overnight_return, window=252),
    _row("intraday_21d", "daily", daily.intraday_return, window=21),
    _row("intraday_252d", "daily", daily.intraday_return, window=252),
    _row("tug_of_war_21d", "daily", daily.tug_of_war, window=21),
    _row("night_day_corr_63d", "daily", daily.night_day_correlation, window=63),
    _row("range_ratio_21d", "daily", daily.relative_range, window=21),
    _row("close_location_21d", "daily", daily.close_location, window=21),
    _row("upper_shadow_21d", "daily", daily.upper_shadow, window=21),
    _row("lower_shadow_21d", "daily", daily.lower_shadow, window=21),
    _row("vwap_close_21d", "daily", daily.average_price_close, window=21),
]

PRODUCERS: list[Producer] = [
    *_SERIES,
    _across("ind_ret_5d", crosswise.relative, "ret_5d"),
    _across("ind_ret_21d", crosswise.relative, "ret_21d"),
    _across("ind_mom_12_1", crosswise.relative, "mom_12_1"),
    _across("ind_vol_63d", crosswise.relative, "vol_63d"),
    _across("ind_amihud_21d", crosswise.relative, "amihud_21d"),
    _across("ind_turnover_21d", crosswise.relative, "turnover_21d"),
    _across("industry_ret_21d", crosswise.peers, "ret_21d"),
    _across("industry_mom_12_1", crosswise.peers, "mom_12_1"),
    _across("rank_ret_21d", crosswise.rank, "ret_21d"),
    _across("rank_mom_12_1", crosswise.rank, "mom_12_1"),
    _across("rank_vol_63d", crosswise.rank, "vol_63d"),
    _across("rank_adv_21d", crosswise.rank, "adv_21d"),
]

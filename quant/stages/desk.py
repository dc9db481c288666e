"""The trading desk of a run: execution style, tapes, limits and costs from the settings."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from quant.backtest.market import MarketArrays
from quant.core.panel import Panel
from quant.core.seeds import derive
from quant.core.tables import CHILDREN
from quant.core.types import Codes, Frame, Mask, Matrix
from quant.costs import buckets
from quant.execution.fx import per_dollar
from quant.execution.impact import Impact
from quant.execution.limits import REASONS
from quant.execution.moo import market_on_open
from quant.execution.orders import Execute
from quant.execution.scheduled import Liquidity, Rules, Scheduled
from quant.execution.tape import DailyBars, RecordedTapes, SimulatedTapes, Tapes
from quant.risk.returns import close_to_close

# of table `bars`, beside those of the market
FIELDS = ("high", "low", "float_shares")
# minutes of continuous trading
MINUTES = {"us": 390, "cn": 240}
# sessions of the volatility that impact is measured in, and least of them
SIGMA, LEAST = 21, 5


def execute(
    s: Mapping[str, Any], market: MarketArrays, bars: Panel, intraday: Frame, region: str, seed: int
) -> Execute:
    """The execution style of the run; a new one for every book, for it logs its children."""
    if s["execution"].impact == "lambda":
        return market_on_open
    return scheduled(s, market, bars, intraday, region, seed)


def scheduled(
    s: Mapping[str, Any], market: MarketArrays, bars: Panel, intraday: Frame, region: str, seed: int
) -> Scheduled:
    """Orders on tapes, whatever the charges of the book: impact=lambda has no law of its own."""
    e, x = s["execution"], s["execution"].simulator
    course = tapes(s, market, bars, intraday, region, seed)
    law = "almgren" if e.impact == "lambda" else e.impact
    impact = Impact(law, x.impact_scale, x.half_spread_bp / 1e4)
    return Scheduled(rules(s, region, market, e.style), course, liquidity(market, bars), impact)


def rules(s: Mapping[str, Any], region: str, market: MarketArrays, style: str) -> Rules:
    """Caps and minimums of `style`; the opening auction takes an order of any size, whole."""
    e, x = s["execution"], s["execution"].simulator
    dollars = e.pov.min_child_notional_usd if style != "MOO" else 0.0
    return Rules(
        style=style,
        min_child=dollars * per_dollar(region, market.dates),
        target_pov=e.pov.target_pov,
        buckets=e.vwap.buckets,
        min_trade=e.min_trade_nav_bp / 1e4,
        adv_cap=np.inf if e.adv_cap_bp is None else e.adv_cap_bp / 1e4,
        max_participation=e.vwap.max_participation if style == "VWAP" else 1.0,
        auction_share=x.auction_share,
        times=s["costs"].multiplier,
    )


def tapes(
    s: Mapping[str, Any], market: MarketArrays, bars: Panel, intraday: Frame, region: str, seed: int
) -> Tapes:
    """The course of every session: of table `intraday` where it has one, else simulated."""
    daily = DailyBars(*(bars[name] for name in ("open", "high", "low", "close", "volume")))
    minutes = s["execution"].simulator.bar_minutes
    n, axes = max(MINUTES[region] // minutes, 2), (market.dates, market.symbols)
    made = SimulatedTapes(daily, *axes, n, derive(seed, "tape"))
    return RecordedTapes.of(intraday, *axes, minutes, made) if len(intraday) else made


def sigma(bars: Panel) -> Matrix:
    """Daily volatility of every name over the last 21 sessions, NaN before it is known."""
    returns = close_to_close(bars["close"] * bars["factor"])
    return pd.DataFrame(returns).rolling(SIGMA, min_periods=LEAST).std().to_numpy()


def liquidity(market: MarketArrays, bars: Panel) -> Liquidity:
    """What is known of every name at the close of every session."""
    shares = pd.DataFrame(bars["float_shares"]).ffill().to_numpy()
    return Liquidity(sigma(bars), market.adv, shares, bars["volume"])


def bucketed(s: Mapping[str, Any], bars: Panel, member: Mask) -> np.ndarray:
    """Liquidity bucket of every name on every day, (n_days, n_assets) int8; 0 = least liquid."""
    scheme = s["costs"].bucket_scheme
    adv = buckets.median_adv(bars["amount"], scheme.window)
    return buckets.liquidity(adv, member, scheme.edges_pct)


def members(market: MarketArrays, membership: Frame) -> Mask:
    """Who is in the universe, (n_days, n_assets)."""
    axes = {"dates": market.dates, "symbols": market.symbols}
    return Panel.of(membership.assign(one=1.0), ["one"], **axes)["one"] == 1.0


def lambdas(params: Frame, market: MarketArrays, bucket: np.ndarray) -> tuple[Matrix, Matrix]:
    """lambda1 and lambda2 of every name on every day, (n_days, n_assets), decimal.

    params : table `lambda_params`; the last fit on or before the day holds, the first one before
    """
    asof = np.sort(params["asof_date"].unique()).astype("datetime64[D]")
    row = np.maximum(np.searchsorted(asof, market.dates, side="right") - 1, 0)
    out = []
    for name, unit in (("lambda1_bp", 1e4), ("lambda2", 1.0)):
        table = params.pivot(index="asof_date", columns="bucket_id", values=name)
        # the table holds float32: 1e-5 of it is 1e-5 again
        values = table.to_numpy(np.float32).astype(str).astype(np.float64) / unit
        out.append(values[row[:, None], bucket])
    return out[0], out[1]


def children(execute: Execute, market: MarketArrays) -> Frame:
    """Table `children` of a book; empty where orders have none."""
    log = execute.log if isinstance(execute, Scheduled) else []
    frames = [_children(t, asset, made, market) for t, asset, made in log]
    if not frames:
        return CHILDREN.empty()
    return pd.concat(frames, ignore_index=True)[CHILDREN.schema.names]


def _children(t: int, asset: Codes, made: Any, market: MarketArrays) -> Frame:
    first = np.r_[True, made.order[1:] != made.order[:-1]]
    number = np.arange(made.order.size)
    number -= np.maximum.accumulate(np.where(first, number, 0))
    return pd.DataFrame(
        {
            "date": market.dates[t].astype("datetime64[ns]"),
            "symbol": market.symbols[asset[made.order]],
            "child": number,
            **{name: getattr(made, name) for name in ("slot", "ordered", "shares", "price")},
            **{name: getattr(made, name) for name in ("rate", "spread", "impact", "fee")},
            "reason": np.array(REASONS, object)[made.reason],
        }
    )

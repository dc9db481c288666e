"""What `optimize` and `backtest` share: the market, the policy, and the window they run over."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.backtest.engine import Decide, State
from quant.backtest.market import FIELDS, Charges, MarketArrays, charges, market_arrays
from quant.backtest.policy import Knobs, Optimized, signals
from quant.core import tables
from quant.core.errors import DataError
from quant.core.panel import Panel, sessions_of
from quant.core.types import Vector
from quant.stages.registry import Context, Inputs

if TYPE_CHECKING:
    from quant.settings import Config

NEEDS = (
    tables.BARS, tables.SESSIONS, tables.LISTINGS, tables.RATES, tables.MEMBERSHIP, tables.ALPHA,
    tables.STATES, tables.REGIME,
)  # fmt: skip


def settings(config: "Config") -> dict[str, Any]:
    """Everything that decides a book; the Qlib replay is none of it."""
    return {
        "region": config.region,
        "optimizer": config.optimizer,
        "risk": config.risk,
        "costs": config.costs,
        "execution": config.execution,
        "window": {"start": config.backtest.start, "end": config.backtest.end},
        "horizon": config.model2.label.horizon,
        "delist_return": config.universe.delist_return,
        "adv_window": config.universe.adv_window,
    }


def knobs(s: Mapping[str, Any]) -> Knobs:
    """The optimizer's constants from the settings."""
    o, r = s["optimizer"], s["risk"]
    return Knobs(
        gamma=o.gamma,
        gamma_ref=o.gamma if o.gamma_ref is None else o.gamma_ref,
        tau=o.turnover.tau,
        name_max=o.name_max,
        adv_cap=o.adv_cap,
        horizon=s["horizon"],
        periods=s["region"].periods,
        window=r.window,
        coverage=r.min_coverage,
        every=o.rebalance_every,
        method=o.method,
        group_min=o.group_min,
        cash_max=o.cash_max,
        relative=o.relative,
        tracking_error=o.tracking_error or 0.0,
    )


def market(s: Mapping[str, Any], f: Inputs, region: str) -> tuple[MarketArrays, Panel]:
    """The market's arrays and the panel they were built from."""
    bars = Panel.of(f["bars"], FIELDS, dates=sessions_of(f["sessions"]))
    arrays = market_arrays(
        bars, f["listings"], f["rates"], region, s["delist_return"], s["adv_window"]
    )
    return arrays, bars


def charged(s: Mapping[str, Any], arrays: MarketArrays, region: str) -> Charges:
    """What trading costs on every session, statutory fees included unless turned off.

    The multiplier is of everything, fees too: a book at twice the costs pays twice as much.
    """
    costs, times = s["costs"], s["costs"].multiplier
    fees = region if costs.statutory else None
    made = charges(arrays, costs.lambda1 * times, costs.lambda2 * times, fees)
    return replace(made, buy_fee=times * made.buy_fee, sell_fee=times * made.sell_fee)


def optimized(
    s: Mapping[str, Any], f: Inputs, c: Context
) -> tuple[MarketArrays, Optimized, int, int]:
    """Market, policy, and the first and last session of the run."""
    arrays, bars = market(s, f, c.region)
    alpha = f["alpha"]
    seen = signals(arrays, bars, alpha, f["membership"], f["states"], f["regime"])
    first, last = window(s["window"], arrays, seen.alpha)
    charge = charged(s, arrays, c.region)
    return arrays, Optimized(arrays, seen, charge, knobs(s), first), first, last


def window(wanted: Mapping[str, Any], arrays: MarketArrays, alpha: np.ndarray) -> tuple[int, int]:
    """First and last session: by default from the first calibrated alpha to the end of the data.

    Raises DataError where the wanted start lies before the first alpha.
    """
    known = np.flatnonzero(~np.isnan(alpha).all(axis=1))
    if not known.size:
        raise DataError("there is no calibrated alpha on any session; lengthen the sample.")
    first, last = int(known[0]), int(known[-1])
    if wanted["start"]:
        start = arrays.index(wanted["start"])
        if start < first:
            raise DataError(
                f"backtest.start={wanted['start']} is before the first alpha on "
                f"{arrays.dates[first]}; start there, or shorten model2.walk_forward."
            )
        first = start
    if wanted["end"]:
        end = np.datetime64(wanted["end"], "D")
        last = min(last, int(np.searchsorted(arrays.dates, end, side="right")) - 1)
    if last <= first:
        raise DataError(
            f"the backtest would run from {arrays.dates[first]} to {arrays.dates[max(last, 0)]}; "
            "move backtest.end after backtest.start."
        )
    return first, last


def ticking(policy: Decide, c: Context, label: str, first: int, last: int) -> Decide:
    """The policy, with progress."""
    tick = c.tick(label)

    def decide(t: int, state: State) -> Vector | None:
        tick(t - first + 1, last - first + 1)
        return policy(t, state)

    return decide


def solve_metrics(policy: Optimized, prefix: str) -> dict[str, float]:
    """How often limits bind and solves fall back; milliseconds a solve."""
    table = policy.table()
    counts = {
        f"{prefix}.{name}": float(table[name].mean())
        for name in ("vol_binds", "turnover_binds", "group_binds", "relaxed")
    }
    return {
        **counts,
        f"{prefix}.solves": float(len(table)),
        f"{prefix}.fallbacks": float((table["solver"] != policy.knobs.method).sum()),
        f"{prefix}.worst_violation": float(table["violation"].max()),
        f"{prefix}.worst_gap": float(table["gap"].abs().max()),
        f"{prefix}.solve_ms_median": float(np.median(policy.seconds) * 1e3),
        f"{prefix}.solve_ms_p95": float(np.quantile(policy.seconds, 0.95) * 1e3),
    }

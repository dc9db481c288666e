"""What `optimize` and `backtest` share: the market, the policy, and the window they run over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.backtest.engine import Decide, State
from quant.backtest.market import FIELDS, Charges, MarketArrays, charges, market_arrays
from quant.backtest.policy import Constants, Optimized, signals
from quant.core import tables
from quant.core.errors import DataError
from quant.core.panel import Panel, sessions_of
from quant.core.types import Frame, Vector
from quant.execution.orders import Execute
from quant.stages import desk
from quant.stages.registry import Context, Inputs

if TYPE_CHECKING:
    from quant.settings import Config

# without the fitted costs: what the replay that they are learned from needs
UNFITTED = (
    tables.BARS, tables.SESSIONS, tables.LISTINGS, tables.RATES, tables.MEMBERSHIP, tables.ALPHA,
    tables.STATES, tables.REGIME, tables.INTRADAY,
)  # fmt: skip
NEEDS = (*UNFITTED, tables.LAMBDA_PARAMS)


def settings(config: "Config") -> dict[str, Any]:
    """Everything that decides a book; the Qlib replay is none of it."""
    return {
        "region": config.region,
        "optimizer": config.optimizer,
        "risk": config.risk,
        "costs": config.costs,
        "execution": config.execution,
        "window": {
            "start": config.backtest.start,
            "end": config.backtest.end,
            "since": config.first_booked,
        },
        "horizon": config.model2.label.horizon,
        "delist_return": config.universe.delist_return,
        "adv_window": config.universe.adv_window,
    }


def constants(s: Mapping[str, Any]) -> Constants:
    """The optimizer's constants from the settings."""
    o, r, e = s["optimizer"], s["risk"], s["execution"]
    return Constants(
        gamma=o.gamma,
        gamma_ref=o.gamma if o.gamma_ref is None else o.gamma_ref,
        tau=o.turnover.tau,
        name_max=o.name_max,
        adv_cap=min(o.adv_cap, np.inf if e.adv_cap_bp is None else e.adv_cap_bp / 1e4),
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
    bars = Panel.of(f["bars"], (*FIELDS, *desk.FIELDS), dates=sessions_of(f["sessions"]))
    arrays = market_arrays(
        bars, f["listings"], f["rates"], region, s["delist_return"], s["adv_window"]
    )
    return arrays, bars


def charged(
    s: Mapping[str, Any], arrays: MarketArrays, bars: Panel, region: str, params: Frame,
    membership: Frame,
) -> Charges:  # fmt: skip
    """What trading costs on every session, statutory fees included unless turned off.

    params : table `lambda_params`, looked up by the day's liquidity bucket of each name
    The multiplier is of everything, fees too: a book at twice the costs pays twice as much.
    """
    bucket = desk.bucketed(s, bars, desk.members(arrays, membership))
    return _charges(s, arrays, region, *desk.lambdas(params, arrays, bucket))


def fixed(s: Mapping[str, Any], arrays: MarketArrays, region: str) -> Charges:
    """The same at the fixed costs, which hold before anything is fitted."""
    return _charges(s, arrays, region, s["costs"].lambda1, s["costs"].lambda2)


def _charges(
    s: Mapping[str, Any], arrays: MarketArrays, region: str, lambda1: Any, lambda2: Any
) -> Charges:
    costs, times = s["costs"], s["costs"].multiplier
    made = charges(arrays, lambda1 * times, lambda2 * times, region if costs.statutory else None)
    return replace(made, buy_fee=times * made.buy_fee, sell_fee=times * made.sell_fee)


@dataclass(frozen=True)
class Book:
    """What a stage needs to run the book: market, policy, days, and a fresh desk for each run."""

    market: MarketArrays
    bars: Panel
    policy: Optimized
    first: int
    last: int
    desk: Callable[[], Execute]


def optimized(s: Mapping[str, Any], f: Inputs, c: Context) -> Book:
    """The book at the costs of table `lambda_params`."""
    arrays, bars = market(s, f, c.region)
    charge = charged(s, arrays, bars, c.region, f["lambda_params"], f["membership"])
    return _book(s, f, c, arrays, bars, charge)


def unfitted(s: Mapping[str, Any], f: Inputs, c: Context) -> Book:
    """The book at fixed costs."""
    arrays, bars = market(s, f, c.region)
    return _book(s, f, c, arrays, bars, fixed(s, arrays, c.region))


def _book(
    s: Mapping[str, Any], f: Inputs, c: Context, arrays: MarketArrays, bars: Panel, charge: Charges
) -> Book:
    seen = signals(arrays, bars, f["alpha"], f["membership"], f["states"], f["regime"])
    first, last = window(s["window"], arrays, seen.alpha)
    return Book(
        arrays, bars, Optimized(arrays, seen, charge, constants(s), first), first, last,
        lambda: desk.execute(s, arrays, bars, f["intraday"], c.region, c.seed),
    )  # fmt: skip


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
    if wanted.get("since"):
        since = np.datetime64(wanted["since"], "D")
        first = max(first, int(np.searchsorted(arrays.dates, since)))
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
        f"{prefix}.fallbacks": float((table["solver"] != policy.constants.method).sum()),
        f"{prefix}.worst_violation": float(table["violation"].max()),
        f"{prefix}.worst_gap": float(table["gap"].abs().max()),
        f"{prefix}.solve_ms_median": float(np.median(policy.seconds) * 1e3),
        f"{prefix}.solve_ms_p95": float(np.quantile(policy.seconds, 0.95) * 1e3),
    }

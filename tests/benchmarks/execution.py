"""Speed of scheduled execution: three years of 800 names with child orders, and the cost fit.

    python -m tests.benchmarks.execution [--days 756] [--names 800] [--naive-days 5]

Seconds on one thread. Every name trades every day. The naive method walks order by order and
interval by interval in Python, for percentage of volume, on the first days; it has to trade the
same shares.
"""

import argparse
import time

import numpy as np
import pandas as pd

from quant.backtest import engine
from quant.backtest.market import MarketArrays, charges, market_arrays
from quant.core.panel import Panel
from quant.costs import fit
from quant.execution.scheduled import Scheduled
from tests.backtest import markets
from tests.benchmarks.ledger import CAPITAL, panel_of, targets_of
from tests.desks import desk


def market_of(n_days: int, n: int) -> tuple[MarketArrays, Panel]:
    """A random market whose bars have a range."""
    made = panel_of(n_days, n)
    fields = {name: made[name] for name in made.fields}
    fields["high"] = np.fmax(fields["open"], fields["close"]) * 1.01
    fields["low"] = np.fmin(fields["open"], fields["close"]) * 0.99
    fields["float_shares"] = np.full(made.shape, np.nan)
    panel = Panel(made.dates, made.symbols, fields)
    listings = markets.no_listings()
    return market_arrays(panel, listings, markets.rates_of(n_days), "cn"), panel


def naive(
    worked: Scheduled, market: MarketArrays, t: int, asset: np.ndarray, ordered: np.ndarray
) -> np.ndarray:
    """Shares that each order trades by percentage of volume, cash and limits aside."""
    tape, rules = worked.tapes(t, asset), worked.rules
    before = market.mark[t - 1, asset] / market.ratio[t, asset]
    cap = rules.adv_cap * worked.liquidity.adv[t - 1, asset]
    out = np.zeros(asset.size)
    for k in range(asset.size):
        size, least = market.lots.size[asset[k]], market.lots.minimum[asset[k]]
        parent = abs(ordered[k])
        if cap[k] < parent * before[k]:
            parent = np.floor(cap[k] / before[k] / size) * size
        left, spent = parent, 0.0
        for price, volume in zip(tape.price[k], tape.volume[k], strict=True):
            child = min(rules.target_pov * volume, left, (cap[k] - spent) / price)
            child = np.floor(child / size + 1e-6) * size
            if child >= least and child * price >= rules.min_child[t]:
                left, spent = left - child, spent + child * price
        out[k] = np.sign(ordered[k]) * (parent - left)
    return out


def main() -> None:
    """Print one table."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--days", type=int, default=756)
    words.add_argument("--names", type=int, default=800)
    words.add_argument("--naive-days", type=int, default=5)
    asked = words.parse_args()
    market, panel = market_of(asked.days, asked.names)
    targets = targets_of(asked.days, asked.names)
    terms = charges(market, 5e-4, 1e-5, "cn")
    priced = market.mark > 0

    def decide(t: int, state: engine.State) -> np.ndarray:
        return np.where(priced[t], targets[t], 0.0)

    print("style  seconds  orders  children  seconds a year")
    kept = {}
    for style in ("MOO", "POV", "VWAP"):
        worked = desk(market, panel, style, "cn", intervals=48, adv_cap=0.05)
        start = time.perf_counter()
        result = engine.run(market, decide, worked, charges=terms, capital=CAPITAL)
        took = time.perf_counter() - start
        children = sum(made.order.size for _, _, made in worked.log)
        kept[style] = worked, result, took
        print(f"{style:5}  {took:7.1f}  {len(result.fills):,}  {children:,}  "
              f"{took / asked.days * 252:.1f}")  # fmt: skip
    worked, result, took = kept["POV"]
    fills, days = result.fills, market.dates.astype("datetime64[ns]")
    start, same, n = time.perf_counter(), 0, 0
    for t in range(1, asked.naive_days + 1):
        rows = fills[fills["date"] == days[t]]
        asset = np.searchsorted(market.symbols.astype(str), rows["symbol"].to_numpy(str))
        plain = naive(worked, market, t, asset, rows["ordered"].to_numpy())
        free = ~rows["reason"].isin(["cash", "suspended", "limit up", "limit down"]).to_numpy()
        same += int((plain == rows["shares"].to_numpy())[free].sum())
        n += int(free.sum())
    slow = (time.perf_counter() - start) / asked.naive_days
    print(f"naive loop, by session: {slow / (took / asked.days):.0f} times as long; "
          f"the same shares in {same} of {n} orders")  # fmt: skip
    rng = np.random.default_rng(0)
    orders = pd.DataFrame(
        {
            "date": np.datetime64("2015-01-01") + rng.integers(0, 756, 300_000),
            "size": rng.lognormal(-6, 1, 300_000), "bucket": rng.integers(0, 6, 300_000),
            "shortfall_bp": rng.normal(8, 40, 300_000), "vol_bucket": rng.integers(0, 3, 300_000),
        }
    )  # fmt: skip
    start = time.perf_counter()
    fit.fit(orders, 6)
    print(f"fit of 300,000 orders: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()

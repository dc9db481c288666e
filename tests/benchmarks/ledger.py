"""Speed of the ledger beside a bare numpy loop over the same fills, our Qlib run and stock Qlib.

    python -m tests.benchmarks.ledger [--days 779] [--names 800] [--qlib-days 60]

CPU seconds on one thread, best of five (the Qlib runs: once, over fewer days). The bare loop is
what the fills cost at least: add shares, pay, multiply by closes; no orders, limits or records.
"""

import argparse
import contextlib
import io
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from quant.backtest import engine, ledger, reference
from quant.backtest.market import FIELDS, MarketArrays, charges, market_arrays
from quant.backtest.result import Result
from quant.core.panel import Panel
from quant.core.seeds import generator
from quant.data import qlib_store
from quant.execution.orders import Fills
from tests.backtest import markets

CAPITAL = 1e8


def panel_of(n_days: int, n: int) -> Panel:
    rng = generator(42, "benchmark", "ledger")
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.02, (n_days, n)), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.005, (n_days, n)))
    gap = rng.random((n_days, n)) < 0.05
    gap[0] = False
    step = np.where(rng.random((n_days, n)) < 0.003, 1.02, 1.0)
    step[0] = 1.0
    fields = {"open": open_, "close": close, "high": close, "low": close, "pre_close": close}
    fields |= {"volume": np.full((n_days, n), 1e7), "amount": close * 1e7}
    fields |= {"factor": np.cumprod(step, axis=0)}
    fields |= {"limit_up": open_ * 1.08, "limit_down": open_ * 0.92}
    fields = {name: np.where(gap, np.nan, values) for name, values in fields.items()}
    symbols = np.array(markets.symbols_of("cn", n), object)
    return Panel(markets.business_days(n_days), symbols, fields)


def targets_of(n_days: int, n: int) -> np.ndarray:
    """Weights over all names that move a little every day: every name trades every day."""
    rng = generator(42, "benchmark", "targets")
    weights = np.exp(np.cumsum(rng.normal(0, 0.05, (n_days, n)), axis=0))
    return 0.95 * weights / weights.sum(axis=1, keepdims=True)


def best(work: Callable[[], object], times: int = 5) -> float:
    took = []
    for _ in range(times):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)


def bare_loop(market: MarketArrays, fills: list[Fills | None]) -> np.ndarray:
    shares, cash = np.zeros(market.symbols.size), CAPITAL
    nav = np.full(market.dates.size, CAPITAL)
    for t in range(1, market.dates.size):
        cash *= 1.0 + market.rf[t]
        shares = shares * market.ratio[t]
        done = fills[t]
        if done is not None:
            shares[done.asset] += done.shares
            cash -= np.nansum(done.shares * done.price) + done.cost.sum() + done.fee.sum()
        nav[t] = cash + shares @ market.mark[t]
    return nav


def book_loop(market: MarketArrays, terms, fills: list[Fills | None]) -> np.ndarray:
    book, nav = ledger.Book(market, terms, CAPITAL), np.full(market.dates.size, CAPITAL)
    for t in range(1, market.dates.size):
        book.carry(t)
        done = fills[t]
        if done is not None:
            book.apply(done)
        book.mark(t)
        nav[t] = book.nav
    return nav


def recorded_fills(market: MarketArrays, decide, terms) -> tuple[Result, list[Fills | None]]:
    fills: list[Fills | None] = [None]

    def execute(orders, session):
        fills.append(engine.market_on_open(orders, session))
        return fills[-1]

    result = engine.run(market, decide, execute, charges=terms, capital=CAPITAL)
    return result, fills


def stock_qlib(folder: Path, market: MarketArrays, targets: np.ndarray, last: int) -> float:
    """Stock Qlib: its exchange, executor, account and weight strategy, with flat cost rates."""
    qlib_store.init(folder, "cn")
    with contextlib.redirect_stderr(io.StringIO()):
        from qlib.backtest import backtest
        from qlib.contrib.strategy.signal_strategy import WeightStrategyBase

    class Weights(WeightStrategyBase):
        def generate_target_weight_position(self, score, current, trade_start_time, trade_end_time):
            return (score / score.sum()).to_dict()

    names = [qlib_store.instrument(s) for s in market.symbols]
    index = pd.MultiIndex.from_product(
        [market.dates[: last + 1].astype("datetime64[ns]"), names],
        names=["datetime", "instrument"],
    )
    signal = pd.Series(targets[: last + 1].ravel(), index=index)
    dates = [pd.Timestamp(d) for d in market.dates[[0, 1, last]]]
    start = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        backtest(
            dates[1],
            dates[2],
            strategy=Weights(signal=signal, risk_degree=0.95),
            executor={
                "class": "SimulatorExecutor",
                "module_path": "qlib.backtest.executor",
                "kwargs": {"time_per_step": "day", "generate_portfolio_metrics": True},
            },
            benchmark=pd.Series(0.0, index=pd.DatetimeIndex(market.dates)),
            account=CAPITAL,
            exchange_kwargs={
                "start_time": dates[0],
                "codes": names,
                "deal_price": "$open",
                "limit_threshold": reference.LIMITS,
            },
        )
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=779)
    parser.add_argument("--names", type=int, default=800)
    parser.add_argument("--qlib-days", type=int, default=60)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    panel, targets = panel_of(args.days, args.names), targets_of(args.days, args.names)
    fields = {name: panel[name] for name in FIELDS}
    market = market_arrays(
        Panel(panel.dates, panel.symbols, fields),
        markets.no_listings(),
        markets.rates_of(args.days),
        "cn",
    )
    terms = charges(market, 5e-4, 1e-5, "cn")

    def decide(t, state):
        return targets[t]

    result, fills = recorded_fills(market, decide, terms)
    np.testing.assert_allclose(bare_loop(market, fills), result.nav, rtol=1e-12)
    np.testing.assert_allclose(book_loop(market, terms, fills), result.nav, rtol=1e-12)
    bare = best(lambda: bare_loop(market, fills))
    book = best(lambda: book_loop(market, terms, fills))
    whole = best(lambda: engine.run(market, decide, charges=terms, capital=CAPITAL))
    orders = sum(f.asset.size for f in fills if f is not None)
    print(f"{args.days} days x {args.names} names, {orders:,} orders; CPU s")
    print(f"bare numpy loop over the fills  {bare:8.3f}    1.0x")
    print(f"ledger over the same fills      {book:8.3f} {book / bare:6.1f}x   (limit 3x)")
    print(f"engine: orders, fills, records  {whole:8.3f} {whole / bare:6.1f}x")
    last = min(args.qlib_days, args.days - 1)
    if last < 3:
        return
    with tempfile.TemporaryDirectory() as home:
        folder = qlib_store.write(panel.long(), market.dates, Path(home) / "qlib", "cn")
        nav = reference.replay(folder, "cn", market, terms, result.targets, CAPITAL, 0, last)

        def ours(until: int) -> float:
            start = time.process_time()
            reference.replay(folder, "cn", market, terms, result.targets, CAPITAL, 0, until)
            return time.process_time() - start

        def stock(until: int) -> float:
            return stock_qlib(folder, market, targets, until)

        # loading the quotes once is left out: the difference of a long and a short run
        per_day = [(run(last) - run(2)) / (last - 2) for run in (ours, stock)]
    gap = np.abs(nav["nav"].to_numpy() / result.nav[: last + 1] - 1).max()
    for name, cpu in zip(("our exchange", "stock"), per_day, strict=True):
        print(f"Qlib, {name:26s}{args.days * cpu:8.1f} {args.days * cpu / bare:6.0f}x")
    print(f"NAV of the replay within {gap:.1e} of the ledger's")
    print(f"(both without loading, scaled up from {last} days)")


if __name__ == "__main__":
    main()

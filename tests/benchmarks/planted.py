"""Something to find: how much of a known signal reaches the book.

`python -m tests.benchmarks.planted [seeds]` prints two tables over so many markets a line: the
share of the oracle's Sharpe ratio that the pipeline recovers (eleven years, the default costs), and
Grinold's law with the oracle's alpha (six years, no costs, twice as many markets).
"""

import os
import sys
import time
from collections.abc import Iterable
from datetime import date
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from quant import settings
from quant.core.panel import Panel
from quant.core.types import Vector
from quant.evaluation import metrics
from quant.stages import universe
from tests import markets, oracle
from tests.benchmarks._tables import markdown, mean
from tests.test_config import composed

STRENGTHS, SIZES = (0.02, 0.05, 0.10), (60, 150, 300)
LONG = date(2008, 1, 2), date(2018, 12, 31)
SHORT = date(2010, 1, 4), date(2015, 12, 31)
YEAR = 252
WORDS = ("sprint=s0", "model2.threads=1", "model2.boost.rounds=50", "optimizer.rebalance_every=5")


def annual(returns: Vector) -> float:
    """Sharpe ratio a year."""
    return metrics.sharpe(returns, periods=YEAR)


def config_for(names: int) -> settings.Config:
    """The default settings, every fifth session, with name bounds that fit the market.

    No volatility target: see `markets.unhindered`. Six times the equal weight is the default bound
    of 2 % for 300 names.
    """
    config = composed(*WORDS, f"optimizer.name_max={6 / names:g}")
    config.optimizer.vol_target.base = 2.0
    return config


def recovered(names: int, alpha_ic: float, seed: int) -> dict[str, float]:
    """Sharpe ratios of two books on one market: Model 2's alphas, and the oracle's."""
    given, truth = markets.drawn("us", names, alpha_ic, seed, LONG)
    config = config_for(names)
    frames = markets.modelled(config, markets.prepared(config, given))
    rows = frames["alpha"].loc[frames["alpha"]["alpha"].notna(), ["date", "symbol"]]
    best = oracle.alphas(frames, truth).merge(rows, on=["date", "symbol"])
    out = {}
    for name, alpha in (("model", frames["alpha"]), ("oracle", best)):
        made = markets.book(config, frames, alpha)
        out[name] = annual(markets.net(made["nav"]))
        out[f"{name} raw"] = annual(markets.excess(made["nav"], "portfolio"))
        out["years"] = len(markets.net(made["nav"])) / YEAR
        out[f"{name} IC"] = float(markets.daily_ic(alpha, frames["labels"])["ic"].mean())
    return out


def law(names: int, alpha_ic: float, seed: int) -> dict[str, float]:
    """Information ratios of the oracle's alpha without costs, and what the law says of them."""
    given, truth = markets.drawn("us", names, alpha_ic, seed, SHORT)
    config = markets.unhindered(config_for(names))
    frames = markets.run(config, given, universe.STAGE)
    alpha, sessions = oracle.alphas(frames, truth), frames["sessions"]["date"]
    alpha = alpha[alpha["date"] >= sessions.iloc[config.risk.window]]
    made, known = markets.book(config, frames, alpha), oracle.oracle(frames, truth)
    axes = {"dates": known.dates, "symbols": known.symbols}
    held = np.nan_to_num(Panel.of(made["weights"], ["weight"], **axes)["weight"])
    first = sessions.searchsorted(made["nav"]["date"].min()) + markets.START_UP
    seen = oracle.law(known, np.arange(first, known.dates.size - 1), held)
    return {
        "names": float(seen.names.mean()),
        "IC": seen.ic,
        "ideal": annual(seen.ideal),
        "law": seen.ratio(YEAR),
        "TC": float(seen.transfer.mean()),
        "whole TC": float(seen.whole.mean()),
        "active": annual(seen.active),
        "risk": float(seen.active.std(ddof=1)),
        "net": annual(markets.net(made["nav"])),
    }


def share(rows: pd.DataFrame) -> tuple[float, float]:
    """Mean of the model's Sharpe ratio over that of the oracle's; jackknife error over markets."""
    model, best, n = rows["model"], rows["oracle"], len(rows)
    without = np.array([model.drop(i).mean() / best.drop(i).mean() for i in rows.index])
    error = np.sqrt((n - 1) / n * np.square(without - without.mean()).sum())
    return float(model.mean() / best.mean()), float(error)


def shares_table(found: dict[tuple, list[dict]]) -> Iterable[tuple[str, ...]]:
    """Lines of the first table."""
    yield ("alpha_ic", "names", "markets", "share of the oracle", "model, net", "oracle, net",
           "model, raw", "oracle, raw", "model's IC", "oracle's IC")  # fmt: skip
    for (names, alpha_ic), values in found.items():
        rows = pd.DataFrame(values)
        ratio, error = share(rows)
        books = ("model", "oracle", "model raw", "oracle raw")
        yield (
            f"{alpha_ic:.2f}", str(names), str(len(rows)), f"{ratio:.0%} ({error:.0%})",
            *(mean(rows[c]) for c in books), *(mean(rows[c], 3) for c in ("model IC", "oracle IC")),
        )  # fmt: skip


def law_table(found: dict[tuple, list[dict]]) -> Iterable[tuple[str, ...]]:
    """Lines of the second table."""
    yield ("names", "markets", "IC a session", "IR, w ~ Sigma^-1 alpha", "IC sqrt(breadth)",
           "difference", "TC", "IR, long-only", "TC IC sqrt(breadth)", "difference",
           "risk by forecast", "TC by Sigma", "difference", "IR of the NAV")  # fmt: skip
    for (names, _), values in found.items():
        r = pd.DataFrame(values)
        due, whole = r["TC"] * r["law"], r["whole TC"] * r["law"]
        yield (
            f"{r['names'].mean():.0f} of {names}", str(len(r)), mean(r["IC"], 4), mean(r["ideal"]),
            mean(r["law"]), mean(r["ideal"] - r["law"]), mean(r["TC"]), mean(r["active"]),
            mean(due), mean(r["active"] - due), mean(r["risk"]), mean(r["whole TC"]),
            mean(r["active"] - whole), mean(r["net"]),
        )  # fmt: skip


def _do(task: tuple) -> tuple[str, tuple, dict]:
    kind, names, alpha_ic, seed = task
    began = time.perf_counter()
    made = (recovered if kind == "share" else law)(names, alpha_ic, seed)
    print(f"{kind} {names} {alpha_ic} {seed}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return kind, (names, alpha_ic), made


def main() -> None:
    """Two tables."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    tasks = [("share", n, ic, s) for ic in STRENGTHS for n in SIZES for s in range(1, seeds + 1)]
    tasks += [("law", n, 0.05, s) for n in SIZES for s in range(1, 2 * seeds + 1)]
    found: dict[str, dict[tuple, list[dict]]] = {"share": {}, "law": {}}
    with get_context("spawn").Pool(2) as pool:
        for kind, key, made in pool.imap(_do, tasks):
            found[kind].setdefault(key, []).append(made)
    for lines in (shares_table(found["share"]), law_table(found["law"])):
        print(markdown(lines), end="\n\n")


if __name__ == "__main__":
    main()

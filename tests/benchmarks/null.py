"""Nothing to find: the pipeline from features to the deflated Sharpe ratio, over many seeds.

`python -m tests.benchmarks.null [seeds] [--full N] [--real N]`: `seeds` reduced simulated markets
with alpha_ic=0, N of full size, and N runs on the real Chinese market of ../shared/data with
shuffled labels (a tenth as many at full size, at least one).

The return judged is that of the book less cash less beta x (benchmark less cash), beta by least
squares over the run, from session 42 on, when the turnover limit has let the book in. Its control
is the same run with the alphas of each date given to names at random.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache, partial
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
from scipy import stats

from quant import settings
from quant.core import tables
from quant.core.types import Frame, Vector
from quant.data import calendar
from quant.evaluation import metrics
from quant.evaluation.clusters import Trial as Tried
from quant.evaluation.clusters import ideas
from quant.features.producers import PRODUCERS
from tests import markets
from tests.benchmarks._tables import above, markdown, mean
from tests.pipeline import Frames
from tests.shared import SHARED
from tests.test_config import composed

Rows = dict[str, dict]  # setting -> what was found
Trial = tuple[tuple[str, ...], tuple[str, ...], int]
Task = tuple[settings.Config, Frames]
ALL = tuple(dict.fromkeys(row.family for row in PRODUCERS))
BOTH = ("ridge", "lightgbm")
# what a researcher would try in turn: feature families, models, horizon; the first is the run
TRIALS: tuple[Trial, ...] = (
    (ALL, BOTH, 21),
    (ALL, BOTH, 5),
    (("momentum",), ("ridge",), 21),
    (("momentum", "daily"), ("lightgbm",), 5),
    (("volume", "liquidity"), ("ridge",), 5),
    (("volume", "liquidity"), ("lightgbm",), 21),
    (("volatility", "market"), ("ridge",), 21),
    (("daily", "industry"), ("ridge",), 5),
)
AS_IS, BETS = "calibrated alphas", "scores traded unshrunk"
COSTS, TARGET = "unshrunk, with costs", "calibrated, volatility target 12 %"
NAMES = 60


def judged(frames: Frames) -> Vector:
    """(n_days,) net return of the book in `frames`."""
    return markets.net(frames["nav"])


def run(config: settings.Config, frames: Frames, seed: int, labels: Frame | None = None) -> Rows:
    """What one run with features and labels in `frames` answers, by setting.

    config : its costs and volatility target count only where the setting names them
    labels : what the IC is measured on; by default those that were learned from
    """
    frames, free = markets.modelled(config, frames), markets.unhindered(config)
    asis, horizon = frames["alpha"], config.model2.label.horizon
    bets = markets.unshrunk(asis, frames["membership"], horizon)
    dear, tamed = replace(free, costs=config.costs), replace(free, optimizer=config.optimizer)
    real = frames["labels"] if labels is None else labels
    out: Rows = {}
    for name, how, alpha in (
        (AS_IS, free, asis), (BETS, free, bets), (COSTS, dear, bets), (TARGET, tamed, asis)
    ):  # fmt: skip
        net, year = judged(markets.book(how, frames, alpha)), config.region.periods
        found = metrics.psr(metrics.shape(net))
        out[name] = {"net": net, "sharpe": metrics.sharpe(net, periods=year), "psr": found}
        if name != COSTS:  # alphas drawn anew at every rebalance cost more than any book's
            control = judged(markets.book(how, frames, markets.permuted(alpha, seed)))
            out[name]["control"] = metrics.sharpe(control, periods=year)
    # the IC is that of the scores, whatever is made of them
    out[AS_IS]["ic"] = out[BETS]["ic"] = float(markets.daily_ic(asis, real, horizon)["ic"].mean())
    return out


def trial(given: Frames, families: Sequence[str], models: Sequence[str], horizon: int) -> Task:
    """Settings and tables, up to the labels, of one thing to try on a reduced market."""
    config = markets.small("us", horizon)
    config.model2.models = list(models)
    frames = markets.prepared(config, given)
    keep = [row.name for row in PRODUCERS if row.family in families]
    return config, frames | {"features": frames["features"][["date", "symbol", *keep]]}


def reduced(seed: int) -> Rows:
    """One market of 60 names and four years: the run, its controls, the best of the trials."""
    given, _ = markets.drawn("us", NAMES, 0.0, seed)
    rows = run(*trial(given, *TRIALS[0]), seed)
    tried = {name: [rows[name]["net"]] for name in (AS_IS, BETS)}
    for one in TRIALS[1:]:
        config, frames = trial(given, *one)
        frames, free = markets.modelled(config, frames), markets.unhindered(config)
        bets = markets.unshrunk(frames["alpha"], frames["membership"], config.model2.label.horizon)
        for name, alpha in ((AS_IS, frames["alpha"]), (BETS, bets)):
            tried[name].append(judged(markets.book(free, frames, alpha)))
    for name, nets in tried.items():
        rows[name] |= best(nets)
    return rows


def best(nets: Sequence[Vector]) -> dict[str, float]:
    """PSR and DSR of the best of several trials; those that go together are one idea."""
    shapes = [metrics.shape(net) for net in nets]
    days = pd.date_range("2000-01-01", periods=max(net.size for net in nets))
    ledger = []
    for number, (net, one) in enumerate(zip(nets, shapes, strict=True)):
        # trials of a longer horizon have less history; all end on one day
        rows = {"date": days[-net.size :], "book": net, "benchmark": 0.0, "rf": 0.0}
        ledger.append(Tried(str(number), "", one.sharpe, one.n, pd.DataFrame(rows)))
    found = ideas(ledger, settings.Evaluation().same_idea)
    winner = max(shapes, key=lambda one: one.sharpe)
    dsr = metrics.dsr(winner, found.n, found.variance)
    return {"best": metrics.psr(winner), "dsr": dsr, "ideas": found.n}


def full(seed: int) -> Rows:
    """The default simulated market and settings, every fifth session, without its signal."""
    config = composed(
        "sprint=s0",
        "data.sim.alpha_ic=0",
        "model2.threads=1",
        "optimizer.rebalance_every=5",
        f"seed={seed}",
    )
    span = (date.fromisoformat(str(d)) for d in (config.data.start, config.data.end))
    given, _ = markets.drawn("us", config.data.sim.n_names, 0.0, seed, tuple(span))
    return run(config, markets.prepared(config, given), seed)


REAL = {
    "300": ("universe.size=300", "model2.walk_forward.row_step=10", "model2.boost.rounds=50",
            "model2.walk_forward.retrain_every=126", "optimizer.rebalance_every=5"),
    "800": ("optimizer.rebalance_every=5",),
}  # fmt: skip


@lru_cache(maxsize=1)
def chinese(size: str) -> tuple[settings.Config, Frames]:
    """The real market with features and labels."""
    from tests.data.shared_market import shared_market

    config = composed("region=cn", "sprint=s0", "model2.threads=1", *REAL[size])
    raw = shared_market("cn")
    given = {name: getattr(raw, name) for name in markets.RAW}
    days = raw.bars["date"]
    sessions = calendar.sessions("cn", days.min().date(), days.max().date())
    given["sessions"] = pd.DataFrame({"date": sessions.astype("datetime64[ns]")})
    given["intraday"] = tables.INTRADAY.empty()
    return config, markets.prepared(config, given)


def real(seed: int, size: str, names: bool = True) -> Rows:
    """The real Chinese market: features meet labels of other times, and IC those that came."""
    config, frames = chinese(size)
    mixed = markets.shuffled(frames["labels"], seed, names=names)
    return run(config, frames | {"labels": mixed}, seed, frames["labels"])


HEAD = ("market", "book", "runs", "IC (s.e.)", "p", "net Sharpe (s.e.)", "control", "difference",
        "PSR > 0.95", "best of 8: PSR > 0.95", "ideas", "best of 8: DSR > 0.95")  # fmt: skip


def table(found: Iterable[tuple[str, Rows]]) -> str:
    """A line for each setting, over all its runs."""
    runs: dict[tuple[str, str], list[dict]] = {}
    for market, one in found:
        for setting, values in one.items():
            runs.setdefault((market, setting), []).append(values)
    return markdown([HEAD, *((*key, *cells(pd.DataFrame(rows))) for key, rows in runs.items())])


def cells(r: pd.DataFrame) -> Iterable[str]:
    """The numbers of one line; "-" for what its setting does not ask."""
    yield str(len(r))
    yield mean(r["ic"], 4) if "ic" in r else "-"
    yield f"{stats.ttest_1samp(r['ic'], 0.0).pvalue:.2f}" if "ic" in r and len(r) > 1 else "-"
    yield mean(r["sharpe"])
    yield mean(r["control"]) if "control" in r else "-"
    yield mean(r["sharpe"] - r["control"]) if "control" in r else "-"
    yield above(r["psr"])
    yield above(r["best"]) if "best" in r else "-"
    yield f"{r['ideas'].mean():.1f}" if "ideas" in r else "-"
    yield above(r["dsr"]) if "dsr" in r else "-"


def _do(task: tuple[str, Callable[[int], Rows], int]) -> tuple[str, Rows]:
    market, function, seed = task
    began = time.perf_counter()
    rows = function(seed)
    print(f"{market}, seed {seed}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return market, rows


def main() -> None:
    """One table."""
    asked = argparse.ArgumentParser()
    asked.add_argument("seeds", type=int, nargs="?", default=100)
    asked.add_argument("--full", type=int, default=0)
    asked.add_argument("--real", type=int, default=0)
    asked = asked.parse_args()
    if asked.real and not SHARED.exists():
        sys.exit("--real needs ../shared/data, which is beside the project in development only.")
    tasks = [
        ("sim, 60 names, 4 years", reduced, asked.seeds),
        ("sim, 300 names, 9 years", full, asked.full),
        ("CN, 300 names", partial(real, size="300"), asked.real),
        ("CN, 300 names, time alone", partial(real, size="300", names=False), asked.real),
        ("CN, 800 names", partial(real, size="800"), -(-asked.real // 10)),
    ]
    todo = [(name, what, seed) for name, what, n in tasks for seed in range(1, n + 1)]
    with get_context("spawn").Pool(2) as pool:
        print(table(pool.imap(_do, todo)))


if __name__ == "__main__":
    main()

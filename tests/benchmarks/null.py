"""Nothing to find: the pipeline from features to the deflated Sharpe ratio, over many seeds.

`python -m tests.benchmarks.null [seeds] [--full N] [--real N]`: `seeds` reduced simulated markets
with alpha_ic=0, N of full size at the default settings, and N runs on the real Chinese market of
../shared/data with shuffled labels (a tenth as many at full size, at least one).

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

import numpy as np
import pandas as pd
from scipy import stats

from quant import settings
from quant.core.types import Frame
from quant.data import calendar
from quant.evaluation import metrics
from quant.features.producers import PRODUCERS
from tests import markets
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
    (("price",), ("ridge",), 21),
    (("price", "daily"), ("lightgbm",), 5),
    (("volume", "liquidity"), ("ridge",), 5),
    (("volume", "liquidity"), ("lightgbm",), 21),
    (("volatility", "market"), ("ridge",), 21),
    (("daily", "industry"), ("ridge",), 5),
)
AS_IS, BETS = "calibrated alphas", "scores traded unshrunk"
COSTS, TARGET = "unshrunk, with costs", "calibrated, volatility target 12 %"
NAMES = 60


def judged(frames: Frames) -> metrics.Shape:
    """Sharpe ratio a session of the net return of the book in `frames`, and its moments."""
    return metrics.shape(markets.net(frames["nav"]))


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
        found, year = judged(markets.book(how, frames, alpha)), np.sqrt(config.region.periods)
        out[name] = {"shape": found, "sharpe": found.sharpe * year, "psr": metrics.psr(found)}
        if name != COSTS:  # alphas drawn anew every day cost more than any book's
            control = judged(markets.book(how, frames, markets.permuted(alpha, seed)))
            out[name]["control"] = control.sharpe * year
    # the IC is that of the scores, whatever is made of them
    out[AS_IS]["ic"] = out[BETS]["ic"] = float(markets.daily_ic(asis, real)["ic"].mean())
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
    tried = {name: [rows[name]["shape"]] for name in (AS_IS, BETS)}
    for one in TRIALS[1:]:
        config, frames = trial(given, *one)
        frames, free = markets.modelled(config, frames), markets.unhindered(config)
        bets = markets.unshrunk(frames["alpha"], frames["membership"], config.model2.label.horizon)
        for name, alpha in ((AS_IS, frames["alpha"]), (BETS, bets)):
            tried[name].append(judged(markets.book(free, frames, alpha)))
    for name, shapes in tried.items():
        rows[name] |= best(shapes)
    return rows


def best(shapes: list[metrics.Shape]) -> dict[str, float]:
    """PSR and DSR of the best of several trials, each counted as one."""
    sharpes = np.array([s.sharpe for s in shapes])
    winner, spread = shapes[int(sharpes.argmax())], float(sharpes.var(ddof=1))
    return {"best": metrics.psr(winner), "dsr": metrics.dsr(winner, len(shapes), spread)}


def full(seed: int) -> Rows:
    """The default simulated market and settings, without its signal."""
    config = composed("data.sim.alpha_ic=0", "model2.threads=1", f"seed={seed}")
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

    config = composed("region=cn", "model2.threads=1", *REAL[size])
    raw = shared_market("cn")
    given = {name: getattr(raw, name) for name in markets.RAW}
    days = raw.bars["date"]
    sessions = calendar.sessions("cn", days.min().date(), days.max().date())
    given["sessions"] = pd.DataFrame({"date": sessions.astype("datetime64[ns]")})
    return config, markets.prepared(config, given)


def real(seed: int, size: str, names: bool = True) -> Rows:
    """The real Chinese market: features meet labels of other times, and IC those that came."""
    config, frames = chinese(size)
    mixed = markets.shuffled(frames["labels"], seed, names=names)
    return run(config, frames | {"labels": mixed}, seed, frames["labels"])


def table(found: Iterable[tuple[str, Rows]]) -> str:
    """Markdown: a line a setting, over all runs of it."""
    rows: dict[tuple[str, str], list[dict]] = {}
    for market, one in found:
        for setting, values in one.items():
            rows.setdefault((market, setting), []).append(values)
    head = ("market", "book", "runs", "IC (s.e., p)", "net Sharpe", "control", "difference (s.e.)",
            "PSR > 0.95", "best of 8: PSR > 0.95", "best of 8: DSR > 0.95")  # fmt: skip
    lines = [head, ("---",) * len(head)]
    lines += [(*key, *_cells(pd.DataFrame(values))) for key, values in sorted(rows.items())]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(rows: pd.DataFrame) -> tuple[str, ...]:
    n, lack = len(rows), "-"
    ic = lack
    if "ic" in rows and n > 1:
        p = stats.ttest_1samp(rows["ic"], 0.0).pvalue
        ic = f"{rows['ic'].mean():+.4f} ({rows['ic'].sem():.4f}, {p:.2f})"
    control = difference = lack
    if "control" in rows:
        gap = rows["sharpe"] - rows["control"]
        control, difference = f"{rows['control'].mean():+.2f}", f"{gap.mean():+.2f}"
        difference += f" ({gap.sem():.2f})" if n > 1 else ""
    shares = (_share(rows[c]) if c in rows else lack for c in ("psr", "best", "dsr"))
    return str(n), ic, f"{rows['sharpe'].mean():+.2f}", control, difference, *shares


def _share(probability: pd.Series) -> str:
    """Share above 0.95 with its exact 95 % interval (Clopper & Pearson 1934)."""
    hits, n = int((probability > 0.95).sum()), len(probability)
    low, high = stats.binomtest(hits, n).proportion_ci()
    return f"{hits / n:.1%} [{low:.1%}, {high:.1%}]"


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
    whole = -(-asked.real // 10)
    if asked.real and not SHARED.exists():
        sys.exit("--real needs ../shared/data, which is beside the project in development only.")
    tasks = [
        ("CN 2010-2019, 800 names", partial(real, size="800"), whole),
        ("CN, 300 names", partial(real, size="300"), asked.real),
        ("CN, 300 names, time alone", partial(real, size="300", names=False), asked.real),
        ("sim, 300 names, 9 years", full, asked.full),
        ("sim, 60 names, 4 years", reduced, asked.seeds),
    ]
    todo = [(name, what, 1 + seed) for name, what, n in tasks for seed in range(n)]
    with get_context("spawn").Pool(2) as pool:
        print(table(pool.imap_unordered(_do, todo)))


if __name__ == "__main__":
    main()

"""The problems: consecutive days of a market under the rules of a long-only and a long/short book.

The CN panel where the shared data is beside the project, a simulated market otherwise. The next day
starts from what the default method decided.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from quant.core.seeds import generator
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution, solve
from tests.benchmarks.optimizer.measure import timed
from tests.optimizer.problems import Market, Rules, days, simulated_market
from tests.shared import SHARED

PANEL = SHARED / "data/cn_dev.parquet"

# The canonical numbers but for two, so that each kind of limit binds on a fifth of the days at
# least: at 15 % a group binds on 5 % of the days of a long-only book and on 1 % of a long/short
# one; with information 0.03 instead of 0.04 turnover binds on hardly more than a fifth. Rules that
# are in use: 28 industries at 10 %, and a signal somewhat better than a weak one.
LONG_ONLY = Rules(group_cap=0.10, information=0.04)
LONG_SHORT = replace(LONG_ONLY, short=LONG_ONLY.bound, gross=1.6)
VARIANTS = {"long-only": LONG_ONLY, "long/short": LONG_SHORT}


@dataclass(frozen=True)
class Source:
    """A market, the position of its first day to solve, and what to call it."""

    market: Market
    first: int
    name: str


@dataclass(frozen=True)
class Path:
    """Problems of consecutive days, what the default method answered, and CPU milliseconds."""

    problems: list[Problem]
    solutions: list[Solution]
    ms: np.ndarray


def rules(book: str, names: int) -> Rules:
    """The rules of a book among so many names; with few, each may be larger."""
    least = 16.0 / names  # 0.02 of 800
    chosen = replace(VARIANTS[book], names=names, bound=max(VARIANTS[book].bound, least))
    return replace(chosen, short=chosen.bound) if chosen.short else chosen


def source(first: str, count: int, names: int, simulated: bool) -> Source:
    """The panel from `first` on; a simulated market where it is absent or asked for."""
    if simulated or not PANEL.exists():
        market = simulated_market(generator(42, "benchmark"), 300 + count, names)
        return Source(market, 280, "SIMULATED market (not the CN panel)")
    start = np.datetime64(first)
    market = cn_market(str(start - 420), str(start + int(1.6 * count + 40)))
    return Source(market, int(np.searchsorted(market.dates, start)), "CN panel")


def cn_market(start: str, end: str) -> Market:
    """Total-return prices and amounts of the development panel; one Shenwan scheme throughout."""
    columns = ["date", "symbol", "close", "factor", "amount"]
    bars = pd.read_parquet(PANEL, columns=columns)
    bars["date"] = pd.to_datetime(bars["date"])
    bars = bars[(bars["date"] >= start) & (bars["date"] <= end)]
    bars["price"] = bars["close"] * bars["factor"]
    price = bars.pivot(index="date", columns="symbol", values="price")
    amount = bars.pivot(index="date", columns="symbol", values="amount").fillna(0.0)
    spells = pd.read_csv(SHARED / "data/cn_industries.csv", parse_dates=["in_date", "out_date"])
    middle = price.index[len(price) // 2]
    open_ = (spells["in_date"] <= middle) & ~(spells["out_date"] < middle)
    current = spells[open_].drop_duplicates("symbol", keep="last").set_index("symbol")["sw_l1"]
    codes = pd.factorize(current.reindex(price.columns).fillna(0), sort=True)[0]
    dates = price.index.to_numpy().astype("datetime64[D]")
    return Market(dates, price.to_numpy(), amount.to_numpy(), codes)


def path(given: Source, count: int, rules: Rules) -> Path:
    """Day after day by the default method, warm; the first day once before, to load its code."""
    problems, solutions, spent, warm = [], [], [], None
    for day in days(given.market, given.first, count, rules):
        if not problems:
            solve(day.problem)
        solution, ms = timed(lambda day=day, warm=warm: solve(day.problem, warm=warm))
        warm, day.target = solution.warm, solution.weights
        problems.append(day.problem)
        solutions.append(solution)
        spent.append(ms)
    return Path(problems, solutions, np.array(spent))


def binding(solutions: list[Solution]) -> dict[str, float]:
    """Shares of days on which limits bind, gave way, or another solver had to answer."""
    return {
        "turnover binds": np.mean([s.turnover_binds for s in solutions]),
        "volatility binds": np.mean([s.vol_binds for s in solutions]),
        "an industry binds": np.mean([s.group_binds.any() for s in solutions]),
        "gross binds": np.mean([s.gross_binds for s in solutions]),
        "a joint limit gave way": np.mean([any(map(_joint, s.relaxations)) for s in solutions]),
        "fell back to Clarabel": np.mean([s.solver != "sifting" for s in solutions]),
    }


def book(solutions: list[Solution]) -> dict[str, float]:
    """Means over the days: names held, short and moved, rounds of the working set."""
    return {
        "names held": np.mean([(np.abs(s.weights) > 1e-9).sum() for s in solutions]),
        "short": np.mean([(s.weights < -1e-9).sum() for s in solutions]),
        "moved": np.mean([np.count_nonzero(s.trades) for s in solutions]),
        "gross": np.mean([np.abs(s.weights).sum() for s in solutions]),
        "rounds": np.mean([s.rounds for s in solutions]),
    }


def _joint(relaxation: object) -> bool:
    return not relaxation.what.startswith("name ")

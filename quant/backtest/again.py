"""One recorded decision made again: the book as it stood, and proof of the same problem."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quant.backtest.engine import State
from quant.backtest.market import MarketArrays
from quant.core.errors import DataError, StageError
from quant.core.types import Frame, Vector
from quant.optimizer.audit import MAX_GAP
from quant.optimizer.knobs import NAMES, Knobs
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution
from quant.optimizer.terms import magnitude, objective


@dataclass(frozen=True)
class Agreement:
    """How close an answer is to the recorded one.

    weights   : largest difference of a weight, which no certificate of the objective bounds
    objective : difference relative to the objective's size; two certificates allow 2e-8
    """

    weights: float
    objective: float


def decided(market: MarketArrays, first: int, last: int, every: int, day: np.datetime64) -> int:
    """Index of the session `day`, at whose close the book from `first` to `last` was decided.

    Raises DataError where it was not, naming the sessions next to it.
    """
    days = market.dates[first : last + 1 : every]
    ran = f"the backtest decides from {days[0]} to {days[-1]}"
    if not days[0] <= day <= days[-1]:
        raise DataError(
            f"date={day} is outside it: {ran}; name a session in it, or move backtest.start or "
            "backtest.end."
        )
    at = int(np.searchsorted(days, day))
    if days[at] != day:
        raise DataError(
            f"date={day} has no decision: {ran}, every {every} session{'s' * (every != 1)}; the "
            f"nearest are {days[at - 1]} and {days[at]}."
        )
    return first + at * every


def state(market: MarketArrays, t: int, nav: Frame, weights: Frame) -> State:
    """The book at the close of session `t`, from tables `nav` and `weights` of the portfolio.

    Money and weights are exact; shares, which decide nothing but who is held, at least 1.
    """
    day = market.dates[t]
    money = nav[(nav["book"] == "portfolio") & (nav["date"] == day)].iloc[0]
    rows = weights[weights["date"] == day].set_index("symbol")["weight"]
    spread = rows.reindex(market.symbols)
    held, weight = spread.notna().to_numpy(), spread.fillna(0.0).to_numpy()
    # a holding without a price is still held
    price = np.where(market.mark[t] > 0.0, market.mark[t], 1.0)
    shares = np.where(held, np.maximum(weight * float(money["nav"]) / price, 1.0), 0.0)
    return State(day, float(money["nav"]), float(money["cash"]), shares, weight, market.tradable[t])


def knobs(turned: Frame, day: np.datetime64) -> Knobs | None:
    """What a controller had turned the knobs to on `day`, by table `knobs`; None = nobody had."""
    rows = turned[turned["date"] == day]
    if not len(rows):
        return None
    return Knobs(**{name: float(rows.iloc[0][name]) for name in NAMES})


def agree(
    problem: Problem, solution: Solution, decisions: Frame, recorded: dict[str, Any]
) -> Agreement:
    """Check that `problem` is the one that was solved: the same decision at the same value.

    decisions : table of that name; recorded : the row of `solves` of that date
    Raises StageError where the recorded weights have another value in `problem`, or are another
    answer than `solution`.
    """
    rows = decisions[decisions["date"] == problem.date]
    weights = rows.set_index("symbol")["weight"].reindex(problem.names)
    chosen: Vector = weights.fillna(0.0).to_numpy()
    size = magnitude(problem, chosen)
    faults = []
    if recorded["n_names"] != problem.n:
        faults.append(f"it has {problem.n} names, not {recorded['n_names']}")
    missing = set(rows["symbol"]) - set(problem.names)
    if missing:
        faults.append(f"it lacks {sorted(missing)[0]}")
    drift = abs(objective(problem, chosen) - recorded["objective"]) / size
    if drift > MAX_GAP:
        faults.append(f"the recorded weights are worth {drift:.1e} more or less in it")
    found = Agreement(
        weights=float(np.abs(solution.weights - chosen).max()),
        objective=abs(solution.objective - recorded["objective"]) / size,
    )
    if found.objective > 2 * MAX_GAP:
        faults.append(f"its answer is {found.objective:.1e} of the objective from the recorded one")
    if faults:
        raise StageError(
            f"{problem.date}: the problem built again is not the one that was solved: "
            f"{'; '.join(faults)}. Run stage=backtest anew, after deleting its stored result."
        )
    return found

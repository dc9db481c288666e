"""The daily rebalance, side by side: `python -m tests.benchmarks.optimizer [--days 250]`.

Consecutive days of the CN panel where the shared data is beside the project, of a simulated market
otherwise; every method gets the problems of the default method's path. CPU milliseconds of one
thread, Python included. The slow methods are timed on some of the days.
"""

import argparse
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402

import cvxpy  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from quant.core.seeds import generator  # noqa: E402
from quant.costs.model import trade_cost  # noqa: E402
from quant.optimizer.audit import violation  # noqa: E402
from quant.optimizer.problem import Problem  # noqa: E402
from quant.optimizer.solve import Solution, solve  # noqa: E402
from quant.optimizer.terms import magnitude, objective  # noqa: E402
from tests.optimizer.problems import Market, Rules, days, simulated_market  # noqa: E402
from tests.shared import SHARED  # noqa: E402


def cn_market(start: str, end: str) -> Market:
    """Total-return prices and amounts of the development panel; one Shenwan scheme throughout."""
    columns = ["date", "symbol", "close", "factor", "amount"]
    bars = pd.read_parquet(SHARED / "data/cn_dev.parquet", columns=columns)
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


def member(problem: Problem) -> np.ndarray:
    """(n_groups, n) membership."""
    return (problem.groups == np.arange(problem.group_low.size)[:, None]).astype(float)


def rebuilt(problem: Problem) -> np.ndarray:
    """The problem as a user of cvxpy would write it, dense, built anew each day."""
    p, w = problem, cvxpy.Variable(problem.n)
    sigma = p.factor.T @ p.factor + p.ridge * np.eye(p.n)
    risk, d = cvxpy.quad_form(w, cvxpy.psd_wrap(sigma)), w - p.held
    low, high = np.maximum(p.lower, p.held - p.sell_cap), np.minimum(p.upper, p.held + p.buy_cap)
    value = p.mu @ w - 0.5 * p.gamma * risk - trade_cost(d, p.lambda1, p.lambda2, xp=cvxpy)
    limits = [
        cvxpy.sum(w) <= 1 - p.cash_low,
        w >= np.minimum(low, high),
        w <= np.maximum(low, high),
        member(p) @ w <= p.group_high,
        cvxpy.norm1(d) <= p.tau,
        risk <= p.variance_cap,
    ]
    cvxpy.Problem(cvxpy.Maximize(value), limits).solve(solver=cvxpy.CLARABEL, max_threads=1)
    return np.full(p.n, np.nan) if w.value is None else w.value


class Parametrised:
    """cvxpy with parameters (DPP), factor form, compiled once for a number of names."""

    def __init__(self) -> None:
        self.compiled: dict[tuple[int, int, int], tuple] = {}

    def __call__(self, problem: Problem) -> np.ndarray:
        """Set the parameters and solve."""
        key = (problem.n, problem.factor.shape[0], problem.group_low.size)
        if key not in self.compiled:
            self.compiled.clear()
            self.compiled[key] = self._compile(problem)
        program, w, parameters = self.compiled[key]
        for name, value in self._values(problem).items():
            parameters[name].value = value
        program.solve(solver=cvxpy.CLARABEL, max_threads=1)
        return np.full(problem.n, np.nan) if w.value is None else w.value

    @staticmethod
    def _values(p: Problem) -> dict[str, np.ndarray]:
        low = np.maximum(p.lower, p.held - p.sell_cap)
        high = np.minimum(p.upper, p.held + p.buy_cap)
        return {
            "mu": p.mu, "factor": p.factor, "root": np.sqrt(p.ridge), "held": p.held,
            "low": np.minimum(low, high), "high": np.maximum(low, high), "member": member(p),
        }  # fmt: skip

    def _compile(self, p: Problem) -> tuple:
        values = self._values(p)
        par = {name: cvxpy.Parameter(np.shape(value)) for name, value in values.items()}
        w, y, z = (cvxpy.Variable(k) for k in (p.n, p.factor.shape[0], p.n))
        d = w - par["held"]
        risk = cvxpy.sum_squares(y) + cvxpy.sum_squares(z)
        cost = trade_cost(d, p.lambda1, p.lambda2, xp=cvxpy)
        program = cvxpy.Problem(
            cvxpy.Maximize(par["mu"] @ w - 0.5 * p.gamma * risk - cost),
            [
                y == par["factor"] @ w,
                z == par["root"] * w,
                cvxpy.sum(w) <= 1 - p.cash_low,
                w >= par["low"],
                w <= par["high"],
                par["member"] @ w <= p.group_high,
                cvxpy.norm1(d) <= p.tau,
                cvxpy.norm2(cvxpy.hstack([y, z])) <= np.sqrt(p.variance_cap),
            ],
        )
        return program, w, par


def timed(run: Callable[[], object]) -> tuple[object, float]:
    """Result and CPU milliseconds."""
    began = time.process_time()
    result = run()
    return result, 1e3 * (time.process_time() - began)


def path(market: Market, first: int, count: int, rules: Rules) -> tuple[list, list, list]:
    """Problems, solutions and times of the default method, day after day."""
    problems, solutions, spent, warm = [], [], [], None
    for day in days(market, first, count, rules):
        solution, ms = timed(lambda day=day, warm=warm: solve(day.problem, warm=warm))
        warm, day.target = solution.warm, solution.weights
        problems.append(day.problem)
        solutions.append(solution)
        spent.append(ms)
    return problems, solutions, spent


def compare(problems: list, solutions: list[Solution], some: int) -> pd.DataFrame:
    """Times and faults of the other methods on some of the days."""
    rows = []
    chosen = np.unique(np.linspace(1, len(problems) - 1, some).astype(int))
    others: dict[str, Callable[[Problem], np.ndarray]] = {
        "clarabel, direct": lambda p: solve(p, "clarabel").weights,
        "osqp, 1e-9": lambda p: solve(p, "osqp").weights,
        "cvxpy DPP": Parametrised(),
        "cvxpy rebuilt": rebuilt,
    }
    for name, method in others.items():
        faults, gaps, spent = [], [], []
        for i in chosen:
            problem, best = problems[i], solutions[i]
            if name == "cvxpy DPP" and (problem.n,) != tuple(k[0] for k in method.compiled):
                method(problem)  # compile outside the timing
            weights, ms = timed(lambda p=problem, m=method: m(p))
            spent.append(ms)
            faults.append(violation(problem, best.limits, weights))
            size = magnitude(problem, best.weights)
            gaps.append((best.objective - objective(problem, weights)) / size)
        rows.append(row(name, spent, faults, gaps))
    return pd.DataFrame(rows)


def row(name: str, spent: list, faults: list, gaps: list) -> dict:
    """One line of the table."""
    return {
        "method": name,
        "days": len(spent),
        "median ms": np.median(spent),
        "p95 ms": np.percentile(spent, 95),
        "max violation": np.max(faults),
        "max |gap|": np.max(np.abs(gaps)),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--some", type=int, default=3, help="days on which slow methods are timed")
    parser.add_argument("--first", default="2017-05-02")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--adv-cap", type=float, default=0.05)
    chosen = parser.parse_args()
    rules = Rules(adv_cap=chosen.adv_cap)
    if not chosen.simulated and (SHARED / "data/cn_dev.parquet").exists():
        end = str(np.datetime64(chosen.first) + int(1.6 * chosen.days + 40))
        market = cn_market(str(np.datetime64(chosen.first) - 420), end)
        first = int(np.searchsorted(market.dates, np.datetime64(chosen.first)))
        source = "CN panel"
    else:
        market = simulated_market(generator(42, "benchmark"), 300 + chosen.days)
        first, source = 280, "SIMULATED market"
    problems, solutions, spent = path(market, first, chosen.days, rules)
    own = row("sifting, warm", spent, [s.violation for s in solutions], [s.gap for s in solutions])
    warnings.simplefilter("ignore", UserWarning)  # cvxpy on accuracy; the table says it
    table = pd.concat([pd.DataFrame([own]), compare(problems, solutions, chosen.some)])
    n = int(np.median([p.n for p in problems]))
    print(f"{source}, {n} names, {rules.window} sessions, ADV cap {rules.adv_cap:.2%} of ADV")
    print(table.to_string(index=False, float_format=lambda x: f"{x:.3g}"))
    share = {
        "turnover binds": [s.turnover_binds for s in solutions],
        "volatility binds": [s.vol_binds for s in solutions],
        "a group binds": [s.group_binds.any() for s in solutions],
        "relaxed": [bool(s.relaxations) for s in solutions],
        "fell back": [s.solver != "sifting" for s in solutions],
    }
    print(", ".join(f"{name} {np.mean(values):.0%}" for name, values in share.items()))
    held = np.mean([(s.weights > 1e-9).sum() for s in solutions])
    moved = np.mean([(s.trades != 0).sum() for s in solutions])
    print(f"names held {held:.0f}, moved {moved:.0f}, "
          f"rounds {np.mean([s.rounds for s in solutions]):.1f}")  # fmt: skip


if __name__ == "__main__":
    main()

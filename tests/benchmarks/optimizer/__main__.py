"""One command, one table a book: `python -m tests.benchmarks optimizer [--days 250] [--some 3]`."""

import argparse
import json
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from quant.core.git import sha
from quant.optimizer.solve import Solution
from tests.benchmarks._tables import markdown
from tests.benchmarks.optimizer import days, floors, memory, peers, programs
from tests.benchmarks.optimizer.measure import Row, measured

ROOT = Path(__file__).parents[3]
ENOUGH = 0.2  # share of days on which each kind of limit has to bind, or it is too easy
MUST_BIND = ("turnover binds", "volatility binds", "an industry binds")
PROGRAMS = ("numpy", "scipy", "numba", "cvxpy", "clarabel", "osqp", "cvxportfolio", "skfolio",
            "pyportfolioopt", "riskfolio-lib")  # fmt: skip
HEAD = ("method", "days", "median ms", "p95 ms", "max violation", "max gap", "compile s",
        "times slower", "leaves out")  # fmt: skip


def ours(name: str, spent: np.ndarray, solutions: list[Solution]) -> Row:
    """The default method's line: all days, and its own certificate."""
    worst = max(s.violation for s in solutions)
    gap = max(abs(s.gap) for s in solutions)
    at = float(np.median(spent)), float(np.percentile(spent, 95))
    return Row(name, len(spent), *at, worst, gap, float("nan"), 1.0, "")


def one(source: days.Source, book: str, chosen: argparse.Namespace) -> dict:
    """Everything about one book."""
    path = days.path(source, chosen.days, days.rules(book, chosen.names))
    rows = [ours("sifting (default), warm", path.ms, path.solutions)]
    some = np.unique(np.linspace(1, len(path.problems) - 1, chosen.some).astype(int))
    problems, best = [path.problems[i] for i in some], [path.solutions[i] for i in some]
    for method in (*programs.METHODS, *peers.installed()[0]):
        print(f"{book}: {method.name}", flush=True)
        rows.append(measured(method, problems, best, path.ms[some]))
    of = [floors.floors(p, s) for p, s in zip(problems, best, strict=True)]
    floor = {name: float(np.median([day[name] for day in of])) for name in of[0]}
    return {
        "rules": asdict(days.rules(book, chosen.names)),
        "names": int(np.median([p.n for p in path.problems])),
        "rows": [asdict(row) for row in rows],
        "binding": days.binding(path.solutions),
        "book": days.book(path.solutions),
        "floors ms": floor,
        "floor ms": floors.least(floor),
        "shares": floors.shares(path.problems, path.solutions),
        "memory MB": memory.peak(problems),
    }


def told(book: str, found: dict) -> str:
    """The table of one book and what belongs to it, as Markdown."""
    lines = [HEAD, *(_cells(row) for row in found["rows"])]
    median = found["rows"][0]["median"]
    easy = [name for name in MUST_BIND if found["binding"][name] < ENOUGH]
    above = median / found["floor ms"]
    return "\n".join([
        f"### {book}, {found['names']} names",
        "",
        markdown(lines),
        "",
        f"Days on which: {_listed(found['binding'], '.0%')}."
        + (f" TOO EASY: {', '.join(easy)} on too few days." if easy else ""),
        f"Means over the days: {_listed(found['book'], '.1f')}.",
        f"Floors in ms: {_listed(found['floors ms'], '.3f')}. A solve costs {above:.0f} times the"
        f" sum of the first three, {found['floor ms']:.2f} ms.",
        f"Its time: {_listed(found['shares'], '.0%')}.",
        f"Memory above the imports in MB: {_listed(found['memory MB'], '.0f')}.",
        "",
    ])  # fmt: skip


def _cells(row: dict) -> tuple[str, ...]:
    compiled = "" if np.isnan(row["compile"]) else f"{row['compile'] / 1e3:.0f}"
    return (
        row["method"], str(row["days"]), f"{row['median']:.3g}", f"{row['p95']:.3g}",
        f"{row['worst']:.0e}", f"{row['gap']:.0e}", compiled, f"{row['ratio']:.3g}",
        row["leaves_out"] or "nothing",
    )  # fmt: skip


def _listed(values: dict[str, float], spec: str) -> str:
    return ", ".join(f"{name} {value:{spec}}" for name, value in values.items())


def environment(missing: Iterable[str]) -> dict[str, str]:
    """Commit and versions that the numbers belong to."""
    absent = {name.lower() for name in missing}
    found = {name: version(name) for name in PROGRAMS if name not in absent}
    return {"commit": sha(), **found}


def main() -> None:
    """Measure both books, print the tables, and write all of it beside them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--some", type=int, default=3, help="days for the methods that are slow")
    parser.add_argument("--first", default="2017-05-02")
    parser.add_argument("--names", type=int, default=800)
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs/benchmarks/optimizer.json")
    chosen = parser.parse_args()
    source = days.source(chosen.first, chosen.days, chosen.names, chosen.simulated)
    missing = peers.installed()[1]
    for name, why in missing.items():
        print(f"SKIPPED {name}: {why}; `make bench-optimizer` brings it.", flush=True)
    # what cvxpy and the packages say on accuracy is in the table
    warnings.simplefilter("ignore")
    about = {"market": source.name, **environment(missing), "missing": sorted(missing)}
    found = {book: one(source, book, chosen) for book in days.VARIANTS}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps({"about": about, **found}, indent=1, default=float))
    print(f"\n{source.name}, {chosen.days} days from {source.market.dates[source.first]}, CPU ms of"
          f" one thread, at {about['commit']}\n")  # fmt: skip
    print("\n".join(told(book, result) for book, result in found.items()))
    print(f"All figures: {chosen.out}")


if __name__ == "__main__":
    main()

"""How far the default method is from what any method has to do, and what stands in between."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from types import ModuleType
from unittest import mock

import numpy as np
from scipy.linalg import lapack

from quant.core.seeds import generator
from quant.core.types import Matrix
from quant.optimizer import columns, sifting
from quant.optimizer import solve as solving
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution
from tests.benchmarks.optimizer.measure import timed

_REPEATS = 30
_PARTS: tuple[tuple[ModuleType, str, str], ...] = (
    (solving, "reach", "feasibility"),
    (sifting, "solve_columns", "Gram and rows"),
    (columns, "minimise", "inner solver"),
    (sifting, "audit", "audit"),
    (sifting, "name_gaps", "audit"),
    (solving, "audit", "audit"),
    (solving, "polish", "polish"),
)


def floors(problem: Problem, solution: Solution) -> dict[str, float]:
    """CPU milliseconds of the pieces of linear algebra, with the names that moved."""
    moved = np.flatnonzero(solution.trades)
    factor, weights = problem.factor, solution.weights
    gram = _gram(factor, moved, problem.ridge)
    window = factor.shape[0]
    noise = generator(42, "benchmark", "floors").normal(size=(window, 2 * window))
    square = np.asfortranarray(noise @ noise.T)
    return {
        "Sigma w in factor form": _each(lambda: factor.T @ (factor @ weights)),
        "Gram of the names that moved": _each(lambda: _gram(factor, moved, problem.ridge)),
        "Cholesky of that size": _each(lambda: lapack.dpotrf(gram)),
        "Cholesky of the window": _each(lambda: lapack.dpotrf(square)),
    }


def least(of: dict[str, float]) -> float:
    """What a solve can hardly do without: the moved names' system once, and one look at all."""
    return sum(ms for name, ms in of.items() if name != "Cholesky of the window")


def shares(problems: list[Problem], solutions: list[Solution]) -> dict[str, float]:
    """Share of the default method's time in each of its parts, over consecutive days."""
    clock = _Clock()
    with clock.on(_PARTS):
        for i, problem in enumerate(problems):
            warm = solutions[i - 1].warm if i else None
            clock.run("the rest", solving.solve, problem, warm=warm)
    total = sum(clock.spent.values())
    return {name: spent / total for name, spent in clock.spent.items()}


class _Clock:
    """Wall time by part; what a part calls is its own only where that is no part itself.

    Feasibility keeps all that it calls, a phase one on hard days among it.
    """

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    def run(self, part: str, function: Callable, *args: object, **kwargs: object) -> object:
        if self._open and self._open[-1] == "feasibility":
            return function(*args, **kwargs)
        self._book()
        self._open.append(part)
        try:
            return function(*args, **kwargs)
        finally:
            self._book()
            self._open.pop()

    @contextmanager
    def on(self, parts: tuple[tuple[ModuleType, str, str], ...]) -> Iterator[None]:
        """The functions of `parts` report to the clock."""
        with ExitStack() as stack:
            for module, name, part in parts:
                told = self._told(part, getattr(module, name))
                stack.enter_context(mock.patch.object(module, name, told))
            yield

    def _told(self, part: str, function: Callable) -> Callable:
        @wraps(function)
        def told(*args: object, **kwargs: object) -> object:
            return self.run(part, function, *args, **kwargs)

        return told

    def _book(self) -> None:
        now = time.perf_counter()
        if self._open:
            part = self._open[-1]
            self.spent[part] = self.spent.get(part, 0.0) + now - self._since
        self._since = now


def _gram(factor: Matrix, names: np.ndarray, ridge: float) -> Matrix:
    some = factor[:, names]
    gram = some.T @ some
    gram.flat[:: names.size + 1] += ridge
    return gram


def _each(run: Callable[[], object]) -> float:
    """Milliseconds of one run, the mean of many."""
    run()
    return timed(lambda: [run() for _ in range(_REPEATS)])[1] / _REPEATS

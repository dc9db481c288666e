"""Times and faults of one method on some of the days."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quant.core.types import Vector
from quant.optimizer.audit import violation
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution
from quant.optimizer.terms import Limits, magnitude, objective

Program = Callable[[Problem, Limits], Callable[[], Vector]]


@dataclass(frozen=True)
class Method:
    """One way to solve a day.

    program    : of a problem and the limits in force, what solves it; called untimed by `measured`
                 where `compiled`, else part of the time
    leaves_out : what of the problem it can not state; empty where it is all of it
    compiled   : whether stating the program is a cost paid once, told apart
    """

    name: str
    program: Program
    leaves_out: str = ""
    compiled: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table; times in CPU milliseconds, Python included.

    worst   : largest excess over any limit in force, as `audit.violation`
    gap     : largest distance from the optimum, relative, of either sign
    compile : milliseconds to state the program once, NaN where that is in the time
    ratio   : times slower than the default method, median over the same days
    """

    method: str
    days: int
    median: float
    p95: float
    worst: float
    gap: float
    compile: float
    ratio: float
    leaves_out: str


def timed(run: Callable[[], object]) -> tuple[object, float]:
    """Result and CPU milliseconds of all threads."""
    began = time.process_time()
    result = run()
    return result, 1e3 * (time.process_time() - began)


def measured(method: Method, problems: list[Problem], best: list[Solution], ours: Vector) -> Row:
    """The method on these days, within the limits that the default method found to be in force.

    Where today's limits can not all be met, finding those that can is left to the default method:
    the others are spared it.
    """
    spent, compiling, faults, gaps = [], [], [], []
    for problem, answer in zip(problems, best, strict=True):
        if method.compiled:
            run, ms = timed(lambda p=problem, s=answer: _compiled(method, p, s.limits))
            compiling.append(ms)
        else:
            run = _whole(method, problem, answer.limits)
        weights, ms = timed(run)
        spent.append(ms)
        fault, gap = _faults(problem, answer, weights)
        faults.append(fault)
        gaps.append(gap)
    return Row(
        method.name,
        len(spent),
        float(np.median(spent)),
        float(np.percentile(spent, 95)),
        float(np.max(faults)),
        float(np.max(np.abs(gaps))),
        float(np.median(compiling)) if compiling else float("nan"),
        float(np.median(np.array(spent) / ours)),
        method.leaves_out,
    )


def _faults(problem: Problem, answer: Solution, weights: Vector) -> tuple[float, float]:
    """Violation and distance from the optimum, both infinite where there is no answer."""
    if not np.isfinite(weights).all():
        return np.inf, np.inf
    gap = answer.objective - objective(problem, weights)
    return violation(problem, answer.limits, weights), gap / magnitude(problem, answer.weights)


def _compiled(method: Method, problem: Problem, limits: Limits) -> Callable[[], Vector]:
    run = method.program(problem, limits)
    run()  # a parametrised program is compiled by its first solve
    return run


def _whole(method: Method, problem: Problem, limits: Limits) -> Callable[[], Vector]:
    return lambda: method.program(problem, limits)()

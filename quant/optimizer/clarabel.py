"""The reference: the whole problem as one second-order cone program, by Clarabel.

minimise  -mu'w + gamma/2 (|y|^2 + ridge |a|^2) + lambda1't + lambda2'd^2  over (d, t, g, y) with
w = held + d, y = F a, |d| <= t, sum t <= tau, |w| <= g, sum g <= gross (where there is a cap), and
|(y, sqrt(ridge) a)| <= sqrt(variance cap). Written apart from the interior point of `interior.py`,
so that the two check each other.
"""

from typing import Any

import clarabel
import numpy as np
import scipy.sparse as sparse

from quant.core.types import Vector
from quant.optimizer.point import Point
from quant.optimizer.problem import Problem
from quant.optimizer.rows import Rows, as_duals, joint_rows
from quant.optimizer.terms import Duals, Limits, gradient_size

_FIXED = 1e-13
_LOOSE = 1e-8
_NEARLY = ("AlmostSolved", "InsufficientProgress")


def solve_clarabel(problem: Problem, limits: Limits, tolerance: float = 1e-10) -> Point | None:
    """Optimum within `limits`, or None where Clarabel finds no solution."""
    free = np.flatnonzero(limits.high - limits.low > _FIXED)
    base = np.clip(problem.held, limits.low, limits.high)
    if free.size == 0:
        return Point(base, Duals.none(problem.group_low.size), 0)
    n, m = free.size, problem.factor.shape[0]
    low, high = (limits.low - base)[free], (limits.high - base)[free]
    rows = joint_rows(problem, limits, base, free, np.ones(n), low, high)
    unit = float(np.maximum(high, -low).max())
    done = (base - problem.held)[free]
    linear = -problem.mu[free] + problem.gamma * problem.ridge * problem.active(base)[free]
    linear += 2.0 * problem.lambda2[free] * done
    scale = gradient_size(problem, base, free) * unit
    body, right, cones, radius = _program(problem, limits, base, free, rows)
    others = body.shape[1] - 2 * n - m
    curvature = problem.gamma * problem.ridge + 2.0 * problem.lambda2[free]
    diagonal = np.concatenate([curvature, np.zeros(n + others), np.full(m, problem.gamma)])
    gradient = np.concatenate([linear, problem.lambda1[free], np.zeros(others + m)])
    hessian = sparse.diags_array(diagonal * (unit * unit / scale), format="csc")
    found = _run(tolerance, hessian, gradient * (unit / scale), body, right / unit, cones)
    if found is None:
        return None
    weights = base.copy()
    weights[free] += np.clip(np.asarray(found.x)[:n] * unit, low, high)
    multipliers = np.asarray(found.z) * (scale / unit)
    return Point(weights, _prices(problem, limits, rows, multipliers, n, radius), found.iterations)


def _run(tolerance: float, *program: Any) -> Any | None:
    """Solve a program (P, q, A, b, cones); None where Clarabel finds no solution.

    Boxes that differ by orders of magnitude can stall the last digits: a stalled program is solved
    once more, to _LOOSE, and what the point is worth is left to the audit.
    """
    best = None
    for target in dict.fromkeys((tolerance, max(tolerance, _LOOSE))):
        found = clarabel.DefaultSolver(*program, _settings(target)).solve()
        if str(found.status) == "Solved":
            return found
        best = found if str(found.status) in _NEARLY else best
    return best


def _settings(tolerance: float) -> clarabel.DefaultSettings:
    """Single-threaded, silent."""
    chosen = clarabel.DefaultSettings()
    chosen.verbose = False
    chosen.max_threads = 1
    chosen.max_iter = 100
    chosen.tol_gap_abs = chosen.tol_gap_rel = chosen.tol_feas = tolerance
    chosen.presolve_enable = False
    chosen.direct_solve_method = "qdldl"
    return chosen


def _program(
    problem: Problem, limits: Limits, base: Vector, free: np.ndarray, rows: Rows
) -> tuple[sparse.csc_array, Vector, list, float]:
    """A, b and cones over (d, t, g, y); d is the trade from `base`, t bounds it from `held`."""
    n, m = free.size, problem.factor.shape[0]
    equal = int(rows.equal.sum())
    done, at = (base - problem.held)[free], base[free]
    active = problem.active(base)
    own, none = sparse.eye_array(n), None
    # two-sided sizes: t >= |d| is spent on turnover, g >= |w| on gross
    ones = sparse.csc_array(np.ones((1, n)))
    blocks = [
        [-sparse.csc_array(problem.factor[:, free]), none, none, sparse.eye_array(m)],
        [sparse.csc_array(rows.matrix), none, none, none],
    ]
    right = [problem.factor @ active, rows.bound]
    if np.isfinite(limits.tau):
        others = float(np.abs(base - problem.held).sum() - np.abs(done).sum())
        blocks.append([none, ones, none, none])
        right.append([limits.tau - others])
    if np.isfinite(limits.gross):
        blocks.append([none, none, ones, none])
        right.append([limits.gross - float(np.abs(base).sum() - np.abs(at).sum())])
    sizes = [[own, -own, none, none], [-own, -own, none, none]]
    right += [-done, done]
    if np.isfinite(limits.gross):
        sizes += [[own, none, -own, none], [-own, none, -own, none]]
        right += [-at, at]
    blocks += [*sizes, [own, none, none, none], [-own, none, none, none]]
    right += [limits.high[free] - at, at - limits.low[free]]
    height = sum(len(part) for part in right)
    cones = [clarabel.ZeroConeT(m + equal), clarabel.NonnegativeConeT(height - m - equal)]
    radius = np.inf
    if np.isfinite(limits.variance):
        root = np.sqrt(problem.ridge)
        still = problem.ridge * float(active @ active - active[free] @ active[free])
        radius = float(np.sqrt(max(limits.variance - still, 0.0)))
        blocks += [
            [sparse.csc_array((1, n)), none, none, none],
            [none, none, none, -sparse.eye_array(m)],
            [-root * own, none, none, none],
        ]
        right += [[radius], np.zeros(m), root * active[free]]
        cones.append(clarabel.SecondOrderConeT(1 + m + n))
    if not np.isfinite(limits.gross):
        blocks = [[d, t, y] for d, t, _, y in blocks]
    return sparse.block_array(blocks, format="csc"), np.concatenate(right), cones, radius


def _prices(
    problem: Problem, limits: Limits, rows: Rows, multipliers: Vector, n: int, radius: float
) -> Duals:
    m = problem.factor.shape[0]
    linear, rest = multipliers[m : m + rows.bound.size], multipliers[m + rows.bound.size :]
    caps = int(np.isfinite(limits.tau)), int(np.isfinite(limits.gross))
    theta = float(rest[0]) if caps[0] else 0.0
    psi = float(rest[caps[0]]) if caps[1] else 0.0
    kappa = 0.0
    if np.isfinite(radius) and radius > 0:
        kappa = float(rest[sum(caps) + (4 + 2 * caps[1]) * n]) / radius
    return as_duals(rows, linear, theta, kappa, psi, problem.group_low.size)

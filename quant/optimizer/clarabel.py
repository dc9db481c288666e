"""The reference: the whole problem as one second-order cone program, by Clarabel.

minimise  -mu'w + gamma/2 (|y|^2 + ridge |w|^2) + lambda1't + lambda2'd^2  over (d, t, y) with
w = held + d, y = F w, |d| <= t, sum t <= tau, and |(y, sqrt(ridge) w)| <= sqrt(variance cap).
Written apart from the reduced program of `cone.py`, so that the two check each other.
"""

import clarabel
import numpy as np
import scipy.sparse as sparse

from quant.core.types import Vector
from quant.optimizer.cone import objective_scale, run
from quant.optimizer.point import Point
from quant.optimizer.problem import Problem
from quant.optimizer.rows import Rows, as_duals, joint_rows
from quant.optimizer.terms import Duals, Limits

_FIXED = 1e-13


def solve_clarabel(problem: Problem, limits: Limits, tolerance: float = 1e-10) -> Point | None:
    """Optimum within `limits`, or None where Clarabel finds no solution."""
    free = np.flatnonzero(limits.high - limits.low > _FIXED)
    base = np.clip(problem.held, limits.low, limits.high)
    if free.size == 0:
        return Point(base, Duals.none(problem.group_low.size), 0)
    low, high = (limits.low - base)[free], (limits.high - base)[free]
    rows = joint_rows(problem, limits, base, free, np.ones(free.size), low, high)
    unit = float(np.maximum(high, -low).max())
    done = (base - problem.held)[free]
    linear = -problem.mu[free] + problem.gamma * problem.ridge * base[free]
    linear += 2.0 * problem.lambda2[free] * done
    cost = problem.lambda1[free]
    scale = objective_scale(problem, base, free) * unit
    body, right, cones, radius = _program(problem, limits, base, free, rows, unit)
    m = problem.factor.shape[0]
    curvature = problem.gamma * problem.ridge + 2.0 * problem.lambda2[free]
    diagonal = np.concatenate([curvature, np.zeros(free.size), np.full(m, problem.gamma)])
    gradient = np.concatenate([linear, cost, np.zeros(m)]) * (unit / scale)
    hessian = sparse.diags_array(diagonal * (unit * unit / scale), format="csc")
    found = run(tolerance, hessian, gradient, body, right, cones)
    if found is None:
        return None
    weights = base.copy()
    weights[free] += np.clip(np.asarray(found.x)[: free.size] * unit, low, high)
    multipliers = np.asarray(found.z) * (scale / unit)
    return Point(weights, _prices(problem, limits, rows, multipliers, m, radius), found.iterations)


def _program(
    problem: Problem, limits: Limits, base: Vector, free: np.ndarray, rows: Rows, unit: float
) -> tuple[sparse.csc_array, Vector, list, float]:
    """A, b and cones over (d, t, y); d is the trade from `base`, t bounds it from `held`."""
    n, m = free.size, problem.factor.shape[0]
    equal = int(rows.equal.sum())
    done = (base - problem.held)[free]
    others = float(np.abs(base - problem.held).sum() - np.abs(done).sum())
    own, none = sparse.eye_array(n), None
    capped = np.isfinite(limits.tau)
    blocks = [
        [-sparse.csc_array(problem.factor[:, free]), none, sparse.eye_array(m)],
        [sparse.csc_array(rows.matrix), none, none],
        [sparse.csc_array((int(capped), n)), sparse.csc_array(np.ones((int(capped), n))), none],
        [own, -own, none],
        [-own, -own, none],
        [own, none, none],
        [-own, none, none],
    ]
    right = [
        problem.factor @ base, rows.bound, [limits.tau - others] if capped else [],
        -done, done, (limits.high - base)[free], (base - limits.low)[free],
    ]  # fmt: skip
    cones = [
        clarabel.ZeroConeT(m + equal),
        clarabel.NonnegativeConeT(rows.bound.size - equal + int(capped) + 4 * n),
    ]
    radius = np.inf
    if np.isfinite(limits.variance):
        root = np.sqrt(problem.ridge)
        still = problem.ridge * float(base @ base - base[free] @ base[free])
        radius = float(np.sqrt(max(limits.variance - still, 0.0)))
        blocks += [
            [sparse.csc_array((1, n)), none, none],
            [none, none, -sparse.eye_array(m)],
            [-root * own, none, none],
        ]
        right += [[radius], np.zeros(m), root * base[free]]
        cones.append(clarabel.SecondOrderConeT(1 + m + n))
    body = sparse.block_array(blocks, format="csc")
    return body, np.concatenate(right) / unit, cones, radius


def _prices(
    problem: Problem, limits: Limits, rows: Rows, multipliers: Vector, m: int, radius: float
) -> Duals:
    after = m + rows.bound.size
    theta = float(multipliers[after]) if np.isfinite(limits.tau) else 0.0
    kappa = 0.0
    if np.isfinite(radius) and radius > 0:
        n = int(np.count_nonzero(limits.high - limits.low > _FIXED))
        kappa = float(multipliers[after + int(np.isfinite(limits.tau)) + 4 * n]) / radius
    return as_duals(rows, multipliers[m:after], theta, kappa, problem.group_low.size)

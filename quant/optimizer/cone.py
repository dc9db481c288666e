"""The second-order cone program over a few columns, small and dense, for Clarabel.

A column is a name and a direction. w = base + sum_j sign_j x_j e_index_j with 0 <= x <= cap, and

    minimise   gamma/2 |y|^2 + quadratic(x),   y = root (S x) + shift
    subject to the rows of `joint_rows`, turnover, and |y| <= radius.

Names that do not move enter through `shift` and `radius` alone: with M = F_W'F_W + ridge I =
root'root over the k names that move, the program has k risk rows however long the window is.
"""

from dataclasses import dataclass
from typing import Any

import clarabel
import numpy as np
import scipy.linalg
import scipy.sparse as sparse

from quant.core.types import Codes, Matrix, Vector
from quant.optimizer.problem import Problem
from quant.optimizer.rows import Rows, as_duals, joint_rows
from quant.optimizer.terms import Duals, Limits, covariance_times

LOOSE = 1e-8
_SOLVED = ("Solved", "AlmostSolved", "InsufficientProgress")


@dataclass(frozen=True)
class Columns:
    """Names that may move, one direction each.

    index : (k,) position of the name
    sign  : (k,) +1 buy, -1 sell
    cap   : (k,) > 0, how far
    """

    index: Codes
    sign: Vector
    cap: Vector


@dataclass(frozen=True)
class Risk:
    """w'Sigma w = |root (S x) + shift|^2 + rest over the columns of the moving names."""

    root: Matrix
    shift: Vector
    rest: float


def settings(tolerance: float) -> clarabel.DefaultSettings:
    """Single-threaded Clarabel at `tolerance`, silent."""
    chosen = clarabel.DefaultSettings()
    chosen.verbose = False
    chosen.max_threads = 1
    chosen.max_iter = 100
    chosen.tol_gap_abs = chosen.tol_gap_rel = chosen.tol_feas = tolerance
    chosen.presolve_enable = False
    chosen.direct_solve_method = "qdldl"  # half the time of the supernodal one at this size
    return chosen


def run(tolerance: float, *program: Any) -> Any | None:
    """Solve a program (P, q, A, b, cones); None where Clarabel finds no solution.

    Boxes that differ by orders of magnitude can stall the last digits: a stalled program is solved
    once more, to LOOSE, and what the point is worth is left to the audit.
    """
    for target in dict.fromkeys((tolerance, max(tolerance, LOOSE))):
        found = clarabel.DefaultSolver(*program, settings(target)).solve()
        if str(found.status) in _SOLVED:
            return found
    return None


def objective_scale(problem: Problem, base: Vector, names: Codes) -> float:
    """Size of the objective's gradient at `base`, by which the program is divided; > 0."""
    slope = problem.gamma * covariance_times(problem, base)[names]
    terms = (problem.mu[names], problem.lambda1[names], slope)
    return max(*(float(np.abs(term).max()) for term in terms), 1e-12)


def solve_columns(
    problem: Problem, limits: Limits, base: Vector, columns: Columns, tolerance: float
) -> tuple[Vector, Duals] | None:
    """Optimal weights over `columns` from `base`, and the prices; None where infeasible."""
    names, position = np.unique(columns.index, return_inverse=True)
    bounded = np.isfinite(limits.variance)
    risk = _risk(problem, base, names, needed=bounded or problem.gamma > 0)
    room = limits.variance - risk.rest
    if bounded and room <= 0:
        return None
    radius = np.sqrt(room) if bounded else np.inf
    k, m = columns.index.size, risk.shift.size
    rows = joint_rows(problem, limits, base, columns.index, columns.sign, np.zeros(k), columns.cap)
    spent = float(np.abs(base - problem.held).sum())
    turnover = limits.tau - spent if columns.cap.sum() > limits.tau - spent else np.inf
    linear, diagonal = _costs(problem, base, columns)
    unit = float(columns.cap.max())
    scale = objective_scale(problem, base, columns.index) * unit
    program = _assemble(rows, columns, risk, position, turnover, radius, unit)
    hessian = sparse.diags_array(
        np.append(diagonal, np.full(m, problem.gamma)) * (unit * unit / scale), format="csc"
    )
    gradient = np.append(linear * (unit / scale), np.zeros(m))
    found = run(tolerance, hessian, gradient, *program)
    if found is None:
        return None
    x = np.clip(np.asarray(found.x)[:k] * unit, 0.0, columns.cap)
    weights = base.copy()
    np.add.at(weights, columns.index, columns.sign * x)
    return weights, _prices(
        problem, rows, np.asarray(found.z) * (scale / unit), k, m, turnover, radius
    )


def _risk(problem: Problem, base: Vector, names: Codes, needed: bool) -> Risk:
    if not needed:
        return Risk(np.zeros((0, names.size)), np.zeros(0), 0.0)
    factor = problem.factor[:, names]
    exposed = problem.factor @ base
    own = base[names]
    total = float(exposed @ exposed + problem.ridge * (base @ base))
    if names.size <= 1.5 * factor.shape[0]:
        gram = factor.T @ factor
        gram.flat[:: names.size + 1] += problem.ridge
        try:
            lower = np.linalg.cholesky(gram)
        except np.linalg.LinAlgError:
            pass
        else:
            cross = factor.T @ exposed + problem.ridge * own
            shift = scipy.linalg.solve_triangular(lower, cross, lower=True, check_finite=False)
            return Risk(lower.T, shift, total - float(shift @ shift))
    root = np.sqrt(problem.ridge)
    return Risk(
        np.vstack([factor, root * np.eye(names.size)]),
        np.append(exposed, root * own),
        problem.ridge * float(base @ base - own @ own),
    )


def _costs(problem: Problem, base: Vector, columns: Columns) -> tuple[Vector, Vector]:
    """Linear and diagonal quadratic terms in x; risk enters through y."""
    i, sign = columns.index, columns.sign
    done = base[i] - problem.held[i]
    linear = -problem.mu[i] * sign + problem.lambda1[i] + 2.0 * problem.lambda2[i] * done * sign
    return linear, 2.0 * problem.lambda2[i]


def _assemble(
    rows: Rows,
    columns: Columns,
    risk: Risk,
    position: Codes,
    turnover: float,
    radius: float,
    unit: float,
) -> tuple[sparse.csc_array, Vector, list]:
    """A, b and the cones of  A (x, y) + s = b, in units of `unit`."""
    k, m = columns.index.size, risk.shift.size
    matrix, bound, equal = rows.matrix, rows.bound, int(rows.equal.sum())
    if np.isfinite(turnover):
        matrix, bound = np.vstack([matrix, np.ones(k)]), np.append(bound, turnover)
    extra = matrix.shape[0]
    cone = m + 1 if np.isfinite(radius) and m else 0
    # rows: y = root S x + shift | equalities | other rows | x >= 0 | x <= cap | cone
    dense = np.vstack([-risk.root[:, position] * columns.sign, matrix])
    across, down = np.nonzero(dense.T)
    own = np.arange(k)
    start = m + extra
    y = np.arange(m)
    row = [down, start + own, start + k + own, y]
    column = [across, own, own, k + y]
    value = [dense.T[across, down], np.full(k, -1.0), np.ones(k), np.ones(m)]
    if cone:
        row.append(start + 2 * k + 1 + y)
        column.append(k + y)
        value.append(np.full(m, -1.0))
    height = start + 2 * k + cone
    body = sparse.coo_array(
        (np.concatenate(value), (np.concatenate(row), np.concatenate(column))),
        shape=(height, k + m),
    ).tocsc()
    right = [risk.shift, bound, np.zeros(k), columns.cap]
    right += [np.append(radius, np.zeros(m))] if cone else []
    cones = [
        clarabel.ZeroConeT(m + equal),
        clarabel.NonnegativeConeT(extra - equal + 2 * k),
    ]
    cones += [clarabel.SecondOrderConeT(cone)] if cone else []
    return body, np.concatenate(right) / unit, cones


def _prices(
    problem: Problem,
    rows: Rows,
    multipliers: Vector,
    k: int,
    m: int,
    turnover: float,
    radius: float,
) -> Duals:
    n_rows = rows.bound.size
    after = m + n_rows
    theta = float(multipliers[after]) if np.isfinite(turnover) else 0.0
    start = after + int(np.isfinite(turnover)) + 2 * k
    kappa = float(multipliers[start]) / radius if np.isfinite(radius) and m else 0.0
    return as_duals(rows, multipliers[m:after], theta, kappa, problem.group_low.size)

"""The program over a few columns, a column being a name and a direction, and its answer.

w = base + sum_j sign_j x_j e_index_j with 0 <= x <= cap. Names that do not move enter through the
slope alone: with G = S'(F'F + ridge I)S over the columns, the program is as large as the number of
columns however long the window is. Where gross is capped, a direction that crosses zero is two
columns, one towards zero, which lowers gross, and one beyond.
"""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Mask, Matrix, Vector
from quant.optimizer.interior import Program, minimise
from quant.optimizer.problem import Problem
from quant.optimizer.rows import Rows, as_duals, joint_rows
from quant.optimizer.terms import Duals, Limits, Position


@dataclass(frozen=True)
class Columns:
    """Names that may move, one direction each.

    index   : (k,) position of the name
    sign    : (k,) +1 buy, -1 sell
    cap     : (k,) > 0, how far
    stretch : (k,) change of |w| a unit of x, +1 or -1
    """

    index: Codes
    sign: Vector
    cap: Vector
    stretch: Vector


def columns(base: Vector, moving: Mask, room: Matrix, split: bool) -> Columns:
    """The columns of `moving` (2, n), buys above and sells below, with their `room` (2, n).

    split : break directions at zero
    """
    side, index = np.nonzero(moving)
    sign = np.where(side == 0, 1.0, -1.0)
    cap, start = room[moving], base[index]
    inward = sign * start < 0
    stretch = np.where(inward, -1.0, 1.0)
    crosses = inward & (cap > np.abs(start))
    if not (split and crosses.any()):
        return Columns(index, sign, cap, stretch)
    beyond = cap[crosses] - np.abs(start[crosses])
    return Columns(
        np.append(index, index[crosses]),
        np.append(sign, sign[crosses]),
        np.append(np.where(crosses, np.abs(start), cap), beyond),
        np.append(stretch, np.ones(beyond.size)),
    )


def solve_columns(
    problem: Problem, limits: Limits, start: Position, c: Columns
) -> tuple[Vector, Duals] | None:
    """Optimal weights over the columns from `start`, and the prices; None where infeasible."""
    k, base = c.index.size, start.weights
    rows = joint_rows(problem, limits, base, c.index, c.sign, np.zeros(k), c.cap)
    matrix, bound = [rows.matrix], [rows.bound]
    spent, size = float(np.abs(base - problem.held).sum()), float(np.abs(base).sum())
    turning = float(c.cap.sum()) > limits.tau - spent
    grossing = float(c.cap[c.stretch > 0].sum()) > limits.gross - size
    if turning:
        matrix.append(np.ones((1, k)))
        bound.append(np.array([limits.tau - spent]))
    if grossing:
        matrix.append(c.stretch[None, :])
        bound.append(np.array([limits.gross - size]))
    unit = float(c.cap.max())
    linear, quadratic, risk, slope = _curves(problem, start, c)
    bend = unit * float(quadratic.diagonal().max())
    scale = max(float(np.abs(linear).max()), bend, 1e-12) * unit
    level = (limits.variance - start.variance) / 2.0
    # moving everything can not reach the cap: no limit
    most = float(c.cap @ np.sqrt(risk.diagonal())) + np.sqrt(start.variance)
    level = np.inf if most**2 <= limits.variance else level
    spread = 1.0
    if np.isfinite(level):
        spread = max(0.5 * unit * unit * float(np.abs(risk).mean()), abs(level), 1e-30)
    program = Program(
        linear * (unit / scale),
        quadratic * (unit * unit / scale),
        c.cap / unit,
        np.vstack(matrix),
        np.concatenate(bound) / unit,
        int(rows.equal.sum()),
        risk * (unit * unit / spread),
        slope * (unit / spread),
        level / spread,
    )
    found = minimise(program)
    if found is None:
        return None
    weights = base.copy()
    np.add.at(weights, c.index, c.sign * found.x * unit)
    weights = np.clip(weights, limits.low, limits.high)
    return weights, _duals(problem, rows, found.prices * (scale / unit), turning, grossing,
                           found.price * scale / spread)  # fmt: skip


def _curves(problem: Problem, start: Position, c: Columns) -> tuple[Vector, Matrix, Matrix, Vector]:
    """c, H, G and g of the program, over the columns."""
    i, sign = c.index, c.sign
    factor = problem.factor[:, i] * sign
    base = start.weights
    active = problem.active(base)
    risk = factor.T @ factor
    own = np.diag(np.full(i.size, 1.0))
    if np.unique(i).size < i.size:  # several columns of one name
        own = (i[:, None] == i) * (sign[:, None] * sign)
    risk += problem.ridge * own
    slope = sign * (start.spread[i] + problem.ridge * active[i])
    done = base[i] - problem.held[i]
    linear = sign * (2.0 * problem.lambda2[i] * done - problem.mu[i]) + problem.lambda1[i]
    quadratic = problem.gamma * risk + own * (2.0 * problem.lambda2[i])
    return linear + problem.gamma * slope, quadratic, risk, slope


def _duals(
    problem: Problem, rows: Rows, prices: Vector, turning: bool, grossing: bool, risk: float
) -> Duals:
    rest = prices[rows.bound.size :]
    theta = float(rest[0]) if turning else 0.0
    psi = float(rest[-1]) if grossing else 0.0
    return as_duals(rows, prices[: rows.bound.size], theta, risk, psi, problem.group_low.size)

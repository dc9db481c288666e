"""The linear limits that join names (budget and groups), for a set of columns that may move."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Matrix, Vector
from quant.optimizer.problem import Problem
from quant.optimizer.terms import Duals, Limits, exposures

_BUDGET = -1


@dataclass(frozen=True)
class Rows:
    """matrix x <= bound, with equality where `equal`; rows that can not bind are left out.

    matrix : (n_rows, n_columns)
    bound  : (n_rows,)
    equal  : (n_rows,) bool; these come first
    owner  : (n_rows,) group code, or -1 for the budget
    side   : (n_rows,) +1 for an upper end, -1 for a lower one
    """

    matrix: Matrix
    bound: Vector
    equal: np.ndarray
    owner: Codes
    side: Vector

    def prices(self, multipliers: Vector, n_groups: int) -> tuple[float, Vector]:
        """Multipliers of the rows as prices of the budget and of the groups."""
        signed = multipliers * self.side
        mine = self.owner == _BUDGET
        group = np.bincount(self.owner[~mine], weights=signed[~mine], minlength=n_groups)
        return float(signed[mine].sum()), group.astype(float)


def joint_rows(
    problem: Problem,
    limits: Limits,
    base: Vector,
    index: Codes,
    sign: Vector,
    low: Vector,
    high: Vector,
) -> Rows:
    """Rows on the moves x in [low, high], where w = base + sum_j sign_j x_j e_index_j."""
    n_groups = problem.group_low.size
    owner = np.append(_BUDGET, np.arange(n_groups))
    level = np.append(base.sum(), exposures(problem, base))
    lower = np.append(limits.total_low, limits.group_low) - level
    upper = np.append(limits.total_high, limits.group_high) - level
    group = problem.groups[index]
    least, most = np.minimum(sign * low, sign * high), np.maximum(sign * low, sign * high)
    floor = np.append(least.sum(), np.bincount(group, weights=least, minlength=n_groups))
    ceiling = np.append(most.sum(), np.bincount(group, weights=most, minlength=n_groups))
    touched = np.append(True, np.bincount(group, minlength=n_groups) > 0)
    equal = touched & (lower == upper)
    above = touched & ~equal & (ceiling > upper)
    below = touched & ~equal & (floor < lower)
    pick = np.concatenate([np.flatnonzero(m) for m in (equal, above, below)])
    counts = [int(m.sum()) for m in (equal, above, below)]
    side = np.repeat([1.0, 1.0, -1.0], counts)
    member = np.vstack([np.ones(index.size), group == np.arange(n_groups)[:, None]])[pick]
    bound = np.where(side > 0, upper[pick], -lower[pick])
    is_equal = np.arange(pick.size) < counts[0]
    return Rows(member * sign * side[:, None], bound, is_equal, owner[pick], side)


def as_duals(
    rows: Rows, multipliers: Vector, turnover: float, risk: float, gross: float, n_groups: int
) -> Duals:
    """Gather the prices of all limits."""
    budget, group = rows.prices(multipliers, n_groups)
    return Duals(budget, group, turnover, risk, gross)

"""One cost formula, for the optimizer and for the ledger."""

from types import ModuleType
from typing import Any

import numpy as np

from quant.core.types import Vector


def trade_cost(trade: Any, lambda1: Vector, lambda2: Vector, xp: ModuleType = np) -> Any:
    """Cost of `trade` as a fraction of NAV: l1'|d| + l2'(d^2).

    trade   : (n_assets,) change of weight, or a cvxpy variable with `xp=cvxpy`
    lambda1 : (n_assets,) NAV per unit weight; 5e-4 = 5 bp
    lambda2 : (n_assets,) NAV per unit weight squared
    Source  : specification section 3.3, readings 13
    """
    return lambda1 @ xp.abs(trade) + lambda2 @ xp.square(trade)


def trade_costs(trade: Vector, lambda1: Vector, lambda2: Vector) -> Vector:
    """The same cost name by name, (n_assets,); sums to `trade_cost`."""
    return lambda1 * np.abs(trade) + lambda2 * np.square(trade)

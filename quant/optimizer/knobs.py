"""The six knobs of the optimizer that a controller may turn, and the bounds it turns them within.

Everything else in the problem stays what the run's constants say: a controller never picks stocks.
Bounds: specification 4.1, final.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from math import sqrt

import numpy as np

from quant.core.errors import ProblemError
from quant.core.types import Vector


@dataclass(frozen=True)
class Knobs:
    """One setting of the optimizer for one session.

    gamma            : risk aversion of the objective (that of the premium stays)
    lambda1, lambda2 : fitted costs are multiplied by lambda / sqrt(low x high) of its bounds
    tau              : two-way turnover, fraction of NAV
    caps             : multiplier of every group's cap
    vol_target       : annualised; the smaller of this and Model 1's is in force
    """

    gamma: float
    lambda1: float
    lambda2: float
    tau: float
    caps: float
    vol_target: float

    def vector(self) -> Vector:
        """(6,) in the order of NAMES."""
        return np.array(astuple(self))

    @property
    def cost_multipliers(self) -> tuple[float, float]:
        """What the fitted lambda1 and lambda2 are multiplied by; 1 in the middle of the bounds."""
        return self.lambda1 / _middle("lambda1"), self.lambda2 / _middle("lambda2")


NAMES = tuple(field.name for field in fields(Knobs))
BOUNDS: Mapping[str, tuple[float, float]] = {
    "gamma": (4.0, 20.0),
    "lambda1": (1e-4, 2e-3),
    "lambda2": (1e-6, 1e-4),
    "tau": (0.05, 0.35),
    "caps": (0.5, 1.0),
    "vol_target": (0.08, 0.15),
}
LOW = np.array([BOUNDS[name][0] for name in NAMES])
HIGH = np.array([BOUNDS[name][1] for name in NAMES])


def _middle(name: str) -> float:
    low, high = BOUNDS[name]
    return sqrt(low * high)


def within(values: Vector) -> Knobs:
    """The knobs at `values`, (6,), clipped to their bounds.

    Raises ProblemError for values that are no numbers: a controller that fails is not obeyed.
    """
    if values.shape != (len(NAMES),) or not np.isfinite(values).all():
        raise ProblemError(
            f"the controller proposes {values}; it must give {len(NAMES)} finite numbers "
            f"({', '.join(NAMES)}): check what it observes and its weights."
        )
    return Knobs(*(float(value) for value in np.clip(values, LOW, HIGH)))


def constant(gamma: float, tau: float, vol_target: float) -> Knobs:
    """The knobs that leave costs and caps as they are; the others clipped to their bounds."""
    wanted = {"gamma": gamma, "tau": tau, "caps": 1.0, "vol_target": vol_target}
    return within(np.array([wanted.get(name, _middle(name)) for name in NAMES]))

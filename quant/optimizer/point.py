"""What a method hands back to be audited."""

from dataclasses import dataclass

from quant.core.types import Vector
from quant.optimizer.terms import Duals


@dataclass(frozen=True)
class Point:
    """Weights, prices and the number of rounds (or iterations) they took."""

    weights: Vector
    duals: Duals
    rounds: int


@dataclass(frozen=True)
class Warm:
    """What the next day may start from.

    duals : prices of the joint limits
    moved : number of names that traded
    """

    duals: Duals
    moved: int

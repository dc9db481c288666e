"""Implementation shortfall: what a portfolio lost against the one on paper, and to what.

Source: Perold (1988), The implementation shortfall: paper versus reality, JPM 14(3) 4-9
"""

from dataclasses import astuple, dataclass

import numpy as np

from quant.core.types import Vector

PARTS = ("delay", "timing", "spread", "impact", "fee", "opportunity")


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Money lost by each order, (n,), + = a cost; the parts add up to the whole.

    delay       : the price moved between decision and arrival
    timing      : and between arrival and the fills
    spread, impact, fee : paid on the fills
    opportunity : what was not traded moved until it was cancelled
    """

    delay: Vector
    timing: Vector
    spread: Vector
    impact: Vector
    fee: Vector
    opportunity: Vector

    @property
    def total(self) -> Vector:
        """All parts together: the gain on paper less the real one."""
        return np.sum(astuple(self), axis=0)


def perold(
    ordered: Vector, filled: Vector, decision: Vector, arrival: Vector, price: Vector,
    cancelled: Vector, spread: Vector, impact: Vector, fee: Vector,
) -> Shortfall:  # fmt: skip
    """Shortfall of orders, each argument (n,).

    ordered, filled : shares, signed; decision : price at which the order was decided
    arrival         : price when it reached the market, NaN = it never did
    price           : average price of the fills before spread and impact
    cancelled       : price when what was left was cancelled
    """
    traded = filled != 0.0
    at = np.where(traded, arrival, 0.0)
    done = np.where(traded, filled, 0.0)
    return Shortfall(
        delay=(at - decision) * done,
        timing=(np.where(traded, price, 0.0) - at) * done,
        spread=spread,
        impact=impact,
        fee=fee,
        opportunity=(cancelled - decision) * (ordered - done),
    )

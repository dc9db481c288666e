"""From what a policy says, six unbounded numbers, to knobs strictly inside their bounds.

Squashed, not clipped (tanh), so that a gradient is never lost at a bound; gamma and the two costs
on a logarithmic scale, for their bounds span powers of ten.
"""

from collections.abc import Sequence

import numpy as np

from quant.core.errors import ProblemError
from quant.core.types import Matrix, Vector
from quant.optimizer.knobs import HIGH, LOW, NAMES, Knobs, within

_LOG = np.isin(NAMES, ("gamma", "lambda1", "lambda2"))
_LOW, _HIGH = np.where(_LOG, np.log(LOW), LOW), np.where(_LOG, np.log(HIGH), HIGH)
# a bound hit is within this share of the range's end
HIT = 1e-3
# a knob near a bound is started from this share of its range: the squashing is flat at its ends
_EDGE = 0.25


def knobs_of(raw: Vector) -> Knobs:
    """Knobs of (6,) unbounded numbers; 0 is the middle of each range on its scale.

    Raises ProblemError for numbers that are not finite.
    """
    if not np.isfinite(raw).all():
        raise ProblemError(f"the controller says {raw}; its numbers must be finite.")
    at = _LOW + (_HIGH - _LOW) * 0.5 * (1.0 + np.tanh(np.asarray(raw, np.float64)))
    return within(np.where(_LOG, np.exp(at), at))


def raw_of(knobs: Knobs) -> Vector:
    """(6,) numbers whose knobs are `knobs`; one in an outer quarter starts at that quarter."""
    return np.arctanh(2.0 * np.clip(share(knobs), _EDGE, 1.0 - _EDGE) - 1.0)


def share(knobs: Knobs) -> Vector:
    """(6,) where each knob stands in its range, on its scale, 0 to 1."""
    values = knobs.vector()
    at = np.where(_LOG, np.log(values), values)
    return (at - _LOW) / (_HIGH - _LOW)


def hits(knobs: Sequence[Knobs]) -> Matrix:
    """(n, 6) whether each knob is within 0.1 % of an end of its range."""
    shares = np.array([share(one) for one in knobs]).reshape(-1, len(NAMES))
    return (shares <= HIT) | (shares >= 1.0 - HIT)

"""The look-ahead audit: take the future away, or make it nonsense, and compare to the last bit."""

from quant.audit.blind import forget, garble
from quant.audit.compare import Compared, Difference, compare, known

__all__ = ["Compared", "Difference", "compare", "forget", "garble", "known"]

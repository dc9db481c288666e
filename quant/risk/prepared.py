"""Covariances of many sessions in one file, for those who come by the same sessions often.

The file is mapped, not read: processes that look at the same session share its pages.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from quant.core.types import Codes, Vector
from quant.risk.covariance import FactorCovariance


@dataclass
class PreparedCovariances:
    """Covariance of the names of a session, where exactly these are asked for.

    path         : float64 numbers of all factors, session after session
    place        : session -> (offset, rows) in it
    names        : session -> columns of the market
    ridge, share : session -> ridge and shrinkage
    """

    path: Path
    place: dict[int, tuple[int, int]] = field(default_factory=dict)
    names: dict[int, Codes] = field(default_factory=dict)
    ridge: dict[int, float] = field(default_factory=dict)
    share: dict[int, float] = field(default_factory=dict)
    _numbers: Vector | None = None

    def __call__(self, t: int, names: Codes) -> FactorCovariance | None:
        """The covariance at the close of `t`; None where it is not kept, or of other names."""
        if t not in self.place or not np.array_equal(self.names[t], names):
            return None
        if self._numbers is None:
            self._numbers = np.memmap(self.path, np.float64, "r")
        offset, rows = self.place[t]
        factor = self._numbers[offset : offset + rows * names.size].reshape(rows, names.size)
        return FactorCovariance(np.asarray(factor), self.ridge[t], self.share[t])

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_numbers": None}  # every process maps the file itself


def prepare(
    path: Path,
    sessions: Iterable[int],
    names: Callable[[int], Codes],
    estimate: Callable[[int, Codes], FactorCovariance],
) -> PreparedCovariances:
    """Estimate the covariance of `names` of every session, and keep it in `path`."""
    made = PreparedCovariances(path)
    offset = 0
    with path.open("wb") as file:
        for t in sessions:
            who = names(t)
            found = estimate(t, who)
            made.place[t], made.names[t] = (offset, found.factor.shape[0]), who
            made.ridge[t], made.share[t] = found.ridge, found.shrinkage
            file.write(np.ascontiguousarray(found.factor).tobytes())
            offset += found.factor.size
    return made

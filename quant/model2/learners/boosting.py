"""What both libraries of gradient-boosted trees share.

Bins are a fixed grid over [-0.5, 0.5] (features are ranks): they hold no trace of the data, least
of all of the future.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from quant.core.errors import ConfigError
from quant.model2.design import Design32


@dataclass(frozen=True)
class Boosting:
    """Settings of gradient-boosted trees; a fixed number of rounds, no early stopping."""

    rounds: int = 200
    leaves: int = 31
    learning_rate: float = 0.05
    feature_fraction: float = 0.5  # of the features, drawn anew for every tree
    min_leaf: int = 200  # rows
    l2: float = 1.0
    bins: int = 63
    threads: int = 2
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if min(self.rounds, self.leaves - 1, self.min_leaf, self.threads) < 1 or self.bins < 3:
            raise ConfigError(
                f"boosting rounds {self.rounds}, leaves {self.leaves}, min_leaf {self.min_leaf}, "
                f"threads {self.threads}, bins {self.bins}: each must be at least 1 "
                "(leaves 2, bins 3)."
            )

    def quick(self, rounds: int) -> Self:
        """The same with at most `rounds`."""
        return replace(self, rounds=min(rounds, self.rounds))

    def grid(self, width: int) -> Design32:
        """(bins, width) one row for each bin of every feature."""
        steps = np.linspace(-0.5, 0.5, self.bins, dtype=np.float32)
        return np.repeat(steps[:, None], width, axis=1)

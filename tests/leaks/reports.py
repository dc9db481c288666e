"""Leaks of the evaluation itself."""

import numpy as np

from quant.core.types import Frame, Vector
from quant.evaluation import summary
from tests.leaks.leak import instead, leak


@leak("days left out afterwards", "evaluate", "reported Sharpe", check="metrics of every session")
def worst_days_left_out():
    """Returns beyond three deviations of the whole sample are "bad ticks", the falls at least."""
    real = summary.returns

    def cleaned(nav: Frame, gross: bool = False) -> Vector:
        daily = real(nav, gross)
        return np.where(daily < -3.0 * daily.std(), 0.0, daily)

    return instead(summary, "returns", cleaned)

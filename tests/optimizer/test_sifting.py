"""The working set: what must be in it, however little it seems to gain."""

from dataclasses import replace

import numpy as np

from quant.core.seeds import generator
from quant.optimizer import sifting
from quant.optimizer.audit import MAX_VIOLATION, violation
from quant.optimizer.feasibility import reach
from tests.optimizer.problems import random_problem


def test_names_of_a_group_above_its_cap_join_though_all_gains_are_elsewhere():
    """Seventy names share the sale, so that none is among the first sixty to try."""
    n = 140
    group = np.repeat([0, 1], n // 2)
    problem = replace(
        random_problem(generator(3, "sifting"), n),
        mu=np.where(group == 1, 0.01, 0.0), held=np.full(n, 0.005), gamma=0.0, vol_target=np.inf,
        lower=np.zeros(n), upper=np.full(n, 0.006), groups=group, tau=np.inf,
        group_low=np.zeros(2), group_high=np.array([0.349, 1.0]), buy_cap=np.ones(n),
    )  # fmt: skip
    limits = reach(problem, None).limits
    start = np.where(group == 0, 0.349 / 70, 0.005)
    assert violation(problem, limits, start) == 0.0
    found = sifting.sift(problem, limits, start, None)
    assert found is not None
    assert violation(problem, limits, found.weights) <= MAX_VIOLATION
    np.testing.assert_allclose(found.weights[group == 1], 0.006, atol=1e-9)
    assert found.weights[group == 0].sum() <= 0.349 + 1e-9

"""Reconciliation, specification section 2.5: children stay within 0.15 of their parents.

Of the immediate parent, already reconciled (market, sector, industry; market, industry in CN),
except where a child's own risk asks for a tighter cap: those are flagged.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from quant.core.seeds import generator
from quant.core.types import Codes, Mask, Matrix
from quant.model1 import fusion

TREES = {
    "sectors": np.array([-1, 0, 0, 0, 1, 1, 1, 2, 2, 3]),
    "industries alone": np.array([-1, *[0] * 9]),
}
DAYS = 1500


@dataclass(frozen=True)
class Stored:
    """Stored probabilities (n_days, n_nodes, 3) of a tree, and what was flagged."""

    parent: Codes
    trend: Matrix
    vol: Matrix
    kept: Mask


def random_tree(parent: Codes) -> Stored:
    """Random days of every node, smoothed and reconciled from the top down."""
    rng = generator(5, "tests", "hierarchy", str(parent.tolist()))
    shape = (DAYS, parent.size)
    fast = fusion.switched(rng.random(shape) < 0.01, parent)
    kept = np.zeros(shape, dtype=bool)
    made = []
    for risky in (False, True):
        p = rng.gamma(0.1, size=(DAYS // 20, parent.size, 3)) + 1e-300
        p = fusion.smooth(np.repeat(p / p.sum(axis=2, keepdims=True), 20, axis=0), fast)
        for node in np.flatnonzero(parent >= 0):
            above = p[:, parent[node]]
            if risky:
                p[:, node], kept[:, node] = fusion.reconcile_risk(p[:, node], above)
            else:
                p[:, node] = fusion.reconcile(p[:, node], above)
        made.append(fusion.quantise(p).astype(np.float64))
    return Stored(parent, made[0], made[1], kept)


# what is stored; the stage's own belongs here too
MAKERS = {name: (lambda tree=tree: random_tree(tree)) for name, tree in TREES.items()}


@pytest.fixture(scope="module", params=MAKERS.values(), ids=MAKERS.keys())
def stored(request) -> Stored:
    return request.param()


def distance(p: Matrix, parent: Codes) -> Matrix:
    """(n_days, n_children) largest difference of a state to the immediate parent's."""
    children = np.flatnonzero(parent >= 0)
    return np.abs(p[:, children] - p[:, parent[children]]).max(axis=2)


def test_trends_stay_within_the_bound_always(stored):
    far = distance(stored.trend, stored.parent)
    assert far.max() <= 0.15
    assert far.max() > 0.1499  # and some are at it


def test_volatility_stays_within_the_bound_but_where_flagged(stored):
    kept = stored.kept[:, stored.parent >= 0]
    assert distance(stored.vol, stored.parent)[~kept].max() <= 0.15
    assert 0 < kept.mean() < 0.5


def test_flags_are_risks_that_tighten(stored):
    day, node = np.nonzero(stored.kept)
    assert (stored.parent[node] >= 0).all()
    crisis = stored.vol[:, :, 2]
    assert (crisis[day, node] >= 0.3).all()

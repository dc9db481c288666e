"""Probability sanity, specification section 2.5: rows of each model sum to 1 within 1e-9."""

import numpy as np
import pandas as pd
import pytest

from quant.core.seeds import generator
from quant.core.tables import TREND, VOL
from quant.core.types import Frame
from quant.model1 import fusion
from tests.model1 import runs

SYSTEMIC = ("p_sys_diversifying", "p_sys_systemic")
PARENT = np.array([-1, 0, 0, 1, 1, 1, 2, 2])  # market, two sectors, five industries
DAYS = 800


def raw(rng: np.random.Generator, k: int) -> np.ndarray:
    """Filtered probabilities as sharp as they come, with days that have none."""
    p = rng.gamma(rng.choice([0.01, 0.1, 1.0], (DAYS, PARENT.size, 1)), size=(DAYS, PARENT.size, k))
    p += 1e-300
    p[rng.random((DAYS, PARENT.size)) < 0.02] = np.nan
    p[0] = 1.0
    return p / p.sum(axis=2, keepdims=True)


def random_states() -> Frame:
    """Industries' states by smoothing, reconciling and rounding random probabilities."""
    rng = generator(7, "tests", "sums")
    fast = fusion.switched(rng.random((DAYS, PARENT.size)) < 0.01, PARENT)
    leaves = np.flatnonzero(PARENT > 0)
    columns = {}
    for names in (TREND, VOL):
        p = fusion.smooth(raw(rng, 3), fast)
        for node in np.flatnonzero(PARENT >= 0):
            p[:, node] = fusion.reconcile_risk(p[:, node], p[:, PARENT[node]])[0]
        made = fusion.quantise(p[:, leaves]).reshape(-1, 3)
        columns |= dict(zip(names, made.T, strict=True))
    risk = rng.random(DAYS)
    shared = fusion.quantise(np.stack([1 - risk, risk], axis=1))
    columns |= {n: np.repeat(c, leaves.size) for n, c in zip(SYSTEMIC, shared.T, strict=True)}
    return pd.DataFrame(columns)


# makers of STATES tables; what the stage stores belongs here too
MAKERS = {
    "random": random_states,
    "stage us": lambda: runs.made("us")["states"],
    "stage cn": lambda: runs.made("cn")["states"],
    "stage, off": lambda: runs.made("us", enabled=False)["states"],
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
@pytest.mark.parametrize("names", [TREND, VOL, SYSTEMIC], ids=["trend", "volatility", "systemic"])
def test_probabilities_sum_to_one(make, names):
    p = make()[list(names)]
    assert len(p) > 0
    assert (p.dtypes == np.float32).all()
    p = p.to_numpy(np.float64)
    assert np.isfinite(p).all()
    assert (p >= 0).all() and (p <= 1).all()
    assert np.abs(p.sum(axis=1) - 1).max() <= 1e-9

"""The t-statistic of overlapping labels rejects a true null about as often as it says."""

import numpy as np

from quant.core.seeds import generator
from quant.evaluation.inference import newey_west_t, overlap_t


def test_overlap_is_paid_for_in_full():
    horizon, n = 21, 2000
    rng = generator(42, "overlap")
    kernel = np.ones(horizon)
    draws = [np.convolve(rng.normal(size=n + horizon), kernel, "valid") for _ in range(400)]
    deviation = np.std([overlap_t(x, horizon) for x in draws])
    naive = np.std([newey_west_t(x, horizon - 1) for x in draws])
    assert 0.9 < deviation < 1.12  # about 1.04 with a finite sample
    assert naive > deviation + 0.1  # h - 1 lags see about two thirds of the variance

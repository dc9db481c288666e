"""The verdict: the literal rule, saturation, and how sure one can be."""

import numpy as np
import pytest

from quant.evaluation import metrics
from quant.rl import gate
from quant.rl.gate import FAIL, INCONCLUSIVE, PASS, SATURATED, judged, overall


def books(
    better: float, n: int = 1000, level: float = 0.0002, noise: float = 0.0005, seed: int = 1
):
    """Two books that share the market's luck; the first earns `better` a session more."""
    rng = np.random.default_rng(seed)
    common = rng.normal(level, 0.008, n)
    return common + better + rng.normal(0, noise, n), common


def verdict(book, fixed, n_trials=16, variance=2e-3):
    return judged(book, fixed, 252, n_trials, variance, 10, 300, np.random.default_rng(2))


def test_a_clear_gain_passes():
    found = verdict(*books(0.0006))
    assert found.verdict == PASS and found.passes and found.low > 0
    book, fixed = books(0.0006)
    assert found.difference == pytest.approx(
        metrics.sharpe(book, 0, 252) - metrics.sharpe(fixed, 0, 252)
    )
    assert found.dsr == pytest.approx(metrics.dsr(metrics.shape(book), 16, 2e-3))


def test_a_loss_fails_and_a_coin_toss_is_inconclusive():
    loss = verdict(*books(-0.0004))
    assert loss.verdict == FAIL and not loss.passes and loss.high < 0.10
    rng = np.random.default_rng(3)
    toss = verdict(rng.normal(2e-4, 0.008, 400), rng.normal(2e-4, 0.008, 400))
    assert toss.verdict == INCONCLUSIVE and toss.low < 0 < toss.high


def test_a_higher_sharpe_without_a_higher_dsr_does_not_pass():
    # no trial was ever made by the way: DSR is PSR, near 1 for both, yet the fixed is below 0.9
    book, fixed = books(0.0002, n=150, level=-0.004, noise=1e-5)
    found = verdict(book, fixed)
    assert found.difference > 0.10 and found.dsr - found.fixed_dsr < 0.10 and not found.passes


def test_where_the_fixed_dsr_leaves_no_room_the_sharpe_rule_decides():
    high = books(0.0006, level=0.002)
    found = verdict(*high, n_trials=1, variance=0.0)
    assert found.fixed_dsr > 0.90 and found.verdict == SATURATED and found.passes
    lower = verdict(*books(-0.0001, level=0.002), n_trials=1, variance=0.0)
    assert lower.verdict == SATURATED and not lower.passes


def test_every_period_has_to_pass():
    good, bad = verdict(*books(0.0006)), verdict(*books(-0.0004))
    assert overall([good, good]) == (True, PASS)
    assert overall([good, bad]) == (False, FAIL)
    toss = verdict(*books(0.0, noise=0.004))
    assert overall([good, toss])[1] == INCONCLUSIVE
    saturated = verdict(*books(0.0006, level=0.002), n_trials=1, variance=0.0)
    assert overall([good, saturated]) == (True, SATURATED)


def test_a_book_of_cash_has_no_dsr_and_never_passes():
    _, fixed = books(0.0)
    found = verdict(np.zeros(fixed.size), fixed)
    assert np.isnan(found.dsr) and not found.passes
    assert gate.MARGIN == 0.10

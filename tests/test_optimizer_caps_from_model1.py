"""What Model 1 asks for, the optimizer obeys: caps halved once, the volatility target met."""

import numpy as np
import pytest

from quant import settings
from quant.model1 import mapping
from quant.optimizer.solve import solve
from tests import regimes
from tests.backtest.test_policy_limits import CAP, DAYS, NAMES, policy
from tests.pipeline import ingested, through, tiny

NAMED = np.arange(NAMES)


def mapped(p_systemic: float, p_crisis: float = 0.0, target: float = 0.12):
    """The problem of a day with these probabilities."""
    made, state = policy(["Energy", "Materials", "Utilities"])
    made.signals.cap[:] = mapping.caps(CAP, np.array(p_systemic), np.array(p_crisis))
    made.signals.vol_target[:] = target
    made.signals.alpha[:] = np.linspace(0.0, 0.05, NAMES)
    return made.problem(DAYS - 1, state, NAMED)


def exposures(problem, weights):
    return np.bincount(problem.groups, weights=weights, minlength=3)


@pytest.mark.parametrize(
    ("p_systemic", "p_crisis"), [(0.5, 0.0), (0.9, 0.0), (0.0, 0.3), (0.99, 0.99)]
)
def test_the_exposure_interval_is_halved_once(p_systemic, p_crisis):
    problem, free = mapped(p_systemic, p_crisis), mapped(0.499, 0.299)
    ratio = (problem.group_high - problem.group_low) / (free.group_high - free.group_low)
    np.testing.assert_allclose(ratio, 0.5, atol=1e-6)
    wide = solve(free, "sifting")
    tight = solve(problem, "sifting")
    assert exposures(problem, wide.weights).max() > 0.5 * CAP + 1e-3  # the cap is no idle one
    assert (exposures(problem, tight.weights) <= 0.5 * CAP + 1e-6).all()


@pytest.mark.parametrize("p_crisis", [0.0, 0.2, 0.5, 1.0])
def test_the_risk_stays_below_the_mapped_target(p_crisis):
    target = float(mapping.vol_target(np.array([p_crisis]))[0])
    problem = mapped(0.0, 0.0, target)
    assert problem.vol_target == target
    solution = solve(problem)
    sigma = problem.factor.T @ problem.factor + problem.ridge * np.eye(problem.n)
    year = problem.horizons_per_year * solution.weights @ sigma @ solution.weights
    assert year <= target**2 * (1 + 1e-6)


def test_a_tilt_is_a_return_over_the_horizon():
    made, state = policy(["Energy", "Materials"])
    plain = made.problem(DAYS - 1, state, NAMED).mu
    made.signals.tilt[:, ::2] = mapping.tilt_bp(np.array([0.1, 0.2, 0.7])) / 1e4
    tilted = made.problem(DAYS - 1, state, NAMED).mu
    np.testing.assert_allclose(tilted - plain, np.where(NAMED % 2, 0.0, 6e-4), atol=1e-15)
    made.signals.member[:, 0] = False  # a leaver is owed nothing
    left = made.problem(DAYS - 1, state, NAMED).mu
    made.signals.tilt[:] = 0.0
    assert left[0] == made.problem(DAYS - 1, state, NAMED).mu[0]


@pytest.mark.slow
@pytest.mark.parametrize("region", ["us", "cn"])
def test_every_decision_of_a_run_obeys(region, tmp_path):
    config = tiny(region)
    config.optimizer.group_max = 0.3
    config.model1 = settings.Model1(
        enabled=True, min_members=2, min_history=120, dcc=settings.Dcc(window_days=120)
    )
    frames = through(config, ingested(region, 40, 0.2), tmp_path)
    told = regimes.obeyed(frames, 0.3)
    assert len(told) > 100 and (told["tightened"] > 0).any()
    assert told["cap_excess"].max() <= regimes.TOLERANCE
    assert told["vol_excess"].max() <= regimes.TOLERANCE
    assert told["relaxed"].mean() < 0.5

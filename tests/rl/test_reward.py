"""The reward of the specification, to the published numbers, and its readable variant."""

import numpy as np
import pytest

from quant.core.errors import ConfigError
from quant.rl.reward import Terms, current_fall, deepest_fall, reward, seen
from tests.shared import case

LITERAL, RESEARCH = Terms(), Terms("research", 5.0, 0.5)


def test_the_shared_case_comes_out():
    told = case("09_reward")
    for given, expected in zip(told["inputs"]["cases"], told["expected"]["rewards"], strict=True):
        made = reward(
            LITERAL, given["w_dot_r"], given["cost"], given["dd63"], given["sigma_next"],
            given["target"],
        )  # fmt: skip
        assert made.total == pytest.approx(expected, abs=1e-12)
    nav = np.array(told["inputs"]["equity"], float)
    for k, expected in enumerate(told["expected"]["peak_to_trough_by_day"]):
        fall, _ = seen(LITERAL, nav[: k + 1], 0.1, 252)
        assert fall == pytest.approx(expected, abs=1e-12)
        assert (fall > 0.10) == told["expected"]["dd_flag_by_day"][k]


def test_the_literal_fall_is_forgotten_after_its_window_and_the_current_one_with_recovery():
    nav = np.r_[100.0, 85.0, np.linspace(86, 110, 60)]
    assert deepest_fall(nav) == pytest.approx(0.15) and current_fall(nav) == 0.0
    longer = np.r_[nav, np.full(10, 111.0)]
    assert seen(LITERAL, longer, 0.1, 252)[0] == pytest.approx(0.0)
    assert seen(LITERAL, longer[:62], 0.1, 252)[0] == pytest.approx(0.15)


def test_research_is_in_bp_and_of_the_size_of_a_day():
    made = reward(RESEARCH, 0.001, 0.0002, 0.11, 0.15, 0.12)
    assert (made.gain, made.cost, made.drawdown) == pytest.approx((10.0, 2.0, 5.0))
    assert made.volatility == pytest.approx(0.5 * 3.0**2)
    assert made.total == pytest.approx(10 - 2 - 5 - 4.5)


def test_research_looks_at_realised_volatility_once_there_are_21_sessions():
    rng = np.random.default_rng(1)
    nav = 100 * np.cumprod(1 + rng.normal(0, 0.01, 64))
    moves = nav[1:] / nav[:-1] - 1
    _, vol = seen(RESEARCH, nav, 0.5, 252)
    assert vol == pytest.approx(moves[-21:].std(ddof=1) * 252**0.5)
    assert seen(RESEARCH, nav[:21], 0.5, 252)[1] == 0.0
    assert seen(LITERAL, nav, 0.5, 252)[1] == 0.5


def test_another_kind_is_refused():
    with pytest.raises(ConfigError, match="choose one of"):
        Terms("mine")

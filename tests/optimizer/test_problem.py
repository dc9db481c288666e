from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import ProblemError
from quant.core.seeds import generator
from quant.optimizer.problem import Problem
from tests.optimizer.problems import random_problem


@pytest.fixture
def problem() -> Problem:
    return random_problem(generator(4, "problem"), n=6, symbols=np.array(list("ABCDEF")))


def spoiled(problem: Problem, name: str, value: float) -> np.ndarray:
    array = getattr(problem, name).copy()
    array.flat[2] = value
    return array


@pytest.mark.parametrize("name", ["mu", "held", "lower", "upper", "lambda1"])
def test_not_finite_is_refused_by_name_and_asset(problem, name):
    with pytest.raises(ProblemError, match=rf"2015-07-08: {name} is nan at C \(asset 2\)"):
        replace(problem, **{name: spoiled(problem, name, np.nan)})


@pytest.mark.parametrize("name", ["lambda1", "lambda2", "buy_cap", "sell_cap"])
def test_negative_is_refused(problem, name):
    with pytest.raises(ProblemError, match=rf"{name} is -1.0 at C .* must be >= 0"):
        replace(problem, **{name: spoiled(problem, name, -1.0)})


def test_nan_caps_are_refused(problem):
    with pytest.raises(ProblemError, match="buy_cap is nan at C"):
        replace(problem, buy_cap=spoiled(problem, "buy_cap", np.nan))


@pytest.mark.parametrize("name", ["held", "groups", "sell_cap"])
def test_wrong_length_is_refused(problem, name):
    with pytest.raises(ProblemError, match=rf"{name} has shape \(5,\) but mu has 6 assets"):
        replace(problem, **{name: getattr(problem, name)[1:]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factor": np.ones((4, 5))}, r"factor is \(4, 5\) but mu has 6"),
        ({"gamma": -1.0}, "gamma is -1.0 and must be >= 0"),
        ({"gamma": np.inf}, "gamma inf .* must be at most 1e9"),
        ({"tau": float("nan")}, "tau is nan and must be >= 0"),
        ({"vol_target": 0.0}, "vol_target is 0.0 and must be at least 1e-6"),
        ({"horizons_per_year": 0.0}, "horizons_per_year is 0.0"),
        ({"cash_high": -0.1}, r"cash must lie in \[0.0, -0.1\]"),
        ({"groups": np.full(6, 9)}, r"groups must be int codes in \[0, 2\)"),
        ({"groups": np.full(6, 0.5)}, "groups must be int codes"),
        ({"group_low": np.full(2, 0.9), "group_high": np.full(2, 0.5)}, "group_low 0.9 is above"),
        ({"group_low": np.zeros(3)}, r"group_low is \(3,\) and group_high \(2,\)"),
        ({"lower": np.full(6, 5.0)}, "lower 5.0 is above upper at A"),
        ({"symbols": np.array(["A"])}, "symbols has 1 entries"),
    ],
)
def test_contradictions_are_refused(problem, change, message):
    with pytest.raises(ProblemError, match=message):
        replace(problem, **change)


def test_variance_cap_is_over_the_horizon(problem):
    calm = replace(problem, vol_target=0.12, horizons_per_year=12.0)
    assert calm.variance_cap == pytest.approx(0.0012)
    assert calm.volatility(calm.variance_cap) == pytest.approx(0.12)
    assert replace(problem, vol_target=np.inf).variance_cap == np.inf

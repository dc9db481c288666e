"""What the policy asks of the optimizer where the data is thin."""

from dataclasses import replace

import numpy as np
import pandas as pd

from quant.backtest.engine import State
from quant.backtest.market import FIELDS, charges, market_arrays
from quant.backtest.policy import Constants, Optimized, Signals
from quant.core.panel import Panel
from quant.core.seeds import generator
from quant.core.tables import LISTINGS, RATES
from quant.data.providers.base import empty
from quant.optimizer.solve import solve

DAYS, NAMES = 40, 12
CONSTANTS = Constants(8.0, 8.0, 0.2, 0.5, 1.0, 21, 252, 30, 0.6)
CAP = 0.25


def policy(groups: list[str], hole: int | None = None) -> tuple[Optimized, State]:
    rng = generator(42, "policy")
    dates = pd.bdate_range("2020-01-02", periods=DAYS).to_numpy().astype("datetime64[D]")
    symbols = np.array([f"N{i:02d}" for i in range(NAMES)], dtype=object)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.02, (DAYS, NAMES)), axis=0))
    fields = {name: close.copy() for name in FIELDS}
    fields |= {"factor": np.ones_like(close), "volume": np.full_like(close, 1e7)}
    fields |= {"amount": close * 1e7, "limit_up": close * np.nan, "limit_down": close * np.nan}
    market = market_arrays(Panel(dates, symbols, fields), empty(LISTINGS), empty(RATES), "us")
    returns = np.vstack([np.full(NAMES, np.nan), close[1:] / close[:-1] - 1])
    if hole is not None:
        returns[hole] = np.nan
    group = np.tile(np.arange(NAMES) % len(groups), (DAYS, 1))
    seen = Signals(returns, np.zeros((DAYS, NAMES)), np.ones((DAYS, NAMES), bool), group,
                   np.array(groups, dtype=object), np.zeros((DAYS, NAMES)),
                   np.full((DAYS, len(groups)), CAP), np.full(DAYS, 0.12))  # fmt: skip
    made = Optimized(market, seen, charges(market, 5e-4, 1e-5), CONSTANTS, DAYS - 1)
    nothing = np.zeros(NAMES)
    state = State(dates[-1], 1e6, 1e6, nothing, nothing, np.ones(NAMES, bool))
    return made, state


def test_names_without_an_industry_are_not_capped_as_if_they_were_one():
    made, state = policy(["Energy", "Unknown"])
    high = made.problem(DAYS - 1, state, np.arange(NAMES)).group_high
    np.testing.assert_array_equal(high, [CAP, 1.0])


def test_a_session_the_data_lacks_is_left_out_of_the_covariance():
    made, _ = policy(["Energy"], hole=DAYS - 5)
    assert made.covariance(DAYS - 1, np.arange(NAMES)).factor.shape[0] == CONSTANTS.window - 1


def test_a_group_without_a_member_today_is_asked_for_nothing():
    made, state = policy(["Energy", "Materials", "Later"])
    made.signals.group[made.signals.group == 2] = 0
    made.constants = replace(CONSTANTS, group_min=0.05)
    problem = made.problem(DAYS - 1, state, np.arange(NAMES))
    np.testing.assert_array_equal(problem.group_low, [0.05, 0.05, 0.0])


def test_measured_from_the_benchmark_and_without_alpha_the_benchmark_is_the_answer():
    made, state = policy(["Energy", "Materials"])
    free = {"name_max": 1.0, "group_min": 0.3, "cash_max": 0.02, "tau": 2.0}
    made.signals.cap[:] = 1.0
    made.constants = replace(CONSTANTS, relative=True, tracking_error=0.05, **free)
    problem = made.problem(DAYS - 1, state, np.arange(NAMES))
    equal = np.full(NAMES, 1 / NAMES)
    np.testing.assert_array_equal(problem.benchmark, equal)
    np.testing.assert_array_equal(problem.group_low, [0.3, 0.3])
    bought = solve(problem)  # from cash: costs stop short of it, and cash_max bounds how far
    assert bought.cash <= 0.02 + 1e-9
    held = replace(state, weights=equal, shares=equal)
    at_rest = solve(made.problem(DAYS - 1, held, np.arange(NAMES)))
    np.testing.assert_array_equal(at_rest.weights, equal)
    assert at_rest.vol == 0.0

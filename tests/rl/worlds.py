"""Simulated markets whose right knobs are known: moving with what can be seen, or not moving.

Forty names follow a market factor, and a score that decays with a half-life of ten sessions. The
stated alpha and the costs that the optimizer reckons with are the same at all times. Where knobs
matter, a state that lasts sixty sessions on average decides what the score is worth (what is
stated, or nothing) and what trading costs (5 or 45 bp); the state shows, noisily, in the regimes.
Where they do not, the score is always worth half, costs are always 15 bp, and the regimes show a
state that decides nothing.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from quant.backtest.market import FIELDS, charges, market_arrays
from quant.backtest.policy import Constants, Optimized, Signals
from quant.core.panel import Panel
from quant.core.seeds import generator
from quant.core.tables import LISTINGS, RATES
from quant.data.providers.base import empty
from quant.execution.moo import market_on_open
from quant.execution.orders import Fills, Orders, Session
from quant.optimizer.knobs import Knobs, constant
from quant.rl.env import Chooser, World
from quant.rl.observation import scene
from quant.rl.reward import Terms

NAMES, WINDOW, HORIZON = 40, 63, 21
DECAY = 0.5 ** (1 / 10)
STATED = 0.04  # alpha of one unit of score over the horizon
# what a unit of score earns over the horizon where its worth is 1
WORTH = 0.04
GOOD, BAD = (1.0, 5e-4), (0.0, 45e-4)  # worth of the score, cost that is paid
PLAIN = (0.5, 15e-4)
BELIEVED = 15e-4  # cost that the optimizer reckons with
NO_TERMS = Terms("research", 0.0, 0.0)


def states(n_days: int, rng: np.random.Generator, stay: float = 60.0) -> np.ndarray:
    """(n_days,) true where the state is bad."""
    return np.cumsum(rng.random(n_days) < 1.0 / stay) % 2 == 1


def world(matters: bool, seed: int, n_days: int = 4000, n: int = NAMES) -> World:
    """A market of `n_days` sessions; the first WINDOW + 40 are its history."""
    rng = generator(seed, "controlled", str(matters))
    bad = states(n_days, rng)
    worth = np.where(bad, BAD[0], GOOD[0]) if matters else np.full(n_days, PLAIN[0])
    cost = np.where(bad, BAD[1], GOOD[1]) if matters else np.full(n_days, PLAIN[1])
    score = np.zeros((n_days, n))
    for t in range(1, n_days):
        score[t] = DECAY * score[t - 1] + np.sqrt(1 - DECAY**2) * rng.normal(size=n)
    factor = rng.normal(2e-4, 0.005, (n_days, 1))
    drift = np.zeros((n_days, n))
    # over the horizon a score earns WORTH: its decayed daily parts add up to it
    unit = WORTH / sum(DECAY**k for k in range(HORIZON))
    drift[1:] = worth[:-1, None] * unit * score[:-1]
    moves = factor + drift + rng.normal(0, 0.018, (n_days, n))
    moves[0] = 0.0
    close = 50 * np.cumprod(1 + moves, axis=0)
    dates = np.busday_offset("2001-01-01", np.arange(n_days), roll="forward").astype("M8[D]")
    symbols = np.array([f"N{i:03d}" for i in range(n)], dtype=object)
    fields = {name: close.copy() for name in FIELDS}
    # it opens where it closed: what is decided at a close earns the whole of the next session
    fields["open"] = np.vstack([close[:1], close[:-1]])
    fields |= {"factor": np.ones_like(close), "volume": np.full_like(close, 1e9)}
    fields |= {"amount": close * 1e9, "limit_up": close * np.nan, "limit_down": close * np.nan}
    market = market_arrays(Panel(dates, symbols, fields), empty(LISTINGS), empty(RATES), "us")
    groups = np.array([f"G{i}" for i in range(4)], dtype=object)
    shape = (n_days, n)
    member = np.ones(shape, bool)
    group = np.tile(np.arange(n) % 4, (n_days, 1))
    alpha = STATED * score
    seen = Signals(
        returns=np.vstack([np.full(n, np.nan), moves[1:]]), alpha=alpha, member=member,
        group=group, groups=groups, tilt=np.zeros(shape), cap=np.ones((n_days, 4)),
        vol_target=np.full(n_days, 0.15),
    )  # fmt: skip
    constants = Constants(8.0, 8.0, 0.20, 0.10, 1.0, HORIZON, 252, WINDOW, 0.6)
    policy = Optimized(market, seen, charges(market, BELIEVED, 1e-5), constants, WINDOW)
    shown = regimes(dates, bad, groups, rng)
    made = scene(
        dates, *shown, alpha, np.full(shape, 0.1), np.tile(np.arange(n) % 6, (n_days, 1)), member,
        group, 4,
    )  # fmt: skip
    return World(policy, partial(Desk, cost), made, 1e7, constant(8.0, 0.20, 0.12), NO_TERMS)


class Desk:
    """Market on open at the costs of the session, not at those that the optimizer reckons with.

    cost : (n_days,)
    """

    def __init__(self, cost: np.ndarray) -> None:
        self.cost = cost

    def __call__(self, orders: Orders, session: Session) -> Fills:
        paid = np.full(session.lambda1.size, self.cost[session.t])
        return market_on_open(orders, replace(session, lambda1=paid))


def regimes(dates, bad, groups, rng) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables `states` and `regime` that show the state, with noise."""
    n = dates.size
    p = np.clip(np.where(bad, 0.75, 0.25)[:, None] + rng.normal(0, 0.1, (n, len(groups))), 0, 1)
    day = np.repeat(dates.astype("M8[ns]"), len(groups))
    flat = p.ravel()
    table = pd.DataFrame({"date": day, "industry_id": np.tile(groups, n)})
    table["p_trend_bull"], table["p_trend_bear"] = 0.6 * (1 - flat), 0.6 * flat
    table["p_trend_sideways"] = 0.4
    table["p_vol_calm"], table["p_vol_turbulent"], table["p_vol_crisis"] = (
        0.8 * (1 - flat), 0.2, 0.8 * flat,
    )  # fmt: skip
    table["p_sys_diversifying"], table["p_sys_systemic"] = 1 - flat, flat
    table["p_flip_10d"] = 0.2
    noise = rng.normal(0, 0.05, (n, 2))
    regime = pd.DataFrame(
        {"date": dates.astype("M8[ns]"), "eig1": 0.4 + noise[:, 0], "mean_corr": 0.3 + noise[:, 1]}
    )
    known = dates[WINDOW].astype("M8[ns]")  # nothing before there is a covariance
    return table[table["date"] >= known], regime[regime["date"] >= known]


def truth(matters: bool, seed: int, n_days: int = 4000) -> np.ndarray:
    """(n_days,) the states behind `world`."""
    return states(n_days, generator(seed, "controlled", str(matters)))


def oracle(bad: np.ndarray, usual: Knobs) -> Chooser:
    """Who knows the state: trades freely where the score is worth something, hardly elsewhere."""
    trade = replace(usual, tau=0.35, lambda1=2e-4)
    rest = replace(usual, tau=0.05, lambda1=2e-3, lambda2=1e-4)
    return lambda seen, t: rest if bad[t] else trade

"""Ways to make a problem degenerate, nearly infeasible or badly scaled; each a row."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from quant.optimizer.problem import Problem
from tests.optimizer.problems import random_problem

Twist = Callable[[np.random.Generator, Problem], Problem]


def _duplicates(rng, p):
    twin, half = rng.integers(0, p.n, p.n // 2), p.n // 2
    factor, mu = p.factor.copy(), p.mu.copy()
    factor[:, :half], mu[:half] = factor[:, twin], mu[twin]
    return replace(p, factor=factor, mu=mu, ridge=0.0)


def _riskless(rng, p):
    factor = p.factor.copy()
    factor[:, : p.n // 3] = 0.0
    return replace(p, factor=factor, ridge=0.0)


def _suspended(rng, p):
    trades = np.where(rng.random(p.n) < 0.4, 0.0, 1.0)
    return replace(p, buy_cap=p.buy_cap * trades, sell_cap=p.sell_cap * trades)


def _locked(rng, p):
    up, down = rng.random(p.n) < 0.3, rng.random(p.n) < 0.3
    return replace(
        p, buy_cap=np.where(up, 0.0, p.buy_cap), sell_cap=np.where(down, 0.0, p.sell_cap)
    )


def _illiquid(rng, p):
    caps = 1e-3 * rng.lognormal(0, 1.5, (2, p.n))
    return replace(p, buy_cap=caps[0], sell_cap=caps[1])


def _long_short(rng, p):
    return replace(
        p,
        lower=np.full(p.n, -0.05),
        group_low=np.full(p.group_low.size, -0.2),
        held=p.held - 0.5 / p.n,
    )


def _invested(rng, p):
    return replace(
        p,
        cash_high=0.0,
        upper=np.full(p.n, 0.5),
        group_high=np.full(p.group_high.size, 0.9),
        tau=1.5,
    )


TWISTS: dict[str, Twist] = {
    "plain": lambda rng, p: p,
    "duplicate names": _duplicates,
    "riskless names": _riskless,
    "suspensions": _suspended,
    "all suspended": lambda rng, p: replace(p, buy_cap=0 * p.buy_cap, sell_cap=0 * p.sell_cap),
    "limit locks": _locked,
    "small trade caps": _illiquid,
    "no turnover": lambda rng, p: replace(p, tau=0.0),
    "no risk aversion": lambda rng, p: replace(p, gamma=0.0),
    "no costs": lambda rng, p: replace(p, lambda1=0 * p.lambda1, lambda2=0 * p.lambda2),
    "no quadratic cost": lambda rng, p: replace(p, lambda2=0 * p.lambda2),
    "no return": lambda rng, p: replace(p, mu=0 * p.mu),
    "large return": lambda rng, p: replace(p, mu=1e3 * p.mu),
    "small units": lambda rng, p: replace(
        p, mu=1e-4 * p.mu, lambda1=1e-4 * p.lambda1, gamma=1e-4 * p.gamma
    ),
    "volatility beyond tau": lambda rng, p: replace(p, vol_target=0.02, tau=0.05),
    "volatility out of reach": lambda rng, p: replace(
        p, vol_target=0.03, sell_cap=np.full(p.n, 0.005), buy_cap=np.full(p.n, 0.005)
    ),
    "fully invested": _invested,
    "narrow groups": lambda rng, p: replace(
        p,
        group_low=np.full(p.group_low.size, 0.1),
        group_high=np.full(p.group_low.size, 0.12),
    ),
    "above the budget": lambda rng, p: replace(
        p, held=p.held * (1.05 / p.held.sum()), upper=np.full(p.n, 1 / p.n)
    ),
    "long and short": _long_short,
    "no caps": lambda rng, p: replace(p, tau=np.inf, vol_target=np.inf),
    "leavers": lambda rng, p: replace(p, upper=np.where(rng.random(p.n) < 0.4, 0.0, p.upper)),
    "all cash": lambda rng, p: replace(p, held=0 * p.held),
}


def twisted(kind: str, number: int) -> Problem:
    """Problem `number` of `kind`: 1 to 80 names, windows longer and shorter than that."""
    rng = np.random.default_rng([number, list(TWISTS).index(kind)])
    n, n_obs = int(rng.choice([1, 2, 5, 12, 30, 80])), int(rng.choice([20, 60, 120]))
    return TWISTS[kind](rng, random_problem(rng, n, n_obs))

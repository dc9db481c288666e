"""Ways to make a problem degenerate, nearly infeasible or badly scaled; each a row."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from quant.optimizer.problem import Problem
from quant.optimizer.solve import solve
from quant.optimizer.terms import variance
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


def _twins(rng, p):
    first = np.zeros(p.n, int)
    return replace(
        p,
        mu=p.mu[first],
        factor=p.factor[:, first],
        lambda1=p.lambda1[first],
        lambda2=p.lambda2[first],
        ridge=0.0,
    )


def _pinned(rng, p):
    """A third of the boxes has no width: at the weight held, or at another one."""
    level = np.where(rng.random(p.n) < 0.5, p.held, p.upper / 2)
    shut = rng.random(p.n) < 1 / 3
    return replace(
        p,
        lower=np.where(shut, level, p.lower),
        upper=np.where(shut, level, np.maximum(p.upper, p.lower)),
    )


def _fixed_groups(rng, p):
    level = np.bincount(p.groups, weights=p.held, minlength=p.group_low.size)
    level *= rng.uniform(0.9, 1.1, level.size)
    return replace(p, group_low=level, group_high=level.copy())


def _outside(rng, p):
    high = 0.4 * p.held
    return replace(p, lower=0.2 * high, upper=high, group_high=np.ones_like(p.group_high))


def _low_rank(rng, p):
    free = {"lambda1": 0 * p.lambda1, "lambda2": 0 * p.lambda2, "ridge": 0.0}
    return replace(p, factor=p.factor[:3], **free)


def _barely_tau(rng, p):
    """Turnover only just enough for a volatility target half of what is held."""
    calm = replace(p, vol_target=0.5 * p.volatility(variance(p, p.held)), tau=0.0)
    least = solve(calm, "clarabel").tau_min
    return calm if np.isnan(least) else replace(calm, tau=least * (1 + 1e-6) + 1e-9)


def _barely_volatility(rng, p):
    """A target just above the least that small trade caps allow."""
    tied = replace(p, buy_cap=np.full(p.n, 0.01), sell_cap=np.full(p.n, 0.01), tau=np.inf)
    least = solve(replace(tied, vol_target=1e-6), "clarabel").vol
    return replace(tied, vol_target=least * (1 + 1e-6) + 1e-9)


def _mixed_scales(rng, p):
    size = 10 ** rng.uniform(-4, 0, p.n)
    return replace(p, upper=p.upper * size, buy_cap=p.buy_cap * size, lambda2=p.lambda2 / size)


def _short_book(rng, p, net=0.0, gross=1.0, **changes):
    """Long and short, held at `gross` around `net`; the cap on gross is a little lower."""
    side = np.where(np.arange(p.n) % 2 == 0, 1.0, -1.0)
    held = side * p.held * (gross / p.held.sum())
    bound = np.full(p.n, max(0.05, 4.0 * gross / p.n))
    wide = np.full(p.group_low.size, 0.6 * gross)
    fields = dict(
        held=held,
        lower=-bound,
        upper=bound,
        buy_cap=bound,
        sell_cap=2 * bound,
        group_low=-wide,
        group_high=wide,
        gross=0.9 * gross,
        cash_low=1.0 - net - 0.1,
        cash_high=1.0 - net + 0.1,
        tau=float(rng.uniform(0.3, 1.5)),
        mu=rng.normal(size=p.n) * 0.01,
    )
    return replace(p, **{**fields, **changes})


def _neutral(rng, p):
    return _short_book(rng, p, cash_low=1.0, cash_high=1.0)


def _gross_out_of_reach(rng, p):
    return _short_book(rng, p, gross=0.3, sell_cap=np.full(p.n, 0.01), buy_cap=np.full(p.n, 0.01))


def _relative(rng, p, **changes):
    """Risk from a benchmark, a tracking error of 1 to 5 %, returns without a premium."""
    weights = rng.dirichlet(np.ones(p.n))
    fields = dict(
        benchmark=weights,
        mu=rng.normal(size=p.n) * 0.005,
        vol_target=rng.uniform(0.01, 0.05),
        tau=rng.uniform(0.3, 1.5),
        upper=np.maximum(2 * weights, 0.02),
        buy_cap=np.ones(p.n),
        group_high=np.full(p.group_high.size, 0.7),
    )
    return replace(p, **{**fields, **changes})


def _relative_held(rng, p):
    q = _relative(rng, p)
    return replace(q, held=q.benchmark.copy(), cash_high=0.0, group_high=q.group_high + 1.0)


def _relative_out_of_reach(rng, p):
    tied = np.full(p.n, 0.01)
    return _relative(rng, p, vol_target=1e-3, buy_cap=tied, sell_cap=tied)


def _relative_short(rng, p):
    q = _short_book(rng, p, net=0.9, gross=1.5)
    return replace(q, benchmark=rng.dirichlet(np.ones(p.n)), vol_target=0.06)


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
    "equal names": _twins,
    "boxes of no width": _pinned,
    "groups at one level": _fixed_groups,
    "held outside its box": _outside,
    "three factors": _low_rank,
    "tau just enough": _barely_tau,
    "volatility just in reach": _barely_volatility,
    "mixed scales": _mixed_scales,
    "gross and net": _short_book,
    "dollar neutral": _neutral,
    "gross half": lambda rng, p: replace(_short_book(rng, p), gross=0.5),
    "gross 1.6, net 1": lambda rng, p: _short_book(rng, p, net=0.95, gross=1.6),
    "gross out of reach": _gross_out_of_reach,
    "short, no caps": lambda rng, p: _short_book(rng, p, tau=np.inf, vol_target=np.inf),
    "gross of zero": lambda rng, p: replace(_short_book(rng, p), gross=0.0),
    "relative": _relative,
    "relative, invested": lambda rng, p: _relative(rng, p, cash_high=0.0, upper=np.ones(p.n)),
    "relative, benchmark held": _relative_held,
    "relative, out of reach": _relative_out_of_reach,
    "relative, no caps": lambda rng, p: _relative(rng, p, tau=np.inf, vol_target=np.inf),
    "relative, long and short": _relative_short,
}


def twisted(kind: str, number: int, sizes: tuple[int, ...] = (1, 2, 5, 12, 30, 80)) -> Problem:
    """Problem `number` of `kind`: names by `sizes`, windows longer and shorter than that."""
    rng = np.random.default_rng([number, list(TWISTS).index(kind)])
    n, n_obs = int(rng.choice(sizes)), int(rng.choice([20, 60, 120]))
    return TWISTS[kind](rng, random_problem(rng, n, n_obs))

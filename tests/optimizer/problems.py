"""Problems to test with: random ones of any size, and the days of a market in a row."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Dates, Matrix, Vector
from quant.optimizer.premium import expected_return
from quant.optimizer.problem import Problem
from quant.risk.covariance import ledoit_wolf
from quant.risk.returns import fill_missing

DAY = np.datetime64("2015-07-08")


def random_problem(rng: np.random.Generator, n: int = 30, n_obs: int = 60, **changes) -> Problem:
    """A problem of the canonical shape in which most limits have a chance to bind."""
    n_groups = max(2, n // 8)
    groups = rng.integers(0, n_groups, n)
    covariance = ledoit_wolf(simulated_returns(rng, n, n_obs, groups)).scaled(21)
    held = rng.dirichlet(np.ones(n)) * rng.uniform(0.3, 1.0)
    alpha = rng.normal(size=n) * 0.01
    bound = max(0.02, 4.0 / n)
    fields = dict(
        date=DAY,
        mu=expected_return(covariance, np.full(n, 1 / n), 8.0, alpha),
        factor=covariance.factor,
        ridge=covariance.ridge,
        held=held,
        gamma=8.0,
        lambda1=np.full(n, 5e-4) * rng.uniform(0.5, 2, n),
        lambda2=10 ** rng.uniform(-5, -2, n),
        lower=np.zeros(n),
        upper=np.full(n, bound),
        buy_cap=np.full(n, bound),
        sell_cap=np.full(n, 1.0),
        groups=groups,
        group_low=np.zeros(n_groups),
        group_high=np.full(n_groups, rng.uniform(1.2, 2.5) / n_groups),
        tau=rng.uniform(0.05, 0.6),
        vol_target=rng.uniform(0.08, 0.25),
        horizons_per_year=243 / 21,
    )
    return Problem(**{**fields, **changes})


def simulated_returns(rng: np.random.Generator, n: int, n_obs: int, groups: Codes) -> Matrix:
    """(n_obs, n) fat-tailed daily returns with a market and group factors."""
    market = rng.standard_t(5, (n_obs, 1)) * 0.009 * rng.normal(1, 0.3, n)
    sector = rng.standard_t(5, (n_obs, int(groups.max()) + 1)) * 0.006
    own = rng.standard_t(5, (n_obs, n)) * 0.015 * np.exp(0.4 * rng.normal(size=n))
    return market + sector[:, groups] + own


@dataclass(frozen=True)
class Rules:
    """The canonical numbers of a daily rebalance; long/short once `short` is above 0."""

    names: int = 800
    window: int = 252
    horizon: int = 21
    gamma: float = 8.0
    tau: float = 0.20
    vol_target: float = 0.12
    bound: float = 0.02
    group_cap: float = 0.15
    nav: float = 5e7
    adv_cap: float = 0.05
    periods: int = 243
    information: float = 0.03
    short: float = 0.0
    gross: float = np.inf


@dataclass(frozen=True)
class Market:
    """Panels of a market: total-return prices (NaN while suspended), amounts, group codes."""

    dates: Dates
    price: Matrix
    amount: Matrix
    groups: Codes


def simulated_market(rng: np.random.Generator, n_days: int, n: int = 800) -> Market:
    """A market in which some names are suspended for weeks."""
    groups = rng.integers(0, 28, n)
    price = np.exp(np.cumsum(simulated_returns(rng, n, n_days, groups), axis=0))
    start = rng.integers(0, n_days, n // 2)
    for name, first in enumerate(start):
        price[first : first + int(rng.integers(1, 30)), name] = np.nan
    amount = np.exp(rng.normal(18.5, 1.0, n)) * np.exp(0.3 * rng.normal(size=(n_days, n)))
    dates = np.arange(n_days) + np.datetime64("2015-01-01")
    return Market(dates, price, np.where(np.isnan(price), 0.0, amount), groups)


def days(market: Market, first: int, count: int, rules: Rules) -> Iterator["Day"]:
    """Consecutive days; the caller sends back what it holds by `Day.settle`."""
    members = np.array([], dtype=int)
    weights = np.zeros(market.price.shape[1])
    filled = np.full(market.price.shape[1], np.nan)
    for t in range(first - rules.window, first):
        filled = np.where(np.isnan(market.price[t]), filled, market.price[t])
    for t in range(first, first + count):
        now = np.where(np.isnan(market.price[t]), filled, market.price[t])
        grown = weights * np.nan_to_num(now / filled, nan=1.0)
        held = grown / (1.0 - weights.sum() + grown.sum())
        filled = now
        if (t - first) % 21 == 0:
            members = _members(market, t, rules)
        names = np.union1d(members, np.flatnonzero(np.abs(held) > 1e-9))
        day = Day(_problem(market, t, names, members, held, rules))
        yield day
        weights = np.zeros(held.size)
        weights[names] = day.target


@dataclass
class Day:
    """One day's problem, and the weights chosen for it."""

    problem: Problem
    target: Vector | None = None


def _members(market: Market, t: int, rules: Rules) -> Codes:
    past = market.price[t - rules.window : t + 1]
    liquid = np.median(market.amount[t - 62 : t + 1], axis=0)
    ok = (np.isfinite(past).mean(axis=0) > 0.5) & np.isfinite(past[-1]) & (liquid > 0)
    order = np.argsort(-np.where(ok, liquid, -1.0), kind="stable")
    return np.sort(order[: min(rules.names, int(ok.sum()))])


def _problem(
    market: Market, t: int, names: Codes, members: Codes, held: Vector, rules: Rules
) -> Problem:
    prices = market.price[t - rules.window : t + 1][:, names]
    returns = prices[1:] / prices[:-1] - 1.0
    groups = market.groups[names]
    covariance = ledoit_wolf(fill_missing(returns, groups)).scaled(rules.horizon)
    inside = np.isin(names, members)
    risk = np.sqrt(covariance.diagonal())
    recent = np.nan_to_num(returns[-21:]).sum(axis=0)
    calm = -np.nan_to_num(returns[-63:]).std(axis=0)
    score = _ranked(calm) - _ranked(recent)
    alpha = rules.information * risk * (score - score.mean()) / score.std()
    cap = rules.adv_cap * np.median(market.amount[t - 62 : t + 1][:, names], axis=0) / rules.nav
    cap = np.where(np.isnan(prices[-1]), 0.0, cap)
    n, n_groups = names.size, int(market.groups.max()) + 1
    return Problem(
        date=market.dates[t],
        mu=expected_return(covariance, inside / inside.sum(), rules.gamma, alpha),
        factor=covariance.factor,
        ridge=covariance.ridge,
        held=held[names],
        gamma=rules.gamma,
        lambda1=np.full(n, 5e-4),
        lambda2=np.full(n, 1e-5),
        lower=np.where(inside, -rules.short, 0.0),
        upper=np.where(inside, rules.bound, 0.0),
        buy_cap=cap,
        sell_cap=cap,
        groups=groups,
        group_low=np.full(n_groups, -rules.group_cap if rules.short else 0.0),
        group_high=np.full(n_groups, rules.group_cap),
        tau=rules.tau,
        vol_target=rules.vol_target,
        horizons_per_year=rules.periods / rules.horizon,
        cash_high=1.0 if rules.short else np.inf,
        gross=rules.gross,
        symbols=names,
    )


def _ranked(values: Vector) -> Vector:
    """Ranks in [-1/2, 1/2]."""
    return np.argsort(np.argsort(values, kind="stable")) / values.size - 0.5

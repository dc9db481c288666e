"""Where an optimum comes from: the objective term by term, and trade by trade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quant.core.types import Vector
from quant.optimizer.binding import BP, PER_POINT, Binding
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution
from quant.optimizer.terms import covariance_times, objective, variance

RISK_PREMIUM = "premium less risk"
_PAID_FOR_RISK = ("premium", "risk", "volatility limit")


@dataclass(frozen=True)
class Part:
    """One term of the objective, in bp of NAV over the horizon: without a trade, and chosen."""

    term: str
    held: float
    chosen: float


@dataclass(frozen=True)
class Trade:
    """One name's trade, and what one more percentage point of it would change, in bp of NAV.

    position : of the name in the problem; held, trade : weights
    terms    : by name, > 0 speaks for the trade; they sum to `left`
    left     : 0 where it stopped by itself; else what its own limit withholds
    limit    : kind of that limit; "" where there is none
    forced   : the weight it held was outside today's bounds
    """

    position: int
    held: float
    trade: float
    terms: Mapping[str, float]
    left: float
    limit: str
    forced: bool

    @property
    def motive(self) -> str:
        """The term that speaks most for the trade.

        The premium is the pay for risk: where it is told apart from alpha, the two count as one
        term, RISK_PREMIUM, or every purchase would be for the premium and every sale for the risk.
        """
        terms = dict(self.terms)
        if "premium" in terms:
            terms[RISK_PREMIUM] = sum(terms.pop(name) for name in _PAID_FOR_RISK)
        return max(terms, key=lambda name: terms[name])


def parts(problem: Problem, solution: Solution, returns: Mapping[str, Vector]) -> list[Part]:
    """The terms of the objective for the book as it was held and as it was chosen."""

    def terms(weights: Vector) -> dict[str, float]:
        trade = weights - problem.held
        gains = {name: BP * float(mu @ weights) for name, mu in returns.items()}
        return {
            **gains,
            "risk charge": -BP * 0.5 * problem.gamma * variance(problem, weights),
            "linear cost": -BP * float(problem.lambda1 @ np.abs(trade)),
            "quadratic cost": -BP * float(problem.lambda2 @ np.square(trade)),
            "objective": BP * objective(problem, weights),
        }

    held, chosen = terms(problem.held), terms(solution.weights)
    return [Part(name, held[name], chosen[name]) for name in held]


def largest(
    problem: Problem,
    solution: Solution,
    returns: Mapping[str, Vector],
    single: Sequence[Binding],
    most: int,
) -> list[Trade]:
    """The largest trades with the marginal terms that carried them."""
    trades, duals, weights = solution.trades, solution.duals, solution.weights
    order = [i for i in np.argsort(-np.abs(trades), kind="stable")[:most] if trades[i] != 0.0]
    marginal = covariance_times(problem, weights)
    limit = {b.which: b.kind for b in single}
    outside = (problem.held < problem.lower) | (problem.held > problem.upper)
    found = []
    for i in order:
        side = float(np.sign(trades[i]))
        terms = {name: side * mu[i] for name, mu in returns.items()}
        terms |= {
            "risk": -side * problem.gamma * marginal[i],
            "volatility limit": -side * duals.variance * marginal[i],
            "group limit": -side * duals.group[problem.groups[i]],
            "cash limit": -side * duals.budget,
            "gross limit": -side * duals.gross * np.sign(weights[i]),
            "turnover limit": -duals.turnover,
            "cost": -problem.lambda1[i] - 2.0 * problem.lambda2[i] * abs(trades[i]),
        }
        left = side * solution.reduced[i]
        if weights[i] == 0.0:  # |w| has a kink there: the price of gross takes what it needs
            terms["gross limit"] += left - sum(terms.values())
        scaled = {name: PER_POINT * float(value) for name, value in terms.items()}
        found.append(
            Trade(
                position=int(i),
                held=float(problem.held[i]),
                trade=float(trades[i]),
                terms=scaled,
                left=PER_POINT * float(left),
                limit=limit.get(int(i), ""),
                forced=bool(outside[i]),
            )
        )
    return found

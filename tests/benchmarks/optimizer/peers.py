"""Public packages, each on the fullest version of the problem that it can state.

Where a package takes expressions of cvxpy, what it has no word for is stated that way; beside it
stands the package in its own words alone. A package without cash gets a riskless asset for it. All
solve with Clarabel at their own tolerances.
"""

import importlib
import warnings
from collections.abc import Callable

import cvxpy
import numpy as np
import pandas as pd

from quant.core.types import Matrix, Vector
from quant.optimizer.problem import Problem
from quant.optimizer.terms import Limits
from tests.benchmarks.optimizer.measure import Method
from tests.benchmarks.optimizer.programs import member, near, shorts, sigma

DAY = pd.Timestamp("2020-01-01")  # cvxportfolio wants a time; nothing depends on it
PACKAGES = {"cvxportfolio": "cvxportfolio", "skfolio": "skfolio.optimization",
            "PyPortfolioOpt": "pypfopt", "Riskfolio-Lib": "riskfolio"}  # fmt: skip


def cvxportfolio(p: Problem, limits: Limits) -> Callable[[], Vector]:
    """Single-period optimization; cash and factor risk are its own."""
    import cvxportfolio as cvx

    names = [f"n{i}" for i in range(p.n)]
    of = lambda values: pd.Series(values, names)  # noqa: E731
    factors = pd.DataFrame(p.factor, columns=names)
    risk = cvx.FactorModelCovariance(F=factors, d=of(np.full(p.n, p.ridge)))
    # a volume of one NAV and a volatility of 1 make its b the quadratic coefficient
    cost = cvx.TransactionCost(
        a=of(p.lambda1), b=of(p.lambda2), volume_hat=of(np.ones(p.n)), sigma=of(np.ones(p.n)),
        exponent=2,
    )  # fmt: skip
    groups = pd.DataFrame(member(p).T, index=names)
    limited = [
        cvx.MinWeights(of(limits.low)),
        cvx.MaxWeights(of(limits.high)),
        cvx.MinCashBalance(1.0 - limits.total_high),
        cvx.FactorMaxLimit(groups, pd.Series(near(limits.group_high))),
        cvx.TurnoverLimit(limits.tau / 2.0),
        risk <= limits.variance,
    ]
    if shorts(limits):
        limited.append(cvx.FactorMinLimit(groups, pd.Series(near(limits.group_low))))
        limited.append(cvx.FactorMinLimit(of(np.ones(p.n)), limits.total_low))
        limited.append(cvx.LeverageLimit(limits.gross))
    # with its parameters kept (DPP), compiling the program of 800 names takes more than 20 GB
    policy = cvx.SinglePeriodOptimization(
        cvx.ReturnsForecast(r_hat=of(p.mu)) - 0.5 * p.gamma * risk - cost,
        limited, include_cash_return=False, benchmark=cvx.AllCash, solver="CLARABEL", max_threads=1,
        ignore_dpp=True,
    )  # fmt: skip
    held = pd.Series(np.append(p.held, 1.0 - p.held.sum()), [*names, "cash"])

    def run() -> Vector:
        trades, _, _ = policy.execute(held, market_data=None, t=DAY)
        return p.held + trades.to_numpy()[:-1]

    return run


def skfolio(p: Problem, limits: Limits, whole: bool = True) -> Callable[[], Vector]:
    """Mean-risk optimization; `whole` adds turnover, gross and quadratic costs by cvxpy."""
    from skfolio.optimization import MeanRisk, ObjectiveFunction
    from skfolio.prior import BasePrior, ReturnDistribution

    class Given(BasePrior):
        """The day's expected returns and covariance."""

        def __init__(self) -> None:
            """Nothing to set."""

        def fit(self, X: Matrix, y: None = None, **_: object) -> "Given":
            self.return_distribution_ = ReturnDistribution(p.mu, sigma(p), p.factor)
            return self

    rows, ends = [member(p)], [near(limits.group_high)]
    if shorts(limits):
        rows.append(-member(p))
        ends.append(-near(limits.group_low))

    def more(w: cvxpy.Variable) -> list:
        turning = [cvxpy.norm1(w - p.held) <= limits.tau]
        return turning + ([cvxpy.norm1(w) <= limits.gross] if shorts(limits) else [])

    model = MeanRisk(
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_aversion=0.5 * p.gamma,
        prior_estimator=Given(),
        min_weights=limits.low,
        max_weights=limits.high,
        budget=None,
        min_budget=float(near(limits.total_low)),
        max_budget=limits.total_high,
        transaction_costs=p.lambda1,
        previous_weights=p.held,
        left_inequality=np.vstack(rows),
        right_inequality=np.concatenate(ends),
        max_variance=limits.variance,
        add_objective=(lambda w: -(p.lambda2 @ cvxpy.square(w - p.held))) if whole else None,
        add_constraints=more if whole else None,
        solver_params={"max_threads": 1},
    )
    return lambda: model.fit(p.factor).weights_


def pyportfolioopt(p: Problem, limits: Limits, whole: bool = True) -> Callable[[], Vector]:
    """Quadratic utility; `whole` adds the volatility, turnover and gross caps by cvxpy."""
    from pypfopt import EfficientFrontier, objective_functions

    def run() -> Vector:
        covariance, mu, held = _with_cash(p)
        low = np.append(limits.low, 1.0 - limits.total_high)
        high = np.append(limits.high, 1.0 - near(limits.total_low))
        model = EfficientFrontier(
            mu, covariance, weight_bounds=list(zip(low, high, strict=True)), solver="CLARABEL",
            solver_options={"max_threads": 1},
        )  # fmt: skip
        groups, n = member(p), p.n
        model.add_constraint(lambda w: groups @ w[:n] <= near(limits.group_high))
        if shorts(limits):
            model.add_constraint(lambda w: groups @ w[:n] >= near(limits.group_low))
        if whole:
            lambda1, lambda2 = np.append(p.lambda1, 0.0), np.append(p.lambda2, 0.0)
            model.add_objective(lambda w: lambda1 @ cvxpy.abs(w - held))
            model.add_objective(lambda w: lambda2 @ cvxpy.square(w - held))
            model.add_constraint(lambda w: cvxpy.norm1(w[:n] - p.held) <= limits.tau)
            risk = lambda w: cvxpy.quad_form(w, covariance, assume_PSD=True)  # noqa: E731
            model.add_constraint(lambda w: risk(w) <= limits.variance)
            if shorts(limits):
                model.add_constraint(lambda w: cvxpy.norm1(w[:n]) <= limits.gross)
        else:  # its cost counts the cash asset too, at one rate for all names
            model.add_objective(objective_functions.transaction_cost, w_prev=held,
                                k=float(p.lambda1.mean()))  # fmt: skip
        model.max_quadratic_utility(risk_aversion=p.gamma)
        return model.weights[:n]

    return run


def riskfolio(p: Problem, limits: Limits) -> Callable[[], Vector]:
    """Mean-variance utility; names and groups are its linear inequalities."""
    import riskfolio

    def run() -> Vector:
        covariance, mu, _ = _with_cash(p)
        names = [f"n{i}" for i in range(p.n)] + ["cash"]
        scenarios = pd.DataFrame(np.pad(p.factor, ((0, 0), (0, 1))), columns=names)
        short = shorts(limits)
        model = riskfolio.Portfolio(
            returns=scenarios, sht=short, uppersht=float(max(-limits.low.min(), 0.0)), upperlng=1.0,
            budget=1.0, budgetsht=float(limits.gross / 2.0) if short else 0.2,
            upperdev=float(np.sqrt(limits.variance)),
        )  # fmt: skip
        model.mu = pd.DataFrame([mu], columns=names)
        model.cov = pd.DataFrame(covariance, names, names)
        groups, one = np.pad(member(p), ((0, 0), (0, 1))), np.eye(p.n, p.n + 1)
        rows = [groups, one, -one] + ([-groups] if short else [])
        ends = [near(limits.group_high), limits.high, -limits.low]
        ends += [-near(limits.group_low)] if short else []
        model.ainequality = np.vstack(rows)
        model.binequality = np.concatenate(ends)[:, None]
        model.solvers, model.sol_params = ["CLARABEL"], {"CLARABEL": {"max_threads": 1}}
        answer = model.optimization(
            model="Classic", rm="MV", obj="Utility", rf=0, l=0.5 * p.gamma, hist=True
        )
        return np.full(p.n, np.nan) if answer is None else answer["weights"].to_numpy()[:-1]

    return run


def _with_cash(p: Problem) -> tuple[Matrix, Vector, Vector]:
    """Covariance, returns and holdings with a riskless asset at the end."""
    covariance = np.pad(sigma(p), (0, 1))
    return covariance, np.append(p.mu, 0.0), np.append(p.held, 1.0 - p.held.sum())


_ALL = (
    ("cvxportfolio", Method("cvxportfolio", cvxportfolio)),
    ("skfolio", Method("skfolio", skfolio)),
    ("skfolio", Method(
        "skfolio, own words", lambda p, limits: skfolio(p, limits, whole=False),
        "turnover cap, quadratic cost; gross cap of a long/short book")),
    ("PyPortfolioOpt", Method("PyPortfolioOpt", pyportfolioopt)),
    ("PyPortfolioOpt", Method(
        "PyPortfolioOpt, own words", lambda p, limits: pyportfolioopt(p, limits, whole=False),
        "volatility cap, turnover cap, quadratic cost; gross cap of a long/short book")),
    ("Riskfolio-Lib", Method(
        "Riskfolio-Lib", riskfolio,
        "costs, turnover cap; gross cap of a long/short book (but for its short side)")),
)  # fmt: skip


def installed() -> tuple[tuple[Method, ...], dict[str, str]]:
    """Methods of the packages that are there, and why each of the others is not."""
    missing = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say as they are imported
        for name, module in PACKAGES.items():
            try:
                importlib.import_module(module)
            except ImportError as error:
                missing[name] = str(error)
    return tuple(method for name, method in _ALL if name not in missing), missing

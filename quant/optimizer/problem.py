"""The input of one rebalance, checked at birth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quant.core.errors import ProblemError
from quant.core.types import Codes, Matrix, Vector

_LARGEST = 1e9  # what is above is a wrong unit, and would drown the rest in rounding
_LEAST_TARGET, _ANY_VOLATILITY = 1e-6, 1e3  # annualised; above the second nothing is capped


@dataclass(frozen=True)
class Problem:
    """What the optimizer needs for one date, and nothing else.

    maximise  mu'w - gamma/2 a'Sigma a - lambda1'|d| - lambda2'(d^2)
    with d = w - held and a = w - benchmark, subject to sum w + cash = 1, the bounds and caps below,
    sum |d| <= tau, sum |w| <= gross and an annualised volatility of a of at most vol_target.
    Returns, Sigma and gamma are over the horizon; weights and exposures are fractions of NAV.
    Source: readings 13.

    Long-only is lower = 0; long/short has lower < 0, a gross cap, and cash_low and cash_high as the
    interval of 1 - net. Without a benchmark a is w; with one, risk is of the active weights and the
    volatility target is a tracking error (mu then holds no premium: the benchmark is the answer
    where there is no alpha).

    mu                : (n,) expected return over the horizon: premium + alpha + tilt
    factor, ridge     : (n_obs, n) and >= 0; factor'factor + ridge I = Sigma over the horizon
    held              : (n,) weights before trading
    gamma             : risk aversion >= 0
    lambda1, lambda2  : (n,) >= 0, as in costs.model.trade_cost
    lower, upper      : (n,) bounds on the weight; lower 0 is long-only
    buy_cap, sell_cap : (n,) >= 0, largest trade either way (ADV cap / NAV; 0 = locked)
    groups            : (n,) codes into group_low, group_high (n_groups,), exposure intervals
    tau               : two-way turnover, inf = no cap
    vol_target        : annualised, inf = no cap
    horizons_per_year : 252 / h (US) or 243 / h (CN); annualises the volatility
    cash_low, cash_high : interval of cash
    gross             : cap on sum |w|, inf = none
    benchmark         : (n,) weights from which risk is measured, None = cash
    symbols           : (n,) names for messages and warm starts; by default the positions
    """

    date: np.datetime64
    mu: Vector
    factor: Matrix
    ridge: float
    held: Vector
    gamma: float
    lambda1: Vector
    lambda2: Vector
    lower: Vector
    upper: Vector
    buy_cap: Vector
    sell_cap: Vector
    groups: Codes
    group_low: Vector
    group_high: Vector
    tau: float
    vol_target: float
    horizons_per_year: float
    cash_low: float = 0.0
    cash_high: float = np.inf
    gross: float = np.inf
    benchmark: Vector | None = None
    symbols: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        self._check_values()

    @property
    def n(self) -> int:
        """Number of assets."""
        return self.mu.size

    @property
    def variance_cap(self) -> float:
        """Largest a'Sigma a over the horizon that meets the volatility target."""
        if self.vol_target > _ANY_VOLATILITY:
            return np.inf
        return self.vol_target**2 / self.horizons_per_year

    @cached_property
    def names(self) -> np.ndarray:
        """(n,) symbols, or positions where none were given."""
        return np.arange(self.n) if self.symbols is None else np.asarray(self.symbols)

    def active(self, weights: Vector) -> Vector:
        """(n,) the weights whose risk counts: less the benchmark's, where there is one."""
        return weights if self.benchmark is None else weights - self.benchmark

    def volatility(self, variance: float) -> float:
        """Annualised volatility of a variance over the horizon."""
        return float(np.sqrt(max(variance, 0.0) * self.horizons_per_year))

    def _check_shapes(self) -> None:
        n = self.mu.size
        for name in (
            "mu", "held", "lambda1", "lambda2", "lower", "upper", "buy_cap", "sell_cap", "groups"
        ):  # fmt: skip
            shape = getattr(self, name).shape
            if shape != (n,):
                self._refuse(f"{name} has shape {shape} but mu has {n} assets")
        if self.benchmark is not None and self.benchmark.shape != (n,):
            self._refuse(f"benchmark has shape {self.benchmark.shape} but mu has {n} assets")
        if n == 0:
            self._refuse("there is no asset")
        if self.factor.ndim != 2 or self.factor.shape[1] != n:
            self._refuse(f"factor is {self.factor.shape} but mu has {n} assets")
        if self.group_low.shape != self.group_high.shape or self.group_low.ndim != 1:
            self._refuse(
                f"group_low is {self.group_low.shape} and group_high {self.group_high.shape}"
            )
        if self.symbols is not None and len(self.symbols) != n:
            self._refuse(f"symbols has {len(self.symbols)} entries but mu has {n} assets")

    def _check_values(self) -> None:
        for name in (
            "mu", "factor", "held", "lower", "upper", "lambda1", "lambda2", "benchmark"
        ):  # fmt: skip
            value = getattr(self, name)
            # one look at the largest size, in which NaN shows too
            if value is not None and value.size and not max(value.max(), -value.min()) <= _LARGEST:
                where = np.argwhere(~(np.abs(value) <= _LARGEST))[0]
                self._refuse(
                    f"{name} is {value[tuple(where)]:.3g} at {self._at(where[-1])} and must be a "
                    "number within 1e9"
                )
        for name in ("lambda1", "lambda2", "buy_cap", "sell_cap"):
            value = getattr(self, name)
            if not (value >= 0).all():
                where = int(np.argmin(value >= 0))
                self._refuse(f"{name} is {value[where]} at {self._at(where)} and must be >= 0")
        if not (self.lower <= self.upper).all():
            where = int(np.argmin(self.lower <= self.upper))
            self._refuse(f"lower {self.lower[where]} is above upper at {self._at(where)}")
        if not (self.group_low <= self.group_high).all():
            where = int(np.argmin(self.group_low <= self.group_high))
            self._refuse(f"group_low {self.group_low[where]} is above group_high in group {where}")
        codes = self.groups
        if codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= self.group_low.size:
            self._refuse(f"groups must be int codes in [0, {self.group_low.size})")
        for name in ("gamma", "ridge", "tau", "vol_target", "gross"):
            value = getattr(self, name)
            if not value >= 0:
                self._refuse(f"{name} is {value} and must be >= 0")
        if not max(self.gamma, self.ridge) <= _LARGEST:
            self._refuse(f"gamma {self.gamma} and ridge {self.ridge} must be at most 1e9")
        if not self.vol_target >= _LEAST_TARGET:
            self._refuse(f"vol_target is {self.vol_target} and must be at least 1e-6 a year")
        if not 1e-3 <= self.horizons_per_year <= 1e6:
            self._refuse(
                f"horizons_per_year is {self.horizons_per_year} and must be in [1e-3, 1e6]"
            )
        if not (self.cash_low <= self.cash_high and self.cash_low < np.inf > -self.cash_high):
            self._refuse(f"cash must lie in [{self.cash_low}, {self.cash_high}], which is empty")

    def _at(self, i: int) -> str:
        return f"{self.names[i]} (asset {i})" if self.names.size > i else f"asset {i}"

    def _refuse(self, fault: str) -> None:
        raise ProblemError(
            f"{self.date}: {fault}; align and clean the day's universe before building the problem."
        )

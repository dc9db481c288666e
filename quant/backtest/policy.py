"""The optimizer as a policy of the day loop: one certified solve at the close of each session."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from quant.backtest.engine import State
from quant.backtest.market import Charges, MarketArrays
from quant.backtest.solved import binding_rows, solve_row
from quant.core.errors import DataError
from quant.core.panel import Panel
from quant.core.tables import BINDINGS, KNOBS
from quant.core.types import Codes, Frame, Mask, Matrix, Vector
from quant.data.industries import UNKNOWN
from quant.optimizer.knobs import Knobs
from quant.optimizer.premium import expected_return
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution, Warm, solve
from quant.risk.covariance import FactorCovariance, ledoit_wolf
from quant.risk.returns import close_to_close, window

NO_INDUSTRY = [group for _, group in UNKNOWN.values()]


@dataclass(frozen=True)
class Constants:
    """What the optimizer is given for one run; a controller turns some of it day by day.

    gamma, gamma_ref : risk aversion, of the objective and of the premium
    tau              : two-way turnover a rebalance, fraction of NAV
    tracking_error   : annualised, of the weights less the benchmark's where `relative`
    name_max         : weight, fraction of NAV
    adv_cap          : trade a name and day, fraction of its ADV
    horizon          : sessions of alpha and covariance; periods : sessions a year
    window, coverage : sessions of the covariance; share of them a name must have traded
    every            : sessions between rebalances
    group_min        : least exposure of a group; cash_max : largest share of cash
    relative         : the benchmark (equal weights of the universe) is what risk is measured from
    """

    gamma: float
    gamma_ref: float
    tau: float
    name_max: float
    adv_cap: float
    horizon: int
    periods: int
    window: int
    coverage: float
    every: int = 1
    method: str = "sifting"
    group_min: float = 0.0
    cash_max: float = 1.0
    relative: bool = False
    tracking_error: float = 0.0


@dataclass(frozen=True)
class Signals:
    """What the policy looks at, by session, on the axes of the market.

    returns : (n_days, n_assets) total return close to close, NaN where there is none
    alpha   : (n_days, n_assets) expected residual return over the horizon, NaN = none
    member  : (n_days, n_assets) in the universe
    group   : (n_days, n_assets) code of the exposure group, the last known one for a leaver
    groups  : (n_groups,) names of the codes
    tilt    : (n_days, n_assets) expected return of the industry's trend over the horizon, decimal
    cap     : (n_days, n_groups) largest exposure, fraction of NAV
    vol_target : (n_days,) annualised
    """

    returns: Matrix
    alpha: Matrix
    member: Mask
    group: Codes
    groups: np.ndarray
    tilt: Matrix
    cap: Matrix
    vol_target: Vector


def signals(
    market: MarketArrays,
    bars: Panel,
    alpha: Frame,
    membership: Frame,
    states: Frame,
    regime: Frame,
) -> Signals:
    """Spread the tables on the axes of the market.

    bars : fields close, factor; alpha, membership, states, regime : tables of these names
    """
    axes = {"dates": market.dates, "symbols": market.symbols}
    codes, names = pd.factorize(membership["group_id"], sort=True)
    spread = Panel.of(membership.assign(code=codes.astype(float)), ["code"], **axes)["code"]
    last = pd.DataFrame(spread).ffill().to_numpy()
    tilt, cap = regimes(market, membership.assign(code=codes), states, len(names))
    target = regime.set_index("date")["vol_target"].reindex(pd.DatetimeIndex(market.dates))
    return Signals(
        returns=close_to_close(bars["close"] * bars["factor"]),
        alpha=Panel.of(alpha, ["alpha"], **axes)["alpha"],
        member=~np.isnan(spread),
        # a name that was never a member is never held
        group=np.nan_to_num(last, nan=0.0).astype(np.int64),
        groups=np.asarray(names, dtype=object),
        tilt=tilt,
        cap=cap,
        vol_target=target.ffill().to_numpy(),
    )


def regimes(
    market: MarketArrays, membership: Frame, states: Frame, n_groups: int
) -> tuple[Matrix, Matrix]:
    """Tilts by name and caps by group, from the states of the industries.

    membership : with `code`, the group's number
    Returns    : (n_days, n_assets) decimal over the horizon, 0 for no member;
                 (n_days, n_groups) fraction of NAV: the last known one where a group has no member,
                 none at all before it ever had
    """
    own = membership.merge(states, on=["date", "industry_id"], how="left", validate="m:1")
    if own["cap_long"].isna().any():
        row = own[own["cap_long"].isna()].iloc[0]
        raise DataError(
            f"{row['industry_id']} has members on {row['date']:%Y-%m-%d} but no states; "
            "make states and membership by one run."
        )
    axes = {"dates": market.dates, "symbols": market.symbols}
    tilt = np.nan_to_num(Panel.of(own, ["tilt_bp"], **axes)["tilt_bp"]) / 1e4
    cap = np.full((market.dates.size, n_groups), np.nan)
    least = own.groupby(["date", "code"])["cap_long"].min()
    day = np.searchsorted(market.dates, least.index.get_level_values(0).to_numpy("datetime64[D]"))
    # states hold float32: 0.15 of them is 0.15 again
    cap[day, least.index.get_level_values(1)] = least.to_numpy(np.float64).round(6)
    return tilt, pd.DataFrame(cap).ffill().fillna(1.0).to_numpy()


# (session, the book at its close) -> the knobs in force there; None = the constants of the run
Choose = Callable[[int, State], Knobs | None]


class Prepared(Protocol):
    """Covariances made before, for a policy that comes by the same sessions often."""

    def __call__(self, t: int, names: Codes) -> FactorCovariance | None:
        """Covariance over the horizon of `names` at the close of `t`; None where it is not kept."""
        ...


@dataclass
class Optimized:
    """`decide` of the day loop, and the record of every solve.

    charges  : what trading costs; statutory fees enter lambda1 as half of a round trip
    choose   : a controller; by default nobody turns the knobs
    prepared : covariances to look up before they are estimated
    """

    market: MarketArrays
    signals: Signals
    charges: Charges
    constants: Constants
    first: int
    choose: Choose | None = None
    prepared: Prepared | None = None
    rows: list[dict[str, object]] = field(default_factory=list)
    bound: list[dict[str, object]] = field(default_factory=list)
    turned: list[dict[str, object]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _warm: Warm | None = None
    _risk: tuple[int, Codes, FactorCovariance] | None = None  # of the session looked at last

    def __call__(self, t: int, state: State) -> Vector | None:
        """Target weights at the close of session `t`, or None between rebalances."""
        # a controller watches every session, and is heard at rebalances
        knobs = None if self.choose is None else self.choose(t, state)
        if not self.decides(t):
            return None
        target, problem, solution = self.decision(t, state, knobs)
        self.rows.append(solve_row(problem, solution, self.signals.groups))
        self.bound += binding_rows(problem, solution, self.signals.groups)
        self.seconds.append(solution.seconds)
        if knobs is not None:
            self.turned.append({"date": pd.Timestamp(problem.date), **vars(knobs)})
        return target

    def decides(self, t: int) -> bool:
        """Whether the book is rebalanced at the close of session `t`."""
        return (t - self.first) % self.constants.every == 0

    def decision(
        self, t: int, state: State, knobs: Knobs | None
    ) -> tuple[Vector, Problem, Solution]:
        """Target weights at the close of session `t` with the knobs as given, and the proof."""
        names = self.names(t, state.shares > 0)
        problem = self.problem(t, state, names, knobs)
        solution = solve(problem, self.constants.method, self._warm)
        self._warm = solution.warm
        target = np.zeros(self.market.symbols.size)
        target[names] = np.maximum(solution.weights, 0.0)
        return target, problem, solution

    def names(self, t: int, held: Mask) -> Codes:
        """Who the problem of session `t` is about: the universe and what is held."""
        return np.flatnonzero(self.signals.member[t] | held)

    def volatility(self, t: int, state: State) -> float:
        """Annualised ex-ante volatility of the book at the close of session `t`."""
        names = self.names(t, state.shares > 0)
        level = self.covariance(t, names).quad(state.weights[names])
        return float(np.sqrt(level * self.constants.periods / self.constants.horizon))

    def covariance(self, t: int, names: Codes) -> FactorCovariance:
        """Covariance over the horizon of `names`, from the window that ends at the close of t."""
        if self._risk is not None and self._risk[0] == t and np.array_equal(self._risk[1], names):
            return self._risk[2]
        kept = None if self.prepared is None else self.prepared(t, names)
        found = self.estimated(t, names) if kept is None else kept
        self._risk = t, names, found
        return found

    def estimated(self, t: int, names: Codes) -> FactorCovariance:
        """The same, always from the returns."""
        k = self.constants
        if t + 1 < k.window:
            raise DataError(
                f"{self.market.dates[t]} has {t + 1} sessions of history but risk.window is "
                f"{k.window}; start the backtest later."
            )
        group = self.signals.group[t, names]
        filled = window(self.signals.returns, t, names, group, k.window, k.coverage)
        return ledoit_wolf(filled).scaled(k.horizon)

    def alpha(self, t: int, names: Codes) -> Vector:
        """Expected residual return of `names` over the horizon; 0 for those that have none."""
        s = self.signals
        return np.nan_to_num(s.alpha[t, names], nan=0.0) * s.member[t, names]

    def tilt(self, t: int, names: Codes) -> Vector:
        """Expected return of the trend of the industries of `names` over the horizon."""
        s = self.signals
        return s.tilt[t, names] * s.member[t, names]

    def problem(self, t: int, state: State, names: Codes, knobs: Knobs | None = None) -> Problem:
        """The canonical problem of readings 13 for the close of session `t`.

        knobs : of a controller; its volatility target never loosens Model 1's (readings 32)
        """
        k, s, m = self.constants, self.signals, self.market
        member = s.member[t, names]
        if not member.any():
            raise DataError(f"{m.dates[t]}: the universe is empty; check its rules and the data.")
        covariance = self.covariance(t, names)
        weights = member / member.sum()
        # measured from the benchmark, the benchmark needs no premium to be the answer
        premium = 0.0 if k.relative else k.gamma_ref
        mu = expected_return(
            covariance, weights, premium, self.alpha(t, names), self.tilt(t, names)
        )
        no_group = np.isin(s.groups, NO_INDUSTRY)
        present = np.bincount(s.group[t, names], weights=member, minlength=s.groups.size) > 0
        low = np.where(no_group | ~present, 0.0, k.group_min)
        gamma, tau, target = k.gamma, k.tau, float(s.vol_target[t])
        times1 = times2 = caps = 1.0
        if knobs is not None:
            gamma, tau, caps = knobs.gamma, knobs.tau, knobs.caps
            times1, times2 = knobs.cost_multipliers
            target = min(knobs.vol_target, target)
        fee = 0.5 * (self.charges.buy_fee[t] + self.charges.sell_fee[t])
        # what did not trade today is taken as suspended tomorrow
        cap = np.where(m.tradable[t, names], k.adv_cap * m.adv[t, names] / state.nav, 0.0)
        return Problem(
            date=m.dates[t],
            mu=mu,
            factor=covariance.factor,
            ridge=covariance.ridge,
            held=state.weights[names],
            gamma=gamma,
            # statutory fees are facts, which nobody turns
            lambda1=times1 * self.charges.lambda1[t, names] + fee,
            lambda2=times2 * self.charges.lambda2[t, names],
            lower=np.zeros(names.size),
            upper=np.where(member, k.name_max, 0.0),
            buy_cap=cap,
            sell_cap=cap,
            groups=s.group[t, names],
            # names without a known industry are no industry of their own
            group_low=low,
            group_high=np.where(no_group, 1.0, np.maximum(caps * s.cap[t], low)),
            tau=tau,
            vol_target=k.tracking_error if k.relative else target,
            horizons_per_year=k.periods / k.horizon,
            cash_high=k.cash_max,
            benchmark=weights if k.relative else None,
            symbols=m.symbols[names],
        )

    def table(self) -> Frame:
        """Table `solves`."""
        return pd.DataFrame(self.rows)

    def bindings(self) -> Frame:
        """Table `bindings`."""
        return pd.DataFrame(self.bound, columns=BINDINGS.schema.names)

    def knobs(self) -> Frame:
        """Table `knobs`; empty where nobody turned them."""
        return (
            pd.DataFrame(self.turned, columns=KNOBS.schema.names)
            if self.turned
            else (KNOBS.empty())
        )

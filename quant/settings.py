"""The settings of every config group: one dataclass each; defaults live here, choices in conf/.

Every number is checked where it is born, with its unit, so that `0.2` and `20` can not be mistaken
for each other further down.
"""

import calendar
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from quant.core.errors import ConfigError
from quant.model2.space import dials

REGIONS = ("us", "cn")
# calendar, time zone and currency of each
FACTS = {
    "us": ("XNYS", "America/New_York", "USD"),
    "cn": ("XSHG", "Asia/Shanghai", "CNY"),
}
PROVIDERS = ("sim", "files", "yfinance", "tushare")


def require(name: str, value: float, low: float, high: float, unit: str) -> None:
    """Raise ConfigError unless low <= value <= high."""
    if not low <= value <= high:
        raise ConfigError(
            f"{name}={value:g} is outside [{low:g}, {high:g}] ({unit}); "
            f"give {name} in that unit, for example {name}={max(low, min(high, value / 100)):g}."
        )


def require_ordered(name: str, *values: float) -> None:
    """Raise ConfigError unless the values rise."""
    if list(values) != sorted(values):
        raise ConfigError(f"{name}: {values} must rise from left to right; reorder them.")


def require_in(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ConfigError(f"{name}={value!r} is not known; choose one of {', '.join(allowed)}.")


def iso_date(name: str, value: str | None) -> str | None:
    """`value` written as 2010-01-04; ConfigError unless it is null or an ISO date.

    One way to write a date: numpy reads 20100104 as a year, and the ledgers compare texts.
    """
    if value is None:
        return None
    try:
        return str(date.fromisoformat(value))
    except ValueError:
        raise ConfigError(f"{name}={value!r} is not a date; write it as 2010-01-04.") from None


def back(text: str) -> int:
    """Months that `3y` or `18m` is; ConfigError for anything else."""
    found = re.fullmatch(r"(\d{1,2})([ym])", text)
    if found is None or not int(found[1]):
        raise ConfigError(f"since={text!r} is no span; write years as 3y or months as 18m.")
    return int(found[1]) * (12 if found[2] == "y" else 1)


def _ordinal(day: str) -> float:
    return float(date.fromisoformat(day).toordinal())


@dataclass
class Region:
    """What a market is: its calendar, its year and its money."""

    name: str = "us"
    calendar: str = "XNYS"
    timezone: str = "America/New_York"
    periods: int = 252  # sessions a year
    currency: str = "USD"
    nav: float = 10_000_000.0  # in that currency

    def __post_init__(self) -> None:
        require_in("region.name", self.name, REGIONS)
        require("region.periods", self.periods, 1, 366, "sessions a year")
        require("region.nav", self.nav, 1, 1e13, "money in the region's currency")

    def check_facts(self) -> None:
        """Raise ConfigError where the calendar, time zone or currency is another region's."""
        own = ("calendar", "timezone", "currency")
        for key, fact in zip(own, FACTS[self.name], strict=True):
            if getattr(self, key) != fact:
                raise ConfigError(
                    f"region.{key}={getattr(self, key)!r}, but that of region {self.name} is "
                    f"{fact!r}, a fact and no choice; leave region.{key} out."
                )


@dataclass
class Sim:
    """The embedded market."""

    n_names: int = 300
    alpha_ic: float = 0.05  # information coefficient of the planted signal; 0 plants none

    def __post_init__(self) -> None:
        require("data.sim.n_names", self.n_names, 10, 5000, "names")
        require("data.sim.alpha_ic", self.alpha_ic, 0.0, 0.5, "correlation")


@dataclass
class Vendor:
    """Download settings of yfinance and tushare."""

    folder: str = "data/raw"  # the resumable snapshot; a refused or killed download loses a batch
    symbols_file: str | None = None  # yfinance: one symbol a line; null asks the equity screener
    screen_size: int = 2000  # yfinance: how many of the largest names the screener gives
    batch: int = 50  # yfinance: symbols a request
    on_revision: str = "keep"  # keep what was known first, or accept what the vendor says now
    refresh: bool = False  # ask for the whole history again, to find revisions
    offline: bool = False  # use the snapshot, ask nothing
    base_url: str = ""  # a mirror or proxy that speaks the vendor's protocol; "" = the vendor
    per_minute: float = 180.0  # tushare: most requests a minute that the account may make
    industry_backfill: bool = False  # tushare: the first label stands for the days before

    def __post_init__(self) -> None:
        require("data.vendor.batch", self.batch, 1, 1000, "symbols")
        require("data.vendor.per_minute", self.per_minute, 1, 1e6, "requests a minute")
        require("data.vendor.screen_size", self.screen_size, 1, 20_000, "names")
        require_in("data.vendor.on_revision", self.on_revision, ("keep", "accept"))


@dataclass
class Data:
    """Where daily bars come from."""

    provider: str = "sim"
    start: str | None = None  # first date wanted; null = all that there is
    end: str | None = None  # last date wanted; null = all that there is
    root: str | None = None  # files: the user's folder
    layout: dict[str, Any] = field(default_factory=dict)  # files: names and columns
    sim: Sim = field(default_factory=Sim)
    vendor: Vendor = field(default_factory=Vendor)

    def __post_init__(self) -> None:
        require_in("data.provider", self.provider, PROVIDERS)
        self.start = iso_date("data.start", self.start)
        self.end = iso_date("data.end", self.end)
        if self.provider == "files" and not self.root:
            raise ConfigError(
                "data=files needs data.root=<your folder>; the README shows the files."
            )


@dataclass
class Universe:
    """Monthly point-in-time universe."""

    size: int = 800
    min_price: float = 3.0  # raw, in the region's currency
    adv_window: int = 63  # sessions
    min_history: int = 252  # sessions
    min_listed: int = 0  # sessions since listing
    exclude_st: bool = False
    index: str = "auto"  # auto: members of the indices a panel was chosen by; none: no such filter
    delist_return: float = -0.30  # decimal, where unknown and performance-related

    def __post_init__(self) -> None:
        require("universe.size", self.size, 1, 10_000, "names")
        require("universe.min_price", self.min_price, 0, 1e6, "money")
        require("universe.adv_window", self.adv_window, 1, 2520, "sessions")
        require("universe.min_history", self.min_history, 0, 2520, "sessions")
        require("universe.delist_return", self.delist_return, -1, 1, "decimal")


@dataclass
class Features:
    """What Model 2 learns from; set: house (the library), alpha158 (Qlib's, computed by Qlib)."""

    set: str = "house"

    def __post_init__(self) -> None:
        require_in("features.set", self.set, ("house", "alpha158"))


@dataclass
class Label:
    """What Model 2 predicts.

    horizon  : sessions, open to open; that of the optimizer, of calibration and of evaluation
    horizons : those that are computed
    residual : what is taken off: industry (its mean), industry_beta (beta x market first)
    """

    horizon: int = 21
    horizons: list[int] = field(default_factory=lambda: [5, 10, 21])
    residual: str = "industry_beta"

    def __post_init__(self) -> None:
        for horizon in (self.horizon, *self.horizons):
            require("model2.label.horizon", horizon, 1, 252, "sessions")
        require_in("model2.label.residual", self.residual, ("industry", "industry_beta"))
        if self.horizon not in self.horizons:
            raise ConfigError(
                f"model2.label.horizon={self.horizon} is not among model2.label.horizons="
                f"{self.horizons}; add it there."
            )


@dataclass
class Cpcv:
    """Combinatorial purged cross-validation."""

    n_groups: int = 6
    n_test: int = 2
    embargo: int = 63  # sessions

    def __post_init__(self) -> None:
        require("model2.cpcv.n_groups", self.n_groups, 2, 20, "groups")
        require("model2.cpcv.n_test", self.n_test, 1, self.n_groups - 1, "groups")
        require("model2.cpcv.embargo", self.embargo, 0, 1000, "sessions")


@dataclass
class WalkForward:
    """When Model 2 is refitted and on what."""

    retrain_every: int = 63  # sessions
    min_train_years: float = 3.0
    max_train_years: float = 10.0
    row_step: int = 5  # every so many sessions train: 21-session labels overlap
    calibration_min_dates: int = 252  # sessions of known out-of-sample scores before alphas count
    calibration_bins: int = 20  # score quantiles of the calibration curve

    def __post_init__(self) -> None:
        require("model2.walk_forward.retrain_every", self.retrain_every, 1, 2520, "sessions")
        require("model2.walk_forward.row_step", self.row_step, 1, 63, "sessions")
        require_ordered(
            "model2.walk_forward: min_train_years, max_train_years",
            self.min_train_years, self.max_train_years,
        )  # fmt: skip


@dataclass
class Boost:
    """Gradient-boosted trees of LightGBM and XGBoost (LightGBM's names)."""

    rounds: int = 100
    leaves: int = 31
    learning_rate: float = 0.1
    min_data: int = 200
    feature_fraction: float = 0.2
    l2: float = 1.0
    cpcv_rounds: int = 50

    def __post_init__(self) -> None:
        require("model2.boost.learning_rate", self.learning_rate, 1e-4, 1.0, "a step, unitless")
        require("model2.boost.feature_fraction", self.feature_fraction, 0.01, 1.0, "share")
        require("model2.boost.l2", self.l2, 0.0, 1e9, "rows")


@dataclass
class Mlp:
    """The small neural network."""

    hidden: list[int] = field(default_factory=lambda: [64, 32])  # units a layer
    epochs: int = 10
    penalty: float = 1.0  # of squared weights
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        for units in self.hidden:
            require("model2.mlp.hidden", units, 1, 4096, "units")
        require("model2.mlp.epochs", self.epochs, 1, 1000, "passes over the rows")
        require("model2.mlp.penalty", self.penalty, 0, 1e6, "of squared weights")
        require("model2.mlp.learning_rate", self.learning_rate, 1e-6, 1.0, "a step, unitless")


MODELS = ("ridge", "lightgbm", "xgboost", "mlp", "qlib_lightgbm", "momentum", "reversal")


@dataclass
class Model2:
    """Stock alphas.

    models   : of MODELS
    horizons : of the labels that the ensemble learns, among model2.label.horizons; sessions
    draws    : seeds of every random model
    """

    models: list[str] = field(default_factory=lambda: ["ridge", "lightgbm", "xgboost", "mlp"])
    horizons: list[int] = field(default_factory=lambda: [5, 10, 21])
    draws: int = 1
    ridge_penalty: float = 0.1  # added to X'X / n, in units of its mean diagonal
    threads: int = 2
    label: Label = field(default_factory=Label)
    cpcv: Cpcv = field(default_factory=Cpcv)
    walk_forward: WalkForward = field(default_factory=WalkForward)
    boost: Boost = field(default_factory=Boost)
    mlp: Mlp = field(default_factory=Mlp)

    def __post_init__(self) -> None:
        for name in self.models:
            require_in("model2.models", name, MODELS)
        for key, said in (("models", self.models), ("horizons", self.horizons)):
            if not said or len(set(said)) < len(said):
                raise ConfigError(f"model2.{key}={said}: name at least one, and each once.")
        if not set(self.horizons) <= set(self.label.horizons):
            raise ConfigError(
                f"model2.horizons={self.horizons} are not all among model2.label.horizons="
                f"{self.label.horizons}, those that are computed; add them there."
            )
        require("model2.draws", self.draws, 1, 100, "seeds of a random model")
        require("model2.threads", self.threads, 1, 256, "threads")

    def searchable(self) -> dict[str, Any]:
        """Settings of the learners, nested: all that stage=tune may move.

        What decides the sample or the label decides what trials are compared by, and stays.
        """
        trees = {k: v for k, v in asdict(self.boost).items() if k != "cpcv_rounds"}
        return {"ridge_penalty": self.ridge_penalty, "boost": trees, "mlp": asdict(self.mlp)}

    def having(self, parameters: Mapping[str, Any]) -> "Model2":
        """These settings with others in them, dotted name -> value, checked like a user's."""

        def put(group: Any, path: list[str], value: Any) -> Any:
            key, *rest = path
            return replace(group, **{key: put(getattr(group, key), rest, value) if rest else value})

        made = self
        for name, value in parameters.items():
            made = put(made, name.split("."), value)
        return made


@dataclass
class Risk:
    """Covariance of daily returns."""

    window: int = 252  # sessions
    min_coverage: float = 0.6  # share of the window a name must have traded

    def __post_init__(self) -> None:
        require("risk.window", self.window, 20, 2520, "sessions")
        require("risk.min_coverage", self.min_coverage, 0, 1, "share")


@dataclass
class Turnover:
    """Two-way turnover a rebalance."""

    tau: float = 0.20  # sum |dw|, fraction of NAV

    def __post_init__(self) -> None:
        require("optimizer.turnover.tau", self.tau, 0.0, 4.0, "fraction of NAV, two-way")


@dataclass
class VolTarget:
    """Ex-ante volatility cap."""

    base: float = 0.12  # annualised

    def __post_init__(self) -> None:
        require("optimizer.vol_target.base", self.base, 0.001, 2.0, "decimal a year")


@dataclass
class Optimizer:
    """The canonical problem."""

    method: str = "sifting"
    gamma: float = 8.0  # risk aversion
    gamma_ref: float | None = None  # of the equilibrium premium; null = gamma
    turnover: Turnover = field(default_factory=Turnover)
    vol_target: VolTarget = field(default_factory=VolTarget)
    name_max: float = 0.02  # weight
    group_max: float = 0.25  # exposure of one sector (US) or industry (CN), fraction of NAV
    group_min: float = 0.0  # least exposure of every sector or industry
    adv_cap: float = 0.05  # trade a name and day, fraction of its ADV
    cash_max: float = 1.0  # largest share of cash
    relative: bool = False  # risk is of the weights less the equal-weight universe
    tracking_error: float | None = None  # annualised; the volatility cap where relative
    cap_short: float = 0.0  # weight short a name; the book of this release holds none
    rebalance_every: int = 1  # sessions

    def __post_init__(self) -> None:
        require_in("optimizer.method", self.method, ("sifting", "clarabel", "osqp"))
        require("optimizer.gamma", self.gamma, 1e-3, 1e4, "risk aversion, unitless")
        require("optimizer.name_max", self.name_max, 0, 1, "fraction of NAV")
        require("optimizer.group_max", self.group_max, 0, 1, "fraction of NAV")
        require("optimizer.group_min", self.group_min, 0, 1, "fraction of NAV")
        if self.group_min > self.group_max:
            raise ConfigError(
                f"optimizer.group_min={self.group_min:g} is above optimizer.group_max="
                f"{self.group_max:g}; lower the one or raise the other."
            )
        require("optimizer.cash_max", self.cash_max, 0, 1, "fraction of NAV")
        self._check_relative()
        if self.cap_short != 0:
            raise ConfigError(
                f"optimizer.cap_short={self.cap_short}: the optimizer solves long/short problems "
                "(quant.optimizer: lower < 0, gross), but the book has no borrowing, its fees or "
                "recalls, so that its returns would be too good; use optimizer.cap_short=0."
            )
        require("optimizer.adv_cap", self.adv_cap, 0, 10, "fraction of ADV")
        require("optimizer.rebalance_every", self.rebalance_every, 1, 252, "sessions")

    def _check_relative(self) -> None:
        if self.relative != (self.tracking_error is not None):
            raise ConfigError(
                f"optimizer.relative={self.relative} with optimizer.tracking_error="
                f"{self.tracking_error}: a book measured from its benchmark has a tracking error, "
                "another has none; set both (experiment=relative) or neither."
            )
        if self.tracking_error is not None:
            require("optimizer.tracking_error", self.tracking_error, 0.001, 2.0, "decimal a year")
        if self.relative and self.gamma_ref is not None:
            raise ConfigError(
                f"optimizer.gamma_ref={self.gamma_ref:g} does nothing where optimizer.relative is "
                "true: there is no premium; leave it out."
            )


@dataclass
class Buckets:
    """Liquidity buckets: percentiles of ADV in the day's universe."""

    by: str = "adv_percentile"
    n_buckets: int = 6
    edges_pct: list[float] = field(default_factory=lambda: [0, 5, 10, 25, 50, 75, 100])
    window: int = 252  # sessions of the rolling median ADV

    def __post_init__(self) -> None:
        require_in("costs.bucket_scheme.by", self.by, ("adv_percentile",))
        require("costs.bucket_scheme.window", self.window, 21, 2520, "sessions")
        edges = list(self.edges_pct)
        if len(edges) != self.n_buckets + 1 or edges[0] != 0 or edges[-1] != 100:
            raise ConfigError(
                f"costs.bucket_scheme: edges_pct={edges} do not bound n_buckets={self.n_buckets} "
                f"buckets; give {self.n_buckets + 1} edges, the first 0, the last 100."
            )
        if any(high <= low for low, high in pairwise(edges)):
            raise ConfigError(
                f"costs.bucket_scheme.edges_pct={edges} must rise from left to right; reorder them."
            )


@dataclass
class CostFit:
    """When the cost model is fitted again, and from how much."""

    every: int = 63  # sessions between fits; each uses all orders before its date
    min_orders: int = 200  # of a bucket; thinner ones are pooled with their neighbour

    def __post_init__(self) -> None:
        require("costs.fit.every", self.every, 1, 2520, "sessions")
        require("costs.fit.min_orders", self.min_orders, 20, 1e7, "orders")


@dataclass
class Costs:
    """Cost of trading one name: lambda1 |dw| + lambda2 dw^2, as a fraction of NAV."""

    model: str = "fixed"  # fixed | fitted: learned by liquidity bucket from simulated shortfall
    lambda1: float = 5e-4  # 5e-4 = 5 bp of what is traded; fitted: until the first fit
    lambda2: float = 1e-5
    multiplier: float = 1.0
    statutory: bool = True  # stamp duty and transfer fee by date and side
    bucket_scheme: Buckets = field(default_factory=Buckets)
    fit_method: str = "winsorized_ols"  # | quantile_reg
    fit: CostFit = field(default_factory=CostFit)
    lambda1_per_bucket_bp: list[float] | None = None  # fitted: your own instead, from day one
    lambda2_per_bucket: list[float] | None = None

    def __post_init__(self) -> None:
        require_in("costs.model", self.model, ("fixed", "fitted"))
        require_in("costs.fit_method", self.fit_method, ("winsorized_ols", "quantile_reg"))
        require("costs.lambda1", self.lambda1, 0, 0.05, "decimal: 5e-4 = 5 bp")
        require("costs.lambda2", self.lambda2, 0, 10, "decimal a unit weight squared")
        require("costs.multiplier", self.multiplier, 0, 100, "times")
        self._check_own()

    def _check_own(self) -> None:
        own = self.lambda1_per_bucket_bp, self.lambda2_per_bucket
        if (own[0] is None) != (own[1] is None):
            raise ConfigError(
                "costs.lambda1_per_bucket_bp and costs.lambda2_per_bucket: one is given and the "
                "other is not; give both, one number a bucket, or neither."
            )
        if own[0] is None or own[1] is None:
            return
        if self.model != "fitted":
            raise ConfigError(
                "costs.lambda1_per_bucket_bp does nothing with costs=fixed; use costs=fitted."
            )
        for name, values, most in zip(
            ("lambda1_per_bucket_bp", "lambda2_per_bucket"), own, (500.0, 10.0), strict=True
        ):
            if len(values) != self.bucket_scheme.n_buckets:
                raise ConfigError(
                    f"costs.{name} has {len(values)} numbers for {self.bucket_scheme.n_buckets} "
                    "buckets; give one each, from the least liquid to the most."
                )
            for value in values:
                require(f"costs.{name}", value, 0, most, "bp" if "bp" in name else "decimal")


@dataclass
class Pov:
    """Percentage of volume."""

    target_pov: float = 0.1  # of what the market trades while the order is live
    min_child_notional_usd: float = 1000.0  # VWAP obeys it too; elsewhere at a dated rate

    def __post_init__(self) -> None:
        require("execution.pov.target_pov", self.target_pov, 0.001, 0.5, "share of volume")
        require("execution.pov.min_child_notional_usd", self.min_child_notional_usd, 0, 1e7, "USD")


@dataclass
class Vwap:
    """Slices sized by the volume that is expected."""

    buckets: int = 6  # most children of an order; fewer where a slice would be too small
    max_participation: float = 0.25  # of what the market trades in the slice

    def __post_init__(self) -> None:
        require("execution.vwap.buckets", self.buckets, 1, 24, "children")
        require("execution.vwap.max_participation", self.max_participation, 0.001, 1, "share")


@dataclass
class Simulator:
    """What a fill pays beyond the price on the tape, and the tape where the data have none."""

    bar_minutes: int = 5  # interval of the session
    auction_share: float = 0.05  # of the day's volume that the opening auction trades
    half_spread_bp: float = 1.0  # at least; half a tick where that is more
    impact_scale: float = 1.0  # times the published impact

    def __post_init__(self) -> None:
        require("execution.simulator.bar_minutes", self.bar_minutes, 1, 60, "minutes")
        require("execution.simulator.auction_share", self.auction_share, 0.001, 1, "share")
        require("execution.simulator.half_spread_bp", self.half_spread_bp, 0, 500, "bp")
        require("execution.simulator.impact_scale", self.impact_scale, 0, 100, "times")


@dataclass
class Execution:
    """How targets become fills."""

    style: str = "MOO"  # MOO: market on open of the next session | POV | VWAP
    impact: str = "lambda"  # lambda: the optimizer's own cost (MOO) | almgren | square_root
    pov: Pov = field(default_factory=Pov)
    vwap: Vwap = field(default_factory=Vwap)
    simulator: Simulator = field(default_factory=Simulator)
    min_trade_nav_bp: float = 0.0  # trades below this share of NAV are dropped
    adv_cap_bp: float | None = None  # most of a name in a session, bp of its ADV; in the solve too

    def __post_init__(self) -> None:
        require_in("execution.style", self.style, ("MOO", "POV", "VWAP"))
        require_in("execution.impact", self.impact, ("lambda", "almgren", "square_root"))
        require("execution.min_trade_nav_bp", self.min_trade_nav_bp, 0, 100, "bp of NAV")
        if self.adv_cap_bp is not None:
            require("execution.adv_cap_bp", self.adv_cap_bp, 0.01, 10_000, "bp of ADV")
        if self.impact == "lambda" and self.style != "MOO":
            raise ConfigError(
                f"execution.impact=lambda with execution.style={self.style}: scheduled orders pay "
                "what the simulator says; use execution.impact=almgren or square_root."
            )
        if self.impact == "lambda" and self.min_trade_nav_bp:
            raise ConfigError(
                f"execution.min_trade_nav_bp={self.min_trade_nav_bp:g} with "
                "execution.impact=lambda: the baseline trades every order; use execution=pov or "
                "vwap, or execution.impact=almgren."
            )


@dataclass
class Backtest:
    """The day loop."""

    start: str | None = None  # null = first day with a calibrated alpha
    end: str | None = None
    qlib: bool = True  # replay the recorded decisions in Qlib and compare

    def __post_init__(self) -> None:
        self.start = iso_date("backtest.start", self.start)
        self.end = iso_date("backtest.end", self.end)


@dataclass
class Holdout:
    """A stretch that no choice may look at: unless `read`, the run ends before it begins."""

    start: str | None = None  # first session of the hold-out; null = none is set
    end: str | None = None  # last one; null = to the end of the data
    read: bool = False  # evaluate it: logged, counted and shown in every report
    refit: bool = False  # read only: go on refitting by walk-forward inside; false = frozen models

    def __post_init__(self) -> None:
        self.start = iso_date("evaluation.holdout.start", self.start)
        self.end = iso_date("evaluation.holdout.end", self.end)
        if self.start is None and (self.end or self.read or self.refit):
            raise ConfigError(
                "evaluation.holdout.end, read or refit without evaluation.holdout.start; "
                "name the first session of the hold-out, for example 2018-01-02."
            )
        if self.start and self.end:
            require_ordered(
                "evaluation.holdout: start, end", *map(_ordinal, (self.start, self.end))
            )
        if self.refit and not self.read:
            raise ConfigError(
                "evaluation.holdout.refit=true without evaluation.holdout.read=true: a locked "
                "hold-out is not there to be refitted on; set both, or neither."
            )

    @property
    def locked(self) -> bool:
        """A hold-out is set, and this run does not see it."""
        return self.start is not None and not self.read

    @property
    def last_seen(self) -> str | None:
        """Last date whose data the run may use, ISO; None = all that there is."""
        if self.start is None or self.read:
            return self.end
        return str(date.fromisoformat(self.start) - timedelta(days=1))

    def check_window(self, **days: str | None) -> None:
        """Raise ConfigError where one of the backtest's dates lies behind the lock."""
        for name, day in days.items():
            if self.locked and self.start and day and _ordinal(day) >= _ordinal(self.start):
                raise ConfigError(
                    f"backtest.{name}={day} is inside the hold-out from {self.start}, which is "
                    f"locked: move it before, or set evaluation.holdout.read=true, which is "
                    "logged and counted."
                )


@dataclass
class Survivorship:
    """Delistings that the data may lack (Shumway 1997)."""

    rates: list[float] = field(default_factory=lambda: [0.005, 0.01, 0.02, 0.04])  # a year
    losses: list[float] = field(default_factory=lambda: [-0.30, -0.55])  # delisting return, decimal
    draws: int = 200

    def __post_init__(self) -> None:
        for rate in self.rates:
            require("evaluation.survivorship.rates", rate, 0, 1, "share of the names a year")
        for loss in self.losses:
            require("evaluation.survivorship.losses", loss, -1, 0, "decimal, a loss")
        require("evaluation.survivorship.draws", self.draws, 20, 100_000, "draws")


@dataclass
class Evaluation:
    """Statistics of the report."""

    quantiles: int = 10
    bootstrap: int = 1000
    block: int = 21  # sessions
    same_idea: float = 0.95  # correlation of active returns from which two trials are one idea
    holdout: Holdout = field(default_factory=Holdout)
    survivorship: Survivorship = field(default_factory=Survivorship)

    def __post_init__(self) -> None:
        require("evaluation.quantiles", self.quantiles, 2, 100, "buckets")
        # 0 = none; fewer than 19 can not show a size of 5 %
        require("evaluation.bootstrap", self.bootstrap, 19 * bool(self.bootstrap), 100_000, "draws")
        require("evaluation.block", self.block, 1, 252, "sessions")
        require("evaluation.same_idea", self.same_idea, 0, 1, "correlation")


@dataclass
class Audit:
    """Replay of the run without its future; decides nothing, and is no part of the config hash."""

    dates: int = 3  # sessions to cut after, spread over the backtest
    at: list[str] = field(default_factory=list)  # or these
    tail: int = 126  # sessions of garbage after the cut

    def __post_init__(self) -> None:
        require("audit.dates", self.dates, 1, 100, "sessions")
        require("audit.tail", self.tail, 1, 10_000, "sessions")
        self.at = [iso_date("audit.at", day) or "" for day in self.at]


@dataclass
class Tune:
    """Search for settings of Model 2 (stage=tune); decides nothing by itself: no part of the hash.

    space : nested as `model2` is; a leaf is {low, high}, with log: true or step, or {choices: [..]}
    """

    trials: int = 20  # that end, those given up among them
    random: int = 8  # of these, drawn before the sampler learns
    prune: float = 0.1  # level at which a trial is given up, see model2.tuning; 0 = never
    space: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require("tune.trials", self.trials, 1, 10_000, "trials")
        require("tune.random", self.random, 1, 10_000, "trials")
        require("tune.prune", self.prune, 0, 0.5, "level of a test")


@dataclass
class Importance:
    """What the models make of their features; decides nothing: no part of the hash."""

    rows: int = 500  # explained at every refit
    ablation: bool = True  # each family of features left out in turn
    rounds: int = 50  # of boosting in the ablation, at most

    def __post_init__(self) -> None:
        require("importance.rows", self.rows, 10, 100_000, "rows")
        require("importance.rounds", self.rounds, 1, 10_000, "rounds")


@dataclass
class Hmm:
    """Hidden Markov model of one stream of every index."""

    n_states: int = 3
    retrain_freq: str = "W"  # refit at the first close of every calendar week
    random_state: int = 42  # of the random starts, with the name of the index

    def __post_init__(self) -> None:
        require("model1.hmm n_states", self.n_states, 3, 3, "states: bear, sideways, bull")
        require_in("model1.hmm retrain_freq", self.retrain_freq, ("W",))
        require("model1.hmm random_state", self.random_state, 0, 2**32 - 1, "a whole number")


@dataclass
class Bocpd:
    """Bayesian online detection of changes."""

    base_hazard_days: float = 90.0  # mean sessions between changes
    severity_metric: str = "studentT"
    prob_threshold: float = 0.7  # of a run of less than five sessions

    def __post_init__(self) -> None:
        require("model1.bocpd.base_hazard_days", self.base_hazard_days, 2, 10_000, "sessions")
        require_in("model1.bocpd.severity_metric", self.severity_metric, ("studentT",))
        require("model1.bocpd.prob_threshold", self.prob_threshold, 0, 1, "probability")


@dataclass
class SystemicThresholds:
    """Percentiles of their own past from which the market moves as one."""

    mean_corr_pct: float = 80.0
    eig1_pct: float = 80.0

    def __post_init__(self) -> None:
        require("model1.dcc mean_corr_pct", self.mean_corr_pct, 1, 99, "percent")
        require("model1.dcc eig1_pct", self.eig1_pct, 1, 99, "percent")


@dataclass
class Dcc:
    """Dynamic conditional correlation of the industries (US: sectors)."""

    window_days: int = 252
    systemic_thresholds: SystemicThresholds = field(default_factory=SystemicThresholds)

    def __post_init__(self) -> None:
        require("model1.dcc.window_days", self.window_days, 100, 2520, "sessions")


@dataclass
class Smoothing:
    """EMA on probabilities."""

    half_life_fast: float = 3.0  # sessions, for ten of them after a break
    half_life_slow: float = 12.0

    def __post_init__(self) -> None:
        require("model1.smoothing.half_life_fast", self.half_life_fast, 0.1, 252, "sessions")
        require_ordered(
            "model1.smoothing half lives", self.half_life_fast, self.half_life_slow, 252.0
        )


@dataclass
class VolTargetMap:
    """Straight line from the probability of crisis to the weight of the floor."""

    crisis_weight_floor: float = 0.0  # at p = 0
    crisis_weight_ceiling: float = 1.0  # at p = 1

    def __post_init__(self) -> None:
        require_ordered(
            "model1.mapping.vol_target_map", 0.0, self.crisis_weight_floor,
            self.crisis_weight_ceiling, 1.0,
        )  # fmt: skip


@dataclass
class Mapping:
    """From states to what the optimizer is given."""

    kappa_trend_bp: float = 10.0  # tilt at p_bull - p_bear = 1, bp over the label's horizon
    cap_widen_bp: float = 0.0  # of NAV, where nothing tightens
    crisis_tighten_factor: float = 0.5  # of an exposure cap, once
    vol_target_floor: float = 0.08  # annualised
    vol_target_ceiling: float = 0.15  # concerns the RL controller alone
    vol_target_base: float = 0.12
    vol_target_map: VolTargetMap = field(default_factory=VolTargetMap)

    def __post_init__(self) -> None:
        require("model1.mapping.kappa_trend_bp", self.kappa_trend_bp, 1e-3, 1000, "bp a horizon")
        require("model1.mapping.cap_widen_bp", self.cap_widen_bp, 0, 10_000, "bp of NAV")
        require("model1.mapping.crisis_tighten_factor", self.crisis_tighten_factor, 0, 1, "factor")
        require_ordered(
            "model1.mapping.vol_target", 0.001, self.vol_target_floor, self.vol_target_base,
            self.vol_target_ceiling, 2.0,
        )  # fmt: skip


@dataclass
class PitIndustries:
    """Where the classification comes from; each region has one way (quant.data.industries)."""

    cn_source: str = "Tushare_sw_l1_snapshot"
    us_mode: str = "frozen_at_first_seen"

    def __post_init__(self) -> None:
        require_in("model1.pit_industries.cn_source", self.cn_source, ("Tushare_sw_l1_snapshot",))
        require_in("model1.pit_industries.us_mode", self.us_mode, ("frozen_at_first_seen",))


@dataclass
class Flip:
    """Probability that the trend of an industry is another one in ten sessions."""

    model: str = "logistic"  # logistic | xgboost
    embargo: int = 10  # sessions between the end of a label and the refit that learns from it
    retrain_every: int = 63  # sessions
    min_rows: int = 500  # known rows of industries, every fifth session, to learn from

    def __post_init__(self) -> None:
        require("model1.flip.min_rows", self.min_rows, 50, 1_000_000, "rows")
        require_in("model1.flip.model", self.model, ("logistic", "xgboost"))
        require("model1.flip.embargo", self.embargo, 0, 252, "sessions")
        require("model1.flip.retrain_every", self.retrain_every, 1, 2520, "sessions")


@dataclass
class Model1:
    """Industry regimes; off: neutral states, tilt 0, caps and the volatility target unchanged."""

    enabled: bool = False
    hmm_trend: Hmm = field(default_factory=Hmm)
    hmm_vol: Hmm = field(default_factory=Hmm)
    bocpd: Bocpd = field(default_factory=Bocpd)
    dcc: Dcc = field(default_factory=Dcc)
    smoothing: Smoothing = field(default_factory=Smoothing)
    mapping: Mapping = field(default_factory=Mapping)
    flip: Flip = field(default_factory=Flip)
    pit_industries: PitIndustries = field(default_factory=PitIndustries)
    min_members: int = 5  # an industry of fewer takes its parent's states
    min_history: int = 252  # sessions of an index before its first states

    def __post_init__(self) -> None:
        require("model1.min_members", self.min_members, 1, 1000, "names")
        require("model1.min_history", self.min_history, 60, 2520, "sessions")


@dataclass
class Splits:
    """Sessions that the controller learns from, is chosen on, and is judged on."""

    train_start: str | None = "2010-01-01"  # or the first session of every walk-forward input
    train_end: str = "2018-12-31"
    val_end: str = "2019-12-31"  # validation begins after train_end
    test: list[str] = field(
        default_factory=lambda: [
            "2020-01-01/2021-12-31", "2022-01-01/2023-12-31", "2024-01-01/2025-06-30",
        ]
    )  # fmt: skip

    def __post_init__(self) -> None:
        self.train_start = iso_date("rl.splits.train_start", self.train_start)
        self.train_end = iso_date("rl.splits.train_end", self.train_end) or ""
        self.val_end = iso_date("rl.splits.val_end", self.val_end) or ""
        days = [self.train_end, self.val_end]
        for period in self.test:
            first, _, last = period.partition("/")
            days += [iso_date("rl.splits.test", day) or "" for day in (first, last)]
        if not self.test or sorted(set(days)) != days:
            raise ConfigError(
                f"rl.splits: train_end, val_end and the test periods {days} must follow each "
                "other without overlap, the periods as 2020-01-01/2021-12-31."
            )

    @property
    def periods(self) -> list[tuple[str, str]]:
        """First and last date of every test period, ISO."""
        return [(p.partition("/")[0], p.partition("/")[2]) for p in self.test]


@dataclass
class RlReward:
    """What the controller is paid for; see quant.rl.reward for both kinds and their units."""

    kind: str = "literal"  # literal | research
    eta_dd: float = 5.0  # a session in drawdown: decimal (literal), bp (research)
    eta_vol: float = 50.0  # squared excess volatility: decimal, or bp a squared percentage point
    limit: float = 0.10  # drawdown that counts
    window: int = 63  # sessions

    def __post_init__(self) -> None:
        require_in("rl.reward.kind", self.kind, ("literal", "research"))
        require("rl.reward.eta_dd", self.eta_dd, 0, 1e4, "decimal or bp a session")
        require("rl.reward.eta_vol", self.eta_vol, 0, 1e6, "decimal, or bp a squared point")
        require("rl.reward.limit", self.limit, 0, 1, "decimal")
        require("rl.reward.window", self.window, 22, 2520, "sessions")


@dataclass
class Ppo:
    """The learner, by the names of specification 4.2; batch = n_envs x steps of a rollout."""

    clip: float = 0.2
    gae_lambda: float = 0.95
    gamma: float = 0.99
    lr: float = 3e-4
    batch: int = 4096
    minibatch: int = 4096
    epochs: int = 5
    n_envs: int = 16
    entropy: float = 0.0
    log_std: float = -0.5  # of the actions, at the start

    def __post_init__(self) -> None:
        require("rl.ppo.clip", self.clip, 0.01, 1, "of the probability ratio")
        require("rl.ppo.gae_lambda", self.gae_lambda, 0, 1, "decay")
        require("rl.ppo.gamma", self.gamma, 0, 1, "discount a step")
        require("rl.ppo.lr", self.lr, 1e-7, 0.1, "a step, unitless")
        require("rl.ppo.epochs", self.epochs, 1, 100, "passes over a rollout")
        require("rl.ppo.n_envs", self.n_envs, 1, 1024, "replays")
        require("rl.ppo.log_std", self.log_std, -5, 2, "logarithm")
        require("rl.ppo.entropy", self.entropy, 0, 1, "weight")
        if self.batch % self.n_envs or not 2 <= self.minibatch <= self.batch:
            raise ConfigError(
                f"rl.ppo: batch={self.batch} must be a multiple of n_envs={self.n_envs}, and "
                f"minibatch={self.minibatch} between 2 and it."
            )


@dataclass
class Rl:
    """The RL controller, which turns the optimizer's six knobs; off: they are constant.

    policy : a policy.npz trained before, instead of training
    """

    enabled: bool = False
    policy: str | None = None
    seeds: int = 5
    steps: int = 2_000_000  # of a seed at most, decisions over all replays
    warmup: int = 20_000  # of these, with fixed knobs
    every: int = 20_480  # steps between looks at the validation sessions and checkpoints
    least: float = 0.02  # gain in validation DSR that counts
    patience: int = 5  # looks in a row without one end the training
    episode: int = 504  # sessions: two years
    start: int = 24  # constant settings tried on the training sessions; training begins at the best
    spread: int = 16  # constant settings whose validation Sharpe ratios give DSR its N and V
    random: int = 3  # books with random knobs, beside
    referee: int = 1000  # every so many decisions in training is solved by Clarabel too; 0 = none
    workers: int = 2  # processes; they decide no result
    threads: int = 1  # of the network's updates
    device: str = "cpu"
    reward: RlReward = field(default_factory=RlReward)
    ppo: Ppo = field(default_factory=Ppo)
    splits: Splits = field(default_factory=Splits)

    def __post_init__(self) -> None:
        require("rl.seeds", self.seeds, 1, 100, "seeds")
        require("rl.steps", self.steps, 16, 1e10, "decisions")
        require("rl.warmup", self.warmup, 1, 1e9, "decisions")
        require("rl.every", self.every, 16, 1e9, "decisions")
        require("rl.least", self.least, 0, 1, "of DSR")
        require("rl.patience", self.patience, 1, 1000, "looks")
        require("rl.episode", self.episode, 42, 5040, "sessions")
        require("rl.start", self.start, 1, 10_000, "settings")
        require("rl.spread", self.spread, 2, 4096, "settings")
        require("rl.random", self.random, 0, 100, "books")
        require("rl.referee", self.referee, 0, 1e9, "decisions")
        require("rl.workers", self.workers, 1, 256, "processes")
        require("rl.threads", self.threads, 1, 256, "threads")
        require_in("rl.device", self.device, ("cpu", "cuda"))
        if self.warmup > self.steps:
            raise ConfigError(
                f"rl.warmup={self.warmup} is above rl.steps={self.steps}; nothing would be learned."
            )


@dataclass
class Tracking:
    """MLflow."""

    enabled: bool = True
    uri: str = "sqlite:///mlruns/mlflow.db"
    artifacts: str = "mlruns/artifacts"
    experiment: str = "quant"


@dataclass
class Drift:
    """Whether features are distributed as they were; decides nothing: no part of the hash."""

    top: int = 10  # features with the largest mean |SHAP|, beside the score
    window: int = 63  # sessions that are looked at
    past: int = 756  # sessions before, that they are compared with
    every: int = 21  # sessions between two looks

    def __post_init__(self) -> None:
        require("drift.top", self.top, 1, 1000, "features")
        require("drift.window", self.window, 5, 1000, "sessions")
        require("drift.past", self.past, 10, 10_000, "sessions")
        require("drift.every", self.every, 1, 1000, "sessions")
        if self.past < 2 * self.window:
            raise ConfigError(
                f"drift.past={self.past} holds less than two stretches of drift.window="
                f"{self.window}; make it {2 * self.window} or longer."
            )


@dataclass
class Changes:
    """stage=changes: values under conf/ that no line of the changelog tells."""

    base: str | None = None  # revision to compare with; null: where the branch left origin/main
    depth: int = 25  # on that branch itself: so many commits back
    before: str | None = None  # folder of a night (paths.nights) by the code of that revision, and
    after: str | None = None  # of the same night by this code: the page compares their runs

    def __post_init__(self) -> None:
        require("changes.depth", self.depth, 1, 100_000, "commits")
        if (self.before is None) != (self.after is None):
            raise ConfigError(
                f"changes.before={self.before} and changes.after={self.after} are compared with "
                "each other: give both, or neither."
            )


@dataclass
class Paths:
    """Where things are written; no part of the config hash."""

    store: str = "outputs/store"
    data: str = "data"
    reports: str = "reports"
    trials: str = "mlruns/trials.jsonl"
    holdout: str = "mlruns/holdout.jsonl"  # who read a hold-out, and when
    tune: str = "mlruns/tune.db"  # studies of stage=tune; a search goes on where it was
    rl: str = "outputs/rl"  # checkpoints of the controller's training, which goes on from them
    nights: str = "outputs/nightly"  # what the runs of every night left
    cards: str = "model_cards"  # the newest card of every model; simulated ones in a folder apart
    bundles: str = "conf/bundles"  # what every run was made from, for stage=reproduce


@dataclass
class Config:
    """Everything that one run is made from."""

    stage: str = "e2e"
    date: str | None = None  # stage=explain: the session that is explained
    model: str | None = None  # stage=score: the ensemble that is scored again
    bundle: str | None = None  # stage=reproduce: the record of the run that is made again
    asof: str | None = None  # the run as of this day: nothing after it is seen
    since: str | None = None  # with asof: the book of the last years or months, 3y or 18m
    regions: list[str] = field(default_factory=lambda: ["us", "cn"])  # stage=nightly
    seed: int = 42
    sprint: str = "s0"
    region: Region = field(default_factory=Region)
    data: Data = field(default_factory=Data)
    universe: Universe = field(default_factory=Universe)
    features: Features = field(default_factory=Features)
    model2: Model2 = field(default_factory=Model2)
    risk: Risk = field(default_factory=Risk)
    optimizer: Optimizer = field(default_factory=Optimizer)
    costs: Costs = field(default_factory=Costs)
    execution: Execution = field(default_factory=Execution)
    backtest: Backtest = field(default_factory=Backtest)
    evaluation: Evaluation = field(default_factory=Evaluation)
    audit: Audit = field(default_factory=Audit)
    tune: Tune = field(default_factory=Tune)
    importance: Importance = field(default_factory=Importance)
    model1: Model1 = field(default_factory=Model1)
    rl: Rl = field(default_factory=Rl)
    drift: Drift = field(default_factory=Drift)
    changes: Changes = field(default_factory=Changes)
    tracking: Tracking = field(default_factory=Tracking)
    paths: Paths = field(default_factory=Paths)

    def __post_init__(self) -> None:
        require("seed", self.seed, 0, 2**32 - 1, "a whole number")
        self.date = iso_date("date", self.date)
        self.asof = iso_date("asof", self.asof)
        if self.since is not None:
            back(self.since)
            if self.asof is None and self.stage != "nightly":
                raise ConfigError(
                    f"since={self.since} counts back from asof, which is null; add asof=2019-12-31."
                )
        for name in self.regions:
            require_in("regions", name, REGIONS)
        if (self.stage == "explain") != (self.date is not None):
            raise ConfigError(
                f"stage={self.stage} date={self.date}: a date belongs to stage=explain, and "
                "stage=explain to a date; give both, for example stage=explain date=2015-07-08."
            )
        if (self.stage == "score") != (self.model is not None):
            raise ConfigError(
                f"stage={self.stage} model={self.model}: a model belongs to stage=score, and "
                "stage=score to a model; give both, such as stage=score model=runs:/<run>/model2."
            )
        vendor = {"yfinance": "us", "tushare": "cn"}.get(self.data.provider, self.region.name)
        if vendor != self.region.name:
            raise ConfigError(
                f"data={self.data.provider} serves region={vendor}, not {self.region.name}; "
                f"run with region={vendor} or choose another data source."
            )
        if self.stage == "tune":  # said now, not after the data were read
            for dial in dials(self.tune.space, self.model2.searchable()):
                for value in dial.ends:
                    self.model2.having({dial.name: value})
        self._check_vol_target()
        self.evaluation.holdout.check_window(start=self.backtest.start, end=self.backtest.end)
        self._check_rl()

    @property
    def last_seen(self) -> str | None:
        """Last date whose data the run may use, ISO; None = all that there is."""
        return min(filter(None, (self.evaluation.holdout.last_seen, self.asof)), default=None)

    @property
    def first_booked(self) -> str | None:
        """Where `since` lets the backtest begin, at the earliest, ISO; None = it says nothing."""
        if self.since is None or self.asof is None:
            return None
        day = date.fromisoformat(self.asof)
        years, month = divmod(12 * day.year + day.month - 1 - back(self.since), 12)
        last = calendar.monthrange(years, month + 1)[1]
        return str(date(years, month + 1, min(day.day, last)))

    def _check_rl(self) -> None:
        if not self.rl.enabled:
            return
        if not self.model1.enabled:
            raise ConfigError(
                "rl.enabled=true with model1.enabled=false: the controller observes the regimes; "
                "use sprint=s3, or turn model1 on."
            )
        if self.optimizer.relative:
            raise ConfigError(
                "rl.enabled=true with optimizer.relative=true: the controller's volatility target "
                "is of the book, not of its distance from a benchmark; use one of them."
            )

    def _check_vol_target(self) -> None:
        own, mapped = self.optimizer.vol_target.base, self.model1.mapping.vol_target_base
        if self.model1.enabled and not self.optimizer.relative and own != mapped:
            raise ConfigError(
                f"optimizer.vol_target.base={own:g} and model1.mapping.vol_target_base={mapped:g}: "
                "with regimes the target comes from the latter; set both to the same value."
            )

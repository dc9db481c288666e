"""What a report is drawn from: plain frames and the facts of the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from quant.core.errors import ReportError
from quant.core.tables import TREND, VOL
from quant.core.types import Frame
from quant.optimizer.knobs import NAMES as KNOBS
from quant.reporting.holdout import Holdout

# numbers of a replay of the recorded decisions
REPLAYED = ("ann_return", "ann_vol", "sharpe", "cost_bp", "turnover", "filled", "cash")
# columns a frame must have when it is not empty; see quant/core/tables.py for units
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "nav": ("book", "date", "nav", "cash", "cost", "fee", "turnover", "rf", "n_held"),
    "metrics": ("book", "metric", "unit", "value"),
    "fills": ("date", "symbol", "ordered", "shares", "price", "notional", "cost", "fee", "reason"),
    "weights": ("date", "symbol", "weight"),
    "solves": (
        *("date", "status", "solver", "violation", "gap", "turnover", "tau", "tau_eff", "vol"),
        *("vol_target", "vol_reached", "cash", "vol_binds", "turnover_binds", "group_binds"),
        *("relaxed", "n_names", "n_held", "reason"),
    ),
    "bindings": (
        *("date", "limit", "cause", "price_bp", "asked", "reached", "binds", "relaxed", "names"),
    ),
    "alpha": ("date", "symbol", "score", "alpha", "fold"),
    "ic": ("date", "ic", "rank_ic"),
    "quantiles": ("bucket", "mean_bp"),
    "decay": ("lag", "rank_ic"),
    "members": ("asof", "effective", "symbol", "rank", "adv", "price"),
    "universe_counts": ("asof", "rule", "count"),
    "quality": ("date", "symbol", "check", "severity", "value", "detail"),
    "notes": ("topic", "text"),
    "folds": (
        *("fold", "model", "horizon", "draw", "train_start", "train_end", "label_end"),
        *("predict_start", "predict_end", "rows", "seed"),
    ),
    "cpcv": ("model", "split", "path", "test_groups", "ic", "icir", "sharpe"),
    "importance": ("date", "fold", "feature", "family", "mean_abs_shap", "share"),
    "shap": ("fold", "session", "symbol", "feature", "rank", "shap"),
    "drift": (
        *("date", "rank", "feature", "distance", "literal", "p", "holm", "psi", "severity"),
        "review",
    ),
    "ablation": (
        *("family", "statistic", "n_features", "whole", "without", "difference", "se", "blocks"),
    ),
    "signal_slices": ("dimension", "slice", "rank_ic", "ic", "t", "spread_bp", "n_days"),
    "calibration_check": ("decile", "alpha", "realised", "se"),
    "calibration": ("fold", "bin", "score", "realised", "alpha", "rows"),
    "membership": ("date", "symbol", "group_id"),
    "benchmark": ("date", "name", "close", "total_return"),
    "trials": ("config_hash", "name", "sharpe_period", "n_obs", "cluster", "own"),
    "comparisons": (
        *("book", "other", "difference", "low", "high", "p_value", "detectable", "n_obs"),
        "verdict",
    ),
    "survivorship": (
        *("hazard", "rate", "loss", "ann_return", "ann_return_low", "ann_return_high"),
        *("active", "active_low", "active_high", "sharpe", "sharpe_low", "sharpe_high"),
        "break_even",
    ),
    "risk_forecasts": ("date", "portfolio", "model", "predicted"),
    "risk_outcomes": ("date", "portfolio", "realised"),
    "risk_scores": (
        *("kind", "model", "portfolios", "windows", "predicted", "realised", "qlike", "bias"),
        *("bias_low", "bias_high", "inside", "dm_t", "p_value", "verdict"),
    ),
    "states": (
        *("date", "industry_id", *TREND, *VOL, "p_sys_systemic", "p_flip_10d", "tilt_bp"),
        "cap_long",
    ),
    "regime": (
        *("date", "mean_corr", "eig1", "rank_corr", "rank_eig1", "p_systemic", "p_crisis"),
        "vol_target",
    ),
    "parent_states": ("date", "node_id", "level", *TREND, *VOL),
    "overrides": ("date", "node_id"),
    "breaks": ("date", "node_id", "stream"),
    "indices": ("date", "node_id", "level", "ret", "members"),
    "hmm_fits": (
        "date",
        "node_id",
        "kind",
        *(f"{k}_{i}" for k in ("mean", "sd", "stay") for i in (1, 2, 3)),
    ),
    "flip_fits": ("date", "brier", "brier_base"),
    "attribution": (
        *("flag", "ann_return", "ann_vol", "sharpe", "max_drawdown", "turnover"),
        *("d_return", "d_vol", "d_sharpe", "low", "high"),
    ),
    "tca_orders": (
        *("date", "symbol", "side", "bucket", "size", "ordered", "filled", "delay", "timing"),
        *("spread", "impact", "fee", "opportunity", "reason"),
    ),
    "tca_hours": ("hour", "value", "timing", "spread", "impact", "fee"),
    "exec_styles": ("date", "style", "scenario", "shortfall_bp", "filled"),
    "exec_gate": (
        *("scenario", "median_pov", "median_moo", "difference", "low", "high", "iqr_ratio"),
        *("ratio_low", "ratio_high", "verdict", "days"),
    ),
    "capacity": ("nav", *REPLAYED),
    "pace": ("every", *REPLAYED),
    "policy_info": ("seed", "step", "steps", "ended", "sharpe", "dsr", "steers"),
    "rl_curve": ("seed", "step", "better"),
    "rl_looks": ("seed", "step", "dsr"),
    "rl_search": ("use",),
    "rl_books": ("book", "seed", "date", "ret", "rf", "cost", "turnover"),
    "rl_knobs": (
        *("book", "seed", "date", *KNOBS, "gain", "cost", "drawdown", "volatility", "relaxed"),
    ),
    "rl_gate": (
        *("seed", "period", "sharpe", "fixed_sharpe", "difference", "low", "high", "detectable"),
        *("dsr", "fixed_dsr", "n_obs", "passes", "verdict"),
    ),
    "rl_safety": ("knob", "decisions", "outside", "hit_low", "hit_high"),
    "lambda_params": (
        *("asof_date", "bucket_id", "lambda1_bp", "lambda2", "adv_edge_low", "adv_edge_high"),
    ),
    "cost_fits": (
        *("asof_date", "bucket_id", "style", "raw1_bp", "raw2", "se1_bp", "se2", "low1_bp"),
        *("high1_bp", "low2", "high2", "size_low", "size_high", "orders"),
    ),
}


@dataclass(frozen=True)
class ReportMeta:
    """The facts of the run.

    start, end       : first and last session of the evaluated window
    periods_per_year : 252 (US) or 243 (CN); annualises what the report itself derives
    horizon          : sessions from a score to the end of its label
    lambda1          : linear cost rate, fraction of traded value; splits the cost when known
    group_cap        : largest exposure of one group, fraction of NAV; None = not stated
    relative         : the optimizer's risk and its cap are of the weights less the benchmark's
    conventions      : sentences, printed one by one
    started          : when the run began, as text; part of the bytes
    """

    title: str
    region: str
    currency: str
    sprint: str
    git_sha: str
    config_hash: str
    run_id: str
    seed: int
    provider: str
    simulated: bool
    start: date
    end: date
    periods_per_year: int
    started: str
    conventions: tuple[str, ...] = ()
    config_yaml: str = ""
    command: str = ""
    model_seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    benchmark_label: str = "Equal-weight universe"
    horizon: int = 21
    lambda1: float | None = None
    group_cap: float | None = None
    relative: bool = False

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ReportError(
                f"report window {self.start} to {self.end} runs backwards; "
                "give the first session before the last."
            )
        if self.periods_per_year <= 0:
            raise ReportError(
                f"periods_per_year is {self.periods_per_year}; it has to be positive: "
                "252 for us, 243 for cn."
            )


@dataclass(frozen=True)
class ReportInputs:
    """Everything that the page shows. Any frame may be empty: its section then says so.

    The frames follow quant/core/tables.py; beyond those tables:
    ic        : (date, ic, rank_ic) one row a session that has labels
    quantiles : (bucket, mean_bp) bucket 1 = lowest score; mean residual return, bp over the
                horizon; optional se_bp, the standard error of the mean
    decay     : (lag, rank_ic) lag in sessions between score and the start of the return
    quality   : the QUALITY table itself; the page summarises it
    holdout   : what the ledger of looks says of the hold-out that concerns the run
    """

    meta: ReportMeta
    nav: Frame = field(default_factory=pd.DataFrame)
    metrics: Frame = field(default_factory=pd.DataFrame)
    fills: Frame = field(default_factory=pd.DataFrame)
    weights: Frame = field(default_factory=pd.DataFrame)
    solves: Frame = field(default_factory=pd.DataFrame)
    bindings: Frame = field(default_factory=pd.DataFrame)
    alpha: Frame = field(default_factory=pd.DataFrame)
    ic: Frame = field(default_factory=pd.DataFrame)
    quantiles: Frame = field(default_factory=pd.DataFrame)
    decay: Frame = field(default_factory=pd.DataFrame)
    members: Frame = field(default_factory=pd.DataFrame)
    universe_counts: Frame = field(default_factory=pd.DataFrame)
    quality: Frame = field(default_factory=pd.DataFrame)
    notes: Frame = field(default_factory=pd.DataFrame)
    folds: Frame = field(default_factory=pd.DataFrame)
    cpcv: Frame = field(default_factory=pd.DataFrame)
    calibration: Frame = field(default_factory=pd.DataFrame)
    importance: Frame = field(default_factory=pd.DataFrame)
    shap: Frame = field(default_factory=pd.DataFrame)
    drift: Frame = field(default_factory=pd.DataFrame)
    ablation: Frame = field(default_factory=pd.DataFrame)
    signal_slices: Frame = field(default_factory=pd.DataFrame)
    calibration_check: Frame = field(default_factory=pd.DataFrame)
    membership: Frame = field(default_factory=pd.DataFrame)
    benchmark: Frame = field(default_factory=pd.DataFrame)
    trials: Frame = field(default_factory=pd.DataFrame)
    comparisons: Frame = field(default_factory=pd.DataFrame)
    survivorship: Frame = field(default_factory=pd.DataFrame)
    risk_forecasts: Frame = field(default_factory=pd.DataFrame)
    risk_outcomes: Frame = field(default_factory=pd.DataFrame)
    risk_scores: Frame = field(default_factory=pd.DataFrame)
    states: Frame = field(default_factory=pd.DataFrame)
    regime: Frame = field(default_factory=pd.DataFrame)
    parent_states: Frame = field(default_factory=pd.DataFrame)
    overrides: Frame = field(default_factory=pd.DataFrame)
    breaks: Frame = field(default_factory=pd.DataFrame)
    indices: Frame = field(default_factory=pd.DataFrame)
    hmm_fits: Frame = field(default_factory=pd.DataFrame)
    flip_fits: Frame = field(default_factory=pd.DataFrame)
    attribution: Frame = field(default_factory=pd.DataFrame)
    tca_orders: Frame = field(default_factory=pd.DataFrame)
    tca_hours: Frame = field(default_factory=pd.DataFrame)
    exec_styles: Frame = field(default_factory=pd.DataFrame)
    exec_gate: Frame = field(default_factory=pd.DataFrame)
    capacity: Frame = field(default_factory=pd.DataFrame)
    pace: Frame = field(default_factory=pd.DataFrame)
    policy_info: Frame = field(default_factory=pd.DataFrame)
    rl_curve: Frame = field(default_factory=pd.DataFrame)
    rl_looks: Frame = field(default_factory=pd.DataFrame)
    rl_search: Frame = field(default_factory=pd.DataFrame)
    rl_books: Frame = field(default_factory=pd.DataFrame)
    rl_knobs: Frame = field(default_factory=pd.DataFrame)
    rl_gate: Frame = field(default_factory=pd.DataFrame)
    rl_safety: Frame = field(default_factory=pd.DataFrame)
    lambda_params: Frame = field(default_factory=pd.DataFrame)
    cost_fits: Frame = field(default_factory=pd.DataFrame)
    holdout: Holdout = field(default_factory=Holdout)

    def __post_init__(self) -> None:
        for name, columns in COLUMNS.items():
            frame = getattr(self, name)
            missing = [c for c in columns if c not in frame.columns]
            if len(frame) and missing:
                raise ReportError(
                    f"report frame {name} lacks {missing}; it needs {list(columns)}: "
                    "pass the whole table, or an empty frame to leave its section out."
                )

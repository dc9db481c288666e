"""The tables that pass between stages: columns, types and key, checked when written.

In memory a table is a pandas frame with `datetime64[ns]` dates; on disk it is parquet with the
schema below, rows sorted by key. `extra` admits further columns of one type (features).

Every table says when its rows are known, so that the look-ahead audit covers it without being told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from quant.core.errors import DataError
from quant.core.types import Frame

ALWAYS = "always"  # settled before the first session that can be audited
SUMMARY = "summary"  # of the whole window; made anew from what was known


@dataclass(frozen=True)
class Table:
    """Name, schema and key of one table, and when its rows are known.

    known : column with the session at whose close the row is known, or ALWAYS or SUMMARY
    moves : columns that later sessions may still fill in (the end of a spell)
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    extra: pa.DataType | None = None
    known: str = "date"
    moves: tuple[str, ...] = ()

    def empty(self) -> Frame:
        """A frame without rows, with the columns and pandas types of this table."""
        return pd.DataFrame({f.name: pd.Series(dtype=_dtype(f.type)) for f in self.schema})

    def check(self, frame: Frame) -> pa.Table:
        """Return `frame` as an arrow table of this schema, sorted by key.

        Raises DataError for a missing or unknown column, a wrong type, a null or double key.
        """
        columns = list(frame.columns)
        missing = [c for c in self.schema.names if c not in columns]
        unknown = [c for c in columns if c not in self.schema.names]
        if missing:
            raise DataError(f"table {self.name} lacks {missing}; it needs {self.schema.names}.")
        if unknown and self.extra is None:
            raise DataError(
                f"table {self.name} does not know {unknown}; its columns are {self.schema.names}."
            )
        schema = self.schema
        for name in unknown:
            schema = schema.append(pa.field(name, self.extra))
        key = list(self.key)
        for name in key:
            if frame[name].isna().any():
                raise DataError(
                    f"table {self.name}: key column {name} has nulls; fill or drop them."
                )
        if columns != schema.names:  # a wide table is not copied for nothing
            frame = frame.loc[:, schema.names]
        if key and len(frame):
            # already sorted tables, the large ones, are not sorted again
            if not _increasing(frame, key):
                frame = frame.sort_values(key, kind="stable")
            twice = frame.duplicated(key)
            if twice.any():
                first = frame.loc[twice, key].iloc[0].to_dict()
                raise DataError(
                    f"table {self.name} has {int(twice.sum())} double rows, the first at {first}; "
                    f"its key is {self.key}: keep one row for each."
                )
        try:
            return pa.Table.from_pandas(frame, schema=schema, preserve_index=False, safe=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(f"table {self.name}: {error}; its schema is {schema}.") from error

    def write(self, frame: Frame, path: Path) -> None:
        """Check and write `frame` as parquet; the bytes depend on the content alone."""
        pq.write_table(
            self.check(frame).replace_schema_metadata(None),
            path,
            compression="zstd",
            row_group_size=1 << 19,
        )

    def read(self, path: Path, columns: Iterable[str] | None = None) -> Frame:
        """Read a table (or some columns of it) that `write` left at `path`."""
        table = pq.read_table(path, columns=None if columns is None else list(columns))
        frame = table.to_pandas(date_as_object=False, split_blocks=True)
        for name in frame.columns:
            if frame[name].dtype.kind == "M":
                frame[name] = frame[name].astype("datetime64[ns]")
        return frame


def _dtype(kind: pa.DataType) -> str:
    if pa.types.is_date(kind):
        return "datetime64[ns]"
    if pa.types.is_floating(kind):
        return "float32" if kind == pa.float32() else "float64"
    if pa.types.is_integer(kind):
        return "int64"
    return "bool" if pa.types.is_boolean(kind) else "object"


def _increasing(frame: Frame, key: list[str]) -> bool:
    """Whether the rows are sorted by the columns of `key`, one after the other."""
    same = np.ones(max(len(frame) - 1, 0), dtype=bool)
    for name in key:
        values = frame[name].to_numpy()
        codes = pd.factorize(values, sort=True)[0] if values.dtype == object else values
        if (same & (codes[1:] < codes[:-1])).any():
            return False
        same &= codes[1:] == codes[:-1]
    return True


def dates(*names: str) -> list[pa.Field]:
    """Exchange-local dates."""
    return [pa.field(n, pa.date32()) for n in names]


def strings(*names: str) -> list[pa.Field]:
    """Identifiers and labels."""
    return [pa.field(n, pa.string()) for n in names]


def doubles(*names: str) -> list[pa.Field]:
    """Float64: prices, money, returns."""
    return [pa.field(n, pa.float64()) for n in names]


def floats(*names: str) -> list[pa.Field]:
    """Float32: features and probabilities."""
    return [pa.field(n, pa.float32()) for n in names]


def integers(*names: str) -> list[pa.Field]:
    """Int64 counts."""
    return [pa.field(n, pa.int64()) for n in names]


def flags(*names: str) -> list[pa.Field]:
    """Booleans."""
    return [pa.field(n, pa.bool_()) for n in names]


def table(
    name: str,
    *fields: list[pa.Field],
    key: tuple[str, ...],
    extra: pa.DataType | None = None,
    known: str = "date",
    moves: tuple[str, ...] = (),
) -> Table:
    """Build a Table from groups of fields."""
    return Table(name, pa.schema([f for group in fields for f in group]), key, extra, known, moves)


DAY = ("date", "symbol")

# -- ingest ---------------------------------------------------------------------------------
# raw prices as traded; adjusted close = close x factor; factor is causal (1 at the first row)
BARS = table(
    "bars",
    dates("date"),
    strings("symbol"),
    doubles(
        "open",
        "high",
        "low",
        "close",
        "pre_close",
        "volume",
        "amount",
        "factor",
        "limit_up",
        "limit_down",
    ),
    flags("is_st"),
    doubles("float_shares"),
    key=DAY,
)
# the course of sessions where the user has it: raw average price and shares of the interval that
# begins `minute` minutes of trading after the open; breaks do not count
INTRADAY = table(
    "intraday",
    dates("date"),
    strings("symbol"),
    integers("minute"),
    doubles("price", "volume"),
    key=("date", "symbol", "minute"),
)
# dividend: cash a share on the ex-date; split: new shares for one old
ACTIONS = table("actions", dates("date"), strings("symbol"), doubles("dividend", "split"), key=DAY)
# spells [in_date, out_date], both inclusive, null = open; group_id is what exposure caps act on
INDUSTRIES = table(
    "industries",
    strings("symbol"),
    dates("in_date", "out_date"),
    strings("industry_id", "group_id"),
    key=("symbol", "in_date"),
    known="in_date",
    moves=("out_date",),
)
# delist_date: last day on which it was listed; delist_return: decimal, null = unknown;
# truncated: the source ends, not the company
LISTINGS = table(
    "listings",
    strings("symbol"),
    dates("list_date", "delist_date"),
    strings("board"),
    doubles("delist_return"),
    flags("truncated"),
    key=("symbol",),
    known="list_date",
    moves=("delist_date", "delist_return", "truncated"),
)
INDEX_MEMBERS = table(
    "index_members",
    strings("index", "symbol"),
    dates("in_date", "out_date"),
    key=("index", "symbol", "in_date"),
    known="in_date",
    moves=("out_date",),
)
# level of a reference index; total_return: dividends are in it
BENCHMARK = table(
    "benchmark",
    dates("date"),
    strings("name"),
    doubles("close"),
    flags("total_return"),
    key=("date", "name"),
)
# rf: decimal a session
RATES = table("rates", dates("date"), doubles("rf"), key=("date",))
SESSIONS = table("sessions", dates("date"), key=("date",))
QUALITY = table(
    "quality",
    dates("date"),
    strings("symbol", "check", "severity"),
    doubles("value"),
    strings("detail"),
    key=("date", "symbol", "check"),
    known=SUMMARY,  # a doubtful day is judged by the days after it
)
# what every report must say about the data: simulated, survivorship, revisions
NOTES = table("notes", strings("topic", "text"), key=("topic", "text"), known=SUMMARY)

# -- universe -------------------------------------------------------------------------------
# asof: the reconstitution session; effective: the next one; adv: median daily amount
MEMBERS = table(
    "members",
    dates("asof", "effective"),
    strings("symbol"),
    integers("rank"),
    doubles("adv", "price"),
    key=("asof", "symbol"),
    known="asof",
)
# counts of every rule at every reconstitution
UNIVERSE_COUNTS = table(
    "universe_counts",
    dates("asof"),
    strings("rule"),
    integers("count"),
    key=("asof", "rule"),
    known="asof",
)
MEMBERSHIP = table(
    "membership", dates("date"), strings("symbol", "industry_id", "group_id"), key=DAY
)

# -- model 1 --------------------------------------------------------------------------------
TREND = ("p_trend_bull", "p_trend_bear", "p_trend_sideways")
VOL = ("p_vol_calm", "p_vol_turbulent", "p_vol_crisis")
# one row an industry with members; tilt_bp over the label's horizon, caps fractions of NAV
STATES = table(
    "states",
    dates("date"),
    strings("industry_id"),
    floats(*TREND, *VOL, "p_sys_diversifying", "p_sys_systemic"),
    floats("p_flip_10d", "tilt_bp", "cap_long", "cap_short"),
    key=("date", "industry_id"),
)
# the states that industries are reconciled with: the market's, and of the US its sectors'
PARENT_STATES = table(
    "parent_states",
    dates("date"),
    strings("node_id", "level"),
    floats(*TREND, *VOL),
    key=("date", "node_id"),
)
# of the market: mean correlation and largest eigenvalue / n of the industries (US: sectors), their
# percentile ranks within their own past, mean p_vol_crisis, annualised volatility target
REGIME = table(
    "regime",
    dates("date"),
    doubles("mean_corr", "eig1", "rank_corr", "rank_eig1", "p_systemic", "p_crisis", "vol_target"),
    key=("date",),
)
# where an industry keeps a risk beyond its parent's bound: its p_vol_crisis and the parent's
OVERRIDES = table(
    "overrides",
    dates("date"),
    strings("node_id"),
    floats("p_vol_crisis", "parent"),
    key=("date", "node_id"),
)
# sessions on which a change was likely; stream: vol or slope, run: most likely sessions since it
BREAKS = table(
    "breaks",
    dates("date"),
    strings("node_id", "stream"),
    doubles("p_short"),
    integers("run"),
    key=("date", "node_id", "stream"),
)
# equal-weight indices of market, sectors and industries: return of the session, names that belong
INDICES = table(
    "indices",
    dates("date"),
    strings("node_id", "level"),
    doubles("ret"),
    integers("members"),
    key=("date", "node_id"),
)
# parameters of every refit; kind: trend (log slope a session) or vol (returns a session)
HMM_FITS = table(
    "hmm_fits",
    dates("date"),
    strings("node_id", "kind"),
    doubles("loglik", *(f"{what}_{i}" for what in ("mean", "sd", "stay") for i in (1, 2, 3))),
    key=("date", "node_id", "kind"),
)
# refits of the forecast of flips: rows learned from, their share of flips, and of the forecasts
# known by then the Brier score and that of the share
FLIP_FITS = table(
    "flip_fits",
    dates("date"),
    integers("rows"),
    doubles("base_rate", "brier", "brier_base"),
    key=("date",),
)

# what the regimes added or cost: the book again without one of their flags (or all of them)
# flag: tilts, caps, target or all; differences are the book's less those without it, the Sharpe's
# with a 95 % interval
ATTRIBUTION = table(
    "attribution",
    strings("flag"),
    doubles("ann_return", "ann_vol", "sharpe", "max_drawdown", "turnover"),
    doubles("d_return", "d_vol", "d_sharpe", "low", "high"),
    key=("flag",),
    known=SUMMARY,
)

# -- model 2 --------------------------------------------------------------------------------
FEATURES = table("features", dates("date"), strings("symbol"), key=DAY, extra=pa.float32())
# horizon: h, sessions; raw: residual return open(t+1) to open(t+1+h), decimal; label: its rank,
# standard normal; end: session on which it becomes known
LABELS = table(
    "labels",
    dates("date"),
    strings("symbol"),
    integers("horizon"),
    doubles("raw", "label"),
    dates("end"),
    key=(*DAY, "horizon"),
    known="end",
)
# score: unitless; uncertainty: standard deviation over the ensemble of its standardised scores,
# 0 with one member; alpha: expected residual return over the horizon, decimal; fold: which refit
ALPHA = table(
    "alpha",
    dates("date"),
    strings("symbol"),
    doubles("score", "uncertainty", "alpha"),
    integers("fold"),
    key=DAY,
)
# a logged ensemble scored again: the columns of ALPHA; stage score, no part of a run
SCORED = replace(ALPHA, name="scored")
# one row a refit and member: the model, the horizon of its labels in sessions, its draw
FOLDS = table(
    "folds",
    integers("fold"),
    strings("model"),
    integers("horizon", "draw"),
    dates("train_start", "train_end", "label_end", "predict_start", "predict_end"),
    integers("rows", "seed"),
    key=("fold", "model", "horizon", "draw"),
    known="predict_start",
    moves=("predict_end",),
)
CPCV = table(
    "cpcv",
    strings("model"),
    integers("split", "path"),
    strings("test_groups"),
    doubles("ic", "icir", "sharpe"),
    integers("train_rows", "test_rows"),
    key=("model", "split", "path"),
    known=ALWAYS,
)
# trials of stage tune; parameters: JSON; rank_ic, icir: daily; sharpe: of the quantile spread, a
# label period, of which `periods` do not overlap; score: the objective, probit of PSR; psr: against
# zero; dsr: against the luck of the ideas of the whole study, dsr_then: of those tried until then,
# dsr_each: of every trial as an idea of its own; idea: trials of one number are near copies
TUNING = table(
    "tuning",
    integers("number"),
    strings("state", "parameters"),
    doubles("rank_ic", "icir", "sharpe"),
    integers("periods"),
    doubles("score", "psr", "dsr_then", "dsr", "dsr_each"),
    integers("idea"),
    doubles("seconds"),
    integers("splits"),
    key=("number",),
    known=ALWAYS,
)
# how the features that the models lean on are distributed, and their score (rank 0): the last
# sessions up to `date` against those before. distance: of Kolmogorov and Smirnov; literal: its
# p-value, every value an observation; p: share of stretches of the past as far from the rest;
# holm: p corrected for the features of the date; review: the literal rule fires (literal < LITERAL)
LITERAL = 0.01
STABLE, SHIFTED = 0.1, 0.25  # bands of the population stability index
SEVERITIES = NONE, WATCH, MODERATE, SEVERE = "none", "watch", "moderate", "severe"
DRIFT = table(
    "drift",
    dates("date"),
    integers("rank"),
    strings("feature"),
    doubles("distance", "literal", "p", "holm", "psi"),
    strings("severity"),
    flags("review"),
    key=("date", "feature"),
)
# files of a run made again from its bundle; then, now: sha256
REPRODUCED = table(
    "reproduced",
    strings("stage", "file", "then", "now"),
    key=("stage", "file"),
    known=ALWAYS,
)
# values under conf/ that changed, see governance.changes; told: by a new entry of the changelog
CHANGES = table(
    "changes",
    strings("key", "old", "new", "where"),
    flags("told"),
    key=("key", "old", "new"),
    known=ALWAYS,
)
# trailing out-of-sample calibration in force at each refit; date: the session of the refit;
# factor: of the alphas of names by third of the day's uncertainty, the same in every bin
CALIBRATION = table(
    "calibration",
    dates("date"),
    integers("fold", "bin"),
    doubles("score", "realised", "alpha"),
    integers("rows"),
    doubles("factor_low", "factor_middle", "factor_high"),
    key=("fold", "bin"),
)

# mean |SHAP| of every feature at each refit, on rows of its session and earlier ones, in standard
# deviations of scores within the day; share: of the sum over features; date: session of the refit
IMPORTANCE = table(
    "importance",
    dates("date"),
    integers("fold"),
    strings("feature", "family"),
    doubles("mean_abs_shap", "share"),
    key=("fold", "feature"),
)
# single rows of the leading features of each refit; session: the row's own, at most `date`; rank:
# of the feature within it, -0.5 to 0.5; shap: what it adds to the score
SHAP = table(
    "shap",
    dates("date"),
    integers("fold"),
    dates("session"),
    strings("symbol", "feature"),
    doubles("rank", "shap"),
    key=("fold", "session", "symbol", "feature"),
)
# the chosen models with all features and without a family, on purged blocks of labels known at the
# first refit; statistic: rank_ic, icir (daily), spread_bp (top less bottom quintile over the
# horizon); difference: whole less without; se: of its mean over the blocks
ABLATION = table(
    "ablation",
    strings("family", "statistic"),
    integers("n_features"),
    doubles("whole", "without", "difference", "se"),
    integers("blocks"),
    key=("family", "statistic"),
    known=ALWAYS,
)

# -- optimizer and backtest -------------------------------------------------------------------
TARGETS = table("targets", dates("date"), strings("symbol"), doubles("weight"), key=DAY)
SOLVES = table(
    "solves",
    dates("date"),
    strings("status", "solver"),
    doubles(
        "objective",
        "violation",
        "gap",
        "turnover",
        "tau",
        "tau_eff",
        "vol",
        "vol_target",
        "vol_reached",
        "cash",
    ),
    flags("vol_binds", "turnover_binds", "group_binds", "relaxed"),
    integers("n_names", "n_held", "rounds"),
    strings("reason"),
    key=("date",),
)
# limits that bind at a rebalance or gave way; limit: as in optimizer.binding, a group by its name;
# price_bp: bp of NAV over the horizon for one percentage point of the limit more, 0 = does not
# bind; asked and reached: the limit and what was imposed; names: how many single names the row is
# of (asked and reached then are the sums of their weights), 0 = a joint limit; cause: why it gave
# way, "" = it did not
BINDINGS = table(
    "bindings",
    dates("date"),
    strings("limit", "cause"),
    doubles("price_bp", "asked", "reached"),
    flags("binds", "relaxed"),
    integers("names"),
    key=("date", "limit", "cause"),
)
_TURNED = doubles("gamma", "lambda1", "lambda2", "tau", "caps", "vol_target")
# what a controller turned the optimizer's knobs to at each rebalance, within quant.optimizer.knobs
KNOBS = table(
    "knobs",
    dates("date"),
    _TURNED,
    key=("date",),
)
# -- the controller: `known` is the last session that the row was made from ---------------------
# weights of the trained policies, part by part (quant.rl.network.SHAPES)
POLICY = table(
    "policy",
    integers("seed"),
    strings("part"),
    integers("index"),
    doubles("value"),
    dates("known"),
    key=("seed", "part", "index"),
    known="known",
)
# what a policy is of; steers: the one that turns the knobs of the backtest; sharpe (annualised),
# dsr: of the validation sessions; steps: trained in all, step: of the policy kept; ended: why
POLICY_INFO = table(
    "policy_info",
    integers("seed", "step", "steps"),
    strings("region", "observations", "ended"),
    doubles("sharpe", "dsr"),
    flags("steers"),
    dates("known"),
    key=("seed",),
    known="known",
)
# a row for each rollout: means a decision of the reward and its parts, of the reward less that of
# constant knobs (better), share of decisions whose knobs asked for more than could be reached
# (relaxed) or rest on a bound (hit_...)
RL_CURVE = table(
    "rl_curve",
    integers("seed", "step"),
    doubles(
        "reward", "better", "gain", "cost", "drawdown", "volatility", "relaxed", "value_loss",
        "approx_kl", "clip_fraction", "std",
        *(f"hit_{name}" for name in ("gamma", "lambda1", "lambda2", "tau", "caps", "vol_target")),
    ),
    dates("known"),
    key=("seed", "step"),
    known="known",
)  # fmt: skip
# looks at the validation sessions; sharpe: annualised; best: the policy was kept
RL_LOOKS = table(
    "rl_looks",
    integers("seed", "step"),
    doubles("sharpe", "dsr"),
    flags("best"),
    dates("known"),
    key=("seed", "step"),
    known="known",
)
# constant settings tried; use: start (on train: training begins at the best), search (on train and
# validation: the best is what the gate calls fixed) or spread (on validation: N and V of its DSR);
# sharpe: a session
RL_SEARCH = table(
    "rl_search",
    strings("use"),
    integers("number"),
    _TURNED,
    doubles("sharpe"),
    flags("best"),
    dates("known"),
    key=("use", "number"),
    known="known",
)
# books of the test: rl (a row a seed and day), fixed, start (where training began), no_rl (the
# run's constants), random, rule, no_tilt; decimal of NAV
RL_BOOKS = table(
    "rl_books",
    strings("book"),
    integers("seed"),
    dates("date"),
    doubles("ret", "rf", "cost", "turnover"),
    key=("book", "seed", "date"),
)
# what they turned the knobs to, what the decision led to (parts of the reward, in its unit), and
# the limits that gave way
RL_KNOBS = table(
    "rl_knobs",
    strings("book"),
    integers("seed"),
    dates("date"),
    _TURNED,
    doubles("gain", "cost", "drawdown", "volatility"),
    strings("relaxed"),
    dates("known"),
    key=("book", "seed", "date"),
    known="known",
)
# the gate: the mean of the seeds' returns (seed -1) and each seed against fixed: rl.gate.Judged
RL_GATE = table(
    "rl_gate",
    strings("book"),
    integers("seed"),
    strings("period"),
    dates("start", "end"),
    doubles(
        "sharpe", "fixed_sharpe", "dsr", "fixed_dsr", "difference", "low", "high", "detectable",
    ),
    integers("n_obs"),
    flags("passes"),
    strings("verdict"),
    key=("book", "seed", "period"),
    known=SUMMARY,
)  # fmt: skip
# what a decision of the policies did to bounds and limits, over the test: share of decisions with
# the knob within 0.1 % of an end of its range, and out of bounds (none)
RL_SAFETY = table(
    "rl_safety",
    strings("knob"),
    integers("decisions"),
    doubles("outside", "hit_low", "hit_high"),
    key=("knob",),
    known=SUMMARY,
)
# the optimizer alone, every wish filled; `decisions` are those of the real book
IDEAL_SOLVES = replace(SOLVES, name="ideal_solves")
IDEAL_BINDINGS = replace(BINDINGS, name="ideal_bindings")
DECISIONS = replace(TARGETS, name="decisions")
WEIGHTS = table("weights", dates("date"), strings("symbol"), doubles("weight"), key=DAY)
# shares: raw, signed; price: raw; notional, cost, fee: money; reason: why not filled in full
FILLS = table(
    "fills",
    dates("date"),
    strings("symbol"),
    doubles("ordered", "shares", "price", "notional", "cost", "fee"),
    strings("reason"),
    key=DAY,
)
# one row for each child order: slot is the interval in which it ends; rate the own share of the
# market's volume while it was live; spread, impact, fee in money; reason: why less was traded
CHILDREN = table(
    "children",
    dates("date"),
    strings("symbol"),
    integers("child", "slot"),
    doubles("ordered", "shares", "price", "rate", "spread", "impact", "fee"),
    strings("reason"),
    key=("date", "symbol", "child"),
)
# what an order of the replay cost: size is the value traded over NAV, shortfall against the open
SHORTFALL = table(
    "shortfall",
    dates("date"),
    strings("symbol", "style"),
    doubles("size", "shortfall_bp"),
    integers("bucket", "vol_bucket"),
    key=DAY,
)
# the specification's schema: what the optimizer reads; bucket 0 is the least liquid
LAMBDA_PARAMS = table(
    "lambda_params",
    dates("asof_date"),
    [pa.field("bucket_id", pa.int8())],
    floats("lambda1_bp", "lambda2", "adv_edge_low", "adv_edge_high"),
    key=("asof_date", "bucket_id"),
    known="asof_date",
)
# where they come from: raw = before signs and order were imposed, with standard errors by session;
# pool is the first bucket of those fitted together, sizes the range in which the fit holds
COST_FITS = table(
    "cost_fits",
    dates("asof_date"),
    integers("bucket_id"),
    strings("style"),
    doubles("raw1_bp", "raw2", "se1_bp", "se2"),
    doubles("low1_bp", "high1_bp", "low2", "high2", "size_low", "size_high"),
    integers("orders", "pool"),
    key=("asof_date", "bucket_id"),
    known="asof_date",
)
# implementation shortfall of every order of the book: size over NAV, money at the decision's price,
# parts in bp of the money ordered
TCA_ORDERS = table(
    "tca_orders",
    dates("date"),
    strings("symbol", "side"),
    integers("bucket"),
    doubles("size", "ordered", "filled"),
    doubles("delay", "timing", "spread", "impact", "fee", "opportunity"),
    strings("reason"),
    key=DAY,
)
# the same of the children by hour of the session, from 0; bp of the value traded, timing against
# the open
TCA_HOURS = table(
    "tca_hours",
    integers("hour"),
    doubles("value", "timing", "spread", "impact", "fee"),
    key=("hour",),
    known=SUMMARY,
)
# the book's orders of a day worked by each style, under other assumptions too: bp of the value
# ordered against the open, and the share that was filled
EXEC_STYLES = table(
    "exec_styles",
    dates("date"),
    strings("style", "scenario"),
    doubles("shortfall_bp", "filled"),
    key=("date", "style", "scenario"),
)
# percentage of volume against market on open: the acceptance of the specification, section 3.4
EXEC_GATE = table(
    "exec_gate",
    strings("scenario"),
    doubles("median_pov", "median_moo", "difference", "low", "high"),
    doubles("iqr_pov", "iqr_moo", "iqr_ratio", "ratio_low", "ratio_high"),
    strings("verdict"),
    integers("days"),
    key=("scenario",),
    known=SUMMARY,
)
_REPLAYED = doubles(
    "ann_return", "ann_vol", "sharpe", "cost_bp", "turnover", "filled", "cash"
)  # cost: bp of NAV a year
# the recorded decisions with more or less money, and acted upon every so many sessions only
CAPACITY = table("capacity", doubles("nav"), _REPLAYED, key=("nav",), known=SUMMARY)
PACE = table("pace", integers("every"), _REPLAYED, key=("every",), known=SUMMARY)
# book: portfolio, benchmark; cost and fee: money a session; turnover: two-way, of NAV before trades
NAV = table(
    "nav",
    strings("book"),
    dates("date"),
    doubles("nav", "cash", "cost", "fee", "turnover", "rf"),
    integers("n_held"),
    key=("book", "date"),
)

INSTRUMENTS = table(
    "instruments",
    strings("symbol"),
    dates("first", "last"),
    key=("symbol",),
    known="first",
    moves=("last",),
)
# the recorded decisions replayed in Qlib: money, and its distance from the ledger in bp of NAV
QLIB_NAV = table("qlib_nav", dates("date"), doubles("nav", "ledger", "apart_bp"), key=("date",))

# -- evaluation -----------------------------------------------------------------------------
METRICS = table(
    "metrics",
    strings("book", "metric", "unit"),
    doubles("value"),
    key=("book", "metric"),
    known=SUMMARY,
)
# rank IC of the score with the realised residual return, by date of the score; end: when known
IC = table("ic", dates("date", "end"), doubles("ic", "rank_ic"), integers("n"), key=("date",),
           known="end")  # fmt: skip
# mean residual return over the horizon, bp, by score quantile (1 = lowest)
QUANTILES = table(
    "quantiles", integers("bucket"), doubles("mean_bp", "se_bp"), key=("bucket",), known=SUMMARY
)
DECAY = table("decay", integers("lag"), doubles("rank_ic"), key=("lag",), known=SUMMARY)
# the signal by year, horizon (of the label, sessions), industry (group_id), size (terciles of the
# universe's trailing daily amount), uncertainty (terciles of the day) and state of the market
# (volatility, trend), each as known at the score's date. ic, rank_ic: mean over the days of the
# correlation within the slice; t: of rank_ic, Newey-West for the overlap of labels; spread_bp: top
# less bottom quintile over the horizon; n_days: days with 10 names or more in the slice
SIGNAL_SLICES = table(
    "signal_slices",
    strings("dimension", "slice"),
    doubles("rank_ic", "ic", "t", "spread_bp"),
    integers("n_days"),
    key=("dimension", "slice"),
    known=SUMMARY,
)
# what alphas promised and what came, by decile of alpha within the day (1 = lowest): means over
# days that have alphas, decimal over the horizon; se: of realised less alpha, Newey-West for the
# overlap; n: name-days
CALIBRATION_CHECK = table(
    "calibration_check",
    integers("decile"),
    doubles("alpha", "realised", "se"),
    integers("n"),
    key=("decile",),
    known=SUMMARY,
)
# what the ledger of trials held when the run was evaluated, the run itself included (own);
# cluster: trials of one number are one idea; sharpe_period: a session
TRIALS = table(
    "trials",
    strings("config_hash", "name"),
    doubles("sharpe_period"),
    integers("n_obs", "cluster"),
    flags("own"),
    key=("config_hash",),
    known=SUMMARY,
)
# difference of annualised Sharpe ratios, book less other, with its Ledoit-Wolf (2008) interval;
# detectable: smallest true difference that the test finds with power 0.8
COMPARISONS = table(
    "comparisons",
    strings("book", "other"),
    doubles("difference", "se", "low", "high", "p_value", "detectable"),
    integers("n_obs"),
    strings("verdict"),
    key=("book", "other"),
    known=SUMMARY,
)
# what the book would have earned had `rate` of the names a year been delisted with the return
# `loss` (decimal) beside those that the data knows; hazard: which names it strikes; active: ann.
# return over the benchmark's, which is struck too; low and high: 5 and 95 % of the draws;
# break_even: rate at which the active return is nil, null where no rate takes it
SURVIVORSHIP = table(
    "survivorship",
    strings("hazard"),
    doubles("rate", "loss"),
    doubles("ann_return", "ann_return_low", "ann_return_high"),
    doubles("active", "active_low", "active_high"),
    doubles("sharpe", "sharpe_low", "sharpe_high"),
    doubles("break_even"),
    key=("hazard", "rate", "loss"),
    known=SUMMARY,
)

# forecasts w'Sigma w of the variance of a portfolio over the horizon, decimal
RISK_FORECASTS = table(
    "risk_forecasts",
    dates("date"),
    strings("kind", "portfolio", "model"),
    doubles("predicted"),
    key=("date", "portfolio", "model"),
)
# what came after the forecast of `date`, up to `end`, at constant weights, decimal; realised: sum
# of squared daily returns; gain: sum of daily returns
RISK_OUTCOMES = table(
    "risk_outcomes",
    dates("date", "end"),
    strings("portfolio"),
    doubles("realised", "gain"),
    key=("date", "portfolio"),
    known="end",
)
# their scores; predicted, realised: annual volatility; bias: mean over portfolios of the standard
# deviation of gain / predicted volatility, with the 95 % band of one portfolio; inside: share of
# portfolios in their band; dm_t below 0 and verdict: the optimizer's model against this one;
# p_value: by Holm
RISK_SCORES = table(
    "risk_scores",
    strings("kind", "model"),
    integers("portfolios", "windows"),
    doubles("predicted", "realised", "qlike", "bias", "bias_low", "bias_high", "inside"),
    doubles("dm_t", "p_value"),
    strings("verdict"),
    key=("kind", "model"),
    known=SUMMARY,
)

# -- audit ----------------------------------------------------------------------------------
# one row for each table replayed without the future, `step` in the order of the stages; same:
# every value known at `cut` agrees; the first that does not is named by symbol, day and column
AUDIT = table(
    "audit",
    dates("cut"),
    strings("how"),
    integers("step"),
    strings("stage", "table"),
    integers("rows", "values"),
    flags("same"),
    strings("column", "symbol"),
    dates("day"),
    strings("whole", "replayed"),
    key=("cut", "how", "step"),
    known=SUMMARY,
)

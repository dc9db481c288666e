"""From indices to states: what every node is likely to be in, reconciled, and mapped to limits.

The order of the story: filtered probabilities of the two Markov models, the parent's where a node
is too thin to have any; smoothed, faster after a break; projected towards the parent from the top
down; the systemic state of all; the forecast of flips; tilts, caps and the volatility target.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core import tables
from quant.core.progress import Tick, silent
from quant.core.types import Codes, Frame, Mask, Matrix, Vector
from quant.model1 import bocpd, dcc, features, forecaster, fusion, hmm, mapping
from quant.model1.features import LEVELS, Panel

# the models' order of states; tables name them
TREND = ("p_trend_bear", "p_trend_sideways", "p_trend_bull")
VOL = ("p_vol_calm", "p_vol_turbulent", "p_vol_crisis")
MADE = (
    tables.STATES, tables.REGIME, tables.PARENT_STATES, tables.OVERRIDES, tables.BREAKS,
    tables.INDICES, tables.HMM_FITS, tables.FLIP_FITS,
)  # fmt: skip


@dataclass(frozen=True)
class Spec:
    """Everything that decides the states; specification §2.3, readings 26 to 32.

    cap, cap_short : the optimizer's caps of a group, fractions of NAV
    seeds          : of the random starts of the trend and the volatility model
    hazard         : of a change a session; break_at : probability of a young run that is a break
    window         : sessions of the correlation model
    systemic_at    : percentile ranks in [0, 1] of mean correlation and first eigenvalue
    half_lives     : fast and slow, sessions
    kappa          : bp; widen : fraction of NAV; tighten : factor
    targets        : floor and base of the volatility target, annualised
    crisis_weights : weight of the floor where no crisis is likely, and where it is certain
    flip_model     : logistic or xgboost; embargo, flip_every : sessions;
                     flip_rows : least number of known flips that it learns from
    least          : members, history : sessions, below which the parent's states are taken
    """

    cap: float
    cap_short: float = 0.0
    seeds: tuple[int, int] = (42, 42)
    hazard: float = 1 / 90
    break_at: float = 0.7
    window: int = 252
    systemic_at: tuple[float, float] = (0.8, 0.8)
    half_lives: tuple[float, float] = (3.0, 12.0)
    kappa: float = 10.0
    widen: float = 0.0
    tighten: float = 0.5
    targets: tuple[float, float] = (0.08, 0.12)
    crisis_weights: tuple[float, float] = (0.0, 1.0)
    flip_model: str = "logistic"
    embargo: int = 10
    flip_every: int = 63
    flip_rows: int = 500
    least: int = 5
    history: int = 252


@dataclass(frozen=True)
class Detected:
    """What the models of single streams say, (n_days, n_nodes) and more.

    trend, vol : (n_days, n_nodes, 3) filtered, NaN where a node has no model of its own
    young      : stream -> probability of a run of less than five sessions
    run        : stream -> most likely sessions since the last change
    """

    trend: hmm.Walked
    vol: hmm.Walked
    young: Mapping[str, Matrix]
    run: Mapping[str, Codes]


def detect(panel: Panel, spec: Spec, tick: Tick) -> Detected:
    """Run the Markov models and the change detectors over every node."""
    refits = features.weekly(panel.dates)
    streams = {
        "vol": features.log_volatility(panel.returns),
        "slope": features.slope(panel.returns),
    }
    kinds = {"mean": streams["slope"], "variance": panel.returns}
    walked = {}
    for number, (order, stream) in enumerate(kinds.items()):
        walked[order] = hmm.walk(
            stream, refits, order=order, names=panel.tree.names, seed=spec.seeds[number],
            min_obs=spec.history,
        )  # fmt: skip
        tick(number + 1, 4)
    young, run = {}, {}
    for name, stream in streams.items():
        prior, begin = bocpd.priors_from(stream, spec.history)
        seen = bocpd.monitor(stream, spec.hazard, prior, begin)
        # runs are young at first because they are all there is
        settled = np.arange(len(stream))[:, None] >= begin + bocpd.SHORT
        young[name], run[name] = np.where(settled, seen.p_short, 0.0), seen.run
    tick(3, 4)
    return Detected(walked["mean"], walked["variance"], young, run)


def inherited(p: Matrix, thin: Mask, parent: Codes) -> Matrix:
    """Probabilities with the parent's where a node is thin; equal ones for a thin market."""
    p = p.copy()
    for node, above in enumerate(parent):
        other = p[:, above] if above >= 0 else np.full(p.shape[2], 1 / p.shape[2])
        p[:, node] = np.where(thin[:, [node]], other, p[:, node])
    return p


@dataclass(frozen=True)
class Fused:
    """Final probabilities, multiples of 2^-24, (n_days, n_nodes, 3); `kept` flags overrides."""

    trend: Matrix
    vol: Matrix
    kept: Mask


def fuse(panel: Panel, found: Detected, spec: Spec) -> Fused:
    """Smooth and reconcile, from the market down."""
    parent = panel.tree.parent
    small = panel.members < spec.least
    breaks = np.logical_or.reduce([p > spec.break_at for p in found.young.values()])
    breaks &= panel.seen
    fast = fusion.switched(breaks, parent)
    final, kept = {}, np.zeros(small.shape, dtype=bool)
    for kind, walked in (("trend", found.trend), ("vol", found.vol)):
        thin = small | np.isnan(walked.probabilities).any(axis=2)
        raw = inherited(walked.probabilities, thin, parent)
        smooth = fusion.smooth(raw, fast, spec.half_lives[1], spec.half_lives[0])
        for node in np.flatnonzero(parent >= 0):
            above = smooth[:, parent[node]]
            if kind == "vol":
                near, flag = fusion.reconcile_risk(smooth[:, node], above)
                kept[:, node] = flag & ~thin[:, node]
            else:
                near = fusion.reconcile(smooth[:, node], above)
            smooth[:, node] = np.where(thin[:, [node]], above, near)
        final[kind] = fusion.quantise(smooth).astype(np.float64)
    return Fused(final["trend"], final["vol"], kept)


def systemic(panel: Panel, spec: Spec) -> tuple[Frame, Mapping[str, float]]:
    """REGIME without what the states add, and the counts of the correlation model."""
    sectors = panel.tree.of_level("sector")
    # a classification has sectors where it had them on its first day
    begun = panel.members[int(np.argmax(panel.members[:, 0] > 0))]
    nodes = sectors if begun[sectors].any() else panel.tree.leaves
    made = dcc.walk(
        np.log1p(panel.returns[:, nodes]), features.weekly(panel.dates), spec.window,
        panel.seen[:, nodes],
    )  # fmt: skip
    risk = dcc.systemic(made.mean_corr, made.eig1, spec.systemic_at)
    frame = pd.DataFrame(
        {
            "date": panel.dates.astype("datetime64[ns]"),
            "mean_corr": made.mean_corr,
            "eig1": made.eig1,
            "rank_corr": risk.rank_corr,
            "rank_eig1": risk.rank_eig1,
            "p_systemic": risk.p,
        }
    )
    return frame, made.counts


def flips(
    panel: Panel, fused: Fused, found: Detected, p_systemic: Vector, spec: Spec, seed: int
) -> tuple[Matrix, Frame]:
    """(n_days, n_leaves) probability that the likeliest trend is another in ten sessions."""
    leaves = panel.tree.leaves
    trend, above = fused.trend[:, leaves], fused.trend[:, panel.tree.parent[leaves]]
    x = forecaster.features(
        trend, fused.vol[:, leaves], above, p_systemic,
        found.young["vol"][:, leaves], found.young["slope"][:, leaves],
    )  # fmt: skip
    known = (panel.members[:, leaves] > 0)[..., None]
    truth = forecaster.flips(np.where(known, trend, np.nan))
    start = int(np.argmax(panel.members[:, 0] > 0))
    refits = np.arange(start + spec.flip_every, panel.dates.size, spec.flip_every)
    made = forecaster.walk(
        x, truth, refits, embargo=spec.embargo, min_rows=spec.flip_rows, model=spec.flip_model,
        seed=seed,
    )  # fmt: skip
    fits = made.refits.assign(date=panel.dates[made.refits["row"]].astype("datetime64[ns]"))
    return made.p_flip, fits[tables.FLIP_FITS.schema.names]


def run(
    panel: Panel, membership: Frame, spec: Spec, seed: int, tick: Tick = silent
) -> tuple[Mapping[str, Frame], Mapping[str, float]]:
    """Every table of the stage, and counts for its log."""
    found = detect(panel, spec, tick)
    fused = fuse(panel, found, spec)
    regime, counts = systemic(panel, spec)
    shared = fusion.quantise(np.stack([1 - regime["p_systemic"], regime["p_systemic"]], axis=1))
    p_systemic = shared[:, 1].astype(np.float64)
    p_flip, fits = flips(panel, fused, found, p_systemic, spec, seed)
    leaves, present = panel.tree.leaves, panel.members[:, panel.tree.leaves] > 0
    crisis = fused.vol[:, :, 2]
    number = present.sum(axis=1)
    mean = np.where(present, crisis[:, leaves], 0.0).sum(axis=1) / np.maximum(number, 1)
    regime = regime.assign(
        p_systemic=p_systemic,
        p_crisis=mean,
        vol_target=mapping.vol_target(mean, spec.targets[1], spec.targets[0], spec.crisis_weights),
    )
    made = {
        "states": _states(panel, fused, shared, p_flip, present, spec),
        "regime": regime,
        "parent_states": _parents(panel, fused),
        "overrides": _overrides(panel, fused),
        "breaks": _breaks(panel, found, spec),
        "indices": _indices(panel),
        "hmm_fits": pd.concat([_fits(panel, found.trend, "trend"), _fits(panel, found.vol, "vol")]),
        "flip_fits": fits,
    }
    counts = {
        "nodes": panel.tree.names.size,
        "overrides": len(made["overrides"]),
        "breaks": len(made["breaks"]),
        **counts,
    }
    return made, counts


def empty() -> dict[str, Frame]:
    """Every table of the stage without a row."""
    return {t.name: pd.DataFrame(columns=t.schema.names) for t in MADE}


def _long(panel: Panel, nodes: Codes, keep: Mask, name: str, **columns: Matrix) -> Frame:
    """Rows where `keep` (n_days, n_nodes of `nodes`) is true, by date and node."""
    day, node = np.nonzero(keep)
    head = {
        "date": panel.dates[day].astype("datetime64[ns]"),
        name: panel.tree.names[nodes][node],
    }
    return pd.DataFrame(head | {key: value[day, node] for key, value in columns.items()})


def _named(p: Matrix, names: tuple[str, ...]) -> dict[str, Matrix]:
    return {name: p[..., i].astype(np.float32) for i, name in enumerate(names)}


def _states(
    panel: Panel, fused: Fused, shared: Matrix, p_flip: Matrix, present: Mask, spec: Spec
) -> Frame:
    tree, leaves = panel.tree, panel.tree.leaves
    sector = tree.level[tree.parent[leaves]] == LEVELS.index("sector")
    # caps act on the exposure group: the sector where there are any
    group = np.where(sector, tree.parent[leaves], leaves)
    p_systemic = shared[:, 1].astype(np.float64)[:, None]
    cap = [
        mapping.caps(
            np.full(present.shape, value), p_systemic, fused.vol[:, group, 2], spec.tighten, widen
        )
        for value, widen in ((spec.cap, spec.widen), (spec.cap_short, 0.0))
    ]
    ones = np.ones(present.shape, dtype=np.float32)
    return _long(
        panel, leaves, present, "industry_id",
        **_named(fused.trend[:, leaves], TREND),
        **_named(fused.vol[:, leaves], VOL),
        p_sys_diversifying=shared[:, :1] * ones,
        p_sys_systemic=shared[:, 1:] * ones,
        p_flip_10d=p_flip.astype(np.float32),
        tilt_bp=mapping.tilt_bp(fused.trend[:, leaves], spec.kappa).astype(np.float32),
        cap_long=cap[0].astype(np.float32),
        cap_short=cap[1].astype(np.float32),
    )  # fmt: skip


def _parents(panel: Panel, fused: Fused) -> Frame:
    nodes = np.flatnonzero(panel.tree.level < LEVELS.index("industry"))
    made = _long(
        panel, nodes, panel.members[:, nodes] > 0, "node_id",
        **_named(fused.trend[:, nodes], TREND), **_named(fused.vol[:, nodes], VOL),
    )  # fmt: skip
    return made.assign(level=_level(panel, made))


def _level(panel: Panel, made: Frame) -> np.ndarray:
    number = panel.tree.level[pd.Index(panel.tree.names).get_indexer(made["node_id"])]
    return np.array(LEVELS, dtype=object)[number]


def _overrides(panel: Panel, fused: Fused) -> Frame:
    parent = np.maximum(panel.tree.parent, 0)
    crisis = fused.vol[:, :, 2]
    return _long(
        panel, np.arange(parent.size), fused.kept & (panel.members > 0), "node_id",
        p_vol_crisis=crisis.astype(np.float32), parent=crisis[:, parent].astype(np.float32),
    )  # fmt: skip


def _breaks(panel: Panel, found: Detected, spec: Spec) -> Frame:
    nodes = np.arange(panel.tree.names.size)
    parts = [
        _long(
            panel, nodes, (young > spec.break_at) & (panel.members > 0), "node_id",
            p_short=young, run=found.run[name].astype(np.int64),
        ).assign(stream=name)
        for name, young in found.young.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _indices(panel: Panel) -> Frame:
    nodes = np.arange(panel.tree.names.size)
    made = _long(panel, nodes, panel.seen, "node_id", ret=panel.returns, members=panel.members)
    return made.assign(level=_level(panel, made))


def _fits(panel: Panel, walked: hmm.Walked, kind: str) -> Frame:
    """HMM_FITS rows: parameters in the stream's own units."""
    refit, node = np.nonzero(np.isfinite(walked.loglik) & panel.seen[walked.refits])
    made = {
        "date": panel.dates[walked.refits[refit]].astype("datetime64[ns]"),
        "node_id": panel.tree.names[node],
        "kind": kind,
        "loglik": walked.loglik[refit, node],
    }
    for i in range(3):
        made[f"mean_{i + 1}"] = walked.mean[refit, node, i]
        made[f"sd_{i + 1}"] = np.sqrt(walked.variance[refit, node, i])
        made[f"stay_{i + 1}"] = walked.transition[refit, node, i, i]
    return pd.DataFrame(made)

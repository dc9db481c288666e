"""What each family of features adds: the chosen models with it and without it, on purged blocks.

Every split holds one block of time out, trains on the others less what overlaps (and an embargo),
and is asked for the block's order of returns. Differences are paired by block. Only labels known
at the first refit are used, so that nothing of the backtest, or of a hold-out, is looked at.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from quant.core.progress import Tick, silent
from quant.core.types import Frame, Mask, Matrix, Vector
from quant.evaluation import signal
from quant.model2 import scores
from quant.model2.crossval import CpcvSpec, Sample, predictions
from quant.model2.importance import OTHER
from quant.model2.train import TrainSpec

STATISTICS = ("rank_ic", "icir", "spread_bp")
COLUMNS = ("family", "statistic", "n_features", "whole", "without", "difference", "se", "blocks")
TREES = ("lightgbm", "xgboost")


def cheap(train: TrainSpec, chosen: Iterable[str], rounds: int) -> TrainSpec | None:
    """The chosen models made cheap: one kind of trees, few rounds, one horizon, fewer days.

    Every tree may use every feature: a draw of features would be luck that all differences share.
    None where all are rules, which learn nothing and can not do without their feature.
    """
    chosen = set(chosen)
    trees = [name for name in TREES if name in chosen][:1]
    models = (*(["ridge"] if "ridge" in chosen else []), *trees) or tuple(chosen & {"mlp"})
    if not models:
        return None
    return replace(
        train,
        models=models,
        horizons=(train.horizon,),
        draws=1,
        # labels of days half a horizon apart overlap by half
        row_step=max(train.row_step, train.horizon // 2),
        lightgbm=replace(train.lightgbm.quick(rounds), feature_fraction=1.0),
        xgboost=replace(train.xgboost.quick(rounds), feature_fraction=1.0),
    )


def ablate(
    sample: Sample,
    train: TrainSpec,
    spec: CpcvSpec,
    families: Mapping[str, str],
    seed: int,
    tick: Tick = silent,
) -> Frame:
    """ABLATION rows: for every family and statistic the score with it, without it, and the change.

    sample   : of splits that test one block each
    families : feature -> its family
    Returns  : no rows where all features are of one family
    """
    family = np.array([families.get(name, OTHER) for name in sample.names])
    known = sorted(set(family))
    if len(known) < 2:
        return pd.DataFrame(columns=COLUMNS)
    whole = _quality(sample, train, spec, seed)
    tick(1, len(known) + 1)
    records = []
    for number, name in enumerate(known):
        left = _quality(_kept(sample, family != name), train, spec, seed)
        records += list(_compared(name, int((family == name).sum()), whole, left))
        tick(number + 2, len(known) + 1)
    return pd.DataFrame(records, columns=COLUMNS)


def _kept(sample: Sample, use: Mask) -> Sample:
    """The sample with the features `use` alone; a row's ranks do not depend on the others."""
    names = tuple(name for name, kept in zip(sample.names, use, strict=True) if kept)
    x = np.ascontiguousarray(sample.data.x[:, use])
    return replace(sample, names=names, data=replace(sample.data, x=x))


def _quality(sample: Sample, train: TrainSpec, spec: CpcvSpec, seed: int) -> Matrix:
    """STATISTICS of the ensemble on each block, (n_blocks, n_statistics)."""
    found = []
    for made in predictions(sample, train, range(len(sample.parts)), seed):
        score, _ = scores.ensemble(list(made.values), made.values.values(), made.starts)
        ic = signal.ic(made.day, score, made.raw)["rank_ic"].to_numpy()
        daily = signal.quantile_returns(made.day, score, made.raw, spec.quantiles)["spread"]
        mean, spread = _mean(ic), _mean(daily.to_numpy())
        found.append((mean, mean / _deviation(ic), 1e4 * spread))
    return np.array(found)


def _mean(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def _deviation(values: Vector) -> float:
    known = values[np.isfinite(values)]
    spread = float(known.std(ddof=1)) if known.size > 1 else 0.0
    return spread if spread > 0 else np.nan


def _compared(family: str, size: int, whole: Matrix, left: Matrix) -> Iterator[dict]:
    """One row a statistic; the standard error is that of the mean of paired differences."""
    for column, statistic in enumerate(STATISTICS):
        both = np.isfinite(whole[:, column]) & np.isfinite(left[:, column])
        a, b = whole[both, column], left[both, column]
        apart = a - b
        se = apart.std(ddof=1) / np.sqrt(apart.size) if apart.size > 1 else np.nan
        values = (_mean(a), _mean(b), _mean(apart), se, apart.size)
        yield dict(zip(COLUMNS, (family, statistic, size, *values), strict=True))

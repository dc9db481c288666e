"""A logged ensemble loaded and scored again, and compared with the run that it is of.

On the tables of its run it must return that run's ALPHA table to the last bit. On longer data the
sessions of the run are compared and later ones scored by its last refit, which has not seen them:
so a frozen model is used on a new day. It decides nothing, so it is no part of `e2e`.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant import tracking
from quant.core import tables
from quant.core.errors import ConfigError, DataError
from quant.core.store import digest_file
from quant.core.types import Frame
from quant.model2 import saved
from quant.stages import ensemble
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

VALUES = ("score", "uncertainty", "alpha")
# another processor may add in another order; alpha follows ranks, which such a bit can swap
ELSEWHERE = {"score": 1e-9, "uncertainty": 1e-9, "alpha": np.inf}


@cache
def _fetched(uri: str, store: str) -> Path:
    return tracking.fetch(uri, store)


def folder(config: "Config") -> Path:
    """Where the model of `model=` lies."""
    return _fetched(str(config.model), config.tracking.uri)


def external(config: "Config") -> str:
    """Digest of the model: its record holds those of its files."""
    return digest_file(saved.find(folder(config)) / saved.RECORD)


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Score every session from the first refit on, and compare."""
    one = saved.load(saved.find(c.private))
    if one.record["region"] != c.region:
        raise ConfigError(
            f"the model is of region={one.record['region']}, the data of region={c.region}; "
            "score it with the settings of its own run."
        )
    features = f["features"]
    longer = bool(features["date"].max() > pd.Timestamp(one.last))
    require_data(one, {t.name: f.digest(t.name) for t in ensemble.DATA}, longer)
    then = one.alpha()
    require_rows(then, features, longer)
    scored = predicted(one, tracking.predictor(c.private) or one, features, f["membership"])
    new = scored["date"] > pd.Timestamp(one.last)
    apart = difference(then, scored)
    require_same(apart, one.record["made"] == ensemble.here())
    c.metrics["score.rows"] = float(len(scored))
    c.metrics["score.new_rows"] = float(new.sum())
    c.metrics.update({f"score.largest_difference.{k}": v for k, v in apart.items()})
    return {"scored": scored}


def predicted(one: saved.Ensemble, model: Any, features: Frame, membership: Frame) -> Frame:
    """SCORED table: what the model says of all sessions from its first refit on, refit by refit.

    model : what predicts, as it was loaded
    """
    day = features["date"].to_numpy().astype("datetime64[D]")
    edges = np.unique(np.r_[np.searchsorted(day, one.starts), day.size])
    parts = [
        model.predict(ensemble.industries(features.iloc[begin:stop], membership))
        for begin, stop in zip(edges[:-1], edges[1:], strict=True)
    ]
    if not parts:
        raise DataError(
            f"the features end on {day.max()}, before the model's first refit on {one.starts[0]}; "
            "give it the data of its run, or later ones."
        )
    return pd.concat(parts, ignore_index=True)


def require_data(one: saved.Ensemble, data: Mapping[str, str], longer: bool) -> None:
    """Raise DataError where a table is not that of the model's run.

    longer : there are later sessions, so that the tables can not be the same; then what the model
             says of the old sessions must be
    """
    other = [name for name, digest in one.record["data"].items() if data[name] != digest]
    if other and not longer:
        raise DataError(
            f"the model was made from other data: table {', '.join(other)} has another digest; "
            "score it with the settings and data of its run."
        )


def require_rows(then: Frame, features: Frame, longer: bool) -> None:
    """Raise DataError where the sessions of the run do not have the rows that they had then.

    then   : ALPHA table of the run
    longer : the data may begin later than it, too; but without a session of it there is nothing
             that says that data and code are those that the model knows
    """
    day, keys = features["date"], list(saved.KEY)
    first, last = then["date"].min(), then["date"].max()
    now = features.loc[(day >= first) & (day <= last), keys]
    if longer:
        then = then[then["date"] >= day.min()]
    if then.empty:
        raise DataError(
            f"the data begin on {day.min():%Y-%m-%d}, after the last session of the model's run, "
            f"{last:%Y-%m-%d}, so that nothing can be compared with it; give data that reach back "
            "into the run."
        )
    both = then[keys].merge(now, how="outer", indicator=True)
    lone = both[both["_merge"] != "both"]
    if len(lone):
        row = lone.sort_values(keys).iloc[0]
        where = "the run" if row["_merge"] == "left_only" else "these data"
        raise DataError(
            f"the past is another: {len(lone)} rows stand in one of the run and these data only; "
            f"{row['symbol']} on {row['date']:%Y-%m-%d} in {where}. Score it with the data of its "
            "run, or longer ones that agree with them."
        )


def difference(then: Frame, scored: Frame) -> dict[str, float]:
    """Largest distance of every column on the sessions of the run; infinite where only one is NaN.

    then : ALPHA table of the run; scored : SCORED table
    """
    both = then.merge(scored, on=list(saved.KEY), suffixes=("", "_now"))
    apart = {}
    for name in (n for n in VALUES if n in then):
        old, now = both[name].to_numpy(), both[f"{name}_now"].to_numpy()
        gap = np.where(np.isnan(old) & np.isnan(now), 0.0, np.abs(old - now))
        apart[name] = float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0))
    return apart


def require_same(apart: Mapping[str, float], same_place: bool) -> None:
    """Raise DataError where the scores differ by more than they may."""
    for name, value in apart.items():
        most = 0.0 if same_place else ELSEWHERE[name]
        # a gap on one side alone is no matter of rounding
        if value > most or np.isinf(value):
            where = "on the machine and packages it was made with" if same_place else "elsewhere"
            raise DataError(
                f"scored again, {name} differs from the run by up to {value:.3g}; {where} at most "
                f"{most:g} is allowed: the model, the features or the code is not that of the run."
            )


STAGE = Stage(
    "score",
    needs=(*ensemble.DATA,),
    makes=(tables.SCORED,),
    settings=lambda c: {},
    run=run,
    private=folder,
    external=external,
    module=__name__,
)

"""The verdict: the controller against the best constant setting, period by period of the test."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.core import logs, tables
from quant.core.seeds import generator
from quant.core.types import Frame, Vector
from quant.evaluation.clusters import variance
from quant.rl import gate
from quant.stages import rl
from quant.stages.registry import Context, Inputs, Stage
from quant.stages.rl_eval import FIXED, RL

if TYPE_CHECKING:
    from quant.settings import Config

MEAN = -1  # the seeds' mean


def settings(config: "Config") -> dict[str, Any]:
    """What the verdict is judged by."""
    if not config.rl.enabled:
        return {"enabled": False}
    e = config.evaluation
    return {
        "enabled": True,
        "splits": list(config.rl.splits.test),
        "block": e.block,
        "draws": e.bootstrap,
        "periods": config.region.periods,
    }


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """One row a period for the mean of the seeds, and one a seed; none without a controller."""
    books = f["rl_books"]
    if not s["enabled"] or not len(books):
        return rl.empties(tables.RL_GATE)
    search = f["rl_search"]
    tried = search.loc[search["use"] == "spread", "sharpe"].to_numpy(np.float64)
    n, v = tried.size, variance(tried)
    fixed = books[books["book"] == FIXED].set_index("date")
    own = books[books["book"] == RL].assign(excess=lambda b: b["ret"] - b["rf"])
    by_seed = own.pivot(index="date", columns="seed", values="excess")
    other = (fixed["ret"] - fixed["rf"]).reindex(by_seed.index)
    rows, means, whole = [], [], 0
    for period in s["splits"]:
        start, _, end = period.partition("/")
        inside = by_seed.loc[start:end].index
        if len(inside) < rl.LEAST:
            continue
        whole += bool(pd.Timestamp(end) - inside[-1] <= pd.Timedelta(days=10))
        series = {MEAN: by_seed.loc[inside].mean(axis=1), **dict(by_seed.loc[inside].items())}
        for seed, one in series.items():
            rng = generator(c.seed, "rl", "gate", period, str(seed))
            found = gate.judged(
                _values(one), _values(other.loc[inside]), s["periods"], n, v, s["block"],
                s["draws"], rng,
            )  # fmt: skip
            if seed == MEAN:
                means.append(found)
            rows.append(
                {
                    "book": RL, "seed": int(seed), "period": period, "start": inside[0],
                    "end": inside[-1], **vars(found),
                }
            )  # fmt: skip
    passes, verdict = gate.overall(means)
    if whole < len(s["splits"]):  # a test that has not been sat can not be passed
        passes, verdict = False, f"{verdict} ({len(s['splits']) - whole} periods not over yet)"
    c.metrics["rl.gate_passes"] = float(passes)
    logs.event(f"rl_gate: {verdict}; the literal rule {'holds' if passes else 'does not hold'}")
    return {"rl_gate": pd.DataFrame(rows)[tables.RL_GATE.schema.names]}


def _values(series: pd.Series) -> Vector:
    return series.to_numpy(np.float64)


STAGE = Stage(
    "rl_gate",
    needs=(tables.RL_BOOKS, tables.RL_SEARCH),
    makes=(tables.RL_GATE,),
    settings=settings,
    run=run,
    module=__name__,
)

"""What the jobs of a sweep that ends with the models leave, and the page that compares them.

Such jobs have no backtest: they are compared by purged cross-validation on labels alone, within a
market.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quant.core.store import full_disk
from quant.core.types import Frame
from quant.evaluation import clusters, metrics
from quant.evaluation.metrics import Shape
from quant.governance import holdout, trials
from quant.reporting.holdout import Holdout
from quant.reporting.tune import TuneInputs, render
from quant.sweep import PAGES, label, write

RECORD = "choice.json"
Record = Mapping[str, Any]


def leave(folder: Path, record: Record) -> None:
    """Write what a job leaves for the comparison.

    record : job (number), overrides, market, region, config_hash, git_sha, command, simulated,
             models, horizon, seconds, splits, metrics (criterion.of_table), holdout (start, end,
             locked, market, ledger), trials (ledger), reports
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).write_text(json.dumps(dict(record), indent=1, sort_keys=True))
    except OSError as error:
        raise full_disk(error, folder) from error


def compared(folders: Iterable[Path], stamp: str) -> list[Path]:
    """Write a page for each market on which two jobs or more chose models; return the paths."""
    jobs = [json.loads(p.read_text()) for p in (f / RECORD for f in folders) if p.exists()]
    markets: dict[str, list[Record]] = {}
    for job in jobs:
        markets.setdefault(job["market"], []).append(job)
    groups = [group for group in markets.values() if len(group) > 1]
    pages = []
    for group in groups:
        name = stamp if len(groups) == 1 else f"{stamp}-{group[0]['region']}-{group[0]['market']}"
        folder = Path(group[0]["reports"]) / PAGES
        pages.append(write(render(inputs(group)), folder, name))
    return pages


def inputs(jobs: Sequence[Record]) -> TuneInputs:
    """Everything on the page of jobs on one market."""
    base, names = jobs[0], label([j["overrides"] for j in jobs])
    rows, luck = table(jobs, names)
    best = rows.loc[rows["dsr"].fillna(-1.0).idxmax()]
    own = base["holdout"]
    looks = holdout.status(
        Path(own["ledger"]), own["market"], own["start"], own["end"], own["locked"]
    )
    return TuneInputs(
        title=f"{len(jobs)} jobs compared on labels, {base['region'].upper()} equity",
        region=base["region"],
        git_sha=base["git_sha"],
        config_hash=base["config_hash"],
        command=base["command"],
        simulated=any(j["simulated"] for j in jobs),
        rows=rows,
        override=names[int(best["number"])].replace(", ", " "),
        file="",
        ideas=len({j["config_hash"] for j in jobs}),
        luck=luck,
        horizon=base["horizon"],
        models=tuple(sorted({m for j in jobs for m in j["models"]})),
        holdout=Holdout(**vars(looks)),
        sweep=True,
        ledger=trials.tuned(Path(base["trials"]), base["market"]),
    )


def table(jobs: Sequence[Record], names: Sequence[str]) -> tuple[Frame, float]:
    """TUNING rows, one a job, and the Sharpe ratio that the best shows by luck.

    Jobs of one configuration are one trial.
    """
    rows = []
    for number, (job, name) in enumerate(zip(jobs, names, strict=True)):
        m = job["metrics"]
        known = {j["config_hash"]: j["metrics"]["sharpe"] for j in jobs[: number + 1]}
        every = {j["config_hash"]: j["metrics"]["sharpe"] for j in jobs}
        seen = Shape(m["sharpe"], int(m["periods"])) if np.isfinite(m["sharpe"]) else None
        dsr = _deflated(seen, every)
        rows.append(
            {
                "number": number,
                "state": "complete",
                "parameters": json.dumps(dict(word.split("=", 1) for word in _words(name))),
                "rank_ic": m["rank_ic"],
                "icir": m["icir"],
                "sharpe": m["sharpe"],
                "periods": int(m["periods"]),
                "score": metrics.score(seen) if seen else np.nan,
                "psr": m["psr"],
                "dsr_then": _deflated(seen, known),
                "dsr": dsr,
                "dsr_each": dsr,
                "idea": list(every).index(job["config_hash"]) + 1,
                "seconds": job["seconds"],
                "splits": job["splits"],
            }
        )
    return pd.DataFrame(rows), metrics.expected_max_sharpe(len(every), _variance(every))


def _words(name: str) -> list[str]:
    return [word if "=" in word else f"job={word}" for word in name.split(", ")]


def _variance(sharpes: Mapping[str, float]) -> float:
    return clusters.variance(np.array(list(sharpes.values())))


def _deflated(seen: Shape | None, sharpes: Mapping[str, float]) -> float:
    return metrics.dsr(seen, len(sharpes), _variance(sharpes)) if seen else np.nan

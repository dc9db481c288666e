"""What the jobs of a sweep leave, and the page that compares them: every job with the first one.

Jobs are compared within a market: the difference of Sharpe ratios needs the same days.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quant.core import logs
from quant.core.errors import ConfigError, StoreError
from quant.core.seeds import generator
from quant.core.store import full_disk
from quant.core.tables import COMPARISONS
from quant.core.types import Frame
from quant.evaluation import clusters, compare, metrics, overfit
from quant.evaluation.clusters import Trial
from quant.governance import holdout, trials
from quant.reporting.comparison import ComparisonInputs, render
from quant.reporting.formats import count
from quant.reporting.holdout import Holdout
from quant.reporting.write import create

RECORD, RETURNS = "job.json", "returns.parquet"
PAGES = "sweeps"  # folder of the pages, in that of the reports
# portfolio metrics that the page shows
SHOWN = (
    "sharpe", "sharpe_gross", "ann_return", "ann_vol", "max_drawdown", "turnover_ann",
    "cost_bp_ann",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One finished job of a sweep.

    record  : what `leave` wrote: job (number), overrides, market, region, config_hash, name,
              git_sha, command, simulated, report, periods (a year), start (first session), metrics
              (of the portfolio), how to compare (same_idea, block, draws, seed), holdout (start,
              end, read, last_seen, market, ledger), paths (trials, reports)
    returns : date, book, benchmark, rf; decimal a session
    """

    record: Mapping[str, Any]
    returns: Frame

    @cached_property
    def trial(self) -> Trial:
        """The job as a trial."""
        r = self.record
        sharpe = metrics.sharpe(self.returns["book"].to_numpy(), self.returns["rf"].to_numpy())
        return Trial(r["config_hash"], r["name"], sharpe, len(self.returns), self.returns)

    def excess(self, column: str) -> pd.Series:
        """Daily returns of `book` or `benchmark` in excess of cash, by date."""
        daily = self.returns.set_index("date")
        return daily[column] - daily["rf"]


def leave(folder: Path, record: Mapping[str, Any], returns: Frame) -> None:
    """Write what a job leaves for the comparison, see Job; the record last: all is there then."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trials.RETURNS.write(returns, folder / RETURNS)
        (folder / RECORD).write_text(json.dumps(dict(record), indent=1, sort_keys=True))
    except OSError as error:
        raise full_disk(error, folder) from error


def read(folder: Path) -> Job | None:
    """What the job of `folder` left; None where it evaluated nothing."""
    if not (folder / RECORD).exists():
        return None
    try:
        record = json.loads((folder / RECORD).read_text())
        return Job(record, trials.RETURNS.read(folder / RETURNS))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"what the job in {folder} left can not be read ({error}); run the sweep again: "
            "stored results make it quick."
        ) from error


def compared(
    folders: Iterable[Path], stamp: str, failed: int = 0, place: str = PAGES
) -> list[Path]:
    """Write a page for each market on which two jobs or more were evaluated; return the paths.

    folders : of the jobs that finished, in their order; stamp : name of the page
    failed  : jobs that left nothing; place : folder of the pages, in that of the reports
    """
    jobs = [job for job in map(read, folders) if job is not None]
    markets: dict[str, list[Job]] = {}
    for job in jobs:
        markets.setdefault(job.record["market"], []).append(job)
    groups = [group for group in markets.values() if len(group) > 1]
    alone = sum(len(group) == 1 for group in markets.values())
    if len(jobs) > 1 and not groups:
        logs.event("no two jobs of the sweep ran on one market: there is nothing to compare")
    pages = []
    for group in groups:
        base = group[0].record
        name = stamp if len(groups) == 1 else f"{stamp}-{base['region']}-{base['market']}"
        html = render(inputs(group, _left_out(failed, alone)))
        pages.append(write(html, Path(base["reports"]) / place, name))
    return pages


def inputs(jobs: Sequence[Job], notes: tuple[str, ...] = ()) -> ComparisonInputs:
    """Everything on the page of jobs on one market; the first one is the base."""
    base, labels = jobs[0].record, label([j.record["overrides"] for j in jobs])
    distinct = list({j.trial.config_hash: j.trial for j in jobs}.values())
    # what a lock keeps from one job is kept from the page
    last = min((d for j in jobs if (d := j.record["holdout"]["last_seen"])), default=None)
    known = trials.snapshot(Path(base["trials"]), base["market"], "", last=last).others
    every = list({t.config_hash: t for t in [*known, *distinct]}.values())
    luck = clusters.ideas(every, base["same_idea"])
    tested, short = pairs(jobs, labels)
    excess = clusters.excess(distinct).dropna()
    pbo = overfit.pbo(excess.to_numpy())
    return ComparisonInputs(
        title=f"{len(jobs)} jobs compared, {base['region'].upper()} equity",
        region=base["region"],
        git_sha=base["git_sha"],
        command=base["command"],
        periods=base["periods"],
        jobs=pd.DataFrame([_row(j, n, luck) for j, n in zip(jobs, labels, strict=True)]),
        pairs=tested,
        curves={n: _curve(j) for j, n in zip(jobs, labels, strict=True)},
        n_configs=len(distinct),
        n_effective=clusters.ideas(distinct, base["same_idea"]).n,
        pbo=None if np.isnan(pbo) else pbo,
        simulated=any(j.record["simulated"] for j in jobs),
        notes=(*_looked(jobs), *notes, *_notes(jobs, labels, short, len(every), luck.n)),
    )


def label(overrides: Sequence[Sequence[str]]) -> list[str]:
    """Name of each job: the overrides that not all jobs share; unique.

    overrides : of each job, as given on the command line
    """
    shared = set.intersection(*map(set, overrides))
    names = [", ".join(o for o in own if o not in shared) or "as given" for own in overrides]
    twice = Counter(names)
    return [n if twice[n] == 1 else f"{n} (job {k})" for k, n in enumerate(names)]


def pairs(jobs: Sequence[Job], labels: Sequence[str]) -> tuple[Frame, list[str]]:
    """COMPARISONS rows of each job with the base and with its own benchmark.

    Returns also the jobs that share too few sessions with the base.
    """
    base = jobs[0].record
    rows, short = [], []
    for job, name in zip(jobs, labels, strict=True):
        others = {} if job is jobs[0] else {labels[0]: jobs[0].excess("book")}
        others["benchmark"] = job.excess("benchmark")
        for other, series in others.items():
            both = pd.concat([job.excess("book"), series], axis=1, join="inner").to_numpy()
            if not compare.enough(len(both), base["block"]):
                short.append(name)
                continue
            found = compare.sharpe_difference(
                both[:, 0], both[:, 1], base["periods"], base["block"], base["draws"],
                generator(base["seed"], "sweep", name, other),
            )  # fmt: skip
            rows.append({"book": name, "other": other, **asdict(found)})
    return pd.DataFrame(rows, columns=list(COMPARISONS.schema.names)), sorted(set(short))


def deltas(before: Path, after: Path) -> Frame:
    """What a change did to every run of a night, the runs matched by the names of their folders.

    before, after : folders of one night, by the code of either side
    Returns a row each: run, one column a metric of SHOWN for either side (`sharpe_before`,
    `sharpe_after`), and of the difference of Sharpe ratios, after less before: low, high, verdict.
    Raises ConfigError where nothing can be compared.
    """
    sides = [{p.name: job for p in sorted(folder.glob("*")) if (job := read(p)) is not None}
             for folder in (before, after)]  # fmt: skip
    for folder, jobs in zip((before, after), sides, strict=True):
        if not jobs:
            raise ConfigError(
                f"{folder} holds no evaluated run; name the folder of a night, as "
                "outputs/nightly/2019-12-20."
            )
    rows = []
    for name in (n for n in sides[0] if n in sides[1]):
        old, new = (side[name] for side in sides)
        if old.record["market"] != new.record["market"]:
            raise ConfigError(
                f"{name} ran on the market {old.record['market']} before and "
                f"{new.record['market']} after: give both nights the same data."
            )
        tested, _ = pairs([old, new], ["before", "after"])
        own = tested[tested["other"] == "before"]
        told = own.iloc[0] if len(own) else {"low": np.nan, "high": np.nan, "verdict": ""}
        numbers = {f"{k}_{side}": job.record["metrics"].get(k, np.nan)
                   for side, job in (("before", old), ("after", new)) for k in SHOWN}  # fmt: skip
        rows.append({"run": name, **numbers, **{k: told[k] for k in ("low", "high", "verdict")}})
    if not rows:
        raise ConfigError(f"{before} and {after} have no run in common.")
    return pd.DataFrame(rows)


def _row(job: Job, name: str, luck: clusters.Ideas) -> dict[str, Any]:
    """The job's line; its DSR counts every trial of the ledger, the later jobs too."""
    r = job.record
    daily, cash = job.returns["book"].to_numpy(), job.returns["rf"].to_numpy()
    return {
        "job": r["job"],
        "label": name,
        "config_hash": r["config_hash"],
        **{k: r["metrics"].get(k, np.nan) for k in SHOWN},
        "dsr": metrics.dsr(metrics.shape(daily, cash), luck.n, luck.variance),
        # as seen from the page, which lies beside the folders of the reports
        "report": r["report"] and os.path.relpath(r["report"], Path(r["reports"]) / PAGES),
    }


def _curve(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Dates and NAV of the job's book, from 1 on its first session."""
    days = np.r_[np.datetime64(job.record["start"], "ns"), job.returns["date"].to_numpy()]
    return days, np.cumprod(np.r_[1.0, 1.0 + job.returns["book"].to_numpy()])


def _notes(
    jobs: Sequence[Job], labels: Sequence[str], short: list[str], n_ledger: int, n_ideas: int
) -> tuple[str, ...]:
    """What a reader must know of these comparisons."""
    out = [
        f"DSR counts every trial in the ledger after the sweep: {n_ideas} effective of {n_ledger} "
        "configurations on this market.",
        f"Each comparison is a test of its own at 5 %: of {len(jobs) - 1} jobs that change "
        "nothing, about one in twenty would look better or worse.",
    ]
    own = jobs[0].excess("book")
    same = [n for j, n in zip(jobs[1:], labels[1:], strict=True) if j.excess("book").equals(own)]
    if same:
        out.append(f"The returns of {'; '.join(same)} are those of the base to the last bit.")
    if short:
        out.append(f"Too few common sessions to compare on: {'; '.join(short)}.")
    return tuple(out)


def _looked(jobs: Sequence[Job]) -> tuple[str, ...]:
    """A warning for each hold-out that jobs read, said or not."""
    seen: dict[str, tuple[Holdout, int]] = {}
    for job in jobs:
        own = job.record["holdout"]
        known = holdout.status(Path(own["ledger"]), own["market"], own["start"], own["end"])
        looked = job.record["config_hash"] in set(known.rows["config_hash"])
        if looked and (own["read"] or not own["start"]):
            found = Holdout(**vars(known))
            seen[found.span] = found, seen.get(found.span, (found, 0))[1] + 1
    return tuple(
        f"{count(n)} of these {count(len(jobs))} jobs read the hold-out {span}; choosing among "
        f"them is choosing on it. Looks at it so far: {count(found.reads)}, by "
        f"{count(found.configs)} configurations."
        for span, (found, n) in seen.items()
    )


def _left_out(failed: int, alone: int) -> tuple[str, ...]:
    """Jobs that the page can not show."""
    out = []
    if failed:
        out.append(f"{failed} of the sweep's jobs failed and are not shown.")
    if alone:
        out.append(f"{alone} of the sweep's jobs were alone on their market and are not shown.")
    return tuple(out)


def write(html: str, folder: Path, name: str) -> Path:
    """Write a page under a name of its own; nothing is overwritten."""
    path, number = folder / f"{name}.html", 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while path.exists():
            number += 1
            path = folder / f"{name}-{number}.html"
        create(path, html.encode("utf-8"))
    except OSError as error:
        raise full_disk(error, path) from error
    return path

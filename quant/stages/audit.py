"""The run again without its future: cut after some sessions, and garbled after them.

Every stage runs anew on what was known, models are refitted, and every table of every stage is
compared with the run's own, value by value. It decides nothing, so it is no part of `e2e`.
"""

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant import audit
from quant.core import logs, tables
from quant.core.errors import DataError
from quant.core.store import Result
from quant.core.types import Frame
from quant.reporting.audit import sentence
from quant.stages import ALONE, CATALOGUE, audit_files, model2, rl
from quant.stages.registry import Context, Inputs, Stage, nothing

if TYPE_CHECKING:
    from quant.settings import Audit, Config

HOW = {"cut": audit.forget, "garbled": audit.garble}
# pages are drawn from tables that are compared; the audit does not audit itself; a search decides
# nothing of the run
NOT_REPLAYED = ("report", "cards", *ALONE)
REPLAYED = [
    import_module(f"quant.stages.{name}").STAGE for name in CATALOGUE if name not in NOT_REPLAYED
]
INGEST = next(s for s in REPLAYED if s.name == "ingest")
AFTER = [s for s in REPLAYED if s.name != "ingest"]
MAKER = {table.name: stage for stage in REPLAYED for table in stage.makes}


def cuts(wanted: "Audit", sessions: np.ndarray, *events: np.ndarray) -> list[np.datetime64]:
    """Sessions to cut after: those named, or `dates` of them spread over the backtest.

    sessions : of the backtest, ascending
    events   : days on which something rare is made (lists of members, refits, scores); the dates
               that are spread fall on the last one before them, of each kind in turn
    Raises DataError for a named day that is no session of it, or its last one
    """
    days = sessions.astype("datetime64[D]")
    if not wanted.at:
        share = (np.arange(wanted.dates) + 0.5) / wanted.dates
        spread = [days[i] for i in np.unique((share * (days.size - 1)).astype(int))]
        return sorted({_before(day, days, events[i % len(events)] if events else days)
                       for i, day in enumerate(spread)})  # fmt: skip
    named = [np.datetime64(str(date.fromisoformat(day)), "D") for day in wanted.at]
    for day in named:
        if day not in days[:-1]:
            raise DataError(
                f"audit.at has {day}, which is no session of the backtest from {days[0]} to "
                f"{days[-2]}; name sessions in it."
            )
    return sorted(named)


def _before(day: np.datetime64, days: np.ndarray, events: np.ndarray) -> np.datetime64:
    """The last event up to `day` that is a session after the first of `days`, else `day`."""
    inside = np.unique(events.astype("datetime64[D]"))
    inside = inside[(inside > days[0]) & (inside <= day) & np.isin(inside, days)]
    return inside[-1] if inside.size else day


@dataclasses.dataclass
class Replay:
    """One cut of one kind: the tables of its stages, and what has been compared so far."""

    cut: np.datetime64
    how: str
    results: Mapping[str, Result]
    rows: list[dict[str, Any]]

    def add(self, stage: Stage, table: str, found: audit.Compared) -> None:
        """Note what a comparison found."""
        first = found.first
        self.rows.append(
            {
                "cut": pd.Timestamp(self.cut),
                "how": self.how,
                "step": len(self.rows),
                "stage": stage.name,
                "table": table,
                "rows": found.rows,
                "values": found.values,
                "same": first is None,
                "column": first.column if first else "",
                "symbol": first.symbol if first else "",
                "day": pd.Timestamp(first.day) if first and first.day is not None else pd.NaT,
                "whole": first.whole if first else "",
                "replayed": first.replayed if first else "",
            }
        )


def run(s: "Audit", f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Replay at every cut; the first difference is that of the earliest stage."""
    config: Config = c.private
    nav = f["nav"]
    days = nav.loc[nav["book"] == "portfolio", "date"].to_numpy()
    if config.rl.enabled:  # before its test there is no controller to replay
        begun = f["rl_books"]["date"].drop_duplicates().nsmallest(rl.LEAST).max()
        days = days[days > begun.to_datetime64()]
    rows: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}
    # what is made on few sessions shows a look-ahead only where the cut falls on one of them
    rare = [f["members"]["asof"], f["folds"]["predict_start"], f["risk_forecasts"]["date"]]
    chosen = cuts(s, days, *(days_of.to_numpy() for days_of in rare))
    tick = c.tick("audit")
    for number, cut in enumerate(chosen):
        for how in HOW:
            begun = time.monotonic()
            with logs.aside(f"audit, {how} after {cut}: "), _scratch(c.scratch) as place:
                found = _replayed(config, f, c, cut, how, place)
            if not rows:
                found += _selected(config, f, c, found)
            rows += found
            seconds[f"{how} {cut}"] = time.monotonic() - begun
            logs.event(_said(found, cut, how))
        tick(number + 1, len(chosen))
    made = pd.DataFrame(rows)
    made["day"] = made["day"].astype("datetime64[ns]")
    own = _seconds(f)
    c.metrics.update(
        {
            "audit.dates": float(len(chosen)),
            "audit.values": float(made["values"].sum()),
            "audit.differences": float((~made["same"]).sum()),
            "audit.run_seconds": own,
            **{f"audit.seconds.{name}": spent for name, spent in seconds.items()},
            "audit.times_the_run": sum(seconds.values()) / own if own else 0.0,
        }
    )
    return {"audit": made}


def _said(rows: list[dict[str, Any]], cut: np.datetime64, how: str) -> str:
    values = sum(row["values"] for row in rows)
    different = [row for row in rows if not row["same"]]
    what = f"audit: {how} after {cut}: {len(rows)} tables, {values:,} values"
    if not different:
        return f"{what}, all the same"
    return f"{what}; {len(different)} tables differ. First: {sentence(different[0])}"


def _replayed(
    config: "Config", f: Inputs, c: Context, cut: np.datetime64, how: str, place: Path
) -> list[dict[str, Any]]:
    """Compare one replay with the run, stage by stage."""
    ingested = {t.name: f[t.name] for t in INGEST.makes}
    blind = {"seed": c.seed} if how == "garbled" else {}
    if how == "garbled":
        blind["tail"] = config.audit.tail
    results = _execute(config, HOW[how](ingested, cut, **blind), f"{how} {cut}", place)
    replay = Replay(cut, how, results, [])
    for name, found in audit_files.ingested(config, ingested, cut, how, c.seed, place):
        replay.add(INGEST, name, found)
    del ingested
    for stage in AFTER:
        for table in stage.makes:
            if table.known == tables.SUMMARY:
                continue
            mine = audit.known(f[table.name], table, cut)
            theirs = audit.known(results[table.name].read(table), table, cut)
            replay.add(stage, table.name, audit.compare(mine, theirs, table.key))
        for name in sorted(audit_files.COMPARE.keys() & set(stage.files)):
            folders = (f.file(stage.makes[0].name, name), results[stage.makes[0].name].path(name))
            known = (audit.known(f["folds"], tables.FOLDS, cut), f["sessions"], cut)
            replay.add(stage, f"{name} (files)", audit_files.COMPARE[name](*folders, *known))
        _summaries(stage, config, f, c, replay)
    return replay.rows


def _selected(
    config: "Config", f: Inputs, c: Context, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Compare the choice of the model with one that has only what was known when it was made.

    It is older than every cut of the backtest, so no cut can show it.
    """
    first = f["folds"]["predict_start"].min().to_datetime64()
    known = (tables.FEATURES, tables.LABELS, tables.SESSIONS)
    then = (_of_then(f[t.name], t, first) for t in known)
    made, _ = model2.selection(model2.settings(config), *then, c.seed)
    replay = Replay(rows[0]["cut"], "cut", {}, [])
    pair = [x.sort_values(list(tables.CPCV.key), ignore_index=True) for x in (f["cpcv"], made)]
    found = audit.compare(pair[0], pair[1][pair[0].columns], tables.CPCV.key)
    replay.add(MAKER["cpcv"], "cpcv (the choice)", found)
    return [row | {"step": len(rows)} for row in replay.rows]


def _execute(
    config: "Config", given: Mapping[str, Frame], name: str, place: Path
) -> dict[str, Result]:
    """Run every stage after ingest on the given tables; results by table."""
    from quant.stages.runner import execute

    ingest = dataclasses.replace(
        INGEST,
        run=lambda s, f, c: given,
        external=lambda config: name,
        private=nothing,
    )
    paths = dataclasses.replace(config.paths, store=str(place / "store"))
    blind = dataclasses.replace(config, paths=paths)
    outcomes = execute([ingest, *AFTER], blind, done=lambda outcome: None)
    return {t.name: o.result for o in outcomes for t in o.stage.makes}


def _summaries(stage: Stage, config: "Config", f: Inputs, c: Context, replay: Replay) -> None:
    """Statistics of the whole window, from what either run knew at the cut."""
    wanted = [t for t in stage.makes if t.known == tables.SUMMARY]
    if not wanted:
        return

    private = stage.private(config)  # once: a ledger may grow meanwhile

    def made(read: Any) -> Mapping[str, Frame]:
        inputs = Inputs({t.name: lambda t=t: _of_then(read(t), t, replay.cut) for t in stage.needs})
        context = Context(c.region, c.seed, c.scratch, c.tick, private=private)
        return stage.run(stage.settings(config), inputs, context)

    mine = made(lambda t: f[t.name])
    theirs = made(lambda t: replay.results[t.name].read(t))
    for table in wanted:
        pair = (frame.reset_index(drop=True) for frame in (mine[table.name], theirs[table.name]))
        replay.add(stage, table.name, audit.compare(*pair, table.key))


def _of_then(frame: Frame, table: tables.Table, cut: np.datetime64) -> Frame:
    """The table as it stood at the cut."""
    if MAKER[table.name] is INGEST:
        return audit.forget({table.name: frame}, cut)[table.name]
    return audit.known(frame, table, cut)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    place = folder / "replay"
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _seconds(f: Inputs) -> float:
    """Seconds that the audited run took when its results were made."""
    spent = {}
    for name, stage in MAKER.items():
        record = json.loads(f.file(name, "meta.json").read_text())
        spent[stage.name] = float(record.get("seconds", 0.0))
    return sum(spent.values())


STAGE = Stage(
    "audit",
    needs=tuple(table for stage in REPLAYED for table in stage.makes),
    makes=(tables.AUDIT,),
    settings=lambda config: config.audit,
    private=lambda config: config,
    run=run,
    module=__name__,
)

"""key -> skip | run -> check -> store -> publish."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core import logs, progress, sources
from quant.core.errors import StageError, StoreError
from quant.core.store import Result, Store, digest_json, full_disk
from quant.core.tables import Table
from quant.stages import CATALOGUE
from quant.stages.registry import Context, Inputs, Stage, plain

if TYPE_CHECKING:
    from quant.settings import Config


@dataclass(frozen=True)
class Outcome:
    """One stage of one run: where its result lies, and whether it was computed now."""

    stage: Stage
    result: Result
    skipped: bool
    seconds: float
    metrics: Mapping[str, float]


def key(stage: Stage, config: "Config", inputs: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The key of a stage's result, and what it was made from.

    inputs : table name -> key of the result that holds it
    """
    parts = {
        "stage": stage.name,
        "settings": plain(stage.settings(config)),
        "seed": config.seed,
        "region": config.region.name,
        "inputs": dict(sorted(inputs.items())),
        "external": stage.external(config),
        "sources": sources.fingerprint(stage.module),
        "environment": sources.environment(),
    }
    return digest_json(parts), parts


def execute(
    stages: list[Stage],
    config: "Config",
    done: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run `stages` in order; each is skipped where its key is stored already.

    done : called after each stage (tracking)
    """
    for stage in stages:  # before anything runs: a file edited meanwhile is not what runs
        sources.fingerprint(stage.module)
    store = Store(Path(config.paths.store))
    store.sweep()
    holder: dict[str, Result] = {}
    outcomes = []
    for stage in stages:
        started = time.monotonic()
        name, parts = key(stage, config, {t.name: holder[t.name].key for t in stage.needs})
        result = store.get(stage.name, name)
        skipped = result is not None
        if result is None:
            logs.event(f"{stage.name}: {CATALOGUE[stage.name]}", stage=stage.name, key=name)
            result = _compute(stage, config, store, holder, name, parts)
        seconds = time.monotonic() - started
        word = "unchanged" if skipped else "done"
        logs.event(
            f"{stage.name}: {word}, {seconds:.1f} s",
            stage=stage.name, key=name, skipped=skipped, seconds=round(seconds, 3),
        )  # fmt: skip
        holder.update({t.name: result for t in stage.makes})
        outcome = Outcome(stage, result, skipped, seconds, _metrics(result))
        outcomes.append(outcome)
        done(outcome)
    return outcomes


def _compute(
    stage: Stage,
    config: "Config",
    store: Store,
    holder: Mapping[str, Result],
    name: str,
    parts: Mapping[str, Any],
) -> Result:
    def read(table: Table) -> Any:
        return holder[table.name].read(table)

    try:
        store.root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".scratch-{os.getpid()}-", dir=store.root))
    except OSError as error:
        raise full_disk(error, store.root) from error
    started = time.monotonic()
    try:
        context = Context(
            region=config.region.name,
            seed=config.seed,
            scratch=scratch,
            tick=progress.ticker,
            private=stage.private(config),
        )
        inputs = Inputs(
            {t.name: partial(read, t) for t in stage.needs},
            {t.name: holder[t.name].folder for t in stage.needs},
            {t.name: holder[t.name].hashes[f"{t.name}.parquet"] for t in stage.needs},
        )
        made = stage.run(stage.settings(config), inputs, context)
        lacking = [t.name for t in stage.makes if t.name not in made]
        lacking += [f for f in stage.files if not (scratch / f).exists()]
        if lacking:
            raise StageError(f"stage {stage.name} promised {lacking} and did not make it.")
        return store.put(
            stage.name,
            name,
            [(t, made[t.name]) for t in stage.makes],
            {f: scratch / f for f in stage.files},
            {
                "parts": parts,
                "metrics": context.metrics,
                "seconds": round(time.monotonic() - started, 3),
            },
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _metrics(result: Result) -> Mapping[str, float]:
    import json

    record = json.loads((result.folder / "meta.json").read_text())
    found = record.get("metrics")
    if not isinstance(found, dict) or not all(isinstance(v, int | float) for v in found.values()):
        raise StoreError(
            f"the record {result.folder / 'meta.json'} has no readable metrics; "
            f"delete the folder {result.folder} and run again: it will be made anew."
        )
    return found


def publish(outcomes: list[Outcome], region: str, folder: Path) -> None:
    """Copy results to the paths people look at: data/<stage>/<region>/<table>.parquet.

    The store stays the source of truth; a published copy may be overwritten by the next run.
    """
    for outcome in outcomes:
        for name, place in outcome.stage.links.items():
            _link(outcome.result.folder / name, folder / place.format(region=region))
        for table in outcome.stage.makes:
            source = f"{table.name}.parquet"
            place = folder / outcome.stage.name / region
            stamp = place / f".{table.name}.key"
            target = place / source
            if target.exists() and stamp.exists() and stamp.read_text() == outcome.result.key:
                continue
            try:
                place.mkdir(parents=True, exist_ok=True)
                temporary = target.with_name(f".{target.name}.part")
                shutil.copyfile(outcome.result.path(source), temporary)
                temporary.replace(target)
                stamp.write_text(outcome.result.key)
            except OSError as error:
                raise full_disk(error, target) from error


def _link(source: Path, place: Path) -> None:
    """Point `place` at a stored folder; what is there and not a link of ours stays."""
    if place.exists() and not place.is_symlink():
        raise StoreError(
            f"{place} exists and is not a link to stored results; move it away and run again "
            "(nothing was overwritten)."
        )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{os.getpid()}")
        temporary.symlink_to(os.path.relpath(source, place.parent.resolve()))
        temporary.replace(place)
    except OSError as error:
        raise full_disk(error, place) from error

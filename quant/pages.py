"""From stored results to the pages people open: the report, a session, the audit, a search."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from quant import sweep
from quant.core import logs
from quant.core.errors import GateError, LookAheadError
from quant.core.store import full_disk
from quant.core.tables import AUDIT, CHANGES, TUNING
from quant.governance import holdout, trials
from quant.reporting import audit, changes, tune, write
from quant.reporting.holdout import Holdout
from quant.settings import Config
from quant.stages.audit_files import left_out
from quant.stages.ingest import holdout_market, market_id
from quant.stages.runner import Outcome
from quant.stages.tune import BEST, override

Facts = Mapping[str, Any]
SECONDS = "audit.seconds."


def report(config: Config, known: Facts, outcome: Outcome) -> str:
    """The report as stage report rendered it."""
    return outcome.result.path("report.html").read_text()


def audited(config: Config, known: Facts, outcome: Outcome) -> str:
    """The audit's page, with what the ledger of the hold-out says now."""
    provider, spent = config.data.provider, outcome.metrics
    page = audit.AuditInputs(
        title=f"{config.region.name.upper()} equity, look-ahead audit",
        region=config.region.name,
        git_sha=known["git_sha"],
        config_hash=known["config_hash"],
        command=logs.redact(known["command"]),
        simulated=provider == "sim",
        rows=outcome.result.read(AUDIT),
        seconds={k.removeprefix(SECONDS): v for k, v in spent.items() if k.startswith(SECONDS)},
        run_seconds=spent["audit.run_seconds"],
        holdout=_looks(config),
        left_out=left_out(provider),
    )
    return audit.render(page)


def explained(config: Config, known: Facts, outcome: Outcome) -> str:
    """The page of one session as stage explain rendered it."""
    return outcome.result.path("explain.html").read_text()


def tuned(config: Config, known: Facts, outcome: Outcome) -> str:
    """The page of a search, with what the ledger of the hold-out says now."""
    rows, spent = outcome.result.read(TUNING), outcome.metrics
    best = rows.set_index("number").loc[int(spent["tune.best.number"])]
    return tune.render(
        tune.TuneInputs(
            title=f"{config.region.name.upper()} equity, settings of Model 2",
            region=config.region.name,
            git_sha=known["git_sha"],
            config_hash=known["config_hash"],
            command=logs.redact(known["command"]),
            simulated=config.data.provider == "sim",
            rows=rows,
            override=override(json.loads(best["parameters"])),
            file=outcome.result.path(BEST).read_text(),
            ideas=int(spent["tune.ideas"]),
            luck=spent["tune.expected_max_sharpe"],
            horizon=config.model2.label.horizon,
            models=tuple(config.model2.models),
            present=bool(spent["tune.present"]),
            ledger=trials.tuned(Path(config.paths.trials), market_id(config)),
            holdout=_looks(config),
        )
    )


def changed(config: Config, known: Facts, outcome: Outcome) -> str:
    """The page of what changed under conf/, and of what that did to a night."""
    own = config.changes
    moved = sweep.deltas(Path(own.before), Path(own.after)) if own.before and own.after else None
    return changes.render(
        outcome.result.read(CHANGES), known["git_sha"], known["config_hash"],
        logs.redact(known["command"]), moved,
    )  # fmt: skip


def _looks(config: Config) -> Holdout:
    own = config.evaluation.holdout
    return Holdout(**vars(holdout.status(
        Path(config.paths.holdout), holdout_market(config), own.start, own.end, own.locked
    )))  # fmt: skip


# stage -> first word of the page's file name, and how the page is made
PAGES: dict[str, tuple[str, Callable[[Config, Facts, Outcome], str]]] = {
    "report": ("report", report),
    "explain": ("explain", explained),
    "audit": ("audit", audited),
    "tune": ("tune", tuned),
    "changes": ("changes", changed),
}


def publish(config: Config, known: Facts, outcome: Outcome, run_id: str) -> Path | None:
    """Write the page of a stage that has one, under a name of its own; return its path."""
    if outcome.stage.name not in PAGES:
        return None
    kind, make = PAGES[outcome.stage.name]
    place = Path(config.paths.reports) / write.folder_name(config.sprint, config.region.name)
    html = make(config, known, outcome)
    path = write.write(html, place, known["git_sha"], known["config_hash"], run_id, kind)
    logs.event(f"{kind}: {path}", **{kind: str(path)})
    return path


def publish_cards(config: Config, outcome: Outcome, report: Path | None) -> list[Path]:
    """Put the cards of a run where people look for them, over those of an earlier run.

    report : of the same run, linked to
    """
    place = Path(config.paths.cards)
    place = place / "simulated" if config.data.provider == "sim" else place
    made = []
    for source in sorted(outcome.result.path("cards").rglob("*")):
        target = place / source.relative_to(outcome.result.path("cards"))
        if source.is_dir():
            continue
        content = source.read_bytes()
        if source.suffix == ".md":
            made.append(target)
            if report:
                link = Path(os.path.relpath(report, place)).as_posix()
                content += f"\n[The report of this run]({link})\n".encode()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.part")
            draft.write_bytes(content)
            draft.replace(target)
        except OSError as error:
            raise full_disk(error, target) from error
    logs.event(f"cards: {', '.join(str(p) for p in made)}", cards=[str(p) for p in made])
    return made


def refuse_look_ahead(outcomes: list[Outcome]) -> None:
    """Raise LookAheadError where an audit found a difference; everything is stored by then."""
    for outcome in outcomes:
        if outcome.stage.name == "audit" and outcome.metrics["audit.differences"]:
            rows = outcome.result.read(AUDIT)
            first = rows[~rows["same"]].iloc[0]
            raise LookAheadError(
                f"{audit.sentence(first)}. What is dated up to a session must not know what came "
                "later: correct that stage and run the audit again; its page lists every table."
            )


def refuse_unlogged(outcomes: list[Outcome]) -> None:
    """Raise GateError where a value under conf/ changed and no line of the changelog says so."""
    for outcome in outcomes:
        if outcome.stage.name == "changes" and outcome.metrics["changes.unlogged"]:
            rows = outcome.result.read(CHANGES)
            lines = changes.asked(rows[~rows["told"]])
            raise GateError(
                f"{len(lines)} values under conf/ changed without a line in CHANGELOG.md; add what "
                "is missing, with the reason:\n" + "\n".join(lines)
            )

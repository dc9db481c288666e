"""reports/index.html: a line for every page that was written, and the page that lists them."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from quant.core import git
from quant.core.errors import StoreError
from quant.core.store import full_disk
from quant.core.tables import DRIFT, NONE, RL_GATE
from quant.governance import holdout
from quant.governance.lines import append
from quant.reporting.landing import NUMBERS, LandingInputs, render
from quant.reporting.night import RUNNING, STOPPED
from quant.settings import Config
from quant.stages.runner import Outcome

LINES, INDEX = ".pages.jsonl", "index.html"
HELD = ".night.lock"  # in the folder of a night, by the process that works on it
COLUMNS = ("utc", "kind", "region", "sprint", "provider", "link", "git_sha", "config_hash",
           *NUMBERS, "drifted", "review")  # fmt: skip


def add(
    config: Config, known: Mapping[str, Any], pages: Mapping[str, Path], outcomes: list[Outcome]
) -> None:
    """Write down the pages of a finished run, and its gate; then draw the index anew.

    pages : kind -> path
    """
    base = {
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "region": config.region.name,
        "sprint": config.sprint,
        "provider": config.data.provider,
        "git_sha": known["git_sha"],
        "config_hash": known["config_hash"],
    }
    reports = Path(config.paths.reports)
    rows = [{**base, "kind": kind, "link": _seen(path, reports), **_numbers(outcomes)}
            for kind, path in pages.items()]  # fmt: skip
    for outcome in outcomes:
        if outcome.stage.name == "rl_gate" and "rl.gate_passes" in outcome.metrics:
            gate = outcome.result.read(RL_GATE)
            told = ", ".join(f"{r.period} {r.verdict}" for r in gate[gate["seed"] < 0].itertuples())
            passes = bool(outcome.metrics["rl.gate_passes"])
            rows.append({**base, "kind": "gate", "link": "", "verdicts": told, "passes": passes})
    if rows:
        _record(reports, rows)
    if rows or (reports / INDEX).exists():
        draw(config)


def comparison(config: Config, path: Path) -> None:
    """Write down the page that compares the jobs of a sweep."""
    reports = Path(config.paths.reports)
    _record(reports, [{
        "utc": datetime.now(UTC).isoformat(timespec="seconds"), "kind": "comparison",
        "region": config.region.name, "sprint": config.sprint, "provider": config.data.provider,
        "git_sha": git.sha(), "config_hash": "", "link": _seen(path, reports),
    }])  # fmt: skip
    draw(config)


def night(config: Config, row: Mapping[str, Any], path: Path) -> None:
    """Write down how a night stands. row : asof, regions, status, concerns, minutes, place"""
    reports = Path(config.paths.reports)
    _record(reports, [{
        **row, "utc": datetime.now(UTC).isoformat(timespec="seconds"), "kind": "night",
        "git_sha": git.sha(), "link": _seen(path, reports),
    }])  # fmt: skip
    draw(config)


def draw(config: Config) -> Path:
    """Draw the index from the lines whose pages are still there."""
    reports = Path(config.paths.reports)
    path = reports / INDEX
    try:
        with FileLock(reports / ".index.lock"):
            html = render(inputs(config))
            draft = path.with_name(f".{INDEX}.part")
            draft.write_text(html, encoding="utf-8")
            os.replace(draft, path)
    except OSError as error:
        raise full_disk(error, path) from error
    return path


def inputs(config: Config) -> LandingInputs:
    """Everything that the index shows."""
    reports = Path(config.paths.reports)
    rows = list(reversed(read(reports)))
    there = [r for r in rows if r["kind"] != "gate" and (reports / r["link"]).is_file()]
    pages = [r for r in there if r["kind"] != "night"]
    nights = pd.DataFrame([_stands(r) for r in there if r["kind"] == "night"])
    gates = [r for r in rows if r["kind"] == "gate"]
    looks = [
        {**r, "span": f"{r['start']} to {r['end'] or 'the end'}"}
        for r in reversed(holdout.read(Path(config.paths.holdout)))
        if r["kind"] != holdout.DECLARED
    ]
    cards = sorted(Path(config.paths.cards).rglob("*.md"))
    titles = [(p.read_text().split("\n", 1)[0].removeprefix("# "), p) for p in cards]
    titles = [(t + (" (simulated)" if p.parent.name == "simulated" else ""), _seen(p, reports))
              for t, p in titles if p.name != "README.md"]  # fmt: skip
    return LandingInputs(
        head=git.sha(),
        pages=pd.DataFrame(pages, columns=list(COLUMNS)),
        cards=titles,
        gates=pd.DataFrame(gates),
        nights=nights.drop_duplicates("asof") if len(nights) else nights,
        looks=pd.DataFrame(looks),
    )


def read(reports: Path) -> list[dict[str, Any]]:
    """All lines, oldest first. Raises StoreError for one that is none."""
    path = reports / LINES
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            row = json.loads(line)
            rows.append({**row, "kind": str(row["kind"]), "link": str(row["link"])})
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"line {number} of {path} is damaged ({error}); remove that line: the page it "
                "names stays, and only the index forgets it."
            ) from error
    return rows


def _stands(row: dict[str, Any]) -> dict[str, Any]:
    """A night; one written down as running that no process works on any more was stopped."""
    if row["status"] != RUNNING or "place" not in row:
        return row
    lock = Path(row["place"]) / HELD
    if lock.exists():
        try:
            with FileLock(lock).acquire(timeout=0):
                pass
        except Timeout:
            return row
    return {**row, "status": STOPPED}


def _record(reports: Path, rows: list[dict[str, Any]]) -> None:
    path = reports / LINES
    try:
        reports.mkdir(parents=True, exist_ok=True)
        with FileLock(reports / ".index.lock"):
            append(path, "".join(json.dumps(r, sort_keys=True) + "\n" for r in rows))
    except OSError as error:
        raise full_disk(error, path) from error


def _seen(path: Path, reports: Path) -> str:
    return Path(os.path.relpath(path, reports)).as_posix()


def _numbers(outcomes: list[Outcome]) -> dict[str, float | None]:
    """Of the run's evaluation and drift; None where it has none."""
    said: dict[str, float] = {}
    for outcome in outcomes:
        said |= outcome.metrics if outcome.stage.name == "evaluate" else {}
    found: dict[str, float | None] = {k: said.get(f"portfolio.{k}") for k in NUMBERS}
    found["cost_bp"] = said.get("portfolio.cost_bp_ann")
    for outcome in outcomes:
        if outcome.stage.name == "drift":
            rows = outcome.result.read(DRIFT)
            last = rows[rows["date"] == rows["date"].max()]
            if len(last):
                found["drifted"] = float((last["severity"] != NONE).sum())
                found["review"] = float(last["review"].sum())
    return found

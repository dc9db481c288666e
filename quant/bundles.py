"""What a run leaves so that it can be made again; see governance.bundle."""

import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from quant.config import resolved, used
from quant.config_paths import CONF, PROJECT
from quant.core import git, logs, sources
from quant.core.tables import TRIALS
from quant.governance import bundle, holdout, trials
from quant.settings import Config
from quant.stages import ALONE, ingest
from quant.stages.reproduce import LEDGER, LOOKS
from quant.stages.runner import Outcome


def leave(config: Config, known: Mapping[str, Any], outcomes: list[Outcome]) -> Path | None:
    """Write the bundle of a finished run; None for a stage that is done alone.

    known : facts of the run
    """
    if config.stage in ALONE:
        return None
    name = f"{datetime.now(UTC):%Y-%m-%d}_{known['git_sha']}_{known['config_hash']}"
    folder = bundle.write(Path(config.paths.bundles), name, members(config, known, outcomes))
    logs.event(f"bundle: {folder}", bundle=str(folder))
    return folder


def members(config: Config, known: Mapping[str, Any], outcomes: list[Outcome]) -> dict[str, bytes]:
    """Settings, the files they came from, versions, hashes of data and results, both ledgers."""
    folder = Path(known["folder"])
    tree = {k: v for k, v in resolved(config).items() if k not in ("paths", "tracking")}
    facts = {
        **{k: known[k] for k in ("name", "region", "git_sha", "config_hash", "split")},
        "stage": config.stage,
        "command": logs.redact(known["command"]),
        "seed": config.seed,
        "dirty": git.dirt(),
        "lock": sources.environment(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "data": ingest.external(config),
        "hashes": {o.stage.name: dict(o.result.hashes) for o in outcomes},
    }
    made = {
        bundle.CONFIG: yaml.safe_dump(tree, sort_keys=False).encode(),
        bundle.HASH: f"{known['config_hash']}\n".encode(),
        bundle.FACTS: json.dumps(facts, indent=1, sort_keys=True).encode(),
    }
    made |= {p.relative_to(PROJECT).as_posix(): p.read_bytes() for p in used(CONF, folder)}
    given = folder / ".hydra" / "overrides.yaml"
    if given.is_file():
        made["overrides.yaml"] = logs.redact(given.read_text()).encode()
    return made | ledger(config, outcomes)


def ledger(config: Config, outcomes: list[Outcome]) -> dict[str, bytes]:
    """The trials that the evaluation counted, with their returns, and the looks at the hold-out."""
    made, path = {}, Path(config.paths.trials)
    seen = [r for r in holdout.read(Path(config.paths.holdout))
            if r["market"] == ingest.holdout_market(config)]  # fmt: skip
    if seen:
        made[LOOKS] = _lines(seen)
    evaluated = [o for o in outcomes if o.stage.name == "evaluate"]
    if not evaluated:
        return made
    counted = evaluated[0].result.read(TRIALS)
    others, market = set(counted.loc[~counted["own"], "config_hash"]), ingest.market_id(config)
    rows = [r for r in trials.read(path) if r["market"] == market]
    rows = [r for r in rows if trials.on_labels(r) or r["config_hash"] in others]
    newest = {(r["config_hash"], trials.on_labels(r)): r for r in rows}
    if newest:
        made[f"{LEDGER}/trials.jsonl"] = _lines(newest.values())
    for row in newest.values():
        file = trials.place(path, market, row["config_hash"])
        if row.get("returns") and file.is_file():
            made[f"{LEDGER}/returns/{row['config_hash']}.parquet"] = file.read_bytes()
    return made


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(r, sort_keys=True) + "\n" for r in rows).encode()

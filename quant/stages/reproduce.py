"""A run made again from its bundle, in an empty store: the same hashes, or the first that differs.

Nothing stored before is used, and no trial is counted: the ledgers are those that the run saw.
"""

import json
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from quant.core import git, logs, sources, tables
from quant.core.errors import ConfigError, GateError, StoreError
from quant.core.types import Frame
from quant.governance import bundle
from quant.stages.registry import Context, Inputs, Stage, plan

if TYPE_CHECKING:
    from quant.settings import Config
    from quant.stages.runner import Outcome

LEDGER, LOOKS = "ledger", "ledger/holdout.jsonl"  # members of a bundle
PROGRAM = "python -m quant.main"
SAME = "code, lock file and Python are the same"


def opened(config: "Config") -> tuple[bundle.Bundle, "Config"]:
    """The bundle that was asked for, checked, and the settings of its run.

    data.root, where it is given, says where the files are now.
    Raises ConfigError where none was named, StoreError where it was changed, or where its settings
    are not those that its hash names.
    """
    from quant.config import config_hash, from_tree

    if not config.bundle:
        raise ConfigError(
            "stage=reproduce needs bundle=<folder below conf/bundles, or its tarball>."
        )
    found = bundle.load(config.bundle)
    facts = found.facts
    try:
        own = from_tree(yaml.safe_load(found.members[bundle.CONFIG]))
    except ConfigError as error:
        raise ConfigError(
            f"the settings of {found.path} are not those of this version of the code ({error}) "
            f"Check out {facts['git_sha']}, which made it."
        ) from error
    told = found.members[bundle.HASH].decode().strip()
    if facts["git_sha"] == git.sha() and config_hash(own) != told:
        raise StoreError(
            f"the settings of {found.path} have the hash {config_hash(own)}, and {bundle.HASH} "
            f"says {told}: it was changed after it was written."
        )
    if config.data.root:
        own = replace(own, data=replace(own.data, root=config.data.root))
    return found, own


def external(config: "Config") -> str:
    """A run made again is made, never remembered."""
    return datetime.now(UTC).isoformat()


def run(s: object, f: Inputs, c: Context) -> Mapping[str, Frame]:
    """REPRODUCED: every file of every stage. Raises GateError at the first that differs."""
    from quant import stages
    from quant.stages.runner import execute

    found, own = opened(c.private)
    facts, rows = found.facts, []
    apart = versions(facts)
    if apart:
        logs.event("reproduce: " + "; ".join(apart))
    own = moved(own, c.scratch)
    restore(found, own)

    def same(outcome: "Outcome") -> None:
        made = compared(outcome.stage.name, facts["hashes"], outcome.result.hashes)
        for row in made:
            if row["then"] != row["now"]:
                why = "; ".join(apart) or f"{SAME}: look at the data and the machine"
                raise GateError(
                    f"{found.path} is not reproduced: the first file that differs is "
                    f"{row['file']} of stage {row['stage']} ({row['then'][:12] or 'none'} then, "
                    f"{row['now'][:12] or 'none'} now). {why}."
                )
        rows.extend(made)

    order = plan(stages.load(), stages.targets(facts["stage"]))
    with _command(facts["command"]):
        execute(order, own, same)
    c.metrics["reproduce.files"] = float(len(rows))
    c.metrics["reproduce.stages"] = float(len(order))
    logs.event(
        f"reproduce: {len(rows)} files of {len(order)} stages have the hashes of {found.path}"
    )
    return {"reproduced": pd.DataFrame(rows, columns=["stage", "file", "then", "now"])}


def versions(facts: Mapping[str, Any]) -> list[str]:
    """What is not as it was when the bundle was made, in words."""
    now = {
        "git_sha": git.sha(), "dirty": git.dirt(), "lock": sources.environment(),
        "python": platform.python_version(), "platform": platform.platform(),
    }  # fmt: skip
    words = {"git_sha": "the code", "dirty": "uncommitted changes", "lock": "the lock file",
             "python": "Python", "platform": "the platform"}  # fmt: skip
    return [
        f"{words[k]} {'are' if k == 'dirty' else 'is'} {str(now[k])[:40] or 'none'}, then "
        f"{str(facts[k])[:40] or 'none'}"
        for k in words
        if facts[k] != now[k]
    ]


def moved(own: "Config", folder: Path) -> "Config":
    """The settings with every place below `folder`, and nothing tracked."""
    places = {f.name: str(folder / Path(str(f.default)).name) for f in fields(own.paths)}
    tracking = replace(own.tracking, enabled=False)
    return replace(own, paths=type(own.paths)(**places), tracking=tracking)


def restore(found: bundle.Bundle, own: "Config") -> None:
    """Write the ledgers as the run saw them, under the name that its market has here."""
    from quant.governance import trials
    from quant.stages.ingest import holdout_market, market_id

    path = Path(own.paths.trials)
    market, seen = market_id(own), holdout_market(own)
    kept = {LOOKS: (Path(own.paths.holdout), seen), f"{LEDGER}/trials.jsonl": (path, market)}
    for name, (target, called) in kept.items():
        lines = found.members.get(name, b"").decode().splitlines()
        if lines:
            target.parent.mkdir(parents=True, exist_ok=True)
            rows = ({**json.loads(line), "market": called} for line in lines)
            target.write_text("".join(json.dumps(r, sort_keys=True) + "\n" for r in rows))
    for name, content in found.members.items():
        if name.startswith(f"{LEDGER}/returns/"):
            file = trials.place(path, market, Path(name).stem)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def compared(
    stage: str, then: Mapping[str, Mapping[str, str]], now: Mapping[str, str]
) -> list[dict[str, str]]:
    """A row for every file of a stage that was made then or now; a missing one has no hash."""
    told = then.get(stage, {})
    return [
        {"stage": stage, "file": name, "then": told.get(name, ""), "now": now.get(name, "")}
        for name in sorted({*told, *now})
    ]


@contextmanager
def _command(said: str) -> Iterator[None]:
    """The report prints the command of its run."""
    mine = sys.argv
    words = said.removeprefix(PROGRAM).strip()
    sys.argv = [mine[0], *([words] if words else [])]
    try:
        yield
    finally:
        sys.argv = mine


STAGE = Stage(
    "reproduce",
    needs=(),
    makes=(tables.REPRODUCED,),
    settings=lambda config: {"bundle": config.bundle},
    private=lambda config: config,
    external=external,
    run=run,
    module=__name__,
)

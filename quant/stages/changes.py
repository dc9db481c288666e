"""Values under conf/ that changed since another revision, and whether the changelog says so.

It reads no data and decides nothing, so it is no part of `e2e`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from quant.config import compositions
from quant.config_paths import CONF, PROJECT
from quant.core import git, logs, tables
from quant.core.store import digest_json
from quant.core.types import Frame
from quant.governance import changes
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

CHANGELOG = "CHANGELOG.md"


@dataclass(frozen=True)
class State:
    """conf/ and the changelog at one time: path below the project -> text."""

    revision: str
    conf: Mapping[str, str]
    changelog: str


@cache
def states(base: str | None, depth: int) -> tuple[State, State]:
    """The state that is compared with, and the checkout as it lies there."""
    revision = git.before(base, depth)
    then = git.files(revision, "conf")
    told = git.files(revision, CHANGELOG).get(CHANGELOG, "")
    now = {
        path.relative_to(PROJECT).as_posix(): path.read_text()
        for path in sorted(CONF.rglob("*.yaml"))
        if path.relative_to(CONF).parts[0] != "bundles"
    }
    log = PROJECT / CHANGELOG
    mine = State("", now, log.read_text() if log.exists() else "")
    return State(revision, then, told), mine


def external(config: "Config") -> str:
    """Digest of both states."""
    both = states(config.changes.base, config.changes.depth)
    return digest_json([[s.conf, s.changelog] for s in both])


def private(config: "Config") -> tuple[State, State]:
    """Both states."""
    return states(config.changes.base, config.changes.depth)


def run(s: object, f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Compose every choice of both states, and compare; CHANGES table."""
    before, after = c.private
    composed = []
    for name, state in (("before", before), ("after", after)):
        for path, text in state.conf.items():
            target = c.scratch / name / Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        composed.append(compositions(c.scratch / name / "conf"))
    found = changes.changes(*composed)
    open_ = set(changes.unlogged(found, before.changelog, after.changelog))
    rows = [
        {"key": x.key, "old": x.old, "new": x.new, "where": ", ".join(x.where),
         "told": x not in open_}
        for x in found
    ]  # fmt: skip
    logs.event(
        f"changes: {len(found)} values since {before.revision[:9]}, {len(open_)} of them without a "
        "line in the changelog"
    )
    c.metrics["changes.values"] = float(len(found))
    c.metrics["changes.unlogged"] = float(len(open_))
    return {"changes": pd.DataFrame(rows, columns=["key", "old", "new", "where", "told"])}


STAGE = Stage(
    "changes",
    needs=(),
    makes=(tables.CHANGES,),
    settings=lambda config: {},
    private=private,
    external=external,
    run=run,
    module=__name__,
)

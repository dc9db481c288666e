"""The hold-out in words: what is set, whether this run sees it, and who has looked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import Block, Tabular, Text, cells
from quant.reporting.formats import count

OPEN_ROWS = 8  # a longer table of looks starts closed
LISTED = 200  # newest looks listed
NONE, LOCKED, READ, UNSEEN = "None", "Locked", "Read", "Unseen"
UNDECLARED = "undeclared"
KINDS: Mapping[str, str] = {
    "read": "read, and said so",
    UNDECLARED: "reached in without saying so",
}


@dataclass(frozen=True)
class Holdout:
    """What the ledger knows of the hold-out that concerns a run.

    start, end : first and last date, ISO; start None = none was ever declared on this market,
                 end None = to the end of the data
    locked     : this run does not see it
    reads      : looks so far, by `configs` distinct configurations
    rows       : one row a look, oldest first: utc, user, name, config_hash, kind (see KINDS)
    before     : configurations tried on the market before the hold-out was declared
    """

    start: str | None = None
    end: str | None = None
    locked: bool = False
    reads: int = 0
    configs: int = 0
    rows: Frame = field(default_factory=pd.DataFrame)
    before: int = 0

    @property
    def span(self) -> str:
        """From when to when, in words."""
        return f"from {self.start} to {self.end or 'the end of the data'}"

    def state(self, config_hash: str) -> str:
        """Whether a run of that configuration sees it: NONE, LOCKED, READ or UNSEEN."""
        if self.start is None:
            return NONE
        if self.locked:
            return LOCKED
        return READ if self.looks(config_hash) else UNSEEN

    def looks(self, config_hash: str) -> set[str]:
        """Kinds of the looks that a configuration took."""
        if not len(self.rows):
            return set()
        return set(self.rows.loc[self.rows["config_hash"] == config_hash, "kind"])


def blocks(own: Holdout, config_hash: str) -> list[Block]:
    """What there is to say of the hold-out to this configuration, and the looks as a table."""
    return [Text(told(own, config_hash)), *_looks(own)]


def told(own: Holdout, config_hash: str) -> str:
    """The state of the hold-out, how often it was looked at, and by whom last."""
    if own.start is None:
        return (
            "No hold-out is set on this market: nothing was kept from the choices behind this "
            "page. evaluation.holdout.start=<date> locks one away; who reads it from then on is "
            "written down and counted."
        )
    state = {
        LOCKED: "is locked: this run ended before it and has seen none of it.",
        READ: "is open to this run.",
        UNSEEN: "lies outside the data of this run.",
    }[own.state(config_hash)]
    parts = [f"The hold-out {own.span} {state}", _counted(own)]
    if own.before:
        parts.append(
            f"{_many(own.before, 'configuration')} had been tried on this market before it was "
            "declared, and may have seen it."
        )
    return " ".join(parts)


def warning(own: Holdout, config_hash: str) -> str:
    """What the first screen must say of the looks of this configuration; empty where none is due.

    A run of a locked hold-out looks at nothing, whatever its configuration did before.
    """
    if own.state(config_hash) != READ:
        return ""
    if UNDECLARED in own.looks(config_hash):
        return (
            f"The data of this run reach into the hold-out {own.span}, which was declared on this "
            "market, and evaluation.holdout does not say so: its result is not out of sample."
        )
    return (
        f"This run reads the hold-out {own.span}. {_counted(own)} What is chosen after a look is "
        "no longer out of sample."
    )


def _counted(own: Holdout) -> str:
    if not own.reads:
        return "Nobody has looked at it."
    last = own.rows.iloc[-1]
    return (
        f"It has been looked at {_times(own.reads)}, by {_many(own.configs, 'configuration')}; "
        f"last on {_when(last['utc'])} by {last['user']}."
    )


def _looks(own: Holdout) -> list[Block]:
    if not len(own.rows):
        return []
    shown = own.rows.iloc[::-1].head(LISTED)
    body = tuple(
        cells((_when(r.utc), r.user, r.name, r.config_hash, KINDS.get(r.kind, r.kind)))
        for r in shown.itertuples(index=False)
    )
    left = len(own.rows) - len(shown)
    return [
        Tabular(
            f"Who looked at the hold-out ({count(len(own.rows))})",
            ("When, UTC", "Who", "Run", "Configuration", "How"),
            body,
            "A look is written down before the data are opened; a rerun looks again."
            + f" {left} older ones are not listed." * bool(left),
            texts=5,
            fold=len(body) > OPEN_ROWS,
        )
    ]


def _when(utc: str) -> str:
    return str(utc)[:16].replace("T", " ")


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{count(n)} times")


def _many(n: int, what: str) -> str:
    return f"{count(n)} {what}{'s' * (n != 1)}"

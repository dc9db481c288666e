"""The ledger of the hold-out: who declared a stretch untouched, and who looked at it since.

A hold-out proves something only as long as nobody chose by it. Every look is one line, written
before the data are opened: a run that crashes has looked too. Dates are ISO texts, so that they
compare as dates do; an end of None is open.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from quant.core.errors import StoreError
from quant.core.store import full_disk
from quant.core.types import Frame
from quant.governance.lines import append

DECLARED, READ, UNDECLARED = "declare", "read", "undeclared"
ROWS = ("utc", "user", "name", "config_hash", "kind")
OPEN = "9999-12-31"


@dataclass(frozen=True)
class Span:
    """Dates from `start` to `end`, both included; end None = open."""

    start: str
    end: str | None = None

    def common(self, other: "Span") -> "Span | None":
        """What both have, or None."""
        start = max(self.start, other.start)
        end = min(self.end or OPEN, other.end or OPEN)
        return None if end < start else Span(start, None if end == OPEN else end)


@dataclass(frozen=True)
class Visit:
    """What one run does to the hold-outs of its market.

    market : see `stages.ingest.holdout_market`
    seen   : first and last date whose data the run may use
    own    : the hold-out that it names, or None
    read   : it says that it reads it
    """

    market: str
    seen: Span
    own: Span | None = None
    read: bool = False


@dataclass(frozen=True)
class Status:
    """What is known of one hold-out of a market.

    start, end : first and last date, ISO; start None = no hold-out was ever declared on the market,
                 end None = to the end of the data
    locked     : this run does not see it
    reads      : looks at it so far, this run's included
    configs    : distinct configurations that looked
    rows       : one row a look, oldest first: utc, user, name (of the run), config_hash,
                 kind "read" (it said so) or "undeclared" (its data reach in, and it did not)
    before     : trials evaluated on the market before the hold-out was declared; they may have
                 seen it
    """

    start: str | None
    end: str | None
    locked: bool
    reads: int
    configs: int
    rows: Frame
    before: int = 0


def read(path: Path) -> list[dict[str, Any]]:
    """All recorded lines, oldest first. Raises StoreError for a line that is none."""
    if not path.exists():
        return []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise full_disk(error, path) from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_line(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"line {number} of the hold-out ledger {path} is damaged ({error}); repair or "
                "remove that line, keeping the others: they say who has seen the hold-out."
            ) from error
    return rows


def _line(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise TypeError("it is no JSON object")
    texts = ("kind", "market", "start", *(n for n in ROWS if n != "kind"))
    lacking = [name for name in texts if not isinstance(row.get(name), str)]
    if lacking:
        raise ValueError(f"it has no {', '.join(lacking)}")
    if row["kind"] not in (DECLARED, READ, UNDECLARED):
        raise ValueError(f"its kind is {row['kind']!r}")
    if not isinstance(row.setdefault("end", None), str | None):
        raise TypeError(f"its end is {row['end']!r}")
    if not isinstance(row.get("before", 0), int):
        raise TypeError(f"its count of trials is {row['before']!r}")
    return row


def look(path: Path, visit: Visit, who: Mapping[str, str]) -> list[str]:
    """Append the looks that a run is about to take, before it takes them; return their kinds.

    who : utc (when the run began), user, name (of the run), config_hash, git_sha
    The same look of the same run is written once: a run asks again after each stage, for what was
    declared since it began. One that dies before that is not counted.
    A run reads a hold-out where it says so, and "undeclared" where its data reach into one that was
    declared on its market and that its own does not cover.
    """

    def looks(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = {}
        if visit.own and visit.read and (part := visit.own.common(visit.seen)):
            found[READ] = part
        if part := _hull(_outside(span, visit) for span in _declared(known, visit.market)):
            found[UNDECLARED] = part
        rows = (_row(kind, visit.market, part, who) for kind, part in found.items())
        return [row for row in rows if row not in known]

    return [line["kind"] for line in _append(path, looks)]


def declare(path: Path, visit: Visit, who: Mapping[str, str], before: int) -> None:
    """Append the run's own hold-out, where nobody has declared it yet.

    who    : as in `look`; before : trials evaluated on the market so far
    """

    def news(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if visit.own is None or visit.own in _declared(known, visit.market):
            return []
        return [{**_row(DECLARED, visit.market, visit.own, who), "before": before}]

    _append(path, news)


def _append(
    path: Path, make: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Append the lines that `make` makes of the known ones, in one piece; return them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            lines = make(read(path))
            if lines:
                append(path, "".join(json.dumps(x, sort_keys=True) + "\n" for x in lines))
    except OSError as error:
        raise full_disk(error, path) from error
    return lines


def _row(kind: str, market: str, span: Span, who: Mapping[str, str]) -> dict[str, Any]:
    return {**who, "kind": kind, "market": market, "start": span.start, "end": span.end}


def _hull(parts: Iterable[Span | None]) -> Span | None:
    """From the first start to the last end of the parts."""
    some = [part for part in parts if part]
    if not some:
        return None
    ends = [part.end for part in some if part.end]
    return Span(min(p.start for p in some), max(ends) if len(ends) == len(some) else None)


def _declared(known: list[dict[str, Any]], market: str) -> list[Span]:
    """Hold-outs of a market, the first declared first."""
    return [
        Span(row["start"], row["end"])
        for row in known
        if row["kind"] == DECLARED and row["market"] == market
    ]


def _outside(span: Span, visit: Visit) -> Span | None:
    """What the visit sees of a declared hold-out before its own begins.

    Nothing is seen after its own: a run's data end there, or before it.
    """
    part = span.common(visit.seen)
    if part is None or visit.own is None or part.start < visit.own.start:
        return part
    return None


def status(
    path: Path, market: str, start: str | None = None, end: str | None = None, locked: bool = False
) -> Status:
    """What the ledger knows of the hold-out from `start` to `end`.

    start  : of the run's own hold-out; None = the first one that was declared on the market
    locked : this run does not see it
    """
    known = [row for row in read(path) if row["market"] == market]
    declared = _declared(known, market)
    own = Span(start, end) if start else next(iter(declared), None)
    if own is None:
        return Status(None, None, False, 0, 0, pd.DataFrame(columns=list(ROWS), dtype=object))
    looks = [row for row in known
             if row["kind"] != DECLARED and own.common(Span(row["start"], row["end"]))]  # fmt: skip
    rows = pd.DataFrame([[r[n] for n in ROWS] for r in looks], columns=list(ROWS), dtype=object)
    # a run whose own hold-out begins later does both, and has looked once
    rows = rows.drop_duplicates(["utc", "name", "config_hash"], keep="last", ignore_index=True)
    first = (r for r in known if r["kind"] == DECLARED and Span(r["start"], r["end"]) == own)
    return Status(
        start=own.start,
        end=own.end,
        locked=locked,
        reads=len(rows),
        configs=rows["config_hash"].nunique(),
        rows=rows,
        before=next(first, {}).get("before", 0),
    )

"""The trial ledger: every distinct configuration ever evaluated on a market, one line each.

The deflated Sharpe ratio asks how many things were tried. A trial is a distinct config hash on the
same region and data; a rerun is none (readings 34). Beside the ledger, in
`returns/<market>/<config_hash>.parquet`, lie the daily returns of each trial, which tell whether
two of them are one idea.

What was tried on labels alone, by cross-validation on the time before a backtest, is a line too
(`stage`: the stage that tried it; `labels_until`: the last of these labels). It chose the settings
of a backtest without looking at it, so that its Sharpe ratio is no higher for it: such lines are
counted apart and shown. Those whose labels reach into a backtest did look: they count in its N.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from quant.core import logs, tables
from quant.core.errors import StoreError
from quant.core.store import digest_file, digest_json, full_disk
from quant.core.types import Frame
from quant.evaluation.clusters import Trial, up_to
from quant.governance.lines import append

# decimal a session; benchmark: of the same run
RETURNS = tables.table(
    "returns", tables.dates("date"), tables.doubles("book", "benchmark", "rf"), key=("date",)
)


@dataclass(frozen=True)
class Tuned:
    """Settings that were tried on labels alone. labels_until : ISO date."""

    config_hash: str
    name: str
    labels_until: str


@dataclass(frozen=True)
class Trials:
    """What the ledger knew of other configurations when a run was evaluated.

    own, name : config hash and name of the run itself
    others    : trials of other configurations, by config hash
    digests   : of the lines and returns of the others, in the same order
    tuned     : what was tried on labels alone, by config hash
    """

    own: str = ""
    name: str = ""
    others: tuple[Trial, ...] = ()
    digests: tuple[str, ...] = ()
    tuned: tuple[Tuned, ...] = ()

    def digest(self) -> str:
        """Digest of the snapshot: part of the evaluation's key."""
        return digest_json([self.digests, [astuple(t) for t in self.tuned]])

    def with_own(self, sharpe: float, returns: Frame) -> list[Trial]:
        """All trials, the run itself the last.

        sharpe : a session; returns : date, book, benchmark, rf
        """
        looked = self.looked(str(returns["date"].iloc[0].date()))
        own = Trial(self.own, self.name, sharpe, len(returns), returns)
        return [*self.others, *looked, own]

    def looked(self, start: str) -> list[Trial]:
        """Those tried on labels from `start` (ISO) on: each an idea, its Sharpe ratio another's."""
        return [Trial(t.config_hash, t.name, float("nan"), 0) for t in self.tuned
                if t.labels_until >= start]  # fmt: skip


def read(path: Path) -> list[dict[str, Any]]:
    """All recorded lines. Raises StoreError for a line that is no trial."""
    if not path.exists():
        return []
    rows = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise full_disk(error, path) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_line(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"line {number} of the trial ledger {path} is damaged ({error}); "
                "repair or remove that line, keeping the others: the deflated Sharpe counts them."
            ) from error
    return rows


def _line(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise TypeError("it is no JSON object")
    lacking = [k for k in ("market", "config_hash", "sharpe_period") if k not in row]
    if lacking:
        raise ValueError(f"it has no {', '.join(lacking)}")
    if not all(isinstance(row[k], str) for k in ("market", "config_hash")):
        raise TypeError("its market or config_hash is no text")
    float(row["sharpe_period"])
    int(row.get("n_obs", 0))
    return row


def snapshot(
    path: Path, market: str, config_hash: str, name: str = "", last: str | None = None
) -> Trials:
    """Trials of other configurations on `market`, the newest line of each, with their returns.

    last : ISO date after which a run sees nothing; what others earned later is a hold-out's, see
           `clusters.up_to`; None = no such date
    Where the returns of one are missing or not those that its line names, a warning says so and
    the trial stands alone.
    """
    if not path.exists():
        return Trials(config_hash, name)
    try:
        with FileLock(path.with_suffix(".lock")):  # a line and its returns belong together
            rows = [r for r in read(path) if r["market"] == market]
            newest = {r["config_hash"]: r for r in rows if not on_labels(r)}
            newest.pop(config_hash, None)
            found = [_trial(path, newest[key]) for key in sorted(newest)]
    except OSError as error:
        raise full_disk(error, path) from error
    lost = [t.config_hash for t, row in zip(found, (newest[k] for k in sorted(newest)), strict=True)
            if t.returns is None and row.get("returns")]  # fmt: skip
    if lost:
        logs.event(
            f"the daily returns of {len(lost)} trials ({', '.join(lost[:5])}) beside {path} are "
            "missing or damaged: each counts as an idea of its own; running them again mends it",
            logging.WARNING,
        )
    if last:
        _warn_uncut(found, last)
        found = [up_to(t, last) for t in found]
    digests = tuple(
        digest_json([t.config_hash, t.name, t.sharpe, t.n_obs,
                     newest[t.config_hash]["returns"] if t.returns is not None else ""])
        for t in found
    )  # fmt: skip
    return Trials(config_hash, name, tuple(found), digests, _tuned(rows))


def on_labels(row: Mapping[str, Any]) -> bool:
    """Whether a line is of settings that were tried on labels alone."""
    return "labels_until" in row


def tuned(path: Path, market: str) -> int:
    """How many settings were tried on labels of `market` alone, by all searches and sweeps."""
    return len(_tuned([row for row in read(path) if row["market"] == market]))


def _tuned(rows: list[dict[str, Any]]) -> tuple[Tuned, ...]:
    newest = {r["config_hash"]: r for r in rows if on_labels(r)}
    return tuple(
        Tuned(key, str(newest[key].get("name", "")), str(newest[key]["labels_until"]))
        for key in sorted(newest)
    )


def _warn_uncut(found: list[Trial], last: str) -> None:
    whole = sum(t.returns is None for t in found)
    if whole:
        logs.event(
            f"{whole} trials have no daily returns: their Sharpe ratios are deflated by as they "
            f"are, and may know what came after {last}",
            logging.WARNING,
        )


def _trial(path: Path, row: Mapping[str, Any]) -> Trial:
    return Trial(
        config_hash=row["config_hash"],
        name=str(row.get("name", "")),
        sharpe=float(row["sharpe_period"]),
        n_obs=int(row.get("n_obs", 0)),
        returns=_returns(path, row),
    )


def place(path: Path, market: str, config_hash: str) -> Path:
    """Where the daily returns of a trial lie."""
    return path.parent / "returns" / market / f"{config_hash}.parquet"


def _returns(path: Path, row: Mapping[str, Any]) -> Frame | None:
    """The returns that a line names, or None."""
    file = place(path, row["market"], row["config_hash"])
    if not row.get("returns") or not file.is_file() or digest_file(file) != row["returns"]:
        return None
    return RETURNS.read(file)


def record(path: Path, row: Mapping[str, Any], returns: Frame | None = None) -> None:
    """Append one line, whole or not at all; a line that says the same again is not repeated.

    returns : date, book, benchmark, rf; kept beside the ledger, the newest of a configuration wins
    """
    row = dict(row)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            known = [
                r for r in read(path) if all(r[k] == row[k] for k in ("market", "config_hash"))
            ]
            if returns is not None:
                file = place(path, row["market"], row["config_hash"])
                row["returns"] = _write(returns, file)
            if known and all(known[-1].get(k) == row.get(k) for k in ("sharpe_period", "returns")):
                return
            append(path, json.dumps(row, sort_keys=True, default=str) + "\n")
    except OSError as error:
        raise full_disk(error, path) from error


def _write(returns: Frame, file: Path) -> str:
    """Write returns, whole or not at all; return the digest of the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        RETURNS.write(returns, draft)
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    return digest_file(file)

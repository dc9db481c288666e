"""The trial ledger: every distinct configuration ever evaluated on a market, one line each.

The deflated Sharpe ratio asks how many things were tried. A trial is a distinct config hash on the
same region and data; a rerun is none (readings 34).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from quant.core.errors import StoreError
from quant.core.store import digest_json, full_disk


@dataclass(frozen=True)
class Trials:
    """What the ledger knew of other configurations when a run was evaluated.

    n        : trials, the run itself included
    variance : of the per-period Sharpe ratios of the others and the run's own; needs `own`
    """

    others: tuple[tuple[str, float], ...]  # (config hash, Sharpe a period)

    @property
    def n(self) -> int:
        """Number of trials, the run itself included."""
        return len(self.others) + 1

    def variance(self, own: float) -> float:
        """Variance (ddof 1) of Sharpe ratios a period over all trials; 0 for a single one."""
        values = [s for _, s in self.others if math.isfinite(s)] + [own]
        if len(values) < 2:
            return 0.0
        mean = sum(values) / len(values)
        return sum((v - mean) ** 2 for v in values) / (len(values) - 1)

    def digest(self) -> str:
        """Digest of the snapshot: part of the evaluation's key."""
        return digest_json(self.others)


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
            rows.append(_trial(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"line {number} of the trial ledger {path} is damaged ({error}); "
                "repair or remove that line, keeping the others: the deflated Sharpe counts them."
            ) from error
    return rows


def _trial(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise TypeError("it is no JSON object")
    lacking = [k for k in ("market", "config_hash", "sharpe_period") if k not in row]
    if lacking:
        raise ValueError(f"it has no {', '.join(lacking)}")
    float(row["sharpe_period"])
    return row


def snapshot(path: Path, market: str, config_hash: str) -> Trials:
    """Trials of other configurations on `market`, the newest line of each."""
    newest = {r["config_hash"]: float(r["sharpe_period"]) for r in read(path)
              if r.get("market") == market and r.get("config_hash") != config_hash}  # fmt: skip
    return Trials(tuple(sorted(newest.items())))


def record(path: Path, row: Mapping[str, Any]) -> None:
    """Append one line, whole or not at all; a line that says the same again is not repeated."""
    same = ("market", "config_hash", "sharpe_period")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if any(all(r.get(k) == row.get(k) for k in same) for r in read(path)):
                return
            with open(path, "a") as handle:
                handle.write(json.dumps(dict(row), sort_keys=True, default=str) + "\n")
    except OSError as error:
        raise full_disk(error, path) from error

"""Vendor history that changed since it was first downloaded: found, reported, never swapped.

Two answers about the same days are compared value by value. With the policy "keep" what was
known first stays in force; with "accept" the latest answer does. Either way the differences are
returned, one row each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.errors import ConfigError
from quant.core.types import Codes, Frame, Mask

POLICIES = ("keep", "accept")
# kind: which table; field: the column, or "row" where a whole row came or went; was, now: text
COLUMNS = ["kind", "symbol", "date", "field", "was", "now", "seen"]
_DAYS = 1 << 20  # more days than any calendar; a key is code * _DAYS + day


@dataclass(frozen=True)
class Version:
    """One answer about daily rows.

    frame      : date, symbol and the values
    start, end : the days it covers, datetime64[D], inclusive
    symbols    : the symbols it was asked for; () = the whole market
    seen       : the day it was asked, ISO
    """

    frame: Frame
    start: np.datetime64
    end: np.datetime64
    symbols: tuple[str, ...]
    seen: str


def require_policy(policy: str) -> None:
    """Raise ConfigError unless `policy` is one of POLICIES."""
    if policy not in POLICIES:
        raise ConfigError(f"revisions is {policy!r}; it must be one of {POLICIES}.")


def none() -> Frame:
    """Return a report without rows."""
    report = pd.DataFrame({name: pd.Series(dtype="object") for name in COLUMNS})
    return report.astype({"date": "datetime64[ns]"})


def stack(reports: Sequence[Frame]) -> Frame:
    """Return several reports as one, sorted."""
    filled = [r for r in reports if len(r)]
    if not filled:
        return none()
    return pd.concat(filled, ignore_index=True).sort_values(COLUMNS, ignore_index=True)


def merge(
    kind: str, versions: Sequence[Version], tolerances: dict[str, float], policy: str
) -> tuple[Frame, Frame]:
    """Return the daily rows in force and the report of what changed between the versions.

    versions   : oldest first
    tolerances : the compared columns, each with the relative difference that counts as none
    """
    require_policy(policy)
    if len(versions) == 1:
        return versions[0].frame.sort_values(["date", "symbol"], ignore_index=True), none()
    rows = pd.concat([v.frame for v in versions], ignore_index=True)
    asked = [s for v in versions for s in v.symbols]
    names, codes = np.unique(
        np.concatenate([rows["symbol"].to_numpy(str), np.array(asked, dtype=str)]),
        return_inverse=True,
    )
    codes = codes[: len(rows)]
    number = np.repeat(np.arange(len(versions)), [len(v.frame) for v in versions])
    days = rows["date"].to_numpy("datetime64[D]").astype(np.int64)
    key = codes * _DAYS + days
    order = np.lexsort((number, key))
    rows, key, number = rows.iloc[order].reset_index(drop=True), key[order], number[order]
    head = np.ones(len(key), dtype=bool)
    head[1:] = key[1:] != key[:-1]
    tail = np.append(head[1:], True)
    spans = _Spans(versions, names)
    added = head & (number > 0) & spans.before(key, number)
    gone = tail & spans.after(key, number)
    report = [
        _changed(kind, rows, head, number, tolerances, versions),
        _whole(kind, rows[added], number[added], ("absent", "present"), versions),
        _whole(kind, rows[gone], spans.later(key, number)[gone], ("present", "absent"), versions),
    ]
    force = (head & ~added) if policy == "keep" else (tail & ~gone)
    return rows[force].sort_values(["date", "symbol"], ignore_index=True), stack(report)


class _Spans:
    """Which days of which symbols each version covers."""

    def __init__(self, versions: Sequence[Version], names: np.ndarray) -> None:
        n, m = len(names), len(versions)
        self.low = np.full((m, n), _DAYS, dtype=np.int64)
        self.high = np.full((m, n), -1, dtype=np.int64)
        for i, version in enumerate(versions):
            here = (
                np.searchsorted(names, np.array(sorted(version.symbols), dtype=str))
                if version.symbols
                else np.arange(n)
            )
            self.low[i, here] = np.datetime64(version.start, "D").astype(np.int64)
            self.high[i, here] = np.datetime64(version.end, "D").astype(np.int64)

    def _inside(self, version: int, key: Codes) -> Mask:
        code, day = key // _DAYS, key % _DAYS
        return (self.low[version, code] <= day) & (day <= self.high[version, code])

    def before(self, key: Codes, number: Codes) -> Mask:
        """Was the day of a row covered by a version older than its own?"""
        found = np.zeros(len(key), dtype=bool)
        for i in range(len(self.low) - 1):
            at = np.flatnonzero((number > i) & ~found)
            found[at] = self._inside(i, key[at])
        return found

    def later(self, key: Codes, number: Codes) -> Codes:
        """Return the oldest version newer than the row's own that covers its day, or -1."""
        found = np.full(len(key), -1, dtype=np.int64)
        for i in range(1, len(self.low)):
            at = np.flatnonzero((number < i) & (found < 0))
            found[at] = np.where(self._inside(i, key[at]), i, -1)
        return found

    def after(self, key: Codes, number: Codes) -> Mask:
        """Is the day of a row covered by a version newer than its own?"""
        return self.later(key, number) >= 0


def _changed(
    kind: str,
    rows: Frame,
    head: Mask,
    number: Codes,
    tolerances: dict[str, float],
    versions: Sequence[Version],
) -> Frame:
    """Compare each later row with the one before it of the same day and symbol."""
    at = np.flatnonzero(~head)
    found = []
    for name, tolerance in tolerances.items():
        values = rows[name].to_numpy(float)
        was, now = values[at - 1], values[at]
        same = (np.isnan(was) & np.isnan(now)) | np.isclose(was, now, rtol=tolerance, atol=1e-9)
        hit = at[~same]
        if hit.size:
            one = rows.iloc[hit][["symbol", "date"]].assign(kind=kind, field=name)
            one["was"] = [f"{v:.10g}" for v in values[hit - 1]]
            one["now"] = [f"{v:.10g}" for v in values[hit]]
            one["seen"] = [versions[i].seen for i in number[hit]]
            found.append(one[COLUMNS])
    return stack(found)


def _whole(
    kind: str, rows: Frame, number: Codes, words: tuple[str, str], versions: Sequence[Version]
) -> Frame:
    seen = [versions[i].seen for i in number]
    one = rows[["symbol", "date"]].assign(
        kind=kind, field="row", was=words[0], now=words[1], seen=seen
    )
    return one[COLUMNS]


def facts(
    kind: str,
    versions: Sequence[tuple[str, Frame]],
    key: list[str],
    fields: list[str],
    policy: str,
) -> tuple[Frame, Frame]:
    """Return slowly growing facts (listings, names, classifications) in force, and what changed.

    versions : (day seen, frame of text columns, null = unknown), oldest first
    key      : identifies a fact; its first column is the symbol
    A null that is filled later (a delisting, the end of a spell) is news, not a revision. The
    frame returned has in addition `seen`, the day on which the fact was first seen.
    """
    require_policy(policy)
    force: dict[tuple[str, ...], dict[str, str | None]] = {}
    changes: list[tuple[str, ...]] = []
    for seen, frame in versions:
        clean = frame.drop_duplicates(key).astype(object)
        clean = clean.where(clean.notna(), None)
        for row in clean[key + fields].itertuples(index=False, name=None):
            name, values = row[: len(key)], dict(zip(fields, row[len(key) :], strict=True))
            known = force.setdefault(name, {**values, "seen": seen})
            for field, value in values.items():
                if value is None or known[field] == value:
                    continue
                if known[field] is not None:
                    changes.append((name[0], field, str(known[field]), str(value), seen))
                if known[field] is None or policy == "accept":
                    known[field] = value
    rows = [(*name, *values.values()) for name, values in force.items()]
    frame = pd.DataFrame(rows, columns=[*key, *fields, "seen"], dtype=object)
    report = pd.DataFrame(changes, columns=["symbol", "field", "was", "now", "seen"], dtype=object)
    never = pd.Series(pd.NaT, index=report.index, dtype="datetime64[ns]")
    report = report.assign(kind=kind, date=never)[COLUMNS].drop_duplicates()
    return frame.sort_values(key, ignore_index=True), stack([report])

"""Drift of what Model 2 leans on: its leading features, and what it says of the names.

Looked at every so many sessions from the first refit on; a look uses the leading features of the
last refit before it, and nothing that comes after it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from quant.core import logs, tables
from quant.core.memo import NOTHING, Memo, digest
from quant.core.panel import sessions_of
from quant.core.types import Dates, Frame, Vector
from quant.governance import drift
from quant.stages import model2
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Drift

SCORE = "score"
COLUMNS = ("distance", "literal", "p", "psi")


def run(s: "Drift", f: Inputs, c: Context) -> Mapping[str, Frame]:
    """DRIFT table; empty where no stretch has a past long enough."""
    days = sessions_of(f["sessions"])
    leading = _leading(f["importance"], s.top)
    names = sorted({name for _, some in leading for name in some})
    memo = Memo(c.private, __name__)
    panels = {name: Panel(_by_session(f["features"], name, days), memo) for name in names}
    panels[SCORE] = Panel(_by_session(f["alpha"], SCORE, days), memo)
    tick, rows = c.tick("drift"), []
    looks = _looks(leading, panels[SCORE].values, s)
    for done, t in enumerate(looks):
        tick(done, len(looks))
        rows += _look(days, t, _in_force(leading, days[t]), panels, s)
    made = pd.DataFrame(rows, columns=[x.name for x in tables.DRIFT.schema])
    if len(made):
        last = made[made["date"] == made["date"].max()]
        c.metrics["drift.review"] = float(last["review"].sum())
        c.metrics["drift.severe"] = float((last["severity"] == tables.SEVERE).sum())
        logs.event(
            f"drift: as of {last['date'].iloc[0]:%Y-%m-%d} the literal rule fires on "
            f"{int(last['review'].sum())} of {len(last)}, "
            f"{int((last['severity'] != tables.NONE).sum())} have drifted"
        )
    return {"drift": made}


def today(frames: Mapping[str, Frame], s: "Drift") -> Frame:
    """DRIFT rows of the last session, which may lie between two looks; frames : as the stage needs.

    Empty where no stretch has a past long enough.
    """
    days = sessions_of(frames["sessions"])
    leading = [(day, names) for day, names in _leading(frames["importance"], s.top)
               if day <= days[-1]]  # fmt: skip
    columns = [x.name for x in tables.DRIFT.schema]
    if not leading:
        return pd.DataFrame(columns=columns)
    panels = {name: Panel(_by_session(frames["features"], name, days)) for name in leading[-1][1]}
    panels[SCORE] = Panel(_by_session(frames["alpha"], SCORE, days))
    return pd.DataFrame(_look(days, len(days) - 1, leading[-1][1], panels, s), columns=columns)


class Panel:
    """Values of one feature by session; a stretch that was measured before is not measured again.

    A night that adds a session leaves all looks but the last as they were.
    """

    def __init__(self, values: Sequence[Vector], memo: Memo = NOTHING):
        """Values : of every session, none for one without rows"""
        self.values, self._memo = values, memo
        self._digests = [digest(v) for v in values] if memo.folder else []

    def measure(self, first: int, end: int, window: int) -> drift.Drift | None:
        """The last `window` sessions before `end` against those from `first` on; None: too few."""
        some = [t for t in range(first, end) if self.values[t].size]
        if len(some) < 3 * window:
            return None

        def made() -> bytes:
            found = drift.measure([self.values[t] for t in some], window)
            return json.dumps(asdict(found)).encode()

        named = [self._digests[t] for t in some] if self._memo.folder else []
        return drift.Drift(**json.loads(self._memo(["drift", window, named], made)))


def _leading(importance: Frame, top: int) -> list[tuple[np.datetime64, list[str]]]:
    """(session of a refit, its leading features), oldest first."""
    ordered = importance.sort_values(["date", "mean_abs_shap", "feature"],
                                     ascending=[True, False, True])  # fmt: skip
    return [(np.datetime64(day, "D"), list(rows["feature"][:top]))
            for day, rows in ordered.groupby("date")]  # fmt: skip


def _in_force(leading: Sequence[tuple[np.datetime64, list[str]]], day: np.datetime64) -> list[str]:
    return [names for since, names in leading if since <= day][-1]


def _looks(
    leading: Sequence[tuple[np.datetime64, list[str]]], scores: Sequence[Vector], s: "Drift"
) -> list[int]:
    """Sessions that are looked at: every `every` from the first score on."""
    scored = [t for t, values in enumerate(scores) if values.size]
    if not scored or not leading:
        return []
    return [t for t in range(scored[0], scored[-1] + 1, s.every) if t + 1 >= 3 * s.window]


def _by_session(frame: Frame, column: str, days: Dates) -> list[Vector]:
    """Values of every session; of one without rows, none."""
    day = frame["date"].to_numpy().astype("datetime64[D]")
    edges = np.searchsorted(day, days)
    ends = np.searchsorted(day, days, "right")
    values = frame[column].to_numpy()
    return [values[a:b] for a, b in zip(edges, ends, strict=True)]


def _look(
    days: Dates, t: int, names: Sequence[str], panels: "Mapping[str, Panel]", s: "Drift"
) -> list[dict[str, object]]:
    """Rows of one date: the score first, then the leading features."""
    first = max(0, t + 1 - s.window - s.past)
    found = []
    for rank, name in enumerate([SCORE, *names]):
        measured = panels[name].measure(first, t + 1, s.window)
        if measured is not None:
            found.append((rank, name, measured))
    corrected = drift.holm(np.array([d.p for *_, d in found]))
    return [
        {
            "date": pd.Timestamp(days[t]), "rank": rank, "feature": name,
            **{column: getattr(d, column) for column in COLUMNS}, "holm": p,
            "severity": drift.severity(p, d.psi), "review": bool(d.literal < tables.LITERAL),
        }
        for (rank, name, d), p in zip(found, corrected, strict=True)
    ]  # fmt: skip


STAGE = Stage(
    "drift",
    needs=(tables.FEATURES, tables.IMPORTANCE, tables.ALPHA, tables.SESSIONS),
    makes=(tables.DRIFT,),
    settings=lambda config: config.drift,
    private=model2.kept,
    run=run,
    module=__name__,
)

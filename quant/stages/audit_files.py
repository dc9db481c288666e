"""What the audit compares beside tables: what the source hands over, models, the Qlib dataset."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quant import audit
from quant.core import tables
from quant.core.panel import sessions_of
from quant.core.types import Frame
from quant.data import qlib_store
from quant.model2.models import Member
from quant.stages import ingest
from quant.stages.registry import Context, Inputs

if TYPE_CHECKING:
    from quant.settings import Config


def left_out(provider: str) -> tuple[str, ...]:
    """What is not replayed on data of `provider`, and why; sentences."""
    said = [
        "Stages report and explain draw tables that are compared here; stage audit does not audit "
        "itself; stage tune decides nothing of a run, and sees only labels older than it.",
        "Tables quality and notes judge the data with hindsight; no stage reads them but report.",
        "Statistics of the whole window are made again from what was known at each date, in the "
        "run and in its replay alike: a formula that peeks within them would not show.",
        "Only the dates named above were tried: a leak that shows on other days alone is not seen.",
    ]
    if provider == "sim":
        said.append(
            "Stage ingest was not replayed: a simulated market is drawn whole, and has no source "
            "that could be cut. What it handed on was cut and garbled for every other stage."
        )
    elif provider != "files":
        said.append(
            "Stage ingest was replayed on the snapshot up to each session, not on a garbled one: "
            "a vendor's own files are checked against its answers."
        )
    return tuple(said)


def ingested(
    config: "Config", whole: dict[str, Frame], cut: np.datetime64, how: str, seed: int, place: Path
) -> Iterator[tuple[str, audit.Compared]]:
    """Ask the source again: a vendor's up to the cut, files on a copy that is cut or garbled."""
    source, last = ingest.provider(config), str(cut)
    if config.data.provider == "sim" or (how == "garbled" and config.data.provider != "files"):
        return
    if config.data.provider == "files":
        from quant.data.providers.files import Files
        from quant.data.providers.files_blind import blind

        assert isinstance(source, Files)
        source = Files(blind(source.layout, cut, how, place / "source", seed))
        days = sessions_of(whole["sessions"])
        last = str(days[min(np.searchsorted(days, cut) + config.audit.tail, days.size - 1)])
    asked = dataclasses.replace(config, data=dataclasses.replace(config.data, end=last))
    context = Context(config.region.name, seed, place, lambda label: lambda i, n: None)
    context.private = source
    made = ingest.STAGE.run(ingest.settings(asked), Inputs({}), context)
    # what a source says of a name that has not traded yet is news, not history
    traded = [audit.known(f["bars"], tables.BARS, cut)["symbol"] for f in (whole, made)]
    seen = np.union1d(*(names.unique() for names in traded))
    for table in ingest.STAGE.makes:
        if table.known != tables.SUMMARY:
            pair = [audit.known(f[table.name], table, cut) for f in (whole, made)]
            if "symbol" in table.key:
                pair = [f[f["symbol"].isin(seen)].reset_index(drop=True) for f in pair]
            yield table.name, audit.compare(*pair, table.key)


def _models(whole: Path, replayed: Path, folds: Frame, days: Frame, cut: np.datetime64):
    """Models fitted up to the cut are the same, byte for byte."""
    names = [
        f"fold{r.fold:03d}-{Member(r.model, int(r.horizon), int(r.draw)).name}"
        for r in folds.itertuples()
    ]
    first = None
    size = 0
    for name in names:
        # none, or two, would leave the replay without its match
        (mine,) = (path.read_bytes() for path in whole.glob(f"{name}.*"))
        theirs = b"".join(path.read_bytes() for path in replayed.glob(f"{name}.*"))
        size += len(mine)
        if mine != theirs and first is None:
            first = audit.Difference(name, "", cut, f"{len(mine)} bytes", f"{len(theirs)} bytes")
    return audit.Compared(len(names), size, first)


def _qlib(whole: Path, replayed: Path, folds: Frame, days: Frame, cut: np.datetime64):
    """Every field of every instrument is the same up to the cut."""
    sessions = sessions_of(days)
    last = int(np.searchsorted(sessions, cut, side="right"))
    first, rows, values = None, 0, 0
    for name, field, begin, mine in qlib_store.stored(whole):
        if begin >= last:
            continue
        rows, mine = rows + 1, mine[: last - begin]
        start, theirs = qlib_store.load(replayed, name, field)
        theirs = theirs[: last - begin]
        values += mine.size
        # a name that does not trade in its last sessions ends earlier in the replay
        n = max(mine.size, theirs.size)
        pad = [np.r_[v, np.full(n - v.size, np.nan, v.dtype)] for v in (mine, theirs)]
        wrong = ~((pad[0] == pad[1]) | (np.isnan(pad[0]) & np.isnan(pad[1])))
        if first is None and (start != begin or wrong.any()):
            at = int(np.argmax(wrong))
            pair = (str(v[at]) for v in pad)
            first = audit.Difference(field, name, sessions[begin + at], *pair)
    return audit.Compared(rows, values, first)


def _policy(whole: Path, replayed: Path, folds: Frame, days: Frame, cut: np.datetime64):
    """The policy that steers is the same, byte for byte; there may be none."""
    mine, theirs = ({p.name: p.read_bytes() for p in f.iterdir()} for f in (whole, replayed))
    first = None
    if mine != theirs:
        sizes = (f"{sum(map(len, files.values()))} bytes" for files in (mine, theirs))
        first = audit.Difference("policy.npz", "", cut, *sizes)
    return audit.Compared(len(mine), sum(map(len, mine.values())), first)


# a dictionary for people describes the whole sample, and is read by no stage
# of the whole window, read by people alone: the features behind it are compared
SUMMARIES = {"dictionary.md"}
COMPARE: dict[str, Callable[..., audit.Compared]] = {
    "models": _models, "qlib": _qlib, "controller": _policy,
}  # fmt: skip

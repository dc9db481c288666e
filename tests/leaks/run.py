"""Run the catalogue: clean against leaky, then the replay, then the named checks."""

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from quant import audit
from quant.stages import evaluate
from quant.stages.registry import Stage
from tests import pipeline
from tests.leaks import checks, figures, markets, vendor
from tests.leaks.leak import REPLAY, Leak
from tests.pipeline import Frames, through

# the optimizer alone comes last: no figure needs it
ALONE = "optimize"
STAGES = (
    vendor.STAGE,
    *(s for s in pipeline.STAGES if s.name != ALONE),
    evaluate.STAGE,
    *(s for s in pipeline.STAGES if s.name == ALONE),
)
HOW = {"cut": audit.forget, "garbled": audit.garble}


@dataclass
class Run:
    """The stages over some tables of ingest, run only as far as somebody looks."""

    market: markets.Market
    given: Frames
    frames: Frames = field(default_factory=dict)
    done: int = 0

    def __post_init__(self) -> None:
        self.frames = self.given | self.frames

    def upto(self, stage: int) -> Frames:
        """Every table that stages 0 to `stage` make."""
        for one in STAGES[self.done : stage + 1]:
            with tempfile.TemporaryDirectory() as folder:
                self.frames = through(self.market.config, self.frames, Path(folder), [one])
            self.done += 1
        return self.frames

    def fork(self, stage: int) -> "Run":
        """The same tables up to before `stage`, free to go on differently."""
        if stage:
            self.upto(stage - 1)
        made = {t.name: self.frames[t.name] for s in STAGES[:stage] for t in s.makes}
        return Run(self.market, self.given, made, stage)


@dataclass
class Lab:
    """Clean runs, made once for all leaks: of every market, whole and without its future."""

    clean: dict[tuple, Run] = field(default_factory=dict)

    def run(self, market: str, how: str = "", cut: np.datetime64 | None = None) -> Run:
        """The clean run; how : "" for the whole market, else as in HOW, after `cut`."""
        if (market, how, cut) not in self.clean:
            m = markets.market(market)
            frames = HOW[how](m.frames, cut) if how else m.frames
            # garbled rows are no vendor's: they are taken as bars
            skip = int(how == "garbled")
            self.clean[market, how, cut] = Run(m, frames, done=skip)
        return self.clean[market, how, cut]


@dataclass(frozen=True)
class Found:
    """What became of one leak.

    caught : what caught it, "" for nothing;  first : where it showed first
    silent : the same comparison finds nothing in the clean run on the same market
    """

    leak: Leak
    gain: figures.Gain
    caught: str = ""
    first: str = ""
    silent: bool = True

    @property
    def good(self) -> bool:
        """Inflated, and caught by what ought to catch it, which is silent on the clean run."""
        return self.gain.inflated and self.silent and self.caught.split(":")[0] == self.leak.check

    def line(self) -> str:
        """A row of the leak table."""
        g, row = self.gain, self.leak
        figure = f"{row.inflates} {g.clean:.3f} -> {g.leaky:.3f} ({g.sure})"
        caught = self.caught or "MISSED"
        cells = (row.name, row.mechanism, row.stage, row.market, figure, caught, self.first)
        return " | ".join(cells) + ("" if self.good else "  <-- NOT AS IT SHOULD BE")


def position(stage: str) -> int:
    """Number of a stage."""
    return [s.name for s in STAGES].index(stage)


def study(leak: Leak, lab: Lab) -> Found:
    """Measure one leak and try to catch it."""
    m, clean = markets.market(leak.market), lab.run(leak.market)
    last = position(figures.NEEDS[leak.inflates])
    without, leaky = clean.upto(last), clean.fork(position(leak.stage))
    with leak.apply():
        gain = figures.FIGURES[leak.inflates](
            without, leaky.upto(last), m.config.model2.label.horizon, m.config.region.periods
        )
        tried = ((name, look, look(leaky)) for name, look in traps(leak, lab))
        name, look, first = next((one for one in tried if one[2]), ("", None, ""))
    if look is None:
        return Found(leak, gain)
    return Found(leak, gain, name, first, silent=look(clean) == "")


def traps(leak: Leak, lab: Lab) -> Iterator[tuple[str, Callable[[Run], str]]]:
    """Whatever may catch a leak, in this order: its name, and run -> first fault."""
    m, start = markets.market(leak.market), position(leak.stage)
    # what the leaky stage itself did not show, later ones do not add
    stage = STAGES[start : start + 1]
    for how, cut in itertools.product(HOW, m.cuts if leak.check == REPLAY else m.cuts[:1]):

        def replay(run: Run, how: str = how, cut: np.datetime64 = cut) -> str:
            clean = lab.run(leak.market)
            other = lab.run(leak.market, how, cut)
            return difference(run, other if run is clean else other.fork(start), cut, stage)

        yield f"{REPLAY}: {how}", replay
    for name, check in checks.CHECKS.items():
        yield name, lambda run, check=check: check(m, run.upto(position(checks.AFTER)))


def difference(
    whole: Run, replayed: Run, cut: np.datetime64, stages: Iterable[Stage] = STAGES
) -> str:
    """The first difference in the tables of `stages`; "" where there is none."""
    for stage in stages:
        number = position(stage.name)
        mine, theirs = whole.upto(number), replayed.upto(number)
        for table in stage.makes:
            known = [audit.known(f[table.name], table, cut) for f in (mine, theirs)]
            first = audit.compare(*known, table.key).first
            if first is not None:
                day = "" if first.day is None else f" {first.day:%Y-%m-%d}"
                column = first.column or "row"
                return f"{table.name}.{column} {first.symbol}{day}".strip()
    return ""


def clean_faults(market: str, lab: Lab) -> list[str]:
    """What the replay and the checks find in the clean pipeline: nothing, if it is clean."""
    m, whole = markets.market(market), lab.run(market)
    cut = m.cuts[0]
    found = [difference(whole, lab.run(market, how, cut), cut) for how in HOW]
    frames = whole.upto(position(checks.AFTER))
    return [fault for fault in (*found, *(c(m, frames) for c in checks.CHECKS.values())) if fault]

"""The sections of a comparison page: the answer, the jobs side by side, and how it was done."""

import re

import pandas as pd

from quant.reporting.blocks import (
    Block,
    Section,
    Text,
    Tile,
    Tiles,
    Verbatim,
    empty,
)
from quant.reporting.figures import Forest, Line, Lines, figure
from quant.reporting.formats import (
    DASH,
    TIMES,
    count,
    number,
)
from quant.reporting.jobs import ComparisonInputs
from quant.reporting.jobs_answer import FOUND, said
from quant.reporting.sections import jobtables as tables

CURVES = 5  # beside the base
TONES = {"BETTER": 3, "WORSE": 7, "INCONCLUSIVE": 2}


def answer(inputs: ComparisonInputs) -> Section:
    """What changed, which jobs are distinguishable from the base, and by how much."""
    blocks: list[Block] = [said(inputs), _tiles(inputs)]
    blocks += [Text(note, "warning") for note in inputs.notes]
    return Section("answer", "Verdict", tuple(blocks))


def differences(inputs: ComparisonInputs) -> Section:
    """Differences of Sharpe ratios to the base, drawn and in a table."""
    rows = inputs.against_base
    if not len(rows):
        return Section(
            "sharpe", "Sharpe ratios", (empty("No job could be compared with the base"),)
        )
    rows = rows.sort_values(["difference", "book"], ascending=[False, True])
    chart = Forest(
        f"Sharpe ratio less that of the base ({inputs.base})",
        list(rows["book"]),
        *(rows[c].to_numpy(float) for c in ("difference", "low", "high")),
        tones=[TONES.get(v, 2) for v in rows["verdict"]],
    )
    drawn = figure(
        "sharpe-differences",
        chart,
        "Dot: difference of the annualised Sharpe ratios; line: its 95% interval (Ledoit and Wolf "
        "2008). Green: better; red: worse; grey: the interval contains zero.",
        stamp=_stamp(inputs),
    )
    return Section("sharpe", "Sharpe ratios", (drawn, tables.pairs(inputs, rows)))


def curves(inputs: ComparisonInputs) -> Section:
    """Growth of the base, and of the jobs farthest from it."""
    chosen = [n for n in _drawn(inputs) if n in inputs.curves]
    if not chosen:
        return Section("growth", "Growth", (empty("No job left a curve"),))
    known = {n: pd.Series(nav, pd.DatetimeIndex(days)) for n, (days, nav) in inputs.curves.items()}
    table = pd.concat({n: known[n] for n in chosen}, axis=1).sort_index()
    table = table / table.bfill().iloc[0]
    tones = (0, 1, 3, 4, 5, 6)
    lines = [
        Line(_short(n), table[n].to_numpy(float), t) for n, t in zip(chosen, tones, strict=False)
    ]
    chart = Lines(
        "Growth of 1 after costs, logarithmic", table.index.to_numpy(), lines, TIMES, log=True,
        include=(1.0,),
    )  # fmt: skip
    left = len(inputs.jobs) - len(chosen)
    note = f" {left} jobs between them are left out." if left else ""
    caption = f"The base, and the jobs whose Sharpe ratio is farthest from its own.{note}"
    return Section(
        "growth", "Growth", (figure("growth", chart, caption, 360, stamp=_stamp(inputs)),)
    )


def metrics(inputs: ComparisonInputs) -> Section:
    """Every metric as a difference from the base, and the levels in a folded table."""
    return Section("metrics", "Metrics", (tables.deltas(inputs), tables.levels(inputs)))


def method(inputs: ComparisonInputs) -> Section:
    """How the jobs are compared, and the command."""
    return Section(
        "method",
        "How it was compared",
        (
            Text(
                "Every job is compared with the base on the days that both have: difference of "
                "annualised Sharpe ratios in excess of cash "
                f"({inputs.periods} sessions a year), studentised circular block bootstrap, 95% "
                "interval (Ledoit and Wolf 2008). The smallest detectable difference is the true "
                "difference that this test would find four times in five. PBO: probability that "
                "the job that is best in one half of the days is below the median in the other "
                "(CSCV, Bailey et al. 2017)."
            ),
            Verbatim("Run it again", inputs.command),
        ),
    )


SECTIONS = (answer, differences, curves, metrics, method)


def _tiles(inputs: ComparisonInputs) -> Tiles:
    rows = inputs.against_base
    best = inputs.jobs.sort_values(["sharpe", "job"], ascending=[False, True]).iloc[0]
    tally = [str((rows["verdict"] == v).sum()) if len(rows) else DASH for v in FOUND]
    few = "needs 10 configurations" if inputs.n_configs < 10 else "not to be told from these days"
    return Tiles(
        (
            Tile("Better / worse", f"{tally[0]} / {tally[1]}", f"{tally[2]} inconclusive"),
            Tile("Best Sharpe ratio", number(best["sharpe"]), _short(best["label"]), best["label"]),
            Tile("its DSR", number(best["dsr"]), "deflated for every trial in the ledger"),
            Tile(
                "Ideas in this sweep",
                count(inputs.n_effective),
                f"of {count(inputs.n_configs)} configurations, those that trade alike counted once",
            ),
            Tile(
                "PBO",
                DASH if inputs.pbo is None else number(inputs.pbo),
                few if inputs.pbo is None else "0.5 or more: the choice of the best is luck",
                "probability of backtest overfitting",
            ),
        )
    )


def _drawn(inputs: ComparisonInputs) -> list[str]:
    """The base, then the best and the worst in turn."""
    base, *ranked = inputs.ranked["label"]
    return [base, *(ranked.pop(0 if i % 2 == 0 else -1) for i in range(min(CURVES, len(ranked))))]


def _short(name: str) -> str:
    """A label without the groups of its settings; of a long one the end, where jobs differ."""
    bare = re.sub(r"(?:\w+\.)+(?=\w+=)", "", name)
    return bare if len(bare) <= 24 else "…" + bare[-23:]


def _stamp(inputs: ComparisonInputs) -> str:
    return "SIMULATED" if inputs.simulated else ""

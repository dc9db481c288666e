"""The page of a change: every value under conf/ that a run would see differently."""

from quant.core.types import Frame
from quant.reporting.blocks import Answer, Block, Cell, Section, Tabular, Text, Verbatim, cells
from quant.reporting.formats import DASH, basis, missing, number, percent, times
from quant.reporting.night import TITLES
from quant.reporting.page import Head, layout

BASE = "base"  # run of a night that the others are ablations of


def asked(rows: Frame) -> list[str]:
    """The lines that the changelog lacks.

    rows : of the CHANGES table
    """
    return [f"- `{r.key}` ({r.old} → {r.new}): why" for r in rows.itertuples()]


def render(
    rows: Frame, git_sha: str, config_hash: str, command: str, deltas: Frame | None = None
) -> str:
    """Return the whole page.

    rows   : CHANGES table
    deltas : of the runs of a night before and after, see sweep.deltas
    """
    lacking = rows[~rows["told"]]
    head = Head(
        title="What changed under conf/",
        kicker=("settings", f"{len(rows)} values", f"{len(lacking)} without a line"),
        footer=(git_sha, config_hash),
        simulated=False,
    )
    how = Text(
        "Compared by meaning: every region, alone and with every other choice, is composed as a "
        "run would be. Comments, the order of keys and keys that only moved count for nothing.",
        kind="note",
    )
    blocks = [_answer(rows, lacking)]
    if len(lacking):
        blocks.append(Verbatim("Lines that CHANGELOG.md lacks", "\n".join(asked(lacking))))
    if len(rows):
        blocks.append(_table(rows))
    sections = [Section("answer", "Verdict", tuple(blocks))]
    if deltas is not None:
        sections.append(Section("deltas", "What the change did", _deltas(deltas)))
    sections.append(Section("method", "What was done", (how, Verbatim("Command", command))))
    return layout(head, sections)


def _deltas(found: Frame) -> tuple[Block, ...]:
    """Every run before and after, and what each ablation takes from its base, before and after."""
    runs, worth = [], []
    by_run = found.set_index("run")
    for name, r in by_run.iterrows():
        region, what = str(name).split("-", 1)
        interval = (
            DASH if missing(r["low"])
            else f"{number(r['low'], signed=True)} to {number(r['high'], signed=True)}"
        )  # fmt: skip
        runs.append(cells((
            region.upper(), TITLES.get(what, what), r["verdict"] or DASH,
            number(r["sharpe_before"]), number(r["sharpe_after"]),
            number(r["sharpe_after"] - r["sharpe_before"], signed=True), interval,
            percent(r["ann_return_after"] - r["ann_return_before"], signed=True),
            percent(r["max_drawdown_after"] - r["max_drawdown_before"], signed=True),
            basis(r["cost_bp_ann_after"] - r["cost_bp_ann_before"]),
            times(r["turnover_ann_after"] - r["turnover_ann_before"], 1),
        )))  # fmt: skip
        if what != BASE and f"{region}-{BASE}" in by_run.index:
            base = by_run.loc[f"{region}-{BASE}"]
            taken = [r[f"sharpe_{s}"] - base[f"sharpe_{s}"] for s in ("before", "after")]
            worth.append(cells((
                region.upper(), TITLES.get(what, what), *(number(t, signed=True) for t in taken),
                number(taken[1] - taken[0], signed=True),
            )))  # fmt: skip
    head = ("Region", "Run", "After against before", "Sharpe before", "After", "Difference",
            "95 %", "Return", "Drawdown", "Costs a year", "Turnover")  # fmt: skip
    foot = (
        "Interval: of the difference of Sharpe ratios, by a studentised bootstrap of blocks. "
        "Return to turnover: after less before."
    )
    blocks: list[Block] = [Tabular("Runs", head, tuple(runs), foot, texts=3)]
    if worth:
        told = "Sharpe ratio of the ablation less that of the book as it stands; points, no test."
        columns = ("Region", "Ablation", "Before", "After", "Moved by")
        blocks.append(Tabular("Ablations", columns, tuple(worth), told, texts=2))
    return tuple(blocks)


def _answer(rows: Frame, lacking: Frame) -> Answer:
    if not len(rows):
        return Answer("No value changed", ("Every choice composes to the same values.",), "good")
    if not len(lacking):
        told = f"All {len(rows)} changed values have a line in the changelog."
        return Answer("Every change is told", (told,), "good")
    told = f"{len(lacking)} of {len(rows)} changed values have no line in CHANGELOG.md."
    return Answer("A value changed and nobody says why", (told,), "bad")


def _table(rows: Frame) -> Tabular:
    ordered = rows.sort_values(["told", "key"])
    return Tabular(
        "Changed values",
        ("Key", "Old", "New", "Seen by", "In the changelog"),
        tuple(
            (
                Cell(r.key),
                Cell(r.old),
                Cell(r.new),
                Cell(_few(r.where), tip=r.where),
                Cell("yes" if r.told else "no", css="" if r.told else "bad"),
            )
            for r in ordered.itertuples()
        ),
        texts=5,
    )


def _few(where: str) -> str:
    choices = where.split(", ")
    return where if len(choices) <= 2 else f"{choices[0]} and {len(choices) - 1} others"

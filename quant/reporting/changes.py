"""The page of a change: every value under conf/ that a run would see differently."""

from quant.core.types import Frame
from quant.reporting.blocks import Answer, Cell, Section, Tabular, Text, Verbatim
from quant.reporting.page import Head, layout


def asked(rows: Frame) -> list[str]:
    """The lines that the changelog lacks.

    rows : of the CHANGES table
    """
    return [f"- `{r.key}` ({r.old} → {r.new}): why" for r in rows.itertuples()]


def render(rows: Frame, git_sha: str, config_hash: str, command: str) -> str:
    """Return the whole page.

    rows : CHANGES table
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
    return layout(
        head,
        [
            Section("answer", "Verdict", tuple(blocks)),
            Section("method", "What was done", (how, Verbatim("Command", command))),
        ],
    )


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

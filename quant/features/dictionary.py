"""The feature dictionary, made from the docstrings of the families."""

import inspect

import pandas as pd

from quant.core.types import Frame
from quant.features.producer import Producer
from quant.features.producers import FAMILIES, PRODUCERS


def rows(features: Frame | None = None) -> Frame:
    """One line for each feature, in the order of FEATURES.

    features : FEATURES table, for the share of missing values
    Returns  : name, family, text (what it is), windows (parameters in sessions), lookback
               (sessions), bases (features it compares, comma-separated), source, missing (share of
               rows, NaN without `features`)
    """
    table = pd.DataFrame([_line(row) for row in PRODUCERS])
    table["missing"] = float("nan")
    if features is not None:
        here = [name for name in table["name"] if name in features]
        table["missing"] = table["name"].map(features[here].isna().mean())
    return table


def markdown(features: Frame, region: str) -> str:
    """The dictionary as a page, with the share of missing values in `region`."""
    table = rows(features)
    parts = [
        f"# Features ({region})",
        f"{len(table)} features in {len(FAMILIES)} families, known at the close of their date. "
        "Lookback counts sessions; a suspension may reach 252 further back, for the last traded "
        f"price. Missing is the share of the {len(features):,} rows of this run without a value.",
    ]
    for family in FAMILIES:
        name = family.__name__.rpartition(".")[2]
        parts += [f"## {name}", inspect.getdoc(family) or "", _chapter(table, name)]
    return "\n\n".join(parts) + "\n"


def _line(row: Producer) -> dict[str, object]:
    return {
        "name": row.name,
        "family": row.family,
        "text": row.text,
        "windows": ", ".join(f"{name} {value}" for name, value in row.windows.items()),
        "lookback": row.lookback,
        "bases": ", ".join(base.name for base in row.bases),
        "source": row.source,
    }


def _chapter(table: Frame, family: str) -> str:
    lines = [
        "| feature | what it is | of | lookback | missing | source |",
        "|---|---|---|--:|--:|---|",
    ]
    for line in table[table["family"] == family].itertuples():
        missing = "-" if pd.isna(line.missing) else f"{line.missing:.1%}"
        cells = (f"`{line.name}`", line.text, line.windows or line.bases, line.lookback, missing,
                 line.source)  # fmt: skip
        lines.append("| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines)

"""Numbers with their errors, and Markdown tables of them."""

from collections.abc import Iterable, Sequence

import pandas as pd
from scipy import stats


def markdown(lines: Iterable[Sequence[str]]) -> str:
    """A table; the first line is its head."""
    head, *rest = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rest))


def mean(values: pd.Series, digits: int = 2) -> str:
    """Mean and, of two or more, its standard error."""
    error = f" ({values.sem():.{digits}f})" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{error}"


def above(probability: pd.Series, level: float = 0.95) -> str:
    """Share above `level` with its exact 95 % interval (Clopper & Pearson 1934)."""
    hits, n = int((probability > level).sum()), len(probability)
    low, high = stats.binomtest(hits, n).proportion_ci()
    return f"{hits / n:.0%} [{low:.0%}, {high:.0%}]"

"""The answer of a comparison page in words: which jobs differ from the base?"""

from quant.core.types import Frame
from quant.reporting.blocks import Answer
from quant.reporting.formats import number
from quant.reporting.jobs import ComparisonInputs

FOUND = ("BETTER", "WORSE", "INCONCLUSIVE")
NAMED = 3  # jobs that the answer names


def said(inputs: ComparisonInputs) -> Answer:
    """Judge every job against the base."""
    rows, base = inputs.against_base, inputs.base
    if not len(rows):
        return Answer(
            "No job could be compared with the base",
            (
                f"The base is the first job ({base}). A comparison needs a second one and enough "
                "common sessions.",
            ),
            "none",
        )
    found = {v: rows[rows["verdict"] == v].sort_values("difference") for v in FOUND}
    apart = len(found["BETTER"]) + len(found["WORSE"])
    headline = (
        f"{apart} of {len(rows)} jobs {'is' if apart == 1 else 'are'} distinguishable from the base"
        if apart
        else f"INCONCLUSIVE: no job of {len(rows)} is distinguishable from the base"
    )
    sentences = [
        f"Every job is compared with the first ({base}), whose Sharpe ratio after costs is "
        f"{number(inputs.sharpe(base))}."
    ]
    for verdict, order in (("BETTER", False), ("WORSE", True)):
        named = found[verdict].sort_values("difference", ascending=order)
        if len(named):
            sentences.append(f"{verdict}: {_named(named)}.")
    sentences.append(_power(rows, inputs.periods))
    tone = "good" if len(found["BETTER"]) else "bad" if len(found["WORSE"]) else "fair"
    return Answer(headline, tuple(s for s in sentences if s), tone)


def _named(rows: Frame) -> str:
    first = [
        f"{r.book} ({number(r.difference, 2, signed=True)}, p {number(r.p_value, 3)})"
        for r in rows.head(NAMED).itertuples()
    ]
    more = len(rows) - len(first)
    return "; ".join(first) + f"; and {more} more" * bool(more)


def _power(rows: Frame, periods: int) -> str:
    """What the sweep could not have seen."""
    seen = rows["detectable"].dropna()
    if not len(seen):
        return ""
    low, high = number(seen.min()), number(seen.max())
    size = low if low == high else f"{low} to {high}, depending on the job,"
    years = number(rows["n_obs"].max() / periods, 1)
    return (
        f"A true difference of Sharpe ratios below {size} could have gone unnoticed in {years} "
        "years."
    )

"""Drift: are the leading features, and the score, distributed as they were?"""

import numpy as np
import pandas as pd

from quant.core.tables import LITERAL, MODERATE, NONE, SEVERE, SHIFTED, STABLE, WATCH
from quant.core.types import Frame
from quant.reporting.blocks import Block, Cell, Section, Tabular, Text, cells, empty
from quant.reporting.figures import Heat, figure, heat_height
from quant.reporting.formats import DASH, RATIO, count, day, missing, number, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp

LOOKS = 36  # columns of the map
TONES = {SEVERE: "n2", MODERATE: "n1", WATCH: "", NONE: ""}


def build(inputs: ReportInputs) -> Section:
    """The last look, and how far things wandered before."""
    frame = inputs.drift
    if not len(frame):
        text = "Nothing was compared: too few sessions before the last one"
        return Section("drift", "Drift", (empty(text),))
    return Section("drift", "Drift", (Text(_lead(frame)), _last(frame), _map(inputs)))


def warning(frame: Frame) -> str:
    """What the first screen says of the last look; empty where the literal rule is silent."""
    if not len(frame):
        return ""
    last = latest(frame)
    fired = last[last["review"]]
    if not len(fired):
        return ""
    grown = last[last["severity"] != NONE]
    said = (
        f"needs review: as of {day(last['date'].iloc[0])} the rule p < {LITERAL} of Kolmogorov and "
        f"Smirnov fires on {count(len(fired))} of {count(len(last))}, the score and its leading "
        "features. "
    )
    if not len(grown):
        return said + (
            "That rule takes every value as independent and fires without drift as well; measured "
            "against how far they wandered before, none has drifted."
        )
    worst = ", ".join(f"{r.feature} ({r.severity})" for r in grown.itertuples())
    return said + f"Measured against how far they wandered before, these have drifted: {worst}."


def latest(frame: Frame) -> Frame:
    """Rows of the last date, the score first."""
    return frame[frame["date"] == frame["date"].max()].sort_values("rank")


def _lead(frame: Frame) -> str:
    looks = frame.groupby("date").agg(
        literal=("review", "any"), real=("severity", lambda s: (s != NONE).any())
    )
    return (
        "The last sessions of the score and of the features that lead it are compared with those "
        f"before. The literal rule, p < {LITERAL} on any of them, asked for a review at "
        f"{percent(looks['literal'].mean(), 0)} of {count(len(looks))} looks. The severity asks "
        "whether any earlier stretch of that length was as far from the rest (p, corrected by "
        "Holm for the features of a look) and how far (population stability index): it found "
        f"something at {percent(looks['real'].mean(), 0)}."
    )


def _last(frame: Frame) -> Block:
    last = latest(frame)
    rows = tuple(
        (
            Cell(r.feature), Cell(r.severity, TONES[r.severity]),
            Cell("needs review" if r.review else DASH),
            *cells((number(r.psi), _p(r.holm), _p(r.p), number(r.distance), _p(r.literal))),
        )
        for r in last.itertuples()
    )  # fmt: skip
    return Tabular(
        f"As of {day(last['date'].iloc[0])}",
        ("Feature", "Severity", "Literal rule", "PSI", "Holm", "p", "D", "Literal p"),
        rows,
        f"Severity: {NONE} unless Holm's p is below 0.05, then {WATCH} (PSI below {STABLE}), "
        f"{MODERATE}, or {SEVERE} ({SHIFTED} or more). p: share of all stretches of that length "
        "that are as far from the rest as the last one. D: largest distance between the two "
        "distribution functions. Literal p: asymptotic, as if every value of every session were "
        "independent.",
        texts=3,
    )


def _p(value: float) -> str:
    return DASH if missing(value) else "< 0.001" if value < 0.001 else number(value, 3)


def _map(inputs: ReportInputs) -> Block:
    frame = inputs.drift
    shown = frame[frame["date"].isin(np.sort(frame["date"].unique())[-LOOKS:])]
    wide = shown.pivot(index="feature", columns="date", values="psi")
    order = shown.groupby("feature")["rank"].agg(["count", "mean"])
    order = order.sort_values(["count", "mean"], ascending=[False, True], kind="stable").index
    wide = wide.loc[order[: max(2 * latest(frame).shape[0], 1)]]
    columns = [pd.Timestamp(d).strftime("%Y-%m") for d in wide.columns]
    chart = Heat(
        "How far from the past", list(wide.index), columns, wide.to_numpy(),
        2 * SHIFTED, RATIO,
    )  # fmt: skip
    return figure(
        "driftmap", chart,
        f"Population stability index at each look; {STABLE} is a small shift, {SHIFTED} a large "
        "one. Blank: the feature did not lead then.",
        height=heat_height(len(wide)), stamp=stamp(inputs),
    )  # fmt: skip

"""What delistings that the data may lack would take from the result (Shumway 1997)."""

from collections.abc import Mapping

import numpy as np

from quant.core.types import Frame
from quant.reporting.blocks import Block, Cell, Grid, Tabular, Text, cells, empty
from quant.reporting.figures import Band, Bands, figure
from quant.reporting.formats import PERCENT, missing, number, percent, points
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import Metrics, stamp

NAMES: Mapping[str, str] = {
    "uniform": "any name",
    "losers": "only the fifth that lost most over the past year",
}
TONES = (0, 1, 3, 4)
SPOKEN = (0.01, 0.02)  # rates a year that the words are about


def blocks(inputs: ReportInputs) -> list[Block]:
    """The band of the active return by rate, in words, drawn, and in a table."""
    title = Text("What if names are missing from the data?", "sub")
    frame = inputs.survivorship
    if not len(frame):
        return [title, empty("No delistings were added to the data as a stress")]
    frame = frame.sort_values(["hazard", "rate", "loss"], ascending=[False, True, False])
    active = Metrics.of(inputs.metrics)("active_return")
    drawn = tuple(_chart(inputs, h, frame, active) for h in frame["hazard"].unique())
    return [title, Text(said(frame, active)), Grid(drawn), _table(frame, active)]


def said(frame: Frame, active: float) -> str:
    """What delistings at 1 and 2 % a year would take, at the mildest loss, by the worst hazard.

    active : annual return over the benchmark's without them, decimal
    """
    loss = frame["loss"].max()
    rows = frame[(frame["loss"] == loss) & frame["rate"].isin(SPOKEN)]
    if not len(rows):
        return (
            f"{_rates(frame)} of the names a year are delisted here beside those that the data "
            "know; the charts show what is left."
        )
    worst = rows.loc[rows.groupby("rate")["active"].idxmin()]
    parts = [_one(r, active) for r in worst.itertuples()]
    hazard = str(worst["hazard"].iloc[-1])
    whom = NAMES.get(hazard, hazard)
    return (
        f"Were names delisted at {percent(loss, 0)} beside those that the data know, striking "
        f"{whom}, the active return of {points(active)} a year would be {'; '.join(parts)}. "
        f"{_nil(frame, active, bool((worst['active'] >= active).all()))}"
    )


def _one(row: tuple, active: float) -> str:
    share = (active - row.active) / active if active > 0 else float("nan")
    taken = ""
    if not missing(share):
        taken = f", {percent(abs(share), 0)} {'less' if share >= 0 else 'more'}"
    return f"{points(row.active)} at {percent(row.rate, 0)} of the names a year{taken}"


def _nil(frame: Frame, active: float, gains: bool) -> str:
    if gains:
        return "The benchmark holds more of what is struck, and would lose more than this book."
    if not active > 0:
        return "It is not above zero even without them."
    rows = frame.dropna(subset=["break_even"])
    if not len(rows):
        return "No rate up to 100% a year would bring it to nil: the benchmark is struck too."
    worst = rows.loc[rows["break_even"].idxmin()]
    whom = NAMES.get(worst["hazard"], worst["hazard"])
    return (
        f"It would be nil at {percent(worst['break_even'])} a year at a loss of "
        f"{percent(-worst['loss'], 0)}, striking {whom}."
    )


def _rates(frame: Frame) -> str:
    return f"{percent(frame['rate'].min())} to {percent(frame['rate'].max())}"


def _chart(inputs: ReportInputs, hazard: str, frame: Frame, active: float) -> Block:
    rows = frame[frame["hazard"] == hazard]
    losses = sorted(rows["loss"].unique(), reverse=True)
    bands = [
        _band(rows[rows["loss"] == loss].sort_values("rate"), loss, active, tone)
        for loss, tone in zip(losses, TONES, strict=False)
    ]
    chart = Bands(
        f"Active return a year, striking {NAMES.get(hazard, hazard)}",
        bands,
        "names delisted a year, beside those known",
        PERCENT,
        PERCENT,
        include=(float(frame["active_low"].min()), float(frame["active_high"].max())),
    )
    return figure(
        f"survivorship-{list(frame['hazard'].unique()).index(hazard)}",
        chart,
        height=260,
        half=True,
        stamp=stamp(inputs),
    )


def _band(rows: Frame, loss: float, active: float, tone: int) -> Band:
    """A line over the rates; without any delisting the active return is what it was."""
    known = not missing(active) and not (rows["rate"] == 0).any()
    start = np.array([0.0] * known), np.array([active] * known)
    column = {
        name: np.r_[start[1], rows[name].to_numpy(float)]
        for name in ("active", "active_low", "active_high")
    }
    return Band(
        f"loss of {percent(-loss, 0)}",
        np.r_[start[0], rows["rate"].to_numpy(float)],
        column["active"],
        column["active_low"],
        column["active_high"],
        tone,
    )


def _table(frame: Frame, active: float) -> Tabular:
    rows = []
    for r in frame.itertuples():
        share = (active - r.active) / active if active > 0 else float("nan")
        line = (
            percent(r.rate), percent(r.loss, 0),
            percent(r.ann_return), _interval(r.ann_return_low, r.ann_return_high),
            points(r.active), _interval(r.active_low, r.active_high), percent(share, 0),
            number(r.sharpe), f"{number(r.sharpe_low)} to {number(r.sharpe_high)}",
            percent(r.break_even),
        )  # fmt: skip
        rows.append((Cell(NAMES.get(r.hazard, r.hazard)), *cells(line)))
    return Tabular(
        "Delistings beside those that the data know",
        (
            *("Striking", "Names a year", "Delisting return", "Return a year", "5 to 95%"),
            *("Active return", "5 to 95%", "taken", "Sharpe", "5 to 95%", "Active nil at"),
        ),
        tuple(rows),
        "Book and benchmark are struck together, each by what it holds; what takes the place of a "
        "lost name is in the same danger. Bands: 5 to 95% of the draws. −30% is the mean delisting "
        "return of NYSE and AMEX (Shumway 1997), −55% that of Nasdaq (Shumway and Warther 1999). "
        "Taken: share of the active return, where that is above zero.",
        fold=True,
    )


def _interval(low: float, high: float) -> str:
    return f"{number(low * 100, 1)} to {percent(high)}"

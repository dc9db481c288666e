"""Where the signal works and where not, and whether alphas are as large as what followed."""

import numpy as np

from quant.core.types import Frame
from quant.reporting.blocks import Block, Grid, Tabular, Text, cells
from quant.reporting.figures import Cloud, Forest, Scatter, figure
from quant.reporting.formats import BASIS, CORRELATION, count, number
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import Metrics, stamp

WIDE = 1.96  # standard errors of an interval


def blocks(inputs: ReportInputs) -> list[Block]:
    """One forest plot a dimension, and the table behind them; nothing where none was sliced."""
    frame = inputs.signal_slices
    if not len(frame):
        return []
    # numbers by size, names by letter
    place = frame["slice"].map(
        lambda name: str(name).rjust(8) if str(name).isdigit() else str(name)
    )
    frame = frame.assign(place=place).sort_values(["dimension", "place"], ignore_index=True)
    drawn = tuple(
        _forest(str(name), rows, inputs)
        for name, rows in frame.groupby("dimension", sort=False)
        if np.isfinite(rows["rank_ic"]).any()
    )
    lead = Text("Where the scores work", kind="sub")
    return [lead, Grid(drawn), _table(frame)]


def _forest(name: str, rows: Frame, inputs: ReportInputs) -> Block:
    value = rows["rank_ic"].to_numpy(float)
    t = rows["t"].to_numpy(float)
    half = WIDE * np.abs(np.divide(value, t, out=np.full(t.size, np.nan), where=t != 0))
    chart = Forest(
        f"Rank IC by {name.replace('_', ' ')}",
        [str(s) for s in rows["slice"]],
        value,
        value - half,
        value + half,
        [0] * len(rows),
        CORRELATION,
    )
    return figure(f"slice-{name}", chart, half=True, stamp=stamp(inputs))


def _table(frame: Frame) -> Block:
    rows = [
        cells(
            (
                f"{r.dimension}: {r.slice}",
                count(r.n_days),
                number(r.ic, 3),
                number(r.rank_ic, 3),
                number(r.t, 1),
                number(r.spread_bp, 0),
            )
        )
        for r in frame.itertuples()
    ]
    return Tabular(
        "The same in numbers",
        ("Slice", "Days", "IC", "Rank IC", "t", "Top less bottom, bp"),
        tuple(rows),
        "Slices are made from what was known at the close of the score. t: Newey-West, with lags "
        "for the overlap of labels; bars of the plots: 1.96 of its standard errors. Spread: mean "
        "residual return of the top quintile less that of the bottom one.",
        fold=True,
    )


def check(inputs: ReportInputs) -> list[Block]:
    """Mean alpha against mean realised residual return by decile of alpha, out of sample."""
    frame = inputs.calibration_check
    if not len(frame):
        return []
    frame = frame.sort_values("decile")
    alpha, came, half = (
        1e4 * frame[c].to_numpy(float) * times
        for c, times in (("alpha", 1.0), ("realised", 1.0), ("se", WIDE))
    )
    ends = np.array([alpha.min(), alpha.max()])
    bars = [
        Cloud("", np.repeat(a, 2), np.array([b - h, b + h]), 2, True)
        for a, b, h in zip(alpha, came, half, strict=True)
    ]
    clouds = [*bars, Cloud("as promised", ends, ends, 1, True), Cloud("realised", alpha, came, 0)]
    chart = Scatter("Calibration out of sample, bp", clouds, "mean alpha, bp", BASIS, BASIS)
    metrics = Metrics.of(inputs.metrics)
    slope, se = metrics.alpha("slope"), metrics.alpha("slope_se")
    said = f" Slope of realised on alpha: {number(slope)} ± {number(se)}." * bool(slope == slope)
    return [
        figure(
            "calibrationcheck",
            chart,
            "Deciles of alpha: what was promised and what came over the horizon; bars: 1.96 "
            f"standard errors that allow for overlap.{said} Unbiased alphas lie on the line.",
            height=280,
            half=True,
            stamp=stamp(inputs),
        )
    ]

"""The alphas: how well scores ranked what followed, out of sample."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import Block, Cell, Grid, Section, Tabular, Text, cells, empty
from quant.reporting.figures import Bars, Cloud, Line, Lines, Pulse, Scatter, figure
from quant.reporting.formats import (
    BASIS,
    CORRELATION,
    COUNT,
    DASH,
    RATIO,
    count,
    day,
    number,
    percent,
)
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import Metrics, stamp
from quant.reporting.sections import slices


def build(inputs: ReportInputs) -> Section:
    """Signal quality, its shape, its calibration."""
    horizon = inputs.meta.horizon
    lead = (
        f"Scores are known at the close of t; what they are held against is the residual return "
        f"from the open of t+1 to the open of t+1+{horizon}. Only walk-forward scores are used "
        "here and in the backtest."
    )
    if len(inputs.alpha):
        a = inputs.alpha
        lead += (
            f" {len(a):,} scores on {a['date'].nunique():,} sessions, "
            f"{day(a['date'].min())} to {day(a['date'].max())}."
        )
    blocks: list[Block] = [Text(lead), *_ic(inputs), _table(inputs)]
    grid = (_quantiles(inputs), _decay(inputs), calibration(inputs), *slices.check(inputs))
    blocks += [Grid(grid), *slices.blocks(inputs)]
    return Section("signal", "Alphas", tuple(blocks))


def _ic(inputs: ReportInputs) -> list[Block]:
    frame = inputs.ic.dropna(subset=["rank_ic"]) if len(inputs.ic) else inputs.ic
    if not len(frame):
        return [empty("There are no information coefficients: no score met a known label")]
    frame = frame.sort_values("date").set_index("date")
    months = frame["rank_ic"].groupby(pd.DatetimeIndex(frame.index).to_period("M")).mean()
    dates = months.index.to_timestamp().to_numpy()
    smooth = months.rolling(12).mean().to_numpy(float)
    pulse = Pulse(
        "Rank IC by month",
        dates,
        months.to_numpy(float),
        CORRELATION,
        smooth,
        "12 months",
    )
    total = [
        Line(name, frame[column].fillna(0.0).cumsum().to_numpy(float), tone)
        for name, column, tone in (("Rank IC", "rank_ic", 0), ("IC", "ic", 2))
    ]
    summed = Lines("Cumulative IC", frame.index.to_numpy(), total, COUNT, base=0.0)
    return [
        figure(
            "icmonth",
            pulse,
            "Mean of the daily rank correlations between score and residual return in each month.",
            height=240,
            stamp=stamp(inputs),
        ),
        figure(
            "iccum",
            summed,
            "Running sum of daily ICs; an even slope is a signal that works all the time.",
            height=220,
            stamp=stamp(inputs),
        ),
    ]


def _table(inputs: ReportInputs) -> Block:
    metrics = Metrics.of(inputs.metrics)
    frame = inputs.ic
    if not len(frame):
        return empty("Without information coefficients there is no IC table")
    rows = [_ic_row("All", frame, metrics)]
    for year, part in frame.groupby(pd.DatetimeIndex(frame["date"]).year):
        rows.append(_ic_row(str(year), part, None))
    return Tabular(
        "Information coefficients",
        ("", "Days", "IC", "t", "Rank IC", "t", "ICIR", "Days above zero"),
        tuple(rows),
        "IC: correlation across names of score and residual return, a day at a time; rank IC: of "
        "their ranks; means over days. t: Newey-West, with lags for the overlap of labels, from "
        "the metrics table. ICIR: mean over standard deviation of the daily rank IC, not "
        "annualised.",
    )


def _ic_row(name: str, frame: Frame, metrics: Metrics | None) -> tuple[Cell, ...]:
    rank = frame["rank_ic"].dropna()
    spread = rank.std()
    t, rank_t = (metrics.alpha("ic_t"), metrics.alpha("rank_ic_t")) if metrics else (np.nan, np.nan)
    return cells(
        (
            name,
            count(len(rank)),
            CORRELATION(frame["ic"].mean()),
            number(t, 1) if metrics else "",
            CORRELATION(rank.mean()),
            number(rank_t, 1) if metrics else "",
            number(rank.mean() / spread) if spread > 0 else DASH,
            percent((rank > 0).mean(), 0) if len(rank) else DASH,
        )
    )


def _quantiles(inputs: ReportInputs) -> Block:
    frame = inputs.quantiles
    if not len(frame):
        return empty("There are no score quantiles")
    frame = frame.sort_values("bucket")
    values = frame["mean_bp"].to_numpy(float)
    errors = 1.96 * frame["se_bp"].to_numpy(float) if "se_bp" in frame else None
    names = [str(b) for b in frame["bucket"]]
    chart = Bars(
        "Residual return by score quantile, bp",
        names,
        values[:, None],
        ("mean",),
        BASIS,
        errors,
        signed=True,
    )
    whisk = " Whiskers: 1.96 standard errors." if errors is not None else ""
    return figure(
        "quantiles",
        chart,
        f"Bucket {names[0]} holds the lowest scores; mean over {inputs.meta.horizon} sessions. "
        f"Top minus bottom: {number(values[-1] - values[0], 1, signed=True)} bp.{whisk}",
        height=250,
        half=True,
        stamp=stamp(inputs),
    )


def _decay(inputs: ReportInputs) -> Block:
    frame = inputs.decay
    if not len(frame):
        return empty("There is no decay of the signal")
    frame = frame.sort_values("lag")
    chart = Bars(
        "Decay: rank IC by age of the score",
        [str(v) for v in frame["lag"]],
        frame[["rank_ic"]].to_numpy(float),
        ("rank IC",),
        CORRELATION,
        signed=True,
    )
    return figure(
        "decay",
        chart,
        f"Sessions between the score and the start of the {inputs.meta.horizon}-session return.",
        height=250,
        half=True,
        stamp=stamp(inputs),
    )


def calibration(inputs: ReportInputs) -> Block:
    """Realised returns by bin of score at the last refit, and the alphas made of them."""
    frame = inputs.calibration
    if not len(frame):
        return empty("There is no calibration of scores to returns")
    frame = frame.sort_values(["fold", "bin"])
    last = frame["fold"].max()
    old = frame[frame["fold"] != last]
    now = frame[frame["fold"] == last].sort_values("score")
    clouds = [
        Cloud("realised", now["score"].to_numpy(float), now["realised"].to_numpy(float) * 1e4, 0),
        Cloud("alpha", now["score"].to_numpy(float), now["alpha"].to_numpy(float) * 1e4, 1, True),
    ]
    if len(old):
        x, y = old["score"].to_numpy(float), old["realised"].to_numpy(float) * 1e4
        clouds.insert(0, Cloud("earlier refits", x, y, 2, faint=True))
    chart = Scatter("Calibration at the last refit, bp", clouds, "score", RATIO, BASIS)
    return figure(
        "calibration",
        chart,
        "Mean residual return that followed scores of each bin, on earlier out-of-sample scores, "
        "and the alpha in return units that the optimizer is given.",
        height=280,
        half=True,
        stamp=stamp(inputs),
    )

"""What the regimes added or cost, flag by flag, and how often they acted."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.model1.features import MARKET
from quant.reporting.blocks import Block, Cell, Tabular, Text, Tile, Tiles, cells, empty
from quant.reporting.figures import Forest, figure
from quant.reporting.formats import DASH, RATIO, count, day, missing, number, percent, points, times
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import book, stamp
from quant.reporting.sections.regimestates import STATES as VOLATILITIES
from quant.reporting.sections.regimestates import market_states, tightened, untightened, within

BOOK = "none"
FLAGS = {"all": "All three", "tilts": "Tilts", "caps": "Caps", "target": "Volatility target"}
STATES = {"trend": ("bear", "sideways", "bull"), "vol": ("calm", "turbulent", "crisis")}


def blocks(inputs: ReportInputs) -> list[Block]:
    """Attribution, how often the regimes acted, and the market's models."""
    return [*attribution(inputs), counts(inputs), *models(inputs)]


def judged(row: pd.Series) -> str:
    """What a 95 % interval of the difference of Sharpe ratios says."""
    if missing(row["low"]) or missing(row["high"]):
        return "not tested"
    if row["low"] == row["high"] == 0:  # one series of returns, up to its scale
        return "no difference"
    if row["low"] > 0:
        return "added, beyond chance"
    return "cost, beyond chance" if row["high"] < 0 else "not beyond chance"


def interval(row: pd.Series) -> str:
    """The 95 % interval, with signs."""
    if missing(row["low"]) or missing(row["high"]):
        return DASH
    return f"{number(row['low'], signed=True)} to {number(row['high'], signed=True)}"


def attribution(inputs: ReportInputs) -> list[Block]:
    """The verdict in a sentence, the intervals as a picture, the numbers."""
    frame = inputs.attribution
    flags = [name for name in FLAGS if len(frame) and (frame["flag"] == name).any()]
    if not flags:
        return [empty("The book was not run again without its flags")]
    table = frame.set_index("flag")
    body = [_left_out(FLAGS[name], table.loc[name]) for name in flags]
    if BOOK in table.index:
        body.insert(0, _whole(table.loc[BOOK]))
    made: list[Block] = [_said(table, flags), *_forest(table.loc[flags], inputs)]
    head = ("Left out", "Return", "Volatility", "Sharpe", "Drawdown", "Turnover", "Adds return",
            "volatility", "Sharpe", "95% interval", "Verdict")  # fmt: skip
    foot = (
        "The book run again without the flag, at the same costs; then what the flag adds: the "
        "whole book less the one without it. Return, volatility and two-way turnover are a year's, "
        "drawdown is the largest. Interval: of the difference of Sharpe "
        "ratios, by a studentised bootstrap of blocks of days. Flags act on each other, so those "
        "taken out one at a time need not add up to all three."
    )
    return [*made, Tabular("Flag by flag", head, tuple(body), foot)]


def _forest(rows: Frame, inputs: ReportInputs) -> list[Block]:
    """Differences of Sharpe ratios with their intervals; nothing where all of them are nothing."""
    value, low, high = (rows[c].to_numpy(float) for c in ("d_sharpe", "low", "high"))
    if not np.nansum(np.abs([value, low, high])):
        return []
    chart = Forest(
        "What each flag adds to the Sharpe ratio",
        [FLAGS[n] for n in rows.index],
        value,
        low,
        high,
        [0 if a > 0 else 1 if b < 0 else 2 for a, b in zip(low, high, strict=True)],
        RATIO,
    )
    caption = "Bars: 95 %. Right of zero the book is the better for the flag."
    return [figure("regimeworth", chart, caption, stamp=stamp(inputs))]


def _said(table: Frame, flags: list[str]) -> Text:
    """All three together, then each by itself, and how many looks that were."""
    parts = []
    if "all" in flags:
        row = table.loc["all"]
        parts.append(
            "All three flags together change the Sharpe ratio by "
            f"{number(row['d_sharpe'], signed=True)}{_reach(row)}: {judged(row)}."
        )
    single = [
        f"{FLAGS[n].lower()} {number(table.loc[n, 'd_sharpe'], signed=True)}"
        f"{_reach(table.loc[n])}, {judged(table.loc[n])}"
        for n in flags if n != "all"
    ]  # fmt: skip
    if single:
        parts.append(f"One at a time: {'; '.join(single)}.")
    tried = sum(not missing(v) for v in table.loc[flags, "low"])
    if tried > 1:
        parts.append(f"These are {count(tried)} intervals, each at 95% by itself.")
    return Text(" ".join(parts))


def _reach(row: pd.Series) -> str:
    return "" if interval(row) == DASH else f" (95% {interval(row)})"


def _whole(row: pd.Series) -> tuple[Cell, ...]:
    return cells(("Nothing (the book)", *_levels(row), *[DASH] * 5), "strong")


def _levels(row: pd.Series) -> tuple[str, ...]:
    return (
        percent(row["ann_return"]), percent(row["ann_vol"]), number(row["sharpe"]),
        percent(row["max_drawdown"]), times(row["turnover"], 1),
    )  # fmt: skip


def _left_out(name: str, row: pd.Series) -> tuple[Cell, ...]:
    return cells(
        (
            name, *_levels(row), points(row["d_return"], 2), points(row["d_vol"], 2),
            number(row["d_sharpe"], signed=True), interval(row), judged(row),
        )
    )  # fmt: skip


def counts(inputs: ReportInputs) -> Tiles:
    """How often caps were tightened and risk overridden, and how well flips were foreseen."""
    states, overrides, breaks = (within(inputs, n) for n in ("states", "overrides", "breaks"))
    tight = tightened(states, untightened(inputs)) if len(states) else np.empty(0)
    systemic = within(inputs, "regime")
    flagged = breaks[["date", "node_id"]].drop_duplicates() if len(breaks) else breaks
    return Tiles(
        (
            Tile("Caps tightened", percent(tight.mean()) if tight.size else DASH,
                 f"of {count(tight.size)} industry-days"),
            Tile("Overrides", count(len(overrides)),
                 "node-days on which a probability of crisis was kept beyond the parent's bound"),
            Tile("Change flags", count(len(flagged)),
                 f"node-days; of the market {count((flagged['node_id'] == MARKET).sum())}"
                 if len(flagged) else "no node-day"),
            _flips(inputs),
            Tile("Lowest volatility target",
                 percent(systemic["vol_target"].min() if len(systemic) else np.nan),
                 f"mean {percent(systemic['vol_target'].mean() if len(systemic) else np.nan)}"),
        ),
        "Over the window of the report. Brier score: mean squared error of the probability that "
        "the likeliest trend is another in ten sessions, over the trailing forecasts whose outcome "
        "was known at the last refit; lower is better.",
    )  # fmt: skip


def _flips(inputs: ReportInputs) -> Tile:
    fits = within(inputs, "flip_fits")
    fits = fits[fits["brier"].notna()] if len(fits) else fits
    if not len(fits):
        return Tile("Brier score of flips", DASH, "no forecast has an outcome yet")
    row = fits.iloc[-1]
    better = 1 - row["brier"] / row["brier_base"] if row["brier_base"] > 0 else np.nan
    word = "better" if better > 0 else "worse" if better < 0 else "different"
    return Tile(
        "Brier score of flips",
        number(row["brier"], 3),
        f"base rate {number(row['brier_base'], 3)}: {percent(abs(better))} {word}; "
        f"refit of {day(row['date'])}",
    )


def models(inputs: ReportInputs) -> list[Block]:
    """What the states of the market mean: the parameters of its last refits."""
    fits = within(inputs, "hmm_fits")
    fits = fits[fits["node_id"] == MARKET] if len(fits) else fits
    rows = []
    for kind, names in STATES.items():
        own = fits[fits["kind"] == kind] if len(fits) else fits
        for i, name in enumerate(names, 1) if len(own) else ():
            rows.append(_state(kind, name, own.iloc[-1], i, inputs.meta.periods_per_year))
    if not rows:
        return []
    return [
        Tabular(
            f"The market's models at their last refit, {day(fits['date'].max())}",
            ("Model", "State", "Mean a year", "Deviation a year", "Stays, sessions"),
            tuple(rows),
            "Trend: of the slope of the log price. Volatility: of daily returns; its deviation is "
            "the annualised volatility of the state. Stays: expected length of a visit.",
            texts=2,
            fold=True,
        )
    ]


def _state(kind: str, name: str, fit: pd.Series, i: int, periods: int) -> tuple[Cell, ...]:
    stay = float(fit[f"stay_{i}"])
    # slopes overlap, so that their deviation does not grow with the root of time
    scale = periods if kind == "trend" else np.sqrt(periods)
    return cells(
        (
            {"trend": "Trend", "vol": "Volatility"}[kind], name,
            percent(fit[f"mean_{i}"] * periods), percent(fit[f"sd_{i}"] * scale),
            number(1 / (1 - stay), 0) if stay < 1 else DASH,
        )
    )  # fmt: skip


def by_state(inputs: ReportInputs) -> Block:
    """The books by the market's volatility state that was known at the close before."""
    states = market_states(inputs)
    year = inputs.meta.periods_per_year
    rows = []
    for name in ("portfolio", "benchmark"):
        returns = book(inputs, name)["nav"].astype(float).pct_change().dropna()
        known = states.shift(1).reindex(returns.index)
        for state in VOLATILITIES:
            own = returns[known == state]
            if len(own) > 1:
                rows.append(cells((
                    name, state, count(len(own)), percent(own.mean() * year),
                    percent(own.std() * np.sqrt(year)),
                )))  # fmt: skip
    if not rows:
        return Text("The market has no state within the window.")
    return Tabular(
        "Books by the market's state", ("Book", "Volatility state the day before", "Sessions",
                                        "Return", "Volatility"), tuple(rows),
        "Annualised: mean daily return and deviation.", texts=2,
    )  # fmt: skip

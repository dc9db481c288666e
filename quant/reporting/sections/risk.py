"""The forecast of risk on trial: what was predicted, what came, and whether a rival knew better."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import Block, Cell, Tabular, Text, cells, empty
from quant.reporting.figures import Line, Lines, figure
from quant.reporting.formats import DASH, PERCENT, count, missing, number, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp

OWN, EVERY, LEAST = "ledoit_wolf", "all", "least_variance_"
MODELS: Mapping[str, str] = {
    OWN: "Ledoit-Wolf",
    "sample": "sample",
    "ewma": "EWMA 0.94",
    "ewma_63": "EWMA, half-life 63",
    "factors": "10 principal components",
}
KINDS: Mapping[str, str] = {
    "book": "the book",
    "equal": "equal weights",
    "liquidity": "weights by liquidity",
    "industry": "industries",
    "long": "random, long only",
    "long_short": "random, long/short",
    EVERY: "all but the book",
}
CHOSEN = LEAST + OWN  # the portfolio that Ledoit-Wolf takes for the least risky


def blocks(inputs: ReportInputs) -> list[Block]:
    """The forecast in words, drawn for one portfolio, and scored beside its rivals."""
    title, frame = Text("Was the risk forecast right?", "sub"), inputs.risk_scores
    if not len(frame):
        return [title, empty("No forecast of risk was scored")]
    shown = [Text(said(frame)), Text(rivals_said(frame)), *_chart(inputs)]
    return [title, *shown, _table(frame), _least(frame)]


def said(frame: Frame) -> str:
    """What Ledoit-Wolf predicted for the book and for all other portfolios, and what came."""
    own = frame[frame["model"] == OWN].set_index("kind")
    parts = [_one(own.loc[kind], kind) for kind in ("book", EVERY) if kind in own.index]
    if CHOSEN in own.index:
        row = own.loc[CHOSEN]
        parts.append(
            "For the portfolio that it takes for the least risky (shorts allowed, no limits), it "
            f"predicted {percent(row['predicted'])}, and {percent(row['realised'])} came."
        )
    return " ".join(parts)


def _one(row: pd.Series, kind: str) -> str:
    if kind == "book":
        low, high = row["bias_low"], row["bias_high"]
        side = "inside" if low <= row["bias"] <= high else "outside"
        bias = f"bias statistic {number(row['bias'])}, {side} [{number(low)}, {number(high)}]"
    else:  # the band is of one portfolio, not of a mean
        bias = (
            f"mean bias statistic {number(row['bias'])}, in band {percent(row['inside'], 0)} of "
            "portfolios (95% if the forecast were right)"
        )
    return (
        f"For {KINDS[kind]}, Ledoit-Wolf predicted {percent(row['predicted'])} volatility a year, "
        f"and {percent(row['realised'])} came (ratio {number(_ratio(row))}); {bias}, over "
        f"{count(row['windows'])} windows."
    )


def _ratio(row: pd.Series) -> float:
    return row["realised"] / row["predicted"] if row["predicted"] > 0 else float("inf")


def rivals_said(frame: Frame) -> str:
    """Which rivals forecast better or worse, and how much of that is certain."""
    tests = frame[frame["model"].ne(OWN) & frame["kind"].isin([*KINDS, CHOSEN])]
    better, worse = (_pairs(tests[tests["verdict"] == v]) for v in ("WORSE", "BETTER"))
    open_ = int((tests["verdict"] == "INCONCLUSIVE").sum())
    first = f"A rival forecast significantly better: {better}." if better else (
        "No rival forecast significantly better than Ledoit-Wolf."
    )  # fmt: skip
    second = f" Ledoit-Wolf forecast significantly better than {worse}." if worse else ""
    return f"{first}{second} INCONCLUSIVE: {open_} of {len(tests)} comparisons."


def _pairs(rows: Frame) -> str:
    parts = []
    for model, own in rows.groupby("model", sort=True):
        names = {**KINDS, CHOSEN: "Ledoit-Wolf's portfolio of least variance"}
        kinds = ", ".join(name for kind, name in names.items() if kind in set(own["kind"]))
        parts.append(f"{MODELS.get(model, model)} ({kinds})")
    return "; ".join(parts)


def _chart(inputs: ReportInputs) -> list[Block]:
    """Predicted and realised volatility of the equal-weight universe, window by window."""
    frame, came = inputs.risk_forecasts, inputs.risk_outcomes
    if not (len(frame) and len(came)):
        return []
    frame = frame[(frame["portfolio"] == "equal") & (frame["model"] == OWN)]
    rows = frame.merge(came, on=["date", "portfolio"]).sort_values("date")
    if len(rows) < 2:
        return []
    scale = inputs.meta.periods_per_year / inputs.meta.horizon
    series = [
        Line(name, np.sqrt(rows[column].to_numpy(float) * scale), tone)
        for name, column, tone in (("predicted", "predicted", 0), ("came", "realised", 1))
    ]
    chart = Lines(
        "Volatility of the equal-weight universe, a year",
        rows["date"].to_numpy().astype("datetime64[D]"), series, PERCENT, include=(0.0,),
    )  # fmt: skip
    caption = "At the date of the forecast: what Ledoit-Wolf predicted, and what came."
    return [figure("risk-forecast", chart, caption, height=220, stamp=stamp(inputs))]


def _table(frame: Frame) -> Tabular:
    rows = []
    for kind, name in KINDS.items():
        own = frame[frame["kind"] == kind].set_index("model")
        for model in (m for m in MODELS if m in own.index):
            rows.append((Cell(name), Cell(MODELS[model]), *_numbers(own.loc[model])))
    return Tabular(
        "Forecasts of risk, by portfolio and model",
        (
            *("Portfolios", "Model", "Number", "Predicted", "Came", "QLIKE", "Bias", "95% band"),
            *("In band", "DM t", "p", "Ledoit-Wolf is"),
        ),
        tuple(rows),
        "Volatility a year, over windows without overlap, at constant weights; a missing return "
        "counts as 0, so a delisting within the window costs nothing. QLIKE: loss "
        "of the variance forecast, 0 is perfect (Patton 2011). Bias: standard deviation of "
        "return / predicted volatility, mean over portfolios; above 1 the forecast is too low; the "
        "band is that of one portfolio, In band the share of portfolios inside theirs (Menchero, "
        "Orr and Wang 2011). DM t: Diebold-Mariano on QLIKE with Newey-West errors, for few "
        "windows after Harvey, Leybourne and Newbold (1997), below 0 where "
        "Ledoit-Wolf is better; p allows for the rivals (Holm), not for the kinds of "
        "portfolios, which are much alike; INCONCLUSIVE at 5% or with fewer than 24 windows.",
        texts=2,
        fold=True,
    )


def _numbers(row: pd.Series) -> tuple[Cell, ...]:
    return cells(
        (
            count(row["portfolios"]), percent(row["predicted"]), percent(row["realised"]),
            _loss(row["qlike"], 3), _loss(row["bias"], 2),
            f"{number(row['bias_low'])} to {number(row['bias_high'])}", percent(row["inside"], 0),
            number(row["dm_t"]), number(row["p_value"], 3), str(row["verdict"]) or DASH,
        )
    )  # fmt: skip


def _loss(value: float, digits: int) -> str:
    return "∞" if value == np.inf else number(value, digits)


def _least(frame: Frame) -> Block:
    """Each model's own least-variance portfolio: where a forecast is tempted most."""
    own = frame[frame["kind"] == LEAST + frame["model"]].set_index("model")
    rows = tuple(
        (
            Cell(name), *cells((percent(r["predicted"]), percent(r["realised"]))),
            *cells((_loss(_ratio(r), 2), _loss(r["bias"], 2), _loss(r["qlike"], 3))),
        )
        for name, r in ((MODELS[m], own.loc[m]) for m in MODELS if m in own.index)
    )  # fmt: skip
    if not rows or missing(own["realised"].iloc[0]):
        return empty("No least-variance portfolios were tried")
    return Tabular(
        "The portfolio that each model takes for the least risky",
        ("Model", "Predicted", "Came", "Came / predicted", "Bias", "QLIKE"),
        rows,
        "Fully invested, shorts allowed. Where there are more names than sessions the sample and "
        "the EWMA call such a portfolio riskless (∞): the reason why the optimizer shrinks.",
    )

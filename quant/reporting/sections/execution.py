"""What trading cost, to what it went, and what other styles, sizes and paces would have cost."""

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import Block, Grid, Section, Tabular, Text, cells, empty
from quant.reporting.charts.points import Cloud, Scatter
from quant.reporting.figures import Bars, Forest, Line, Lines, figure
from quant.reporting.formats import (
    DASH,
    PERCENT,
    Unit,
    basis,
    count,
    missing,
    money,
    number,
    percent,
    times,
)
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp

PARTS = ("delay", "timing", "spread", "impact", "fee", "opportunity")
PAID = ("spread", "impact", "fee")
BP = Unit(suffix=" bp", digits=1)
NAMES = {"fee": "fees"}
MEDIAN, RATIO = 5.0, 0.90


def build(inputs: ReportInputs) -> Section:
    """Shortfall by part and group, the fitted costs, styles side by side, capacity and pace."""
    if not len(inputs.tca_orders):
        nothing: list[Block] = [empty("No order was traded: there is no shortfall to take apart")]
        return Section("execution", "Execution and costs", tuple(nothing))
    blocks = [*_shortfall(inputs), *_fitted(inputs), *_styles(inputs), *_curves(inputs)]
    return Section("execution", "Execution and costs", tuple(blocks))


def averages(orders: Frame) -> pd.Series:
    """Parts in bp of the money ordered, each order by its money; `total`, `filled`, `money`."""
    weight = orders["ordered"].to_numpy(np.float64)
    whole = weight.sum()
    out = {name: float((orders[name].to_numpy() * weight).sum() / whole) for name in PARTS}
    out["total"] = sum(out.values())
    out["filled"] = float(orders["filled"].sum() / whole)
    return pd.Series(out | {"money": whole, "n": float(len(orders))})


def _shortfall(inputs: ReportInputs) -> list[Block]:
    orders = inputs.tca_orders
    whole = averages(orders)
    single = orders[list(PARTS)].sum(axis=1)
    parts = ", ".join(f"{NAMES.get(p, p)} {_bp(whole[p])}" for p in PARTS)
    lead = Text(
        f"Against paper, an order cost {_bp(whole['total'])} of the money it was for (the median "
        f"order {_bp(single.median())}): {parts}. {percent(whole['filled'])} of the money ordered "
        "was traded on the day."
    )
    note = Text(
        "Where the data have no intraday bars, the course of every session, the spread and the "
        "impact are simulated (Almgren et al. 2005 by default); what is learned from them is "
        "about the simulator.",
        "note",
    )
    groups = _grouped(orders)
    buckets = [(name, row) for kind, name, row in groups if kind == "Liquidity"]
    chart = Bars(
        "Paid on the fills, by liquidity of the name",
        [name for name, _ in buckets],
        np.array([[max(row[p], 0.0) for p in PAID] for _, row in buckets]),
        [NAMES.get(p, p) for p in PAID],
        BP,
    )
    caption = "bp of the money ordered; bucket 1 is the least liquid."
    return [
        lead,
        note,
        figure("execution-paid", chart, caption, 250, stamp=stamp(inputs)),
        _table(groups, whole, inputs.meta.currency),
        *_by_hour(inputs),
    ]


def _grouped(orders: Frame) -> list[tuple[str, str, pd.Series]]:
    """(kind of group, group, averages) by liquidity bucket, side, and fifth by size."""
    fifth = pd.Series(1 + _fifths(orders["size"].to_numpy()), orders.index)
    kinds = {
        "Liquidity": (orders["bucket"] + 1, lambda b: f"bucket {b}"),
        "Side": (orders["side"], str),
        "Size": (fifth, lambda k: f"fifth {k}, {('smallest', '', '', '', 'largest')[k - 1]}"),
    }
    made = []
    for kind, (key, name) in kinds.items():
        for value, rows in orders.groupby(key):
            made.append((kind, name(value).rstrip(", "), averages(rows)))
    return made


def _fifths(size: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.quantile(size, (0.2, 0.4, 0.6, 0.8)), size, side="left")


def _table(groups: list[tuple[str, str, pd.Series]], whole: pd.Series, currency: str) -> Tabular:
    body = [cells(("All", "", *_line(whole, currency)), "strong")]
    body += [cells((kind, name, *_line(row, currency))) for kind, name, row in groups]
    head = ("Group", "", "Orders", "Money", "Filled", 
            *(NAMES.get(p, p).capitalize() for p in PARTS), "Shortfall")  # fmt: skip
    foot = (
        "Implementation shortfall (Perold 1988), bp of the money ordered, + is a cost, orders "
        "weighted by money. Delay: from the close of the decision to the open. Timing: from the "
        "open to the fills. Opportunity: what was not traded, from the close of the decision to "
        "that of the session. Size: money over NAV."
    )
    return Tabular("Shortfall by part", head, tuple(body), foot, texts=2)


def _line(row: pd.Series, currency: str) -> tuple[str, ...]:
    return (
        count(row["n"]), money(row["money"], currency), percent(row["filled"]),
        *(number(row[p], 1, signed=True) for p in PARTS), number(row["total"], 1, signed=True),
    )  # fmt: skip


def _by_hour(inputs: ReportInputs) -> list[Block]:
    frame = inputs.tca_hours
    if not len(frame):
        return []
    whole = frame["value"].sum()
    rows = [
        cells(
            (
                f"hour {int(r.hour) + 1}", money(r.value, inputs.meta.currency),
                percent(r.value / whole),
                *(number(getattr(r, p), 1, signed=True) for p in ("timing", *PAID)),
            )
        )
        for r in frame.sort_values("hour").itertuples()
    ]  # fmt: skip
    foot = (
        "Child orders by the hour in which they end; bp of the value traded, timing since the open."
    )
    head = ("Hour of trading", "Traded", "share", "Timing", "Spread", "Impact", "Fees")
    return [Tabular("Shortfall by hour", head, tuple(rows), foot, fold=True)]


def _fitted(inputs: ReportInputs) -> list[Block]:
    title, fits = Text("What the optimizer believes trading costs", "sub"), inputs.cost_fits
    params = inputs.lambda_params
    if not len(params):
        return [title, empty("Which costs the optimizer was given is not recorded")]
    if not len(fits):
        first = params.iloc[0]
        said = (
            f"Costs were not fitted: lambda1 is {_bp(first['lambda1_bp'])}, lambda2 "
            f"{first['lambda2']:.3g}, for every name."
            if params["lambda1_bp"].nunique() == 1
            else "Costs were not fitted: they are the user's own, by bucket."
        )
        return [title, Text(said)]
    last = fits["asof_date"].max()
    key = ["asof_date", "bucket_id"]
    used = fits.merge(params, how="left", on=key, suffixes=("_fit", "")).sort_values(key)
    rows = [_fit(r) for r in used[used["asof_date"] == last].itertuples()]
    head = ("Bucket", "Percentile of ADV", "lambda1, bp", "estimate", "s.e.", "95%", "lambda2",
            "estimate", "s.e.", "95%", "Orders", "Holds for |d|, bp of NAV")  # fmt: skip
    foot = (
        "One trade of |d| of NAV is taken to cost lambda1 |d| + lambda2 d². Estimate: before costs "
        "were made not negative and not rising with liquidity; its standard error is by session. "
        f"Learned from simulated {fits['style'].iloc[-1]} orders traded before {last:%Y-%m-%d}, "
        f"the last of {fits['asof_date'].nunique()} fits; thin buckets are fitted with their "
        "neighbour. Impact is a concave power of size in the simulator, so the quadratic is its "
        "local fit, in the range of sizes shown."
    )
    return [title, _through_time(inputs), Tabular("The last fit", head, tuple(rows), foot)]


def _fit(r: tuple) -> tuple:
    return cells(
        (
            str(r.bucket_id + 1),
            f"{number(r.adv_edge_low, 0)} to {number(r.adv_edge_high, 0)}",
            number(r.lambda1_bp, 1), number(r.raw1_bp, 1), number(r.se1_bp, 1),
            f"{number(r.low1_bp, 1)} to {number(r.high1_bp, 1)}",
            number(r.lambda2, 3), number(r.raw2, 3), number(r.se2, 3),
            f"{number(r.low2, 3)} to {number(r.high2, 3)}",
            count(r.orders), f"{number(r.size_low * 1e4, 1)} to {number(r.size_high * 1e4, 1)}",
        )
    )  # fmt: skip


def _through_time(inputs: ReportInputs) -> Block:
    wide = inputs.lambda_params.pivot(index="asof_date", columns="bucket_id", values="lambda1_bp")
    # each set of costs holds until the next fit, the last one to the end
    dates = [*wide.index, pd.Timestamp(inputs.meta.end)]
    values = wide.reindex(dates, method="ffill")
    values = values[values.index >= pd.Timestamp(inputs.meta.start)]
    ends = (wide.columns[0], wide.columns[len(wide.columns) // 2], wide.columns[-1])
    lines = [
        Line(f"bucket {b + 1}", values[b].to_numpy(float), tone, step=True)
        for b, tone in zip(dict.fromkeys(ends), (1, 3, 0), strict=False)
    ]
    chart = Lines(
        "lambda1 through time", values.index.to_numpy("datetime64[D]"), lines, BP, include=(0.0,)
    )
    caption = "Before the first fit, the fixed cost. Bucket 1 is the least liquid."
    return figure("execution-lambda", chart, caption, 230, stamp=stamp(inputs))


def _styles(inputs: ReportInputs) -> list[Block]:
    title, frame = Text("The same orders by other styles", "sub"), inputs.exec_styles
    base = frame[frame["scenario"] == "base"] if len(frame) else frame
    if not len(base):
        return [title, empty("No session had orders that could be worked by other styles")]
    order = [s for s in ("MOO", "POV", "VWAP") if (base["style"] == s).any()]
    quart = {
        s: base.loc[base["style"] == s, "shortfall_bp"].quantile([0.25, 0.5, 0.75]) for s in order
    }
    rows = [
        cells(
            (
                s, count((base["style"] == s).sum()),
                *(number(v, 1, signed=True) for v in quart[s]),
                number(quart[s].iloc[2] - quart[s].iloc[0], 1),
                number(base.loc[base["style"] == s, "shortfall_bp"].mean(), 1, signed=True),
                percent(base.loc[base["style"] == s, "filled"].mean()),
            )
        )
        for s in order
    ]  # fmt: skip
    chart = Forest(
        "Shortfall of a day: median and middle half of the days",
        order,
        np.array([quart[s].iloc[1] for s in order]),
        np.array([quart[s].iloc[0] for s in order]),
        np.array([quart[s].iloc[2] for s in order]),
        list(range(len(order))),
        BP,
    )
    head = ("Style", "Days", "Lower quarter", "Median", "Upper quarter", "Middle half", "Mean",
            "Filled")  # fmt: skip
    foot = (
        "Every style gets the same parents, caps, session and as much cash as it takes; bp of the "
        "value ordered against the open, statutory fees left out, what is not filled valued at "
        "the close. MOO: market on open. POV: a share of the volume until done. VWAP: slices "
        "sized by the volume that is expected. The last three years."
    )
    return [
        title,
        *_gate(inputs),
        figure("execution-styles", chart, "", stamp=stamp(inputs)),
        Tabular("Styles on the same orders", head, tuple(rows), foot),
    ]


def _gate(inputs: ReportInputs) -> list[Block]:
    frame = inputs.exec_gate
    if not len(frame):
        return []
    rows = frame.set_index("scenario")
    base = rows.loc["base"] if "base" in rows.index else rows.iloc[0]
    lead = Text(
        f"Acceptance of POV against MOO: {base['verdict']}. The median day costs "
        f"{_bp(base['difference'], signed=True)} more (95% {number(base['low'], 1, signed=True)} "
        f"to {number(base['high'], 1, signed=True)}; the rule asks for {-MEDIAN:.0f} bp or less), "
        f"and days spread {times(base['iqr_ratio'])} as widely ({number(base['ratio_low'])} to "
        f"{number(base['ratio_high'])}; the rule asks for {RATIO:.2f} or less). "
        "It blocks a release, not a test run."
    )
    body = [
        cells(
            (
                "as it is" if r.scenario == "base" else r.scenario, r.verdict, count(r.days),
                number(r.median_pov, 1, signed=True),
                number(r.median_moo, 1, signed=True), number(r.difference, 1, signed=True),
                f"{number(r.low, 1, signed=True)} to {number(r.high, 1, signed=True)}",
                number(r.iqr_ratio), f"{number(r.ratio_low)} to {number(r.ratio_high)}",
            )
        )
        for r in [*frame[frame["scenario"] == "base"].itertuples(),
                  *frame[frame["scenario"] != "base"].itertuples()]
    ]  # fmt: skip
    head = ("If the simulator were", "Verdict", "Days", "POV, bp", "MOO, bp", "Difference", "95%",
            "Spread of days, ratio", "95%")  # fmt: skip
    foot = (
        "Medians of daily shortfall; spread: interquartile range of POV over that of MOO. "
        "Intervals: circular block bootstrap over days. MOO fills at the very price it is "
        "measured against, so only its impact differs from day to day; POV adds the drift of the "
        "session, which is noise and no cost."
    )
    return [lead, Tabular("The verdict under other assumptions", head, tuple(body), foot, texts=2)]


def _curves(inputs: ReportInputs) -> list[Block]:
    drawn: list[Block] = []
    capacity, pace = inputs.capacity, inputs.pace
    if len(capacity):
        rows = capacity.sort_values("nav")
        x = np.log10(rows["nav"].to_numpy(float))
        clouds = [
            Cloud("return a year after costs", x, rows["ann_return"].to_numpy(float), 0, True),
            Cloud("costs a year", x, rows["cost_bp"].to_numpy(float) / 1e4, 1, True),
        ]
        chart = Scatter(
            "Capacity: the same decisions with more money", clouds,
            f"NAV, powers of ten of {inputs.meta.currency}", Unit(digits=0), PERCENT,
        )  # fmt: skip
        drawn.append(figure("execution-capacity", chart, "", 270, half=True, stamp=stamp(inputs)))
    if len(pace):
        rows = pace.sort_values("turnover")
        x = rows["turnover"].to_numpy(float)
        clouds = [
            Cloud("return a year after costs", x, rows["ann_return"].to_numpy(float), 0, True),
            Cloud("costs a year", x, rows["cost_bp"].to_numpy(float) / 1e4, 1, True),
        ]
        chart = Scatter(
            "Costs against turnover: every decision, or fewer", clouds,
            "two-way turnover a year, times NAV", Unit(digits=1), PERCENT,
        )  # fmt: skip
        drawn.append(figure("execution-pace", chart, "", 270, half=True, stamp=stamp(inputs)))
    if not drawn:
        return []
    return [
        Text("More money, fewer trades", "sub"),
        Text(_said(capacity, inputs.meta.currency)),
        Grid(tuple(drawn)),
        *_replays(inputs),
    ]


def _said(capacity: Frame, currency: str) -> str:
    if not len(capacity):
        return "The decisions were not replayed with more money."
    rows = capacity.sort_values("nav").reset_index(drop=True)
    best = rows["ann_return"].iloc[0]
    half = rows[(rows["ann_return"] < 0.5 * best) & (best > 0)]
    small, large = rows.iloc[0], rows.iloc[-1]
    where = (
        f"It first falls below half of that at {money(half['nav'].iloc[0], currency)}."
        if len(half)
        else "It does not halve in this range."
    )
    return (
        f"With {money(small['nav'], currency)} the decisions of this run earn "
        f"{percent(small['ann_return'])} a year after costs, with {money(large['nav'], currency)} "
        f"{percent(large['ann_return'])}, {percent(large['filled'])} of the orders filled. {where}"
    )


def _replays(inputs: ReportInputs) -> list[Block]:
    head = ("Return", "Volatility", "Sharpe", "Costs, bp a year", "Turnover", "Filled", "Cash")
    made: list[Block] = []
    foot = "Recorded decisions replayed: the optimizer does not adapt to the size or the pace."
    for frame, key, name, form in (
        (inputs.capacity, "nav", "NAV", lambda v: money(v, inputs.meta.currency)),
        (inputs.pace, "every", "Acts on every", lambda v: f"{int(v)}. decision"),
    ):
        if len(frame):
            rows = [
                cells(
                    (
                        form(getattr(r, key)), percent(r.ann_return), percent(r.ann_vol),
                        number(r.sharpe), number(r.cost_bp, 0), times(r.turnover, 1),
                        percent(r.filled) if not missing(r.filled) else DASH, percent(r.cash),
                    )
                )
                for r in frame.sort_values(key).itertuples()
            ]  # fmt: skip
            title = {"nav": "Capacity", "every": "Pace"}[key]
            made.append(Tabular(title, (name, *head), tuple(rows), foot, fold=True))
    return made


def _bp(value: float, signed: bool = False) -> str:
    sign = "+" if signed and value > 0 else ""
    return f"{sign}{basis(value, 1)}"

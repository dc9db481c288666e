"""The RL controller: the verdict on it, what it did with the knobs, and what that changed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from quant.core.types import Frame
from quant.evaluation import metrics
from quant.optimizer.knobs import NAMES, Knobs
from quant.reporting.blocks import Block, Cell, Grid, Section, Tabular, Text, cells, empty
from quant.reporting.figures import Cloud, Heat, Line, Lines, Scatter, figure, heat_height
from quant.reporting.formats import DASH, PERCENT, RATIO, count, missing, number, percent, times
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp
from quant.rl.action import HIT, share

TITLE = "The controller of the knobs"
MEAN = -1  # the seeds' mean in table rl_gate
LABELS = {
    "gamma": "Risk aversion", "lambda1": "Linear cost", "lambda2": "Quadratic cost",
    "tau": "Turnover limit", "caps": "Group caps", "vol_target": "Volatility target",
}  # fmt: skip
BOOKS = {
    "rl": "Controller", "fixed": "Best constant", "no_rl": "No controller", "rule": "Crisis rule",
    "random": "Random knobs", "no_tilt": "Controller, no tilts", "start": "Where training began",
}  # fmt: skip
BINS = 20


def build(inputs: ReportInputs) -> Section:
    """Verdict, books, knobs through time, histograms, safety, training; or one sentence."""
    if not len(inputs.policy_info):
        nothing = empty("The knobs were constant: this run has no controller (sprint=s3 has one)")
        return Section("controller", TITLE, (nothing,))
    blocks: list[Block] = []
    if len(inputs.rl_gate):
        blocks += [_verdict(inputs), _gate(inputs)]
    if len(inputs.rl_books):
        blocks += _books(inputs)
        played = set(inputs.rl_books["book"])
        blocks += _changed(inputs) if {"rl", "no_rl", "fixed"} <= played else []
    if len(inputs.rl_knobs) and (inputs.rl_knobs["book"] == "rl").any():
        blocks += _knobs(inputs)
    if len(inputs.rl_safety):
        blocks.append(_safety(inputs))
    return Section("controller", TITLE, (*blocks, *training(inputs)))


def _verdict(inputs: ReportInputs) -> Text:
    rows = inputs.rl_gate[inputs.rl_gate["seed"] == MEAN]
    held = int(rows["passes"].sum())
    seeds = int(inputs.policy_info["seed"].nunique())
    words = ", ".join(f"{_months(r.period)} {r.verdict}" for r in rows.itertuples())
    return Text(
        f"Against the best constant knobs the rule of the release (Sharpe and deflated Sharpe each "
        f"higher by 0.10) holds in {held} of {len(rows)} periods: {words}. The controller is the "
        f"mean of {seeds} seeds; INCONCLUSIVE is what these days can not tell from chance."
    )


def _gate(inputs: ReportInputs) -> Tabular:
    body = []
    for r in inputs.rl_gate.sort_values(["period", "seed"]).itertuples():
        mean = r.seed == MEAN
        interval = (
            DASH
            if missing(r.low)
            else f"{number(r.low, signed=True)} to " + number(r.high, signed=True)
        )
        values = (
            _months(r.period), "mean" if mean else f"seed {r.seed}", r.verdict,
            "yes" if r.passes else "no", number(r.sharpe), number(r.fixed_sharpe),
            number(r.difference, signed=True), interval, number(r.detectable), number(r.dsr),
            number(r.fixed_dsr),
        )  # fmt: skip
        body.append(cells(values, "strong" if mean else ""))
    foot = (
        "Sharpe ratios are annual, over cash. Interval: 95 % of their difference, by a studentised "
        "bootstrap of blocks of days (Ledoit and Wolf 2008); detectable: the smallest true "
        "difference found with a probability of 0.8. DSR is deflated by constant settings on the "
        "validation sessions, fixed before training. Rule: the specification's, literally; where "
        "the best constant's DSR exceeds 0.90 it is SATURATED and the Sharpe ratio decides. "
        "Verdict: PASS and FAIL only where the interval agrees."
    )
    head = ("Period", "", "Verdict", "Rule", "Sharpe", "constant", "difference", "95% interval",
            "detectable", "DSR", "constant")  # fmt: skip
    return Tabular("The gate", head, tuple(body), foot, texts=4)


def _months(period: str) -> str:
    start, _, end = period.partition("/")
    return f"{start[:7]} to {end[:7]}"


def series(books: Frame, book: str) -> pd.DataFrame:
    """Daily ret, rf, cost and turnover of a book, its seeds averaged."""
    own = books[books["book"] == book]
    return own.groupby("date")[["ret", "rf", "cost", "turnover"]].mean()


def _books(inputs: ReportInputs) -> list[Block]:
    periods = inputs.meta.periods_per_year
    names = [name for name in BOOKS if (inputs.rl_books["book"] == name).any()]
    numbers = {name: _numbers(series(inputs.rl_books, name), periods) for name in names}
    body = []
    base = numbers.get("no_rl", {}).get("sharpe", np.nan)
    for name in names:
        own = numbers[name]
        delta = DASH if name == "no_rl" else number(own["sharpe"] - base, signed=True)
        body.append(
            cells(
                (
                    BOOKS[name], percent(own["ret"]), percent(own["vol"]), number(own["sharpe"]),
                    delta, percent(own["fall"]), times(own["turnover"]),
                    number(own["cost"] * 1e4, 0),
                ),
                "strong" if name == "rl" else "",
            )
        )  # fmt: skip
    foot = (
        "The test sessions, every book from cash on the same day by the same engine; return, "
        "volatility, two-way turnover and costs (bp of NAV) are a year's, the Sharpe ratio is over "
        "cash. Best constant: the best of "
        f"{_tried(inputs.rl_search)} settings on train and validation. "
        "Crisis rule: the volatility target falls to 8 % as crisis becomes certain. No tilts: the "
        "policy that steers, without Model 1's tilts. Seeds are averaged day by day."
    )
    head = ("Knobs by", "Return", "Volatility", "Sharpe", "less none", "Drawdown", "Turnover",
            "Costs")  # fmt: skip
    return [Tabular("The books of the test", head, tuple(body), foot)]


def _tried(search: Frame) -> str:
    return count((search["use"] == "search").sum()) if len(search) else "the"


def _numbers(daily: pd.DataFrame, periods: float) -> dict[str, float]:
    ret, rf = daily["ret"].to_numpy(), daily["rf"].to_numpy()
    if ret.size < 2:
        return dict.fromkeys(("ret", "vol", "sharpe", "fall", "turnover", "cost"), np.nan)
    return {
        "ret": metrics.ann_return(ret, periods),
        "vol": metrics.ann_vol(ret, periods),
        "sharpe": metrics.sharpe(ret, rf, periods),
        "fall": metrics.max_drawdown(ret),
        "turnover": metrics.turnover(daily["turnover"].to_numpy(), periods),
        "cost": float(daily["cost"].mean() * periods),
    }


def _changed(inputs: ReportInputs) -> list[Block]:
    own = series(inputs.rl_books, "rl")["ret"]
    lines = []
    for tone, (name, label) in enumerate(
        {"no_rl": "less no controller", "fixed": "less best constant"}.items()
    ):
        apart = (own - series(inputs.rl_books, name)["ret"]).cumsum()
        lines.append(Line(label, apart.to_numpy(), tone))
    chart = Lines(
        "What the controller changed, day by day",
        own.index.to_numpy("datetime64[D]"),
        lines,
        PERCENT,
        base=0.0,
    )
    caption = "Sum of the daily differences of return, decimal of NAV, the seeds averaged."
    return [figure("controller-changed", chart, caption, 260, stamp=stamp(inputs))]


def shares(rows: Frame) -> np.ndarray:
    """(n, 6) where each knob stands in its range, on its scale, 0 to 1."""
    return np.array([share(Knobs(*row)) for row in rows[list(NAMES)].to_numpy()])


def _knobs(inputs: ReportInputs) -> list[Block]:
    rows = inputs.rl_knobs[inputs.rl_knobs["book"] == "rl"]
    where = pd.DataFrame(shares(rows), columns=NAMES).assign(date=rows["date"].to_numpy())
    daily = where.groupby("date").mean()
    crisis = np.nan
    if len(inputs.regime):
        crisis = inputs.regime.set_index("date")["p_crisis"].reindex(daily.index)
    monthly = daily.assign(crisis=crisis).resample("MS").mean().dropna(how="all")
    through = Heat(
        "Knobs through time, over the probability of crisis",
        [*(LABELS[n] for n in NAMES), "p(crisis)"],
        [f"{d:%Y-%m}" for d in monthly.index],
        monthly.to_numpy().T,
        1.0,
        RATIO,
    )
    counts = np.array([np.histogram(where[n], BINS, (0.0, 1.0))[0] for n in NAMES], float)
    spread = counts / max(len(where), 1)
    histogram = Heat(
        "Where in their ranges the knobs stood",
        [LABELS[n] for n in NAMES],
        [percent(k / BINS, 0) for k in range(BINS)],
        spread,
        float(max(np.ceil(10 * spread.max()) / 10, 0.1)),
        PERCENT,
    )
    names = ("gain", "cost", "drawdown", "volatility")
    parts = rows[list(names)].mean()
    reward = parts["gain"] - parts[list(names[1:])].sum()
    told = Text(
        "A decision's mean reward in the test, in the reward's own unit: "
        f"{number(reward, 3, signed=True)}, of which gain {number(parts['gain'], 3, signed=True)}, "
        + ", ".join(f"{n} {number(-parts[n], 3, signed=True)}" for n in names[1:])
        + "."
    )
    mark = stamp(inputs)
    caption = "0 is the lower bound and 1 the upper, costs and risk aversion by their logarithms; "
    return [
        figure(
            "controller-knobs", through, caption + "monthly means over the seeds.",
            heat_height(len(through.rows)), stamp=mark,
        ),
        figure(
            "controller-histogram", histogram, "Share of decisions in each twentieth of the range.",
            heat_height(len(NAMES)), stamp=mark,
        ),
        told,
    ]  # fmt: skip


def _safety(inputs: ReportInputs) -> Tabular:
    rows = inputs.rl_knobs
    rows = rows[rows["book"] == "rl"] if len(rows) else rows
    gave = rows["relaxed"].str.split(",").explode() if len(rows) else pd.Series(dtype=object)
    way = {"tau": "turnover", "caps": "group", "vol_target": "volatility"}
    body = []
    for r in sorted(inputs.rl_safety.itertuples(), key=lambda row: NAMES.index(row.knob)):
        told = r.knob in way and len(rows)
        relaxed = percent((gave == way[r.knob]).sum() / len(rows), 2) if told else DASH
        values = (
            LABELS[r.knob], count(r.decisions), percent(r.outside, 2), percent(r.hit_low, 2),
            percent(r.hit_high, 2), relaxed,
        )  # fmt: skip
        body.append(tuple(Cell(str(v)) for v in values))
    foot = (
        "Of all decisions in the test, over all seeds. At a bound: within "
        f"{HIT:.1%} of the range's end. Gave way: what the knob asked was out of reach on that "
        "day, and the physical, then "
        "groups, then volatility came before it (turnover last); every solve carries its "
        "certificate, so no book ever left its limits."
    )
    head = ("Knob", "Decisions", "Out of bounds", "At the lower", "At the upper", "Gave way")
    return Tabular("Bounds and limits", head, tuple(body), foot)


def training(inputs: ReportInputs) -> list[Block]:
    """Steps, looks and curves of every seed."""
    info = inputs.policy_info.sort_values("seed")
    body = [
        cells(
            (
                f"seed {r.seed}" + (" (steers)" if r.steers else ""), count(r.steps),
                count(r.step), r.ended, number(r.sharpe), number(r.dsr),
            )
        )
        for r in info.itertuples()
    ]  # fmt: skip
    foot = (
        "Steps are decisions on market replay. The policy kept is that of the best look at the "
        "validation sessions; the seed that did best there turns the knobs of the backtest, from "
        "the first session after validation on."
    )
    head = ("Training", "Steps", "kept at", "Ended by", "Sharpe", "DSR")
    made: list[Block] = [Tabular("Training", head, tuple(body), foot)]
    mark = stamp(inputs)
    curves: list[Block] = []
    if len(inputs.rl_looks):
        clouds = _clouds(inputs.rl_looks, "dsr")
        chart = Scatter("Validation DSR", clouds, "thousand steps")
        curves.append(figure("controller-looks", chart, "At every look.", 260, True, mark))
    if len(inputs.rl_curve):
        clouds = _clouds(inputs.rl_curve, "better")
        chart = Scatter("Reward over that of constant knobs", clouds, "thousand steps")
        caption = "Mean a decision in training, in the reward's unit, with the noise of actions."
        curves.append(figure("controller-curve", chart, caption, 260, True, mark))
    return [*made, Grid(tuple(curves))] if curves else made


def _clouds(rows: Frame, column: str) -> Sequence[Cloud]:
    return [
        Cloud(
            f"seed {seed}", own["step"].to_numpy(np.float64) / 1e3,
            own[column].fillna(0.0).to_numpy(np.float64), int(seed) % 7, joined=True,
        )
        for seed, own in rows.sort_values("step").groupby("seed")
    ]  # fmt: skip

"""The page of one night: is anything wrong today, and how every region stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from quant.core.tables import NONE, WATCH
from quant.core.types import Frame
from quant.reporting.blocks import (
    Answer,
    Block,
    Cell,
    Grid,
    Section,
    Tabular,
    Text,
    Tile,
    Tiles,
    cells,
    empty,
)
from quant.reporting.formats import DASH, basis, count, day, missing, number, percent, times
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import Metrics, book
from quant.reporting.page import Head, layout
from quant.reporting.sections import (
    drift,
    execution,
    portfolio,
    regimes,
    regimestates,
    regimeworth,
)
from quant.reporting.sections.curves import growth

DONE, FAILED, WAITING, RUNNING, LEFT_OUT = "done", "failed", "waiting", "running", "left out"
STOPPED = "stopped half-way"  # a night that is not done and that no process works on
MONTH = 21  # sessions
LOSS, COST = 3.0, 2.0  # deviations of a day; times the usual cost
TITLES = {
    "base": "As it stands", "no_rl": "No RL", "no_tilt": "No regimes", "cost_x2": "Costs x 2",
    "impact_x2": "Impact x 2",
}  # fmt: skip


@dataclass(frozen=True)
class JobOfNight:
    """One run of a night. told : its error, or why it was left out; seconds : of wall time."""

    name: str
    status: str
    seconds: float = 0.0
    told: str = ""
    computed: int = 0
    kept: int = 0


@dataclass(frozen=True)
class RegionOfNight:
    """One region.

    report   : frames and facts of the run `base`; None where it did not finish
    jobs     : all its runs, `base` first
    metrics  : job -> metric -> value, of those that were evaluated
    pairs    : COMPARISONS rows of each ablation (book) with the base (other)
    links    : words -> path, as seen from the page
    expected : last session that the data should have, see the exchange's calendar
    """

    name: str
    report: ReportInputs | None
    jobs: Sequence[JobOfNight]
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pairs: Frame = field(default_factory=pd.DataFrame)
    links: Mapping[str, str] = field(default_factory=dict)
    expected: pd.Timestamp | None = None


@dataclass(frozen=True)
class NightInputs:
    """What the page shows. asof : the last day that the night may know; command : of the night."""

    asof: str
    since: str
    git_sha: str
    command: str
    regions: Sequence[RegionOfNight]
    simulated: bool = False


def render(inputs: NightInputs) -> str:
    """Return the page."""
    head = Head(
        f"Night of {inputs.asof}",
        ("nightly", f"{inputs.since} to {inputs.asof}", f"code {inputs.git_sha}"),
        (inputs.git_sha, inputs.command),
        inputs.simulated,
    )
    first = Section("answer", "Today", (_answer(inputs), _runs(inputs)))
    return layout(head, [first, *(_region(r) for r in inputs.regions)])


def status(inputs: NightInputs) -> str:
    """Of the whole night: failed, running, or done."""
    found = {job.status for region in inputs.regions for job in region.jobs}
    if FAILED in found:
        return FAILED
    return RUNNING if found & {WAITING, RUNNING} else DONE


def concerns(region: RegionOfNight) -> list[str]:
    """What is wrong today, one sentence each, the worst first."""
    said = [f"{TITLES.get(j.name, j.name)} failed: {j.told}" for j in region.jobs
            if j.status == FAILED]  # fmt: skip
    return said + (_of_report(region, region.report) if region.report else [])


def _of_report(region: RegionOfNight, report: ReportInputs) -> list[str]:
    said = []
    mine = book(report, "portfolio")
    last = mine.index[-1]
    if region.expected is not None and last < region.expected:
        said.append(f"the data end on {day(last)}, and {day(region.expected)} was a session")
    said += _of_data(report, last) + _of_solve(report, last) + _of_book(report, mine)
    drifted = drift.latest(report.drift) if len(report.drift) else report.drift
    grown = drifted[~drifted["severity"].isin([NONE, WATCH])] if len(drifted) else drifted
    if len(grown):
        names = ", ".join(f"{r.feature} ({r.severity})" for r in grown.itertuples())
        said.append(f"drift: {names}")
    if report.meta.git_sha.endswith("-dirty"):
        said.append("the code has changes that no commit holds")
    return said


def _of_data(report: ReportInputs, last: pd.Timestamp) -> list[str]:
    new = report.quality[report.quality["date"] == last] if len(report.quality) else report.quality
    bad = new[new["severity"] == "error"] if len(new) else new
    if not len(bad):
        return []
    return [f"data: {count(len(bad))} errors of the last session, first {bad['check'].iloc[0]} of "
            f"{bad['symbol'].iloc[0]}"]  # fmt: skip


def _of_solve(report: ReportInputs, last: pd.Timestamp) -> list[str]:
    solves = report.solves.sort_values("date") if len(report.solves) else report.solves
    if not len(solves):
        return []
    row = solves.iloc[-1]
    said = []
    usual = solves["solver"].mode().iloc[0]
    if row["solver"] != usual:
        said.append(f"the last solve is by {row['solver']}, usually by {usual}")
    if row["relaxed"]:
        said.append(f"limits gave way in the last solve: {row['reason'] or 'see the report'}")
    return said


def _of_book(report: ReportInputs, mine: Frame) -> list[str]:
    said = []
    daily = mine["nav"].astype(float).pct_change().dropna()
    if len(daily) > 2 * MONTH:
        today, before = daily.iloc[-1], daily.iloc[:-1].tail(252)
        if today < before.mean() - LOSS * before.std():
            said.append(
                f"the book lost {percent(-today, 2)} in the last session, more than {LOSS:g} "
                "deviations of a day"
            )
    paid = mine["cost"].astype(float) + mine["fee"].astype(float)
    rate = (paid / mine["nav"].astype(float)).iloc[1:]
    if len(rate) > 3 * MONTH and rate.iloc[:-MONTH].mean() > 0:
        ratio = rate.tail(MONTH).mean() / rate.iloc[:-MONTH].mean()
        if ratio > COST:
            said.append(
                f"trading costs {times(ratio, 1)} of what it used to, over {MONTH} sessions"
            )
    return said


def _answer(inputs: NightInputs) -> Answer:
    found = [(r.name.upper(), s) for r in inputs.regions for s in concerns(r)]
    waiting = [j for r in inputs.regions for j in r.jobs if j.status in (WAITING, RUNNING)]
    told = tuple(f"{name}: {text}." for name, text in found)
    if waiting:
        left = f"{count(len(waiting))} runs have not finished; the same command goes on with them."
        return Answer("The night is not whole yet", (left, *told), "bad" if found else "fair")
    if not found:
        checked = (
            "Every run finished, the data reach the last session, no limit gave way, no feature "
            "drifted, and the last day is none that stands out."
        )
        return Answer("Nothing is wrong today", (checked,), "good")
    failed = any(j.status == FAILED for r in inputs.regions for j in r.jobs)
    asked = "1 thing asks" if len(found) == 1 else f"{len(found)} things ask"
    return Answer(f"{asked} for a look", told, "bad" if failed else "fair")


def _runs(inputs: NightInputs) -> Block:
    rows = []
    for region in inputs.regions:
        for j in region.jobs:
            done = f"{j.seconds / 60:.1f}" if j.seconds else DASH
            made = f"{j.computed} of {j.computed + j.kept}" if j.computed + j.kept else DASH
            told = j.told if j.status in (FAILED, LEFT_OUT) else ""
            rows.append((
                Cell(region.name.upper()), Cell(TITLES.get(j.name, j.name)),
                Cell(j.status, "n2" if j.status == FAILED else ""), Cell(told[:160], tip=told),
                Cell(done), Cell(made),
            ))  # fmt: skip
    return Tabular(
        "Runs of the night", ("Region", "Run", "Status", "", "Minutes", "Stages made"), tuple(rows),
        "Stages made: those that the new session changed; the rest was stored already.", texts=4,
    )  # fmt: skip


def _region(region: RegionOfNight) -> Section:
    title = f"{region.name.upper()} equities"
    links = tuple((Cell(word, link=link),) for word, link in region.links.items())
    listed = [Tabular("Pages", ("",), links)] if links else []
    if region.report is None:
        told = empty("The run did not finish: nothing can be said of this region")
        return Section(region.name, title, (told, *listed))
    report = region.report
    blocks: list[Block] = [
        Grid((_performance(region), growth(report, f"{region.name}-growth", half=True)), "hero"),
        *_ablations(region), *_exposures(report), *_costs(report), *_regimes(report),
        *_capacity(region), *_drift(report), *listed,
    ]  # fmt: skip
    return Section(region.name, title, tuple(blocks))


def _performance(region: RegionOfNight) -> Block:
    report = region.report
    assert report is not None
    mine, theirs = (book(report, name)["nav"].astype(float) for name in ("portfolio", "benchmark"))
    m = Metrics.of(report.metrics)

    def over(levels: pd.Series, sessions: int) -> float:
        return (
            levels.iloc[-1] / levels.iloc[-1 - sessions] - 1 if len(levels) > sessions else np.nan
        )

    def year(levels: pd.Series) -> float:
        before = levels[levels.index.year < levels.index[-1].year]
        return levels.iloc[-1] / before.iloc[-1] - 1 if len(before) else np.nan

    rows = [
        ("Last session", over(mine, 1), over(theirs, 1)),
        (f"{MONTH} sessions", over(mine, MONTH), over(theirs, MONTH)),
        (f"{mine.index[-1].year}", year(mine), year(theirs)),
    ]
    body = [cells((name, percent(a, 2), percent(b, 2), percent(a - b, 2, signed=True)))
            for name, a, b in rows]  # fmt: skip
    for name, metric, form in (
        ("A year, since the start", "ann_return", percent), ("Volatility", "ann_vol", percent),
        ("Sharpe ratio", "sharpe", number), ("Max drawdown", "max_drawdown", percent),
        ("Turnover a year", "turnover_ann", lambda v: times(v, 1)),
        ("Costs a year", "cost_bp_ann", basis),
    ):  # fmt: skip
        body.append(cells((name, form(m(metric)), form(m(metric, "benchmark")), "")))
    body.append(cells(("Deflated Sharpe", number(m("dsr")), "", "")))
    return Tabular(
        f"As of {day(mine.index[-1])}", ("", "Book", "Benchmark", "Difference"), tuple(body),
        "After costs. The benchmark is the equal-weight universe, which pays the same costs.",
    )  # fmt: skip


def _ablations(region: RegionOfNight) -> list[Block]:
    base = region.metrics.get("base", {})
    rows = []
    for job in region.jobs:
        own = region.metrics.get(job.name)
        if job.name == "base" or own is None:
            continue
        pair = region.pairs[region.pairs["book"] == job.name] if len(region.pairs) else region.pairs
        low, high, verdict = (
            pair.iloc[0][["low", "high", "verdict"]] if len(pair) else (np.nan, np.nan, DASH)
        )
        rows.append(cells((
            TITLES.get(job.name, job.name), verdict, number(own["sharpe"]),
            number(own["sharpe"] - base["sharpe"], signed=True),
            DASH if missing(low) else f"{number(low, signed=True)} to {number(high, signed=True)}",
            percent(own["ann_return"] - base["ann_return"], signed=True),
            percent(own["max_drawdown"] - base["max_drawdown"], signed=True),
            basis(own["cost_bp_ann"]), times(own["turnover_ann"], 1),
        )))  # fmt: skip
    if not rows:
        return [empty("No ablation finished")]
    head = ("Ablation", "Against as it stands", "Sharpe", "Difference", "95 %", "Return",
            "Drawdown", "Costs a year", "Turnover")  # fmt: skip
    foot = "Interval: of the difference of Sharpe ratios, by a studentised bootstrap of blocks."
    return [Tabular("Ablations", head, tuple(rows), foot, texts=2)]


def _exposures(report: ReportInputs) -> list[Block]:
    mine = book(report, "portfolio")
    if not len(report.weights):
        return [empty("The book holds nothing")]
    last = pd.DatetimeIndex([report.weights["date"].max()])
    table = portfolio.exposures(report.weights, report.membership, last).iloc[:, 0]
    names = report.weights[report.weights["date"] == last[0]].nlargest(10, "weight")
    groups = Tabular(
        f"Exposure by group, {day(last[0])}", ("Group", "Weight"),
        tuple(cells((str(name), percent(value))) for name, value in table.head(12).items()),
    )  # fmt: skip
    largest = Tabular(
        "Largest holdings", ("Name", "Weight"),
        tuple(cells((r.symbol, percent(r.weight, 2))) for r in names.itertuples()),
    )  # fmt: skip
    row = mine.iloc[-1]
    tiles = Tiles((
        Tile("Names held", count(row["n_held"]), ""),
        Tile("Cash", percent(row["cash"] / row["nav"]), "of NAV"),
        Tile("Turnover", percent(row["turnover"]), "of NAV in the last session, two-way"),
        Tile("Turnover", percent(mine["turnover"].tail(MONTH).mean()),
             f"a session over {MONTH}"),
        Tile("Largest group", percent(float(table.iloc[0])), str(table.index[0])),
    ))  # fmt: skip
    return [Text("Exposures", "sub"), tiles, Grid((groups, largest))]


def _costs(report: ReportInputs) -> list[Block]:
    orders = report.tca_orders
    if not len(orders):
        return [Text("Costs", "sub"), empty("No order was worked by the simulator")]
    ends = np.sort(orders["date"].unique())
    spans = {"Last session": ends[-1:], f"{MONTH} sessions": ends[-MONTH:], "Since the start": ends}
    parts = list(execution.PARTS)
    rows = []
    for name, days in spans.items():
        found = execution.averages(orders[orders["date"].isin(days)])
        rows.append(cells((name, count(found["n"]), percent(found["filled"]),
                           *(number(found[p], 1, signed=True) for p in parts),
                           number(found["total"], 1, signed=True))))  # fmt: skip
    head = ("Cost attribution", "Orders", "Filled", *(p.capitalize() for p in parts), "Total")
    foot = "Implementation shortfall by part, bp of the money ordered."
    return [Text("Costs", "sub"), Tabular("", head, tuple(rows), foot)]


def _regimes(report: ReportInputs) -> list[Block]:
    if not regimes.enabled(report):
        return [Text("Regimes", "sub"), empty("Model 1 is off")]
    found = regimestates.now(report)
    if found is None:
        return [Text("Regimes", "sub"), empty("No state is known")]
    return [Text("Regimes", "sub"), regimes.headline(report, found), regimeworth.by_state(report)]


def _capacity(region: RegionOfNight) -> list[Block]:
    report = region.report
    assert report is not None
    if not len(report.capacity):
        return []
    rows = tuple(
        cells((f"{r.nav:,.0f}", number(r.sharpe), number(r.cost_bp, 0), percent(r.filled, 0)))
        for r in report.capacity.sort_values("nav").itertuples()
    )
    head = (f"NAV, {report.meta.currency}", "Sharpe", "Cost, bp a year", "Filled")
    return [Text("Capacity", "sub"),
            Tabular("The same decisions at other sizes", head, rows)]  # fmt: skip


def _drift(report: ReportInputs) -> list[Block]:
    return [Text("Drift", "sub"), *drift.build(report).blocks]

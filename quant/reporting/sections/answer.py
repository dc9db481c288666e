"""The first screen: what came out, against what, how sure, and what to beware of."""

from quant.reporting.blocks import Block, Grid, Section, Text, Tile, Tiles
from quant.reporting.compared import against_benchmark
from quant.reporting.formats import DASH, basis, missing, number, percent, points, times
from quant.reporting.holdout import warning
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import BENCHMARK, Metrics, book
from quant.reporting.sections import drift
from quant.reporting.sections.curves import growth
from quant.reporting.verdict import ideas, verdict


def build(inputs: ReportInputs) -> Section:
    """Verdict, ten numbers, warnings."""
    metrics = Metrics.of(inputs.metrics)
    years = max(len(book(inputs, "portfolio")) - 1, 0) / inputs.meta.periods_per_year
    label = inputs.meta.benchmark_label
    other = f"the {label[:1].lower()}{label[1:]}"
    said = verdict(metrics, other, years, against_benchmark(inputs))
    blocks: list[Block] = [
        Grid((said, growth(inputs, "first", half=True)), "hero") if years > 0 else said,
        Tiles(
            (*_performance(metrics), *_trading(metrics)),
            f"Benchmark: {label}, rebalanced with the universe and paying the same costs. "
            f"All numbers are after costs unless they say otherwise; {DASH} means the metrics "
            "table has no such number. How each is computed stands under the scorecard.",
        ),
    ]
    looked = warning(inputs.holdout, inputs.meta.config_hash)
    if looked:
        blocks.append(Text(looked, "warning", "hold-out"))
    drifted = drift.warning(inputs.drift)
    if drifted:
        blocks.append(Text(drifted, "warning", "drift"))
    for row in inputs.notes.itertuples():
        blocks.append(Text(str(row.text), "warning", str(row.topic).replace("_", " ")))
    return Section("answer", "Verdict", tuple(blocks))


def _versus(text: str) -> str:
    return f"benchmark {text}"


def _performance(m: Metrics) -> tuple[Tile, ...]:
    tried = ideas(m)
    return (
        Tile(
            "Return a year",
            percent(m("ann_return")),
            _versus(percent(m("ann_return", BENCHMARK)))
            + (f", compounded {percent(m('ann_growth'))}" if not missing(m("ann_growth")) else ""),
            "mean daily return times sessions a year",
        ),
        Tile("Volatility", percent(m("ann_vol")), _versus(percent(m("ann_vol", BENCHMARK)))),
        Tile(
            "Sharpe ratio",
            number(m("sharpe")),
            f"before costs {number(m('sharpe_gross'))}, " + _versus(number(m("sharpe", BENCHMARK))),
            "excess of cash, annualised",
        ),
        Tile(
            "Deflated Sharpe",
            number(m("dsr")),
            f"{tried}, PSR {number(m('psr'))}",
            "probability that the true Sharpe ratio beats the best of that many useless ideas",
        ),
        Tile(
            "Max drawdown",
            percent(m("max_drawdown")),
            _versus(percent(m("max_drawdown", BENCHMARK))),
        ),
    )


def _trading(m: Metrics) -> tuple[Tile, ...]:
    low, high = m("active_return_lo"), m("active_return_hi")
    interval = (
        f"95%: {number(low * 100, 1, signed=True)} to {points(high)}"
        if not (missing(low) or missing(high))
        else "no interval"
    )
    return (
        Tile("Active return a year", points(m("active_return")), interval),
        Tile(
            "Information ratio",
            number(m("information_ratio")),
            f"tracking error {percent(m('tracking_error'))}, beta {number(m('beta'))}",
        ),
        Tile(
            "Turnover a year",
            times(m("turnover_ann"), 1),
            _versus(times(m("turnover_ann", BENCHMARK), 1)),
            "two-way, multiples of NAV",
        ),
        Tile(
            "Costs a year",
            basis(m("cost_bp_ann")),
            _versus(basis(m("cost_bp_ann", BENCHMARK))),
            "of NAV, fees included",
        ),
        Tile(
            "Rank IC",
            number(m.alpha("rank_ic"), 3),
            f"t {number(m.alpha('rank_ic_t'), 1)} (Newey-West)",
            "mean rank correlation of scores with what followed, out of sample",
        ),
    )

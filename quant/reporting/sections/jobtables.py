"""Tables of a comparison page: pairs, differences of metrics, levels."""

from collections.abc import Callable

from quant.core.types import Frame
from quant.reporting.blocks import Cell, Tabular, cells
from quant.reporting.formats import DASH, basis, count, missing, number, percent, points, times
from quant.reporting.jobs import ComparisonInputs

OPEN_ROWS = 20  # a longer table starts closed
# metric, head, level, difference from the base
DELTAS: tuple[tuple[str, str, Callable[[float], str], Callable[[float], str]], ...] = (
    ("sharpe_gross", "Sharpe before costs", number, lambda v: number(v, 2, signed=True)),
    ("ann_return", "Return a year", percent, points),
    ("ann_vol", "Volatility", percent, points),
    ("max_drawdown", "Max drawdown", percent, points),
    ("turnover_ann", "Turnover a year", lambda v: times(v, 1), lambda v: number(v, 1, signed=True)),
    ("cost_bp_ann", "Costs a year", basis, lambda v: number(v, 0, signed=True) + " bp"),
    ("dsr", "DSR", number, lambda v: number(v, 2, signed=True)),
)


def deltas(inputs: ComparisonInputs) -> Tabular:
    """Every metric as a difference from the base."""
    base, name = inputs.jobs.iloc[0], inputs.base
    head = ("Job", "Sharpe", *(h for _, h, _, _ in DELTAS))
    body = []
    for row in inputs.ranked.to_dict("records"):
        own = row["label"] == name
        line = [Cell(row["label"], "strong" if own else ""), Cell(number(row["sharpe"]))]
        line += [
            Cell(level(row[k]) if own else delta(row[k] - base[k]), "strong" if own else "",
                 f"{level(row[k])}, base {level(base[k])}")
            for k, _, level, delta in DELTAS
        ]  # fmt: skip
        body.append(tuple(line))
    return Tabular(
        "Metrics as differences from the base",
        head,
        tuple(body),
        f"Sharpe, and the row of the base ({name}): levels; all else: job less base. Turnover is "
        "two-way, in multiples of NAV; costs in bp of NAV. None of these differences is a test.",
        fold=len(body) > OPEN_ROWS,
    )


def pairs(inputs: ComparisonInputs, rows: Frame) -> Tabular:
    """Every job against the base: `rows` are pairs, in the order to print."""
    body = tuple(
        (
            Cell(r.book),
            Cell(r.verdict, {"BETTER": "p2", "WORSE": "n2"}.get(r.verdict, "soft")),
            *cells(
                (
                    number(inputs.sharpe(r.book)),
                    number(r.difference, 2, signed=True),
                    interval(r.low, r.high),
                    number(r.p_value, 3),
                    number(r.detectable),
                )
            ),
        )
        for r in rows.itertuples()
    )
    return Tabular(
        f"Against the base ({inputs.base})",
        ("Job", "Verdict", "Sharpe", "Difference", "95% interval", "p", "Smallest detectable"),
        body,
        "INCONCLUSIVE: the interval contains zero; the job may be better or worse by up to the "
        "ends of the interval.",
        texts=2,
        fold=len(body) > OPEN_ROWS,
    )


def levels(inputs: ComparisonInputs) -> Tabular:
    """The jobs with their levels, configurations and reports."""
    versus = inputs.pairs[inputs.pairs["other"] == "benchmark"] if len(inputs.pairs) else None
    told = dict(zip(versus["book"], versus["verdict"], strict=True)) if versus is not None else {}
    body = []
    for row in inputs.ranked.to_dict("records"):
        report = Cell("report", link=row["report"]) if row["report"] else Cell(DASH)
        line = [count(row["job"]), told.get(row["label"], DASH), row["config_hash"], report]
        line += [number(row["sharpe"]), *(level(row[k]) for k, _, level, _ in DELTAS)]
        body.append((Cell(row["label"]), *cells(line)))
    return Tabular(
        f"All {len(body)} jobs: levels, configurations, reports",
        (
            *("Job", "No.", "Against its benchmark", "Configuration", "Report", "Sharpe"),
            *(h for _, h, _, _ in DELTAS),
        ),
        tuple(body),
        texts=5,
        fold=True,
    )


def interval(low: float, high: float) -> str:
    """An interval with signs."""
    if missing(low) or missing(high):
        return DASH
    return f"{number(low, 2, signed=True)} to {number(high, 2, signed=True)}"

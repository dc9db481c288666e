"""The scorecard: every headline number, by book, with how it is computed."""

from collections.abc import Callable
from dataclasses import dataclass

from quant.reporting.blocks import Block, Cell, Tabular, empty
from quant.reporting.formats import basis, count, number, percent, points, times
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import BENCHMARK, PORTFOLIO, Metrics


@dataclass(frozen=True)
class Row:
    """One metric: its name in the table, its label, how it is written and computed."""

    metric: str
    label: str
    form: Callable[[float], str]
    how: str


ROWS = (
    Row("ann_return", "Return a year", percent, "arithmetic: mean daily return × periods"),
    Row("ann_growth", "compounded", percent, "growth ^ (periods / sessions) - 1"),
    Row(
        "ann_vol", "Volatility", percent, "standard deviation of daily returns, ddof 1, annualised"
    ),
    Row(
        "sharpe", "Sharpe ratio", number, "mean / standard deviation in excess of cash, annualised"
    ),
    Row(
        "sharpe_gross",
        "Sharpe ratio before costs",
        number,
        "the same with costs and fees added back",
    ),
    Row("sharpe_se", "Standard error of the Sharpe", number, "of the annualised ratio"),
    Row("sortino", "Sortino ratio", number, "mean excess / downside deviation, annualised"),
    Row("calmar", "Calmar ratio", number, "return a year / largest drawdown"),
    Row("max_drawdown", "Max drawdown", percent, "largest fall of NAV from its highest value"),
    Row("skew", "Skewness", number, "of daily returns"),
    Row("kurtosis", "Kurtosis", number, "raw, of daily returns; normal = 3"),
    Row("hit_rate", "Days above zero", percent, "share of sessions with a positive return"),
    Row("psr", "PSR", number, "probability that the true Sharpe ratio is above zero"),
    Row("dsr", "DSR", number, "the same against the best of N useless ideas"),
    Row("n_trials", "N, ideas", count, "trials of the ledger, those that trade alike counted once"),
    Row("dsr_configs", "DSR, every trial apart", number, "the same with every trial an idea"),
    Row("n_configs", "Trials", count, "distinct configurations in the ledger of this market"),
    Row("min_trl", "Minimum track record, sessions", count, "sessions needed for PSR 0.95"),
    Row("pbo", "PBO", number, "probability of backtest overfitting, by CSCV over the trials"),
    Row(
        "active_return",
        "Active return a year",
        points,
        "mean daily difference to the benchmark × periods",
    ),
    Row(
        "tracking_error",
        "Tracking error",
        percent,
        "standard deviation of that difference, annualised",
    ),
    Row("information_ratio", "Information ratio", number, "active return / tracking error"),
    Row(
        "alpha", "Alpha a year", points, "what the slope on the benchmark leaves, in excess of cash"
    ),
    Row("beta", "Beta", number, "slope of daily returns on the benchmark's"),
    Row(
        "turnover_ann",
        "Turnover a year",
        lambda v: times(v, 1),
        "two-way, multiples of NAV before trades",
    ),
    Row("cost_bp_ann", "Costs a year", basis, "costs and fees over NAV"),
)


def scorecard(inputs: ReportInputs) -> Block:
    """Rows that any book has, one column a book."""
    metrics = Metrics.of(inputs.metrics)
    books = [b for b in (PORTFOLIO, BENCHMARK) if metrics.has(b)]
    if not books:
        return empty("The metrics table has neither the portfolio nor its benchmark")
    others = sorted({b for b, m in metrics.values if m == "sharpe"} - set(books))
    books += others
    rows = []
    for row in ROWS:
        if any((b, row.metric) in metrics.values for b in books):
            numbers = (Cell(row.form(metrics(row.metric, b))) for b in books)
            rows.append((Cell(row.label), *numbers, Cell(row.how, "l long soft")))
    titles = tuple(b[:1].upper() + b[1:] for b in books)
    return Tabular(
        "Scorecard",
        ("", *titles, "How it is computed"),
        tuple(rows),
        f"Periods a year: {inputs.meta.periods_per_year}. From the metrics table, which the run "
        "stores beside this page.",
        css="score",
    )

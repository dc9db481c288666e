"""Two Sharpe ratios compared (Ledoit and Wolf 2008), in words."""

from dataclasses import dataclass

from quant.reporting.formats import DASH, missing, number
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import BENCHMARK, PORTFOLIO

INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Compared:
    """A row of COMPARISONS, and the name of the other side as it is printed.

    difference, low, high, detectable : of annualised Sharpe ratios; years : that both have
    """

    other: str
    difference: float
    low: float
    high: float
    p_value: float
    detectable: float
    years: float
    verdict: str
    benchmark: bool = False

    @property
    def same(self) -> bool:
        """Whether the two are one series up to its scale, so that there is nothing to test."""
        return self.difference == 0 and self.detectable == 0

    @property
    def interval(self) -> str:
        """The 95% interval, with signs."""
        if missing(self.low) or missing(self.high):
            return DASH
        return f"{number(self.low, 2, signed=True)} to {number(self.high, 2, signed=True)}"


def against_benchmark(inputs: ReportInputs) -> Compared | None:
    """The portfolio against its benchmark, where that was tested."""
    return next((c for c in comparisons(inputs) if c.benchmark), None)


def comparisons(inputs: ReportInputs) -> list[Compared]:
    """The portfolio against its benchmark first, then against the indices by name."""
    frame, periods = inputs.comparisons, inputs.meta.periods_per_year
    if not len(frame):
        return []
    label = inputs.meta.benchmark_label
    return [
        Compared(
            f"the {label[:1].lower()}{label[1:]}" if r.other == BENCHMARK else str(r.other),
            *(float(v) for v in (r.difference, r.low, r.high, r.p_value, r.detectable)),
            years=float(r.n_obs) / periods,
            verdict=str(r.verdict),
            benchmark=r.other == BENCHMARK,
        )
        for r in frame[frame["book"] == PORTFOLIO]
        .sort_values("other", key=lambda names: names.where(names != BENCHMARK, ""))
        .itertuples()
    ]


def sentence(found: Compared) -> str:
    """What the comparison found, and what it could have found."""
    if found.same:
        return f"It trades as {found.other} does, up to its scale: there is nothing to compare."
    chance = "which may be chance" if found.verdict == INCONCLUSIVE else "more than chance explains"
    return f"{found.verdict} against {found.other}: {distance(found)}, {chance}. {power(found)}"


def distance(found: Compared) -> str:
    """How far apart the Sharpe ratios are, with interval and p value."""
    return (
        f"its Sharpe ratio is {number(abs(found.difference))} "
        f"{'higher' if found.difference > 0 else 'lower'} (95% {found.interval}, "
        f"p {number(found.p_value)})"
    )


def power(found: Compared) -> str:
    """What the test could have missed; empty where that is not known."""
    if missing(found.detectable) or found.same:
        return ""
    return (
        f"A true difference below {number(found.detectable)} could have gone unnoticed in "
        f"{number(found.years, 1)} years."
    )

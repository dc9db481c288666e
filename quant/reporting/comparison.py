"""The page of a sweep: what each job changed, and which of them differ by more than chance."""

from quant.reporting.jobs import ComparisonInputs
from quant.reporting.page import Head, layout
from quant.reporting.sections import sweep

__all__ = ["ComparisonInputs", "render"]


def render(inputs: ComparisonInputs) -> str:
    """Return the whole page."""
    count = len(inputs.jobs)
    head = Head(
        title=inputs.title,
        kicker=(
            f"{inputs.region.upper()} equities",
            "comparison",
            f"{count} job{'s' * (count != 1)}",
        ),
        footer=(inputs.git_sha,),
        simulated=inputs.simulated,
    )
    return layout(head, [build(inputs) for build in sweep.SECTIONS])

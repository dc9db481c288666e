"""The sections of the report, in order. To add one: write its `build`, list it here."""

from collections.abc import Callable

from quant.reporting.blocks import Section
from quant.reporting.inputs import ReportInputs
from quant.reporting.sections import (
    answer,
    controller,
    data,
    drift,
    execution,
    importance,
    performance,
    portfolio,
    regimes,
    reproduce,
    signal,
    trading,
    trust,
    validation,
)

SECTIONS: list[Callable[[ReportInputs], Section]] = [
    answer.build,
    trust.build,
    performance.build,
    signal.build,
    importance.build,
    drift.build,
    validation.build,
    regimes.build,
    controller.build,
    portfolio.build,
    trading.build,
    execution.build,
    data.build,
    reproduce.build,
]

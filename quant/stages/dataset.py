"""The bars as a Qlib .bin dataset, with the region written beside them."""

from collections.abc import Mapping
from typing import Any

from quant.core import tables
from quant.core.panel import sessions_of
from quant.core.types import Frame
from quant.data import qlib_store
from quant.stages.registry import Context, Inputs, Stage


def run(s: Any, f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Write the dataset into the result."""
    bars = f["bars"]
    folder = qlib_store.write(bars, sessions_of(f["sessions"]), c.scratch / "qlib", c.region)
    qlib_store.check_region(folder, c.region)
    spans = bars.groupby("symbol")["date"].agg(first="min", last="max").reset_index()
    return {"instruments": spans}


STAGE = Stage(
    "dataset",
    needs=(tables.BARS, tables.SESSIONS),
    makes=(tables.INSTRUMENTS,),
    files=("qlib",),
    links={"qlib": "qlib/{region}_data"},
    settings=lambda c: {},
    run=run,
    module=__name__,
)

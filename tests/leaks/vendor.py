"""The rows of a vendor, read by the provider `files`: for leaks that stand before the bars."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from quant.core import tables
from quant.core.types import Frame
from quant.data.providers.files import Files
from quant.data.providers.layout import layout_from
from quant.stages.registry import Context, Inputs, Stage

COLUMNS = [
    "date", "symbol", "open", "high", "low", "close", "volume", "amount", "pre_close", "is_st",
    "float_shares",
]  # fmt: skip


def run(s: Any, f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Write the raw rows, and read them as a user's: factors and limits are derived anew."""
    f["bars"][COLUMNS].to_parquet(c.scratch / "bars.parquet")
    f["listings"].to_parquet(c.scratch / "listings.parquet")
    layout = {"bars": [{"path": "bars.parquet"}], "listings": {"path": "listings.parquet"}}
    files = Files(layout_from(layout, c.scratch, c.region))
    return {"bars": files.fetch(date(1990, 1, 1), date(2100, 1, 1)).bars}


STAGE = Stage(
    "ingest",
    needs=(tables.BARS, tables.LISTINGS),
    makes=(tables.BARS,),
    settings=lambda c: None,
    run=run,
    module=__name__,
)

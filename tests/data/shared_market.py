"""The shared datasets through the provider and the layouts that the project ships."""

from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml

from quant.data.providers.base import RawMarket
from quant.data.providers.files import Files
from quant.data.providers.layout import layout_from
from tests.shared import need

LAYOUTS = Path(__file__).parents[2] / "conf" / "data" / "layout"
START, END = date(2005, 1, 1), date(2019, 12, 31)


@lru_cache(maxsize=1)
def _fetched(region: str, root: Path) -> RawMarket:
    given = yaml.safe_load((LAYOUTS / f"{region}.yaml").read_text())
    return Files(layout_from(given, root, region)).fetch(START, END)


def shared_market(region: str) -> RawMarket:
    """Everything of one region; skips loudly where the shared folder is absent."""
    return _fetched(region, need(f"data/{region}_dev.parquet").parent)

"""The layouts that the project ships under conf/data/layout."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from quant.data import calendar
from quant.data.providers import reading
from quant.data.providers.files import Files
from quant.data.providers.layout import OPTIONAL, REQUIRED, layout_from
from tests.shared import need

LAYOUTS = Path(__file__).parents[3] / "conf" / "data" / "layout"
REGION = {"us": "us", "cn": "cn", "standard": "us"}


def given(name: str) -> dict:
    return yaml.safe_load((LAYOUTS / f"{name}.yaml").read_text())


def test_every_layout_is_tested():
    assert {path.stem for path in LAYOUTS.glob("*.yaml")} == set(REGION)


@pytest.mark.parametrize("name", REGION)
def test_layouts_load(name, tmp_path):
    layout = layout_from(given(name), tmp_path, REGION[name])
    assert layout.bars and layout.region == REGION[name]


@pytest.mark.parametrize("name", ["us", "cn"])
def test_every_file_and_column_of_a_research_layout_exists(name):
    layout = layout_from(given(name), need(f"data/{name}_dev.parquet").parent, name)
    for table in layout.tables():
        for path in reading.paths_of(layout.root, table):
            have = reading._names(path)
            assert set(table.columns.values()) <= set(have), path.name
            assert set(table.where) <= set(have), path.name


def test_the_standard_layout_documents_every_column():
    text = (LAYOUTS / "standard.yaml").read_text()
    for table in REQUIRED:
        for column in REQUIRED[table] + OPTIONAL[table]:
            assert column in text, f"{table}.{column}"


def test_the_standard_layout_takes_bars_alone(tmp_path):
    days = calendar.sessions("us", date(2019, 1, 1), date(2019, 3, 29)).astype("datetime64[ns]")
    frame = pd.DataFrame({"date": days, "symbol": "AAA", "volume": 1.0, "split": 1.0})
    for name in ("open", "high", "low", "close"):
        frame[name] = np.arange(1.0, days.size + 1)
    frame.to_parquet(tmp_path / "bars.parquet")
    raw = Files(layout_from(given("standard"), tmp_path, "us")).fetch(
        date(2019, 1, 1), date(2019, 3, 29)
    )
    assert len(raw.bars) == days.size
    assert not len(raw.benchmark) and not len(raw.rates) and not len(raw.index_members)
    assert "no industries" in raw.notes.set_index("topic").loc["industries", "text"]

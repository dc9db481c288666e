"""`make data_us` and `make data_cn` as a user runs them, against servers that speak the vendors."""

from pathlib import Path

import pandas as pd
import pytest

from tests.data.providers import tushare_server, yahoo_server
from tests.test_main import only_error, quant

RULES = (
    "universe.min_history=20", "universe.adv_window=5", "universe.min_listed=0",
    "universe.min_price=0.5", "tracking=none",
)  # fmt: skip
pytestmark = pytest.mark.slow


def published(folder: Path, region: str, stage: str, table: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "data" / stage / region / f"{table}.parquet")


def test_us_data_come_through_yfinance_and_a_rerun_asks_for_nothing_new(tmp_path):
    stocks = {
        "AAA": yahoo_server.stock(1, splits={"2018-06-04": (7, 1)}),
        "BBB": yahoo_server.stock(2, sector="energy"),
        "SPY": yahoo_server.stock(5),
        "^IRX": yahoo_server.stock(6),
    }
    state = yahoo_server.Yahoo(stocks, "2018-12-31")
    (tmp_path / "symbols.txt").write_text("AAA\nBBB\n")
    with yahoo_server.serve(state):
        words = (
            "region=us", "data=yfinance", "data.start=2018-01-02", "data.end=2018-12-31",
            "data.vendor.symbols_file=symbols.txt", f"data.vendor.base_url={state.url}",
            "stage=data", *RULES,
        )  # fmt: skip
        first = quant(tmp_path, *words)
        assert first.returncode == 0, first.stderr
        again = quant(tmp_path, *words)
    assert again.stderr.count("unchanged") == 3, again.stderr
    bars = published(tmp_path, "us", "ingest", "bars")
    assert set(bars["symbol"]) == {"AAA", "BBB"}
    a = bars[bars["symbol"] == "AAA"].set_index("date")
    assert a["factor"].iloc[-1] == pytest.approx(7.0)
    notes = published(tmp_path, "us", "ingest", "notes")
    assert notes["topic"].str.contains("survivorship").any()
    assert (tmp_path / "data" / "qlib" / "us_data" / "calendars").is_dir()
    assert len(published(tmp_path, "us", "universe", "members"))


def test_cn_data_come_through_tushare_and_the_token_goes_nowhere(tmp_path):
    state = tushare_server.Market("2021-10-08", "2022-01-31")
    secret = tushare_server.SECRET
    with tushare_server.serve(state):
        words = (
            "region=cn", "data=tushare", "data.start=2021-10-08", "data.end=2022-01-28",
            f"data.vendor.base_url={state.url}", "data.vendor.per_minute=100000", "stage=data",
            *RULES,
        )  # fmt: skip
        refused = only_error(quant(tmp_path, *words, TUSHARE_TOKEN="a-wrong-token"))
        done = quant(tmp_path, *words, TUSHARE_TOKEN=secret)
    assert "TUSHARE_TOKEN" in refused and "a-wrong-token" not in refused
    assert done.returncode == 0, done.stderr
    assert len(published(tmp_path, "cn", "ingest", "bars"))
    assert (tmp_path / "data" / "qlib" / "cn_data" / "calendars").is_dir()
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert [p for p in written if secret.encode() in p.read_bytes()] == []

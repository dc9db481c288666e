"""US provider: the real yfinance client against a local server with faults on demand."""

import errno
import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import ConfigError, DataError, ProviderError, StoreError
from quant.core.tables import ACTIONS, BARS, BENCHMARK, INDUSTRIES, LISTINGS, NOTES, RATES
from quant.data.providers import snapshot
from quant.data.providers.download import Patience
from quant.data.providers.yfinance import YFinance
from tests.data.providers.yahoo_server import Stock, Yahoo, noon, serve, stock

START, END = date(2018, 1, 1), date(2018, 12, 31)


@pytest.fixture
def waits():
    return []


@pytest.fixture
def yahoo():
    stocks = {
        "AAA": stock(
            1, splits={"2018-06-04": (7, 1)}, dividends={"2018-03-05": 0.7, "2018-11-05": 0.2}
        ),
        "BBB": stock(2, start="2018-05-01", sector="energy"),
        "CCC": stock(3, splits={"2018-09-04": (1, 4)}),
        "DDD": stock(4),
        "SPY": stock(5, dividends={"2018-06-15": 1.0}),
        "^IRX": stock(6),
    }
    state = Yahoo(stocks, "2018-12-31")
    state.screened = ["AAA", "BBB", "CCC", "DDD"]
    with serve(state):
        yield state


@pytest.fixture
def provider(yahoo, tmp_path, waits):
    def build(**more) -> YFinance:
        patience = Patience(attempts=4, first_wait=1.0, sleep=waits.append, timeout=5.0)
        settings = {"batch": 2, "threads": 2, "patience": patience, "base_url": yahoo.url}
        today = f"{yahoo.today:%Y-%m-%d}"
        settings |= {"now": lambda: noon(today), "folder": tmp_path / "raw"}
        return YFinance(**(settings | more))

    return build


def of(frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    return frame[frame["symbol"] == symbol].reset_index(drop=True)


def asked(yahoo: Yahoo) -> dict[str, int]:
    """Chart requests by symbol."""
    return {k: v for k, v in yahoo.asked.items() if not k.startswith("profile")}


def text_of(market, topic: str) -> str:
    return " ".join(market.notes.loc[market.notes["topic"] == topic, "text"])


def test_prices_are_as_traded_and_dividends_as_paid(provider, yahoo):
    market = provider().fetch(START, END)
    for symbol in ("AAA", "CCC", "DDD"):
        mine, truth = of(market.bars, symbol), yahoo.stocks[symbol]
        n = len(mine)
        assert (mine["date"].to_numpy() == truth.days[:n].to_numpy()).all()
        np.testing.assert_allclose(mine["close"], truth.close[:n], atol=0)
        np.testing.assert_allclose(mine["volume"], truth.volume[:n], rtol=5e-5)
    paid = of(market.actions, "AAA")
    assert paid["dividend"].tolist() == [0.7, 0.0, 0.2]
    assert paid["split"].tolist() == [1.0, 7.0, 1.0]
    assert of(market.actions, "CCC")["split"].tolist() == [0.25]


def test_factor_gives_the_total_return_and_starts_at_one(provider, yahoo):
    bars = of(provider().fetch(START, END).bars, "AAA").set_index("date")
    assert bars["factor"].iloc[0] == 1.0
    step = bars["factor"] / bars["factor"].shift(1)
    before = bars["close"].shift(1)
    ex, split = pd.Timestamp("2018-03-05"), pd.Timestamp("2018-06-04")
    assert step[ex] == pytest.approx(before[ex] / (before[ex] - 0.7), rel=1e-12)
    assert step[split] == pytest.approx(7.0, rel=1e-12)
    assert bars.loc[ex, "pre_close"] == pytest.approx(before[ex] - 0.7, rel=1e-12)
    steps = step.drop([ex, split, pd.Timestamp("2018-11-05")]).dropna()
    np.testing.assert_allclose(steps, 1.0, rtol=1e-12)


def test_tables_keep_their_schemas_and_say_what_they_are(provider):
    market = provider().fetch(START, END)
    tables = {
        "bars": BARS, "actions": ACTIONS, "industries": INDUSTRIES, "listings": LISTINGS,
        "benchmark": BENCHMARK, "rates": RATES, "notes": NOTES,
    }  # fmt: skip
    for name, table in tables.items():
        assert table.check(getattr(market, name)).num_rows > 0, name
    assert "survivorship" in text_of(market, "survivorship")
    assert set(market.industries["group_id"]) == {"Technology", "Energy"}
    assert market.benchmark["total_return"].all() and set(market.benchmark["name"]) == {"SPY"}
    assert "SPY" not in set(market.bars["symbol"])


def test_benchmark_reinvests_and_cash_earns_yesterdays_yield(provider, yahoo):
    market = provider().fetch(START, END)
    level = market.benchmark.set_index("date")["close"]
    truth = pd.Series(yahoo.stocks["SPY"].close, yahoo.stocks["SPY"].days)[level.index]
    ex = pd.Timestamp("2018-06-15")
    at = level.index.get_loc(ex)
    back = truth.iloc[at] / (truth.iloc[at - 1] - 1.0)
    assert level.iloc[at] / level.iloc[at - 1] == pytest.approx(back, rel=1e-9)
    rf = market.rates.set_index("date")["rf"]
    irx = pd.Series(yahoo.stocks["^IRX"].close, yahoo.stocks["^IRX"].days)
    assert rf.iloc[3] == pytest.approx(irx.iloc[3] / 100 / 252, rel=1e-6)
    assert rf.index[3] == irx.index[4]


def test_a_split_after_the_window_is_undone(provider):
    early = provider().fetch(START, date(2018, 4, 30))
    whole = provider().fetch(START, END)
    cut = whole.bars[whole.bars["date"] <= "2018-04-30"].reset_index(drop=True)
    pd.testing.assert_frame_equal(early.bars, cut, check_exact=True)


def test_the_day_in_progress_gives_its_split_but_not_its_price(provider, yahoo):
    yahoo.today = pd.Timestamp("2018-06-04")  # the split is in the vendor's prices already
    morning = pd.Timestamp("2018-06-04 10:00", tz="America/New_York").to_pydatetime()
    bars = of(provider(now=lambda: morning).fetch(START, END).bars, "AAA")
    assert bars["date"].max() == pd.Timestamp("2018-06-01")
    np.testing.assert_array_equal(bars["close"], yahoo.stocks["AAA"].close[: len(bars)])


def test_a_rerun_asks_nothing_and_keeps_its_fingerprint(provider, yahoo):
    first = provider().fetch(START, END)
    before, mark = len(yahoo.log), provider().fingerprint()
    again = provider().fetch(START, END)
    assert len(yahoo.log) == before
    assert provider().fingerprint() == mark
    pd.testing.assert_frame_equal(first.bars, again.bars, check_exact=True)
    assert provider(on_revision="accept").fingerprint() != mark


def test_new_days_are_added_by_asking_for_the_tail(provider, yahoo):
    yahoo.today = pd.Timestamp("2018-08-31")
    provider().download(START, END)
    yahoo.today = pd.Timestamp("2018-12-31")
    yahoo.asked.clear()
    market = provider().fetch(START, END)
    assert asked(yahoo) == dict.fromkeys(["AAA", "BBB", "CCC", "DDD", "SPY", "^IRX"], 1)
    # CCC had a split between the two downloads: both bases give what was traded
    bars = of(market.bars, "CCC")
    np.testing.assert_array_equal(bars["close"], yahoo.stocks["CCC"].close[: len(bars)])
    assert text_of(market, "revisions") == ""


def test_429_is_waited_out_with_growing_waits(provider, yahoo, waits):
    yahoo.busy["AAA"] = 4  # the library asks twice for each answer that it hands on
    market = provider(threads=1).fetch(START, END)
    assert len(of(market.bars, "AAA")) > 200
    assert len(waits) == 2
    assert 0.75 <= waits[0] <= 1.25 and 1.5 <= waits[1] <= 2.5


def test_endless_429_is_one_clear_error_and_keeps_what_was_there(provider, yahoo):
    yahoo.busy["CCC"] = -1
    with pytest.raises(ProviderError, match="CCC in 4 attempts .*429.*run the same command again"):
        provider().fetch(START, END)
    yahoo.busy["CCC"] = 0
    yahoo.asked.clear()
    provider().fetch(START, END)
    assert "AAA" not in asked(yahoo) and asked(yahoo)["CCC"] == 1


def test_server_errors_are_asked_again(provider, yahoo, waits):
    yahoo.failing["DDD"] = 2
    assert len(of(provider().fetch(START, END).bars, "DDD")) > 200
    assert waits


def test_a_name_missing_from_a_batch_is_asked_for_once_more(provider, yahoo):
    yahoo.hidden["BBB"] = 2  # both requests of one call
    assert len(of(provider().fetch(START, END).bars, "BBB")) > 100


def test_names_the_vendor_does_not_have_are_reported(provider, yahoo):
    yahoo.screened += ["ZZZ"]
    market = provider().fetch(START, END)
    assert "1 names: ZZZ" in text_of(market, "missing")
    count = yahoo.asked["ZZZ"]
    provider().fetch(START, END)
    assert yahoo.asked["ZZZ"] == count


def test_an_unreadable_answer_is_asked_again_and_then_left_for_the_next_run(provider, yahoo):
    yahoo.broken["AAA"] = 2
    assert len(of(provider().fetch(START, END).bars, "AAA")) > 200


def test_a_batch_that_stays_unreadable_stops_with_a_clear_error(provider, yahoo):
    yahoo.broken.update({"CCC": -1, "DDD": -1})
    with pytest.raises(ProviderError, match="2 of 2 answers can not be read .*update yfinance"):
        provider().fetch(START, END)


def test_one_unreadable_name_does_not_stop_the_others(provider, yahoo):
    yahoo.broken["DDD"] = -1
    market = provider().fetch(START, END)
    assert "DDD" in text_of(market, "missing")
    yahoo.broken["DDD"] = 0
    assert len(of(provider().fetch(START, END).bars, "DDD")) > 200


def test_rows_without_a_price_are_set_aside_and_their_dividend_is_not_lost(provider, yahoo):
    yahoo.nulls["AAA"] = ["2018-03-05"]
    market = provider().fetch(START, END)
    assert "1 malformed rows" in text_of(market, "malformed")
    assert "AAA on 2018-03-05" in text_of(market, "malformed")
    days = of(market.bars, "AAA")["date"]
    assert pd.Timestamp("2018-03-05") not in set(days)
    assert of(market.actions, "AAA")["date"].iloc[0] == pd.Timestamp("2018-03-06")


def rewrite(yahoo: Yahoo) -> None:
    yahoo.rewrites[("DDD", "2018-02-01")] = 99.0
    yahoo.dropped.add(("DDD", "2018-02-02"))


def test_rewritten_history_is_reported_and_not_swapped(provider, yahoo, tmp_path):
    first = provider().fetch(START, END)
    rewrite(yahoo)
    yahoo.today = pd.Timestamp("2019-01-02")
    market = provider(refresh=True).fetch(START, END)
    pd.testing.assert_frame_equal(market.bars, first.bars, check_exact=True)
    assert "values of 1 names" in text_of(market, "revisions")
    listed = pd.read_csv(tmp_path / "raw" / "revisions.csv").set_index(["date", "field"])
    assert listed.loc[("2018-02-01", "close"), "now"] == "99"
    assert listed.loc[("2018-02-02", "row"), ["was", "now"]].tolist() == ["present", "absent"]
    assert set(listed["symbol"]) == {"DDD"}


def test_rewritten_history_can_be_accepted(provider, yahoo):
    provider().fetch(START, END)
    rewrite(yahoo)
    yahoo.today = pd.Timestamp("2019-01-02")
    market = provider(refresh=True, on_revision="accept").fetch(START, END)
    bars = of(market.bars, "DDD").set_index("date")
    assert bars.loc["2018-02-01", "close"] == 99.0
    assert pd.Timestamp("2018-02-02") not in bars.index
    assert "the new is in force" in text_of(market, "revisions")


def test_sectors_are_frozen_when_first_seen(provider, yahoo):
    provider().fetch(START, END)
    yahoo.stocks["AAA"].sector = "utilities"
    yahoo.today = pd.Timestamp("2019-01-02")
    market = provider(refresh=True).fetch(START, END)
    labels = market.industries.set_index("symbol")["group_id"]
    assert labels["AAA"] == "Technology"
    assert "1 values of 1 names" in text_of(market, "revisions")


def test_the_screen_is_paged_filtered_and_its_union_kept(provider, yahoo):
    yahoo.screened = ["AAA", "BBB", "CCC", "BAC-PL"]
    assert provider().download(START, END) == ("AAA", "BBB", "CCC")
    assert yahoo.log.count("screen") == 2
    yahoo.screened = ["AAA", "DDD"]
    provider().download(START, END)
    assert yahoo.log.count("screen") == 2, "the month has its screen"
    yahoo.today = pd.Timestamp("2019-01-03")
    assert provider().download(START, END) == ("AAA", "BBB", "CCC", "DDD")


def test_the_users_symbols_replace_the_screen(provider, yahoo, tmp_path):
    listed = tmp_path / "mine.csv"
    listed.write_text("name,symbol\nDelta,ddd\n# nobody\nAlpha,AAA\n")
    market = provider(symbols_file=listed).fetch(START, END)
    assert set(market.bars["symbol"]) == {"AAA", "DDD"}
    assert "screen" not in yahoo.log


@pytest.mark.parametrize(
    ("content", "match"),
    [(None, "does not exist"), ("# none\n", "is empty"), ("AAA\nB B\n", "holds 'B B'")],
)
def test_a_bad_symbols_file_is_named(provider, tmp_path, content, match):
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=match):
        provider(symbols_file=path).fetch(START, END)


def test_bars_and_actions_of_some_symbols(provider, yahoo):
    bars = provider().bars(["AAA"], date(2018, 2, 1), date(2018, 6, 29))
    assert set(bars["symbol"]) == {"AAA"} and bars["factor"].iloc[0] == 1.0
    assert asked(yahoo) == {"AAA": 1}
    acts = provider().actions(["AAA"], date(2018, 6, 1), date(2018, 6, 29))
    assert acts["split"].tolist() == [7.0]


def test_an_interrupted_download_goes_on_where_it_was(provider, yahoo):
    def stop(done: int, total: int) -> None:
        assert total == 6
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        provider(tick=stop).download(START, END)
    seen = []
    provider(tick=lambda done, total: seen.append((done, total))).download(START, END)
    assert set(asked(yahoo).values()) == {1}
    assert seen == [(2, 2)]


_KILLED = """
import sys
from datetime import date
from pathlib import Path
import yfinance
from quant.data.providers.yfinance import YFinance
from tests.data.providers.yahoo_server import noon
yfinance.set_tz_cache_location(sys.argv[3])
YFinance(Path(sys.argv[1]), base_url=sys.argv[2], batch=2, threads=1,
         now=lambda: noon("2018-12-31")).download(date(2018, 1, 1), date(2018, 12, 31))
"""


@pytest.mark.slow
def test_a_kill_loses_at_most_the_batch_in_flight(provider, yahoo, tmp_path):
    running = []

    def kill(symbol: str) -> None:
        if symbol == "DDD" and running:
            os.kill(running.pop().pid, signal.SIGKILL)

    yahoo.on_chart = kill
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "raw"), yahoo.url, str(tmp_path / "c")]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL)
    running.append(process)
    assert process.wait(60) == -signal.SIGKILL
    yahoo.asked.clear()
    market = provider().fetch(START, END)
    assert set(asked(yahoo)) == {"CCC", "DDD", "SPY", "^IRX"}
    assert set(market.bars["symbol"]) == {"AAA", "BBB", "CCC", "DDD"}


def test_a_full_disk_is_one_clear_error_and_nothing_is_lost(provider, yahoo, monkeypatch):
    replace, count = os.replace, []

    def full(source, target):
        count.append(target)
        if len(count) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(snapshot.os, "replace", full)
    with pytest.raises(StoreError, match="the disk is full; free some space"):
        provider().download(START, END)
    monkeypatch.undo()
    assert not list(provider().folder.glob("*.tmp"))
    yahoo.asked.clear()
    provider().download(START, END)
    assert "AAA" not in asked(yahoo) and "CCC" in asked(yahoo)


def test_a_damaged_part_is_named_and_can_be_downloaded_anew(provider, yahoo):
    provider().download(START, END)
    part = next(provider().folder.glob("chart-*.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match=f"{part.name} does not have the digest.*delete this file"):
        provider().fetch(START, END)
    part.unlink()
    yahoo.asked.clear()
    provider().fetch(START, END)
    assert len(asked(yahoo)) == 2


@pytest.mark.parametrize("content", ["{", '{"format": 1}', "[]"])
def test_a_damaged_manifest_is_named(provider, tmp_path, content):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "manifest.json").write_text(content)
    with pytest.raises(StoreError, match="manifest.json can not be read"):
        provider().download(START, END)


def test_a_folder_of_another_vendor_is_refused(provider, tmp_path):
    (tmp_path / "raw").mkdir()
    listing = {"format": 1, "source": "tushare", "parts": []}
    (tmp_path / "raw" / "manifest.json").write_text(json.dumps(listing))
    with pytest.raises(StoreError, match="of 'tushare', not 1 of 'yfinance'"):
        provider().download(START, END)


def test_offline_uses_what_is_there(provider, yahoo):
    with pytest.raises(ProviderError, match="no prices from 2018-01-01 to 2018-12-31"):
        provider(offline=True).fetch(START, END)
    whole = provider().fetch(START, END)
    before = len(yahoo.log)
    pd.testing.assert_frame_equal(provider(offline=True).fetch(START, END).bars, whole.bars)
    assert len(yahoo.log) == before


def test_a_series_that_ends_early_is_marked_truncated(provider, yahoo):
    truth = yahoo.stocks["DDD"]
    yahoo.stocks["DDD"] = Stock(truth.days[:100], truth.close[:100], truth.volume[:100])
    listed = provider().fetch(START, END).listings.set_index("symbol")
    assert listed.loc["DDD", "truncated"] and not listed.loc["AAA", "truncated"]
    assert listed.loc["DDD", "delist_date"] == truth.days[99]
    assert pd.isna(listed.loc["AAA", "delist_date"])


def test_an_unknown_revision_policy_is_refused(provider):
    with pytest.raises(ConfigError, match="'overwrite'; it must be one of"):
        provider(on_revision="overwrite")

"""CN provider: the real tushare client against a local server with faults on demand."""

import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
import traceback
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import ProviderError, StoreError
from quant.core.tables import (
    ACTIONS,
    BARS,
    BENCHMARK,
    INDEX_MEMBERS,
    INDUSTRIES,
    LISTINGS,
    NOTES,
)
from quant.data.providers import snapshot, tushare_download
from quant.data.providers.download import Patience
from quant.data.providers.tushare import Tushare
from tests.data.providers.tushare_server import (
    NOT_ALLOWED,
    SECRET,
    USED_UP,
    Market,
    compact,
    evening,
    serve,
)

START, END = date(2021, 11, 1), date(2022, 1, 31)
DECEMBER, JANUARY = date(2021, 12, 1), date(2022, 1, 4)


@pytest.fixture
def waits():
    return []


def build_market() -> Market:
    state = Market("2021-10-08", "2022-01-31")
    state.split("000002.SZ", "2021-12-01", 0.2, 0.5)
    state.name_changes[0] = ("600001.SH", "主板甲", "20100104", "20211130")
    state.name_changes.append(("600001.SH", "*ST主甲", "20211201", "20211231"))
    state.name_changes.append(("600001.SH", "主板甲", "20220104", None))
    state.suspended = {("300003.SZ", compact(d)) for d in state.days[30:35]}
    return state


@pytest.fixture
def market():
    with serve(build_market()) as state:
        yield state


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory):
    """A folder with START to END in it, downloaded once."""
    folder = tmp_path_factory.mktemp("tushare") / "raw"
    with pytest.MonkeyPatch.context() as patch, serve(build_market()) as state:
        patch.setenv("TUSHARE_TOKEN", SECRET)
        Tushare(
            folder, base_url=state.url, patience=Patience(), now=lambda: evening(state.today)
        ).download(START, END)
    return folder


@pytest.fixture
def filled(provider, downloaded, tmp_path):
    """The provider on a copy of that folder: it has nothing to ask for."""
    shutil.copytree(downloaded, tmp_path / "raw")
    return provider


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("TUSHARE_TOKEN", SECRET)


@pytest.fixture
def provider(market, tmp_path, waits):
    def build(**more) -> Tushare:
        patience = Patience(attempts=4, first_wait=1.0, sleep=waits.append, timeout=5.0)
        settings = {"folder": tmp_path / "raw", "base_url": market.url, "patience": patience}
        today = market.today
        return Tushare(**(settings | {"now": lambda: evening(today)} | more))

    return build


def of(frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    return frame[frame["symbol"] == symbol].set_index("date")


def text_of(result, topic: str) -> str:
    return " ".join(result.notes.loc[result.notes["topic"] == topic, "text"])


def by_month(market: Market) -> dict[str, set[str]]:
    """Months that were asked for, by interface, among the daily ones."""
    found: dict[str, set[str]] = {}
    for api, params in market.log:
        if "trade_date" in params:
            found.setdefault(api, set()).add(params["trade_date"][:6])
    return found


def test_units_are_shares_and_cny(filled, market):
    bars = of(filled().fetch(START, END).bars, "600001.SH")
    days = bars.index
    np.testing.assert_allclose(bars["close"], market.close["600001.SH"][days], rtol=0)
    np.testing.assert_allclose(bars["volume"], market.vol["600001.SH"][days] * 100)
    np.testing.assert_allclose(bars["amount"] / bars["volume"], bars["close"], rtol=1e-6)
    assert set(bars["float_shares"]) == {5000.0 * 10_000}


def test_the_factor_steps_at_the_ex_date_and_starts_at_one(filled, market):
    result = filled().fetch(START, END)
    bars = of(result.bars, "000002.SZ")
    ex = pd.Timestamp("2021-12-01")
    before = bars["close"].shift(1)[ex]
    assert bars["factor"].iloc[0] == 1.0
    assert bars.loc[ex, "pre_close"] == round((before - 0.5) / 1.2, 2)
    assert bars.loc[ex, "factor"] == pytest.approx(before / bars.loc[ex, "pre_close"], rel=1e-12)
    # the adjusted return is that over the exchange's reference price
    growth = bars["close"] * bars["factor"]
    paid = growth[ex] / growth.shift(1)[ex]
    assert paid == pytest.approx(bars.loc[ex, "close"] / bars.loc[ex, "pre_close"], rel=1e-12)
    row = of(result.actions, "000002.SZ")
    assert row.loc[ex, ["dividend", "split"]].tolist() == [0.5, 1.2]
    assert len(result.actions) == 1


def test_tables_keep_their_schemas(filled):
    result = filled().fetch(START, END)
    tables = {
        "bars": BARS, "actions": ACTIONS, "industries": INDUSTRIES, "listings": LISTINGS,
        "index_members": INDEX_MEMBERS, "benchmark": BENCHMARK, "notes": NOTES,
    }  # fmt: skip
    for name, table in tables.items():
        assert table.check(getattr(result, name)).num_rows > 0, name


def test_delisted_and_suspended_names_are_there(filled, market):
    result = filled().fetch(START, END)
    listed = result.listings.set_index("symbol")
    assert listed.loc["600004.SH", "delist_date"] == pd.Timestamp("2021-12-14")
    assert listed["delist_date"].isna().sum() == 3
    assert of(result.bars, "600004.SH").index.max() == pd.Timestamp("2021-12-14")
    gone = [d for n, d in market.suspended if n == "300003.SZ"]
    assert not set(pd.to_datetime(gone)) & set(of(result.bars, "300003.SZ").index)
    # on a window before it, the delisting has not happened
    early = filled().fetch(START, date(2021, 11, 30)).listings.set_index("symbol")
    assert early["delist_date"].isna().all()


def test_st_is_known_by_the_names_of_the_day(filled):
    bars = of(filled().fetch(START, END).bars, "600001.SH")
    st = bars.index[bars["is_st"]]
    assert st.min() == pd.Timestamp("2021-12-01") and st.max() == pd.Timestamp("2021-12-31")
    assert bars.loc["2021-12-01":"2021-12-31", "is_st"].all()


def test_limits_are_the_vendors_and_else_those_of_the_rules(filled, market):
    vendor = filled().fetch(START, END)
    row = of(vendor.bars, "600001.SH").loc["2021-11-15"]
    assert row["limit_up"] == round(row["pre_close"] * 1.1, 2)
    assert text_of(vendor, "limits") == ""


def test_limits_without_permission_follow_the_rules(provider, market):
    market.denied.add("stk_limit")
    result = provider().fetch(START, END)
    assert "derived from the rules" in text_of(result, "limits")
    assert "may not use stk_limit" in text_of(result, "permissions")
    growth = of(result.bars, "300003.SZ").loc["2021-11-15"]  # ChiNext: 20 %
    assert growth["limit_up"] / growth["pre_close"] == pytest.approx(1.2, abs=1e-3)
    st = of(result.bars, "600001.SH").loc["2021-12-15"]
    assert st["limit_down"] / st["pre_close"] == pytest.approx(0.95, abs=1e-3)
    assert market.asked["stk_limit"] == 1, "what is denied is not asked again in one run"


def test_industries_follow_the_scheme_in_force(filled):
    spells = filled().fetch(START, END).industries.set_index("symbol")
    moved = spells.loc["300003.SZ"].sort_values("in_date")
    assert moved["industry_id"].tolist() == ["swL1.210000", "swL1.740000"]
    assert moved["in_date"].tolist()[1] == pd.Timestamp("2021-12-13")
    assert moved["out_date"].tolist()[0] == pd.Timestamp("2021-12-12")
    assert spells["in_date"].min() == pd.Timestamp("2014-01-01")


def test_industry_backfill_says_that_it_leaks(filled):
    result = filled(industry_backfill=True).fetch(START, END)
    spells = result.industries.set_index("symbol")
    assert spells.loc["600001.SH", "in_date"].min() == pd.Timestamp("2010-01-04")
    assert "knowledge of the future" in text_of(result, "industries")


def test_index_membership_and_benchmark(filled, market):
    result = filled().fetch(START, END)
    members = result.index_members.set_index("symbol")
    assert members.loc["600001.SH", "in_date"] == pd.Timestamp("2021-11-30")
    assert pd.isna(members.loc["600001.SH", "out_date"])
    assert members.loc["000002.SZ", "out_date"] == pd.Timestamp("2021-12-30")
    assert result.benchmark["total_return"].all() and len(result.benchmark) > 50


def test_a_price_index_says_so(provider, market):
    market.no_total_return = True
    result = provider().fetch(JANUARY, END)
    assert not result.benchmark["total_return"].any()
    assert "price index" in text_of(result, "benchmark")


def test_a_rerun_asks_nothing_and_keeps_its_fingerprint(provider, market):
    market.denied.add("index_weight")
    first = provider().fetch(JANUARY, END)
    before, mark = len(market.log), provider().fingerprint()
    again = provider().fetch(JANUARY, END)
    assert len(market.log) == before and provider().fingerprint() == mark
    pd.testing.assert_frame_equal(first.bars, again.bars, check_exact=True)


def test_a_span_beyond_the_market_is_that_of_the_market(filled, market):
    whole = filled().fetch(START, date(2099, 12, 31))
    assert whole.bars["date"].max() == pd.Timestamp("2022-01-28")
    with pytest.raises(ProviderError, match="no prices from 2023-01-01 to 2022-01-31"):
        filled().fetch(date(2023, 1, 1), date(2023, 12, 31))


def test_a_new_month_asks_for_what_is_new(provider, market):
    market.today = pd.Timestamp("2022-01-14")
    provider().download(START, END)
    market.log.clear()
    market.today = pd.Timestamp("2022-01-31")
    result = provider().fetch(START, END)
    assert by_month(market)["daily"] == {"202201"}
    assert result.bars["date"].max() == pd.Timestamp("2022-01-28")
    assert text_of(result, "revisions") == ""


def test_full_pages_are_followed_by_the_next(filled, market, monkeypatch):
    small = {
        kind: (tushare_download.Interface(i.name, i.text, i.numbers, 2), p)
        for kind, (i, p) in tushare_download.BY_DAY.items()
    }
    whole = filled().fetch(JANUARY, END)
    monkeypatch.setattr(tushare_download, "BY_DAY", small)
    paged = filled(folder=filled().folder / "other").fetch(JANUARY, END)
    pd.testing.assert_frame_equal(whole.bars, paged.bars, check_exact=True)
    assert any(params.get("offset") == 2 for api, params in market.log if api == "daily")


@pytest.mark.parametrize("fault", ["busy", "too_fast"])
def test_a_rate_limit_is_waited_out_with_growing_waits(provider, market, waits, fault):
    getattr(market, fault)["daily"] = 2
    assert len(provider().fetch(JANUARY, END).bars) >= 50
    assert len(waits) == 2 and waits[1] > waits[0]


def test_an_endless_rate_limit_is_one_clear_error_and_keeps_the_months_before(provider, market):
    def limit(api, params):
        if params.get("trade_date", "").startswith("202201"):
            market.busy["daily"] = -1

    market.on_ask = limit
    with pytest.raises(ProviderError, match="daily .*in 4 attempts.*run the same command again"):
        provider().download(DECEMBER, END)
    market.on_ask = lambda *_: None
    market.busy.clear()
    market.log.clear()
    provider().fetch(DECEMBER, END)
    assert by_month(market)["daily"] == {"202201"}


def test_a_used_up_quota_says_when_to_come_back(provider, market):
    market.message["daily"] = USED_UP
    with pytest.raises(ProviderError, match="quota is used up.*when the quota is renewed"):
        provider().download(START, END)


def test_an_unreadable_answer_is_asked_again_and_then_one_clear_error(provider, market):
    market.broken["adj_factor"] = 2
    assert len(provider().fetch(JANUARY, END).bars) >= 50
    market.today = pd.Timestamp("2022-02-28")
    market.broken["adj_factor"] = -1
    with pytest.raises(ProviderError, match="adj_factor can not be read"):
        provider().fetch(JANUARY, date(2022, 2, 28))


def test_an_empty_session_is_asked_again_and_then_reported(provider, market):
    market.blank["daily"] = 1
    assert text_of(provider().fetch(JANUARY, END), "sessions") == ""
    for name in list(market.close):
        market.dropped.add(("daily", name, "20220208"))
    market.today = pd.Timestamp("2022-02-28")
    result = provider().fetch(JANUARY, date(2022, 2, 28))
    assert "1 sessions have no rows at all, first 2022-02-08" in text_of(result, "sessions")


def test_malformed_rows_are_set_aside_and_reported(provider, market):
    market.edits[("daily", "600001.SH", "20211110")] = {"close": "n/a"}
    market.edits[("daily", "600001.SH", "20211111")] = {"close": -1.0}
    market.edits[("daily", "000002.SZ", "20211112")] = {"trade_date": "2021-13-45"}
    market.dropped.add(("adj_factor", "300003.SZ", "20211112"))
    result = provider().fetch(START, date(2021, 11, 30))
    said = text_of(result, "malformed")
    assert "4 malformed rows" in said and "unreadable date" in said
    assert "no adjustment factor" in said
    gone = of(result.bars, "600001.SH").index
    assert pd.Timestamp("2021-11-10") not in gone and pd.Timestamp("2021-11-11") not in gone


def test_symbols_that_are_no_stocks_are_left_out(provider, market):
    market.close["T00018.SH"] = market.close["600001.SH"]
    for table in (market.pre_close, market.factor, market.vol):
        table["T00018.SH"] = table["600001.SH"]
    result = provider().fetch(JANUARY, END)
    assert "T00018.SH" not in set(result.bars["symbol"])
    assert "T00018.SH" in text_of(result, "symbols")


def test_rewritten_history_is_reported_and_not_swapped(filled, market, tmp_path):
    first = filled().fetch(START, END)
    market.edits[("daily", "600001.SH", "20211110")] = {"close": 77.0}
    market.edits[("adj_factor", "600001.SH", "20211111")] = {"adj_factor": 1.5}
    market.sw2021[0] = ("801010.SI", "600001.SH", "20100104", None, "Y")
    market.name_changes[1] = ("600001.SH", "ST主甲", "20211201", "20211231")
    market.today = pd.Timestamp("2022-02-07")
    result = filled(refresh=True).fetch(START, END)
    pd.testing.assert_frame_equal(result.bars, first.bars, check_exact=True)
    listed = pd.read_csv(tmp_path / "raw" / "revisions.csv", dtype=str)
    assert set(listed["field"]) >= {"close", "factor", "name"}
    assert "values of" in text_of(result, "revisions")
    accepted = filled(on_revision="accept").fetch(START, END)
    assert of(accepted.bars, "600001.SH").loc["2021-11-10", "close"] == 77.0


def test_a_later_delisting_is_news_and_no_revision(provider, market):
    market.today = pd.Timestamp("2021-12-10")
    provider().download(DECEMBER, date(2021, 12, 10))
    market.today = pd.Timestamp("2022-01-31")
    result = provider().fetch(DECEMBER, END)
    assert text_of(result, "revisions") == ""
    left = result.listings.set_index("symbol")["delist_date"]
    assert left["600004.SH"] == pd.Timestamp("2021-12-14")


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_token_is_one_clear_error(provider, market, monkeypatch, value):
    monkeypatch.delenv("TUSHARE_TOKEN")
    if value is not None:
        monkeypatch.setenv("TUSHARE_TOKEN", value)
    with pytest.raises(ProviderError, match="TUSHARE_TOKEN is not set; get one at tushare.pro"):
        provider().fetch(START, END)
    assert not market.log


def test_a_refused_token_is_one_clear_error_without_the_token(provider, market, monkeypatch):
    monkeypatch.setenv("TUSHARE_TOKEN", "not-the-secret")
    with pytest.raises(ProviderError, match="refused the token in TUSHARE_TOKEN") as caught:
        provider().fetch(START, END)
    assert "not-the-secret" not in "".join(traceback.format_exception(caught.value))
    assert len(market.log) == 1, "a refused token is not tried again"


def test_the_token_is_nowhere(provider, market, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    one = provider()
    result = one.fetch(JANUARY, END)
    market.busy["stock_basic"] = -1
    with pytest.raises(ProviderError) as caught:
        provider(refresh=True, now=lambda: evening("2022-02-07")).fetch(JANUARY, END)
    texts = [repr(one), str(caught.value), caplog.text, one.fingerprint(), result.notes.to_string()]
    assert all(SECRET not in text for text in texts)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def test_an_interface_that_is_needed_and_denied_stops(provider, market):
    market.denied.add("adj_factor")
    with pytest.raises(ProviderError, match="may not use adj_factor .*needs more points"):
        provider().fetch(START, END)
    assert "权限" in NOT_ALLOWED


def test_everything_optional_may_be_denied(provider, market):
    market.denied |= {"stk_limit", "daily_basic", "dividend", "index_weight", "index_member"}
    market.denied |= {"index_daily"}
    result = provider().fetch(JANUARY, END)
    assert result.bars["float_shares"].isna().all()
    assert result.actions.empty and result.index_members.empty and result.benchmark.empty
    assert BARS.check(result.bars).num_rows >= 50
    assert "Shenwan 2014" in text_of(result, "industries")


def test_an_unreachable_vendor_is_one_clear_error(provider):
    with pytest.raises(ProviderError, match="stock_basic .*no connection.*run the same command"):
        provider(base_url="http://127.0.0.1:9/dataapi").fetch(START, END)


def test_offline_needs_no_token_and_asks_nothing(filled, market, monkeypatch):
    whole = filled().fetch(START, END)
    before = len(market.log)
    monkeypatch.delenv("TUSHARE_TOKEN")
    pd.testing.assert_frame_equal(filled(offline=True).fetch(START, END).bars, whole.bars)
    assert len(market.log) == before


def test_bars_and_actions_of_some_symbols(filled):
    bars = filled().bars(["600001.SH"], date(2021, 11, 8), date(2021, 12, 8))
    assert set(bars["symbol"]) == {"600001.SH"} and bars["factor"].iloc[0] == 1.0
    acts = filled().actions(["000002.SZ"], START, END)
    assert acts["split"].tolist() == [1.2]


def test_an_interrupted_download_goes_on_where_it_was(provider, market):
    seen = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        provider(tick=stop).download(DECEMBER, END)
    asked = [(api, tuple(sorted(p.items()))) for api, p in market.log]
    market.log.clear()
    provider(tick=lambda *at: seen.append(at)).download(DECEMBER, END)
    again = [(api, tuple(sorted(p.items()))) for api, p in market.log]
    assert not set(asked) & set(again)
    assert seen[7] == (1, 5) and seen[-1] == (5, 5)


_KILLED = """
import sys
from datetime import date
from pathlib import Path
from quant.data.providers.download import Patience
from quant.data.providers.tushare import Tushare
from tests.data.providers.tushare_server import evening
Tushare(Path(sys.argv[1]), base_url=sys.argv[2], patience=Patience(),
        now=lambda: evening("2022-01-31")).download(date(2021, 12, 1), date(2022, 1, 31))
"""


@pytest.mark.slow
def test_a_kill_loses_at_most_the_month_in_flight(provider, market, tmp_path):
    running = []

    def kill(api, params) -> None:
        if api == "adj_factor" and params.get("trade_date") == "20211214" and running:
            os.kill(running.pop().pid, signal.SIGKILL)

    market.on_ask = kill
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "raw"), market.url]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL)
    running.append(process)
    assert process.wait(60) == -signal.SIGKILL
    market.log.clear()
    result = provider().fetch(DECEMBER, END)
    assert by_month(market)["daily"] == {"202201"}
    assert by_month(market)["adj_factor"] == {"202112", "202201"}
    whole = provider(folder=tmp_path / "whole").fetch(DECEMBER, END)
    pd.testing.assert_frame_equal(result.bars, whole.bars, check_exact=True)
    assert provider().fingerprint() == provider(folder=tmp_path / "whole").fingerprint()


def test_a_full_disk_is_one_clear_error_and_nothing_is_lost(provider, market, monkeypatch):
    replace, count = os.replace, []

    def full(source, target):
        count.append(target)
        if len(count) > 16:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(snapshot.os, "replace", full)
    with pytest.raises(StoreError, match="the disk is full; free some space"):
        provider().download(DECEMBER, END)
    monkeypatch.undo()
    monkeypatch.setenv("TUSHARE_TOKEN", SECRET)
    market.log.clear()
    assert len(provider().fetch(DECEMBER, END).bars) > 100
    assert "202112" not in by_month(market).get("daily", set())

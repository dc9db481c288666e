"""Acceptance (specification, section 1): counts, price and volume filters, month-end boundaries."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from quant.core.tables import INDUSTRIES
from quant.data import calendar, cn_rules, universe
from quant.data.providers.base import empty
from quant.data.universe import UniverseRules
from tests.data.market import NO_INDEX, NO_LISTINGS, bars_of, listings_of
from tests.data.shared_market import shared_market

DAYS = calendar.sessions("us", date(2017, 1, 3), date(2018, 6, 29))
SIZE = DAYS.size


def counts_at(counts: pd.DataFrame, asof: str) -> dict[str, int]:
    return counts[counts["asof"] == asof].set_index("rule")["count"].to_dict()


def members_at(members: pd.DataFrame, asof: str) -> list[str]:
    rows = members[members["asof"] == asof].sort_values("rank")
    return rows["symbol"].tolist()


def market() -> pd.DataFrame:
    """Seven names: three good, and one for each rule that they break at the end of May 2018."""
    cheap = np.full(SIZE, 2.99)
    young = np.full(SIZE, 10.0)
    young[: SIZE - 272] = np.nan
    halted = np.full(SIZE, 10.0)
    halted[calendar_row("2018-05-31")] = np.nan
    idle = np.full(SIZE, 10.0)
    close = {
        "GOOD1": np.full(SIZE, 10.0),
        "GOOD2": np.full(SIZE, 3.0),
        "GOOD3": np.full(SIZE, 50.0),
        "CHEAP": cheap,
        "HALTED": halted,
        "IDLE": idle,
        "YOUNG": young,
    }
    amount = {
        "GOOD1": 3e6,
        "GOOD2": 2e6,
        "GOOD3": 1e6,
        "CHEAP": 9e6,
        "HALTED": 9e6,
        "IDLE": 0.0,
        "YOUNG": 9e6,
    }
    return bars_of(DAYS, close, amount)


def calendar_row(day: str) -> int:
    return int(np.searchsorted(DAYS, np.datetime64(day)))


def test_counts_of_every_rule():
    members, counts = universe.build(market(), NO_LISTINGS, NO_INDEX, DAYS, UniverseRules("us"))
    may = counts_at(counts, "2018-05-31")
    assert may == {
        "known": 7,
        "index": 7,
        "traded": 6,
        "history": 5,
        "listed": 5,
        "board": 5,
        "st": 5,
        "price": 4,
        "liquid": 3,
        "selected": 3,
    }
    assert members_at(members, "2018-05-31") == ["GOOD1", "GOOD2", "GOOD3"]
    # fewer than 800 are eligible: all of them, with the count shown
    assert list(may)[0] in universe.RULES and may["selected"] < 800


def test_the_price_filter_is_at_three_and_on_raw_prices():
    bars = market()
    bars["factor"] = 100.0
    members, _ = universe.build(bars, NO_LISTINGS, NO_INDEX, DAYS, UniverseRules("us"))
    chosen = set(members["symbol"])
    assert "GOOD2" in chosen and "CHEAP" not in chosen
    assert members.loc[members["symbol"] == "GOOD2", "price"].eq(3.0).all()


@pytest.mark.parametrize(("rows", "member"), [(251, False), (252, True)])
def test_history_of_252_sessions_to_the_day(rows, member):
    end = calendar_row("2018-05-31")
    bars = market()
    day = calendar.days(bars["date"])
    early = (bars["symbol"] == "GOOD3") & (day <= DAYS[end - rows])
    members, _ = universe.build(bars[~early], NO_LISTINGS, NO_INDEX, DAYS, UniverseRules("us"))
    assert ("GOOD3" in members_at(members, "2018-05-31")) == member
    assert "GOOD3" in members_at(members, "2018-06-29")


def test_the_median_of_63_sessions_ranks():
    bars = market()
    day = calendar.days(bars["date"])
    end = calendar_row("2018-05-31")
    window = (day > DAYS[end - 63]) & (day <= DAYS[end])
    assert np.unique(day[window]).size == 63
    third = bars["symbol"] == "GOOD3"
    # 31 of 63 days do not move the median, 32 do
    for count, expected in ((31, ["GOOD1", "GOOD2", "GOOD3"]), (32, ["GOOD3", "GOOD1", "GOOD2"])):
        changed = bars.copy()
        late = third & (day > DAYS[end - count]) & (day <= DAYS[end])
        changed.loc[late, "amount"] = 1e8
        members, _ = universe.build(changed, NO_LISTINGS, NO_INDEX, DAYS, UniverseRules("us"))
        assert members_at(members, "2018-05-31") == expected
        own = members[(members["asof"] == "2018-05-31") & (members["symbol"] == "GOOD3")]
        assert own["adv"].item() == (1e6 if count == 31 else 1e8)
    # the day before the window has no say
    changed = bars.copy()
    changed.loc[third & (day <= DAYS[end - 63]), "amount"] = 1e12
    members, _ = universe.build(changed, NO_LISTINGS, NO_INDEX, DAYS, UniverseRules("us"))
    assert members_at(members, "2018-05-31") == ["GOOD1", "GOOD2", "GOOD3"]


def test_the_first_n_are_taken():
    rules = UniverseRules("us", size=2)
    members, counts = universe.build(market(), NO_LISTINGS, NO_INDEX, DAYS, rules)
    assert members_at(members, "2018-05-31") == ["GOOD1", "GOOD2"]
    assert counts_at(counts, "2018-05-31")["liquid"] == 3
    assert counts_at(counts, "2018-05-31")["selected"] == 2


def test_month_ends_are_exact_and_members_act_from_the_next_session():
    members, counts = universe.build(market(), NO_LISTINGS, NO_INDEX, DAYS, UniverseRules("us"))
    assert (
        calendar.days(counts["asof"].drop_duplicates()) == calendar.month_ends(DAYS, "us")
    ).all()
    pairs = members[["asof", "effective"]].drop_duplicates().astype(str)
    assert ("2018-03-29", "2018-04-02") in set(pairs.itertuples(index=False, name=None))
    # the last one acts after the sample
    assert ("2018-06-29", "2018-07-02") in set(pairs.itertuples(index=False, name=None))
    daily = universe.membership(members, empty(INDUSTRIES), DAYS, "us")
    young = calendar.days(daily.loc[daily["symbol"] == "HALTED", "date"])
    # out at the end of May, so a member to that day and not from the next session on
    assert np.datetime64("2018-05-31") in young and np.datetime64("2018-06-01") not in young
    assert "YOUNG" not in set(daily["symbol"])


CN_DAYS = calendar.sessions("cn", date(2018, 1, 2), date(2019, 6, 28))


def cn_market():
    size = CN_DAYS.size
    close = {
        "600000.SH": np.full(size, 10.0),
        "600001.SH": np.full(size, 10.0),
        "600002.SH": np.full(size, 10.0),
        "900901.SH": np.full(size, 10.0),
        "200011.SZ": np.full(size, 10.0),
        "830799.BJ": np.full(size, 10.0),
    }
    close["600002.SH"][: size - 60] = np.nan
    amount = dict.fromkeys(close, 1e7)
    return bars_of(CN_DAYS, close, amount, is_st={"600001.SH": True})


def test_chinese_rules():
    rules = UniverseRules(
        "cn", min_history=1, min_listed=60, exclude_st=True, exclude_boards=("b", "bse")
    )
    members, counts = universe.build(cn_market(), NO_LISTINGS, NO_INDEX, CN_DAYS, rules)
    june = counts_at(counts, "2019-06-28")
    assert [june[r] for r in ("known", "listed", "board", "st", "selected")] == [6, 6, 3, 2, 2]
    assert members_at(members, "2019-06-28") == ["600000.SH", "600002.SH"]
    # on its 59th session it is too young
    short = CN_DAYS[:-1]
    rows = cn_market()
    rows = rows[calendar.days(rows["date"]) <= short[-1]]
    assert calendar.month_ends(short, "cn")[-1] == np.datetime64("2019-05-31")
    members, _ = universe.build(rows, NO_LISTINGS, NO_INDEX, short, rules)
    assert members_at(members, "2019-05-31") == ["600000.SH"]
    listed = listings_of(s600002_SH=("2015-01-05", None))
    members, _ = universe.build(rows, listed, NO_INDEX, short, rules)
    assert members_at(members, "2019-05-31") == ["600000.SH", "600002.SH"]


def test_the_presets_hold_the_specification_s_values():
    us, cn = universe.us_rules(), universe.cn_rules_of_universe()
    for rules in (us, cn):
        assert (rules.size, rules.min_price, rules.adv_window, rules.min_history) == (
            800,
            3.0,
            63,
            252,
        )
    assert (cn.exclude_st, cn.min_listed, cn.exclude_boards) == (True, 60, ("b", "bse"))


@pytest.mark.slow
@pytest.mark.parametrize("region", ["us", "cn"])
def test_the_rules_hold_on_real_data(region):
    raw = shared_market(region)
    start = calendar.days(raw.bars["date"]).min()
    sessions = calendar.sessions(region, start, np.datetime64("2019-12-31"))
    rules = universe.us_rules() if region == "us" else universe.cn_rules_of_universe()
    members, counts = universe.build(raw.bars, raw.listings, raw.index_members, sessions, rules)
    table = counts.pivot(index="asof", columns="rule", values="count")[list(universe.RULES)]
    assert (table.diff(axis=1).iloc[:, 1:] <= 0).all().all()
    assert (calendar.days(table.index.to_series()) == calendar.month_ends(sessions, region)).all()
    full = table[table.index >= table.index[13]]
    assert (full["selected"] == 800).all() if region == "cn" else (full["selected"] < 800).all()
    assert (members["price"] >= 3.0).all() and (members["adv"] > 0).all()
    joined = members.merge(raw.bars, left_on=["asof", "symbol"], right_on=["date", "symbol"])
    assert len(joined) == len(members)
    assert not joined["is_st"].any()
    if region == "cn":
        assert {cn_rules.board(s) for s in members["symbol"].unique()} <= {"main", "chinext"}

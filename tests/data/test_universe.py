from datetime import date

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.tables import INDUSTRIES, MEMBERS, MEMBERSHIP, UNIVERSE_COUNTS
from quant.data import calendar, universe
from quant.data.providers.base import empty
from quant.data.universe import UniverseRules
from tests.data.market import NO_INDEX, NO_LISTINGS, bars_of, listings_of

DAYS = calendar.sessions("us", date(2018, 1, 1), date(2018, 6, 29))
SMALL = UniverseRules("us", size=3, adv_window=5, min_history=10)
NAMES = ["A", "B", "C", "D", "E"]


def flat(price: float = 10.0) -> np.ndarray:
    return np.full(DAYS.size, price)


def random_market(seed: int = 42):
    rng = np.random.default_rng(seed)
    close, amount = {}, {}
    for number in range(12):
        prices = 6 * np.exp(np.cumsum(rng.normal(0, 0.05, DAYS.size)))
        prices[rng.random(DAYS.size) < 0.05] = np.nan
        close[f"N{number:02d}"], amount[f"N{number:02d}"] = prices, 1e6
    frame = bars_of(DAYS, close, amount)
    frame["amount"] = rng.lognormal(14, 1, len(frame))
    return frame


def test_the_tables_keep_their_schema():
    members, counts = universe.build(random_market(), NO_LISTINGS, NO_INDEX, DAYS, SMALL)
    MEMBERS.check(members)
    UNIVERSE_COUNTS.check(counts)
    MEMBERSHIP.check(universe.membership(members, empty(INDUSTRIES), DAYS, "us"))


@pytest.mark.parametrize("cut", [40, 61, 62, 83, 100])
def test_cutting_the_future_leaves_the_past_unchanged(cut):
    bars, last = random_market(), DAYS[cut]
    short_bars = bars[calendar.days(bars["date"]) <= last]
    whole = universe.build(bars, NO_LISTINGS, NO_INDEX, DAYS, SMALL)
    short = universe.build(short_bars, NO_LISTINGS, NO_INDEX, DAYS[: cut + 1], SMALL)
    for long_, short_ in zip(whole, short, strict=True):
        prefix = long_[calendar.days(long_["asof"]) <= last].reset_index(drop=True)
        pd.testing.assert_frame_equal(prefix, short_, check_exact=True)
    daily = universe.membership(whole[0], empty(INDUSTRIES), DAYS, "us")
    daily = daily[calendar.days(daily["date"]) <= last].reset_index(drop=True)
    cut_daily = universe.membership(short[0], empty(INDUSTRIES), DAYS[: cut + 1], "us")
    pd.testing.assert_frame_equal(daily, cut_daily, check_exact=True)


def test_the_order_of_rows_is_irrelevant():
    bars = random_market()
    mixed = bars.sample(frac=1, random_state=1)
    for one, other in zip(
        universe.build(bars, NO_LISTINGS, NO_INDEX, DAYS, SMALL),
        universe.build(mixed, NO_LISTINGS, NO_INDEX, DAYS, SMALL),
        strict=True,
    ):
        pd.testing.assert_frame_equal(one, other)


def test_ties_are_broken_by_symbol():
    bars = bars_of(DAYS, {n: flat() for n in NAMES}, dict.fromkeys(NAMES, 1e6))
    members, _ = universe.build(bars, NO_LISTINGS, NO_INDEX, DAYS, SMALL)
    last = members[members["asof"] == members["asof"].max()]
    assert last["symbol"].tolist() == ["A", "B", "C"]
    assert last["rank"].tolist() == [1, 2, 3]


def test_the_index_of_the_day_restricts_and_unknown_ones_are_refused():
    bars = bars_of(DAYS, {n: flat() for n in NAMES}, dict.fromkeys(NAMES, 1e6))
    spells = pd.DataFrame(
        {
            "index": "SP500",
            "symbol": ["A", "B", "E"],
            "in_date": pd.to_datetime(["2000-01-01", "2018-03-30", "2000-01-01"]),
            "out_date": pd.to_datetime([None, None, "2018-03-28"]),
        }
    )
    rules = UniverseRules("us", size=3, adv_window=5, min_history=10, index=("SP500",))
    members, counts = universe.build(bars, NO_LISTINGS, spells, DAYS, rules)
    by_month = members.groupby("asof")["symbol"].apply(list)
    assert by_month["2018-02-28"] == ["A", "E"]
    # the end of March is the 29th (Good Friday follows): B is not in yet, E not any more
    assert by_month["2018-03-29"] == ["A"]
    assert by_month["2018-04-30"] == ["A", "B"]
    assert counts.query("rule == 'index'")["count"].tolist() == [2, 2, 1, 2, 2, 2]
    with pytest.raises(DataError, match="universe.index is 'DAX', but the data has no members"):
        wrong = UniverseRules("us", index=("DAX",))
        universe.build(bars, NO_LISTINGS, spells, DAYS, wrong)


def test_a_delisted_name_leaves_after_its_last_session():
    gone = flat()
    gone[100:] = np.nan
    bars = bars_of(DAYS, {"A": flat(), "B": gone}, {"A": 1e6, "B": 1e6})
    members, _ = universe.build(bars, NO_LISTINGS, NO_INDEX, DAYS, SMALL)
    listed = listings_of(A=(None, None), B=(None, str(DAYS[99])))
    daily = universe.membership(members, empty(INDUSTRIES), DAYS, "us", listed)
    assert calendar.days(daily.loc[daily["symbol"] == "B", "date"]).max() == DAYS[99]
    assert calendar.days(daily.loc[daily["symbol"] == "A", "date"]).max() == DAYS[-1]


def test_membership_carries_the_industry_of_the_day():
    bars = bars_of(DAYS, {"A": flat(), "B": flat()}, {"A": 1e6, "B": 1e6})
    members, _ = universe.build(bars, NO_LISTINGS, NO_INDEX, DAYS, SMALL)
    spells = pd.DataFrame(
        {
            "symbol": ["A", "A"],
            "in_date": pd.to_datetime(["1990-01-01", "2018-04-10"]),
            "out_date": pd.to_datetime(["2018-04-09", None]),
            "industry_id": ["x.1", "y.1"],
            "group_id": ["x", "y"],
        }
    )
    daily = universe.membership(members, spells, DAYS, "us").set_index(["date", "symbol"])
    assert daily.loc[("2018-04-09", "A"), "industry_id"] == "x.1"
    assert daily.loc[("2018-04-10", "A"), "group_id"] == "y"
    assert daily.loc[("2018-04-10", "B"), "industry_id"] == "Unknown.0"


def test_no_complete_month_no_members():
    bars = bars_of(DAYS[:5], {"A": flat()[:5]}, {"A": 1e6})
    members, counts = universe.build(bars, NO_LISTINGS, NO_INDEX, DAYS[:5], SMALL)
    assert not len(members) and not len(counts)
    assert not len(universe.membership(members, empty(INDUSTRIES), DAYS[:5], "us"))


@pytest.mark.parametrize("name", ["size", "adv_window", "min_history"])
def test_impossible_rules_are_refused(name):
    with pytest.raises(DataError, match=f"universe.{name} is 0; it is 1 or more"):
        UniverseRules("us", **{name: 0})
    with pytest.raises(DataError, match="min_price"):
        UniverseRules("us", min_price=-1.0)

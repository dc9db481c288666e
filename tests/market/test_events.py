"""Listings, delistings, suspensions, industries, the benchmark."""

import numpy as np
import pandas as pd

from quant.market import SimulatedMarket


def spans(market: SimulatedMarket) -> pd.DataFrame:
    first_last = market.bars.groupby("symbol")["date"].agg(["min", "max", "size"])
    return market.listings.set_index("symbol").join(first_last)


def test_every_name_lives_from_its_listing_to_its_delisting(either: SimulatedMarket) -> None:
    life = spans(either)
    start, end = either.bars["date"].min(), either.bars["date"].max()
    early = life["list_date"] < start
    assert (life.loc[early, "min"] == start).all()
    assert (life.loc[~early, "min"] == life.loc[~early, "list_date"]).all()
    assert 0.1 < (~early).mean() < 0.3
    gone = life["delist_date"].notna()
    assert gone.sum() >= 3 and (life.loc[gone, "max"] == life.loc[gone, "delist_date"]).all()
    assert (life.loc[gone, "delist_date"] < end).all()
    assert life.loc[gone, "delist_return"].between(-1, 0).all()
    assert life.loc[~gone, "delist_return"].isna().all()
    assert len(life) == life.index.nunique() == len(either.listings)


def test_failures_lose_and_follow_bad_years(us: SimulatedMarket) -> None:
    from quant.market import MarketSpec, simulate
    from tests.market.conftest import days

    market = simulate(MarketSpec("us", days("2012-01-03", "2018-01-01"), 400), 3)
    life = spans(market)
    failed = life[life["delist_return"] < 0]
    assert len(failed) >= 5
    assert -0.45 < failed["delist_return"].mean() < -0.15
    bars = market.bars.assign(adjusted=market.bars["close"] * market.bars["factor"])
    last = bars.groupby("symbol").tail(1).set_index("symbol")["adjusted"]
    year = bars.groupby("symbol")["adjusted"].apply(lambda s: s.iloc[-252:].max())
    assert (last / year).reindex(failed.index).median() < 0.6


def test_suspended_days_have_no_row_and_names_come_back(cn: SimulatedMarket) -> None:
    sessions = np.sort(cn.bars["date"].unique())
    life = spans(cn)
    whole = np.searchsorted(sessions, life["max"]) - np.searchsorted(sessions, life["min"]) + 1
    absent = 1 - life["size"].sum() / whole.sum()
    assert 0.02 < absent < 0.08  # real: 0.051
    assert (life["size"] <= whole).all()


def test_resumption_catches_up_with_the_market(cn: SimulatedMarket) -> None:
    factors = cn.truth["factors"]
    market = factors[factors["factor"] == "market"].set_index("date")["ret"].cumsum()
    bars = cn.bars.sort_values(["symbol", "date"])
    place = pd.Series(np.arange(len(market)), index=market.index)
    gap = place.reindex(bars["date"]).to_numpy()
    same = bars["symbol"].to_numpy()[1:] == bars["symbol"].to_numpy()[:-1]
    long = np.flatnonzero(same & (np.diff(gap) > 3)) + 1
    missed = market.iloc[gap[long]].to_numpy() - market.iloc[gap[long - 1]].to_numpy()
    gain = (bars["close"] / bars["pre_close"] - 1).to_numpy()[long]
    assert long.size > 100 and np.corrcoef(missed, gain)[0, 1] > 0.2


def test_special_treatment_falls_on_losers_and_ends(cn: SimulatedMarket) -> None:
    bars = cn.bars.assign(adjusted=cn.bars["close"] * cn.bars["factor"])
    bars["year"] = bars.groupby("symbol")["adjusted"].transform(lambda s: s / s.shift(240) - 1)
    assert 0.001 < bars["is_st"].mean() < 0.12
    assert bars.loc[bars["is_st"], "year"].median() < bars["year"].median() - 0.2


def test_codes_belong_to_their_boards(cn: SimulatedMarket) -> None:
    from quant.data.cn_rules import board

    listed = cn.listings
    assert [board(s) for s in listed["symbol"]] == listed["board"].tolist()
    assert {"main", "chinext"} <= set(listed["board"])


def test_us_industries_hang_under_sectors(us: SimulatedMarket) -> None:
    spells = us.industries
    assert (spells["industry_id"].str.rsplit(".", n=1).str[0] == spells["group_id"]).all()
    assert spells["group_id"].nunique() == 11 and spells["industry_id"].nunique() == 12
    assert spells["industry_id"].value_counts().min() >= 5


def test_shenwan_schemes_change_when_they_did(cn: SimulatedMarket) -> None:
    spells = cn.industries
    assert (spells["industry_id"] == spells["group_id"]).all()
    assert spells["industry_id"].str.fullmatch(r"swL1\.801\d{3}").all()
    moved = spells[spells.duplicated("symbol", keep=False)].sort_values(["symbol", "in_date"])
    assert len(moved) > 10
    ends = moved.groupby("symbol")["out_date"].first()
    assert (ends == pd.Timestamp("2013-12-31")).all()
    assert (moved.groupby("symbol")["in_date"].last() == pd.Timestamp("2014-01-01")).all()
    assert spells.groupby("symbol").tail(1)["out_date"].isna().all()


def test_benchmark_is_the_value_weighted_total_return(us: SimulatedMarket) -> None:
    bars = us.bars.copy()
    bars["value"] = bars["close"] * bars["float_shares"]
    bars["gain"] = bars["close"] / bars["pre_close"] - 1
    day = us.benchmark["date"].iloc[300]
    before = us.benchmark["date"].iloc[299]
    weight = bars[bars["date"] == before].set_index("symbol")["value"]
    gain = bars[bars["date"] == day].set_index("symbol")["gain"]
    gone = us.listings.set_index("symbol")
    payoff = gone.loc[gone["delist_date"] == before, "delist_return"]
    gain = pd.concat([gain, payoff]).reindex(weight.index).fillna(0.0)
    expected = (weight * gain).sum() / weight.sum()
    level = us.benchmark["close"]
    np.testing.assert_allclose(level.iloc[300] / level.iloc[299] - 1, expected, rtol=1e-9)
    assert us.benchmark["name"].unique().tolist() == ["SIM500"]
    assert us.benchmark["total_return"].all()


def test_rates_are_slow_and_not_negative(either: SimulatedMarket) -> None:
    yearly = either.rates["rf"] * 252
    assert yearly.between(0, 0.06).all() and yearly.diff().abs().max() < 0.003


def test_notes_say_simulated(either: SimulatedMarket) -> None:
    assert either.notes["topic"].tolist() == ["SIMULATED"]
    assert "simulated" in either.notes["text"].iloc[0]

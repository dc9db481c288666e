import numpy as np
import pandas as pd
import pytest

from quant.backtest import engine
from quant.backtest.benchmark import equal_weight
from quant.backtest.market import charges
from quant.core.errors import DataError
from tests.backtest import markets

NAN = np.nan


def members_of(market, lists: dict[int, list[int]]) -> pd.DataFrame:
    rows = [
        {"asof": market.dates[t], "effective": market.dates[t + 1], "symbol": market.symbols[i]}
        for t, names in lists.items()
        for i in names
    ]
    frame = pd.DataFrame(rows)
    frame["asof"] = frame["asof"].astype("datetime64[ns]")
    return frame


def flat(n_days: int, n: int, **gaps):
    close = np.full((n_days, n), 10.0)
    for name, days in gaps.items():
        close[days, int(name[1:])] = NAN
    return markets.plain_market(close, close)


def test_equal_weights_are_traded_on_the_effective_date_and_then_drift():
    market = flat(8, 3)
    market.mark[2:, 0] = 20.0
    decide = equal_weight(market, members_of(market, {0: [0, 1], 4: [1, 2]}))
    result = engine.run(market, decide, charges=charges(market, 0, 0), capital=1e4)
    assert sorted(set(result.targets["date"])) == [pd.Timestamp(market.dates[t]) for t in (0, 4)]
    assert sorted(set(result.fills["date"])) == [pd.Timestamp(market.dates[t]) for t in (1, 5)]
    weights = result.weights.pivot(index="date", columns="symbol", values="weight")
    np.testing.assert_allclose(weights.iloc[0], [0.5, 0.5, NAN], atol=1e-3)
    np.testing.assert_allclose(weights.iloc[2], [2 / 3, 1 / 3, NAN], atol=1e-3)


def test_a_name_that_could_not_be_sold_is_sold_when_it_trades_again():
    market = flat(9, 3, n0=[4, 5])
    decide = equal_weight(market, members_of(market, {0: [0, 1], 3: [1, 2]}))
    result = engine.run(market, decide, charges=charges(market, 0, 0), capital=1e4)
    first = result.fills[result.fills["symbol"] == "N000"]
    assert first["reason"].tolist() == ["", "suspended", ""]
    days = [pd.Timestamp(market.dates[t]) for t in (1, 4, 7)]
    assert first["date"].tolist() == days
    later = result.fills[result.fills["date"] == days[-1]]
    assert later["symbol"].tolist() == ["N000"]  # nobody else is touched on that day


def test_a_start_between_reconstitutions_uses_the_list_in_force():
    market = flat(9, 3)
    decide = equal_weight(market, members_of(market, {0: [0, 1], 7: [2]}), first=3)
    result = engine.run(market, decide, charges=charges(market, 0, 0), capital=1e4, first=3)
    assert result.targets["date"].min() == pd.Timestamp(market.dates[3])
    assert set(result.fills["symbol"]) == {"N000", "N001", "N002"}
    assert result.dates[0] == market.dates[3]
    with pytest.raises(DataError, match="no universe is known on 2014-01-07"):
        equal_weight(market, members_of(market, {4: [0]}), first=1)


def test_costs_lower_the_benchmark():
    market = markets.random_market()
    members = members_of(market, {0: [0, 1, 4, 5], 20: [4, 5, 6, 7], 40: [7, 8, 9]})
    nav = [
        engine.run(market, equal_weight(market, members), charges=c, capital=1e7).nav[-1]
        for c in (charges(market, 0, 0), charges(market, 1e-3, 0), markets.costs(market))
    ]
    assert nav[0] > nav[1] and nav[0] > nav[2]

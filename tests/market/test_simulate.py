"""The entrance: same bytes twice, other seeds other markets, bad requests refused."""

import hashlib
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant.core import tables
from quant.core.errors import ConfigError
from quant.market import MarketSpec, SimulatedMarket, simulate
from tests.market.conftest import days

SHORT = days("2013-11-01", "2014-03-01")


def digest(market: SimulatedMarket, folder: Path) -> str:
    total = hashlib.sha256()
    for table in (
        tables.BARS,
        tables.ACTIONS,
        tables.LISTINGS,
        tables.INDUSTRIES,
        tables.BENCHMARK,
    ):
        table.write(getattr(market, table.name), folder / table.name)
        total.update((folder / table.name).read_bytes())
    for name, frame in market.truth.items():
        total.update(name.encode() + frame.to_csv().encode())
    return total.hexdigest()


@pytest.mark.parametrize("region", ["us", "cn"])
def test_same_bytes_twice_and_another_market_for_another_seed(region: str, tmp_path: Path) -> None:
    spec = MarketSpec(region, SHORT, 40)
    first, second = (digest(simulate(spec, 5), tmp_path) for _ in range(2))
    assert first == second
    assert digest(simulate(spec, 6), tmp_path) != first


@pytest.mark.parametrize("region", ["us", "cn"])
def test_smallest_market_works(region: str) -> None:
    market = simulate(MarketSpec(region, SHORT[:5], 10), 1)
    assert 0 < market.bars["symbol"].nunique() <= 10
    assert tables.BARS.check(market.bars).num_rows == len(market.bars)


@pytest.mark.parametrize("region", ["us", "cn"])
def test_largest_market_has_as_many_names_as_asked(region: str) -> None:
    market = simulate(MarketSpec(region, SHORT[:3], 5000), 1)
    assert market.listings["symbol"].nunique() == 5000


def test_star_and_registration_listings_trade_without_limits_at_first() -> None:
    market = simulate(MarketSpec("cn", days("2020-06-01", "2021-01-01"), 300, 0.05, 0.6), 2)
    star = market.listings.loc[market.listings["board"] == "star", "symbol"]
    assert len(star) > 5 and star.str.startswith("688").all()
    bars = market.bars[market.bars["symbol"].isin(star)]
    young = bars.groupby("symbol").cumcount() == 0
    assert bars.loc[young, "limit_up"].isna().all()
    old = bars[bars.groupby("symbol").cumcount() > 20]
    np.testing.assert_allclose(old["limit_up"] / old["pre_close"], 1.2, atol=0.005)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region": "jp"}, "region='jp'.*choose one of"),
        ({"n_names": 3}, "n_names=3 is outside"),
        ({"alpha_ic": -0.1}, "alpha_ic=-0.1 is outside"),
        ({"alpha_ic": 5.0}, "alpha_ic=5 is outside"),
        ({"initial": 0.0}, "initial=0 is outside"),
        ({"sessions": SHORT[:1]}, "at least two increasing sessions, got 1"),
        ({"sessions": SHORT[::-1]}, "at least two increasing sessions"),
    ],
)
def test_impossible_requests_are_refused(change: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MarketSpec(**{"region": "us", "sessions": SHORT, **change})


@pytest.mark.slow
def test_demo_market_is_made_in_seconds() -> None:
    began = time.process_time()
    simulate(MarketSpec("us", days("2010-01-04", "2018-01-01"), 300), 1)
    assert time.process_time() - began < 20  # about 3 s on a core of its own


def test_provider_hands_over_the_market_and_knows_its_settings() -> None:
    from quant.data.providers.sim import Sim

    provider = Sim("cn", seed=3, n_names=20)
    raw = provider.fetch(date(2015, 1, 5), date(2015, 3, 31))
    made = provider.simulate(date(2015, 1, 5), date(2015, 3, 31))
    assert raw.bars.equals(made.bars) and raw.notes["topic"].tolist() == ["SIMULATED"]
    assert provider.region == "cn"
    assert provider.fingerprint() == Sim("cn", seed=3, n_names=20).fingerprint()
    others = [Sim("us", 3, 20), Sim("cn", 4, 20), Sim("cn", 3, 21), Sim("cn", 3, 20, 0.0)]
    assert len({p.fingerprint() for p in [provider, *others]}) == 5

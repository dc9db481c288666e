"""Stylised facts of the simulated markets beside those of the real ones, 2010-2018.

`REAL` holds what `facts` measures on the shared real panels (2010-2019), so that a clone without
them still checks the simulation; where the panels are present they are measured again. A band is
what the simulation may be off by: absolute where small, else a ratio.
"""

import numpy as np
import pandas as pd
import pytest

from quant.market import MarketSpec, simulate
from tests.market.conftest import days
from tests.market.facts import facts
from tests.shared import need

SEEDS = (1, 2)
REAL = {
    "us": {
        "tail_index": 3.21,
        "acf_return_1": -0.02,
        "acf_square_1": 0.08,
        "acf_square_1_20": 0.045,
        "acf_abs_1_20": 0.081,
        "correlation": 0.346,
        "vol": 0.252,
        "market_vol": 0.156,
        "volume_volatility": 0.375,
        "adv_decades": 1.98,
    },
    "cn": {
        "tail_index": 3.31,
        "acf_return_1": 0.06,
        "acf_square_1": 0.27,
        "acf_square_1_20": 0.17,
        "acf_abs_1_20": 0.174,
        "correlation": 0.404,
        "vol": 0.443,
        "market_vol": 0.288,
        "volume_volatility": 0.306,
        "adv_decades": 1.46,
    },
}
# simulated less real, mean over seeds
BANDS = {
    "tail_index": (-0.5, 0.6),
    "acf_return_1": (-0.08, 0.06),
    "acf_square_1": (-0.12, 0.06),
    "acf_square_1_20": (-0.06, 0.05),
    "acf_abs_1_20": (-0.05, 0.04),
    "correlation": (-0.08, 0.08),
    "vol": (-0.06, 0.06),
    "market_vol": (-0.06, 0.06),
    "volume_volatility": (-0.15, 0.2),
    # real panels are large index members only: the simulation holds small names besides
    "adv_decades": (0.5, 2.5),
}


def measured(region: str, seed: int) -> dict[str, float]:
    market = simulate(MarketSpec(region, days("2010-01-04", "2019-01-01"), 300), seed)
    bars = market.bars
    return facts(bars.assign(adjusted=bars["close"] * bars["factor"]))


@pytest.fixture(scope="module", params=["us", "cn"])
def simulated(request: pytest.FixtureRequest) -> tuple[str, dict[str, float]]:
    runs = pd.DataFrame([measured(request.param, seed) for seed in SEEDS])
    return request.param, runs.mean().to_dict()


def real(region: str) -> dict[str, float]:
    columns = ["date", "symbol", "close", "volume"]
    columns += ["factor", "amount"] if region == "cn" else ["adj_close"]
    bars = pd.read_parquet(need(f"data/{region}_dev.parquet"), columns=columns)
    bars["date"], bars["symbol"] = pd.to_datetime(bars["date"]), bars["symbol"].astype(object)
    bars = bars[bars["date"] >= "2010-01-01"]
    if region == "cn":
        return facts(bars.assign(adjusted=bars["close"] * bars["factor"]))
    amount = bars["close"] * bars["volume"]
    return facts(bars.assign(adjusted=bars["adj_close"], amount=amount))


def check(got: dict[str, float], reference: dict[str, float]) -> None:
    for name, (low, high) in BANDS.items():
        assert low <= got[name] - reference[name] <= high, (name, got[name], reference[name])


@pytest.mark.slow
def test_facts_lie_near_the_recorded_real_ones(simulated: tuple[str, dict[str, float]]) -> None:
    region, got = simulated
    check(got, REAL[region])
    assert 3 <= got["tail_index"] <= 4
    assert 3.4 <= got["adv_range"] <= 5


@pytest.mark.slow
def test_facts_lie_near_the_real_data(simulated: tuple[str, dict[str, float]]) -> None:
    region, got = simulated
    reference = real(region)
    check(got, reference)
    for name, value in REAL[region].items():
        assert np.isclose(reference[name], value, atol=0.03), (name, reference[name])

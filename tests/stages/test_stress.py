"""The stress of a small market written by hand: two years, six names, a book of two of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant.core import tables
from quant.settings import Config, Evaluation, Region, Survivorship
from quant.stages import stress
from quant.stages.registry import Context, Inputs

DAYS = pd.bdate_range("2015-01-01", "2016-12-30")
WINDOW = DAYS[262:]
NAMES = [f"N{i}" for i in range(6)]
CONFIG = Config(
    region=Region(name="us"),
    evaluation=Evaluation(survivorship=Survivorship(rates=[0.02], losses=[-0.3], draws=50)),
)


@pytest.fixture
def frames() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(5)
    # N0 fell most over any year, N1 next, ...
    close = np.exp(np.cumsum(np.linspace(-2e-3, 2e-3, 6) + rng.normal(0, 1e-3, (DAYS.size, 6)), 0))
    day, name = pd.MultiIndex.from_product([DAYS, NAMES]).to_frame(index=False).to_numpy().T
    bars = pd.DataFrame({"date": day, "symbol": name, "close": close.ravel(), "factor": 1.0})
    bars["date"] = bars["date"].astype("datetime64[ns]")
    inside = bars[bars["date"].isin(WINDOW)]
    weights = inside[inside["symbol"].isin(["N3", "N5"])][["date", "symbol"]].assign(weight=0.4)
    nav = []
    for book, cash in (("portfolio", 0.2), ("benchmark", 0.1)):
        level = np.cumprod(1 + rng.normal(1e-3, 0.01, WINDOW.size))
        nav.append(pd.DataFrame({"book": book, "date": WINDOW, "nav": level, "cash": cash * level,
                                 "cost": 0.0, "fee": 0.0, "rf": 1e-5}))  # fmt: skip
    listings = pd.DataFrame({"symbol": NAMES, "delist_date": pd.NaT, "delist_return": np.nan,
                             "truncated": False})  # fmt: skip
    listings["delist_date"] = listings["delist_date"].astype("datetime64[ns]")
    return {
        "bars": bars, "weights": weights, "nav": pd.concat(nav, ignore_index=True),
        "membership": inside[["date", "symbol"]], "listings": listings,
        "sessions": pd.DataFrame({"date": DAYS}),
    }  # fmt: skip


def run(frames, folder: Path = Path()) -> tuple[pd.DataFrame, dict[str, float]]:
    context = Context("us", 42, folder, lambda label: lambda i, n: None)
    inputs = Inputs({t.name: frames[t.name].copy for t in stress.STAGE.needs})
    made = stress.STAGE.run(stress.STAGE.settings(CONFIG), inputs, context)["survivorship"]
    tables.SURVIVORSHIP.check(made)
    return made.set_index("hazard"), context.metrics


def annual(frames, book: str) -> float:
    level = frames["nav"][frames["nav"]["book"] == book]["nav"].to_numpy()
    return float((level[1:] / level[:-1] - 1).mean() * 252)


def test_book_and_benchmark_lose_what_each_has_invested(frames):
    table, told = run(frames)
    row = table.loc["uniform"]
    mine, theirs = annual(frames, "portfolio"), annual(frames, "benchmark")
    assert row["ann_return"] == pytest.approx(mine - 0.02 * 0.3 * 0.8)
    assert row["active"] == pytest.approx(mine - theirs - 0.02 * 0.3 * (0.8 - 0.9))
    assert told["stress.observed_rate"] == 0.0 and "stress.break_even_rate" not in told


def test_a_book_that_holds_no_losers_is_spared_by_their_hazard(frames):
    table, _ = run(frames)
    row, mine = table.loc["losers"], annual(frames, "portfolio")
    assert row["ann_return"] == pytest.approx(mine) == row["ann_return_low"]
    # the benchmark loses the same as under any hazard, for it holds the universe
    lost = row["active"] - (mine - annual(frames, "benchmark"))
    assert lost == pytest.approx(0.02 * 0.3 * 0.9)


def test_the_hazard_of_a_session_is_known_at_the_close_before(frames):
    table, _ = run(frames)
    bars = frames["bars"].copy()
    bars.loc[bars["date"] == DAYS[-1], "close"] = np.arange(6.0)[::-1] + 1
    same, _ = run({**frames, "bars": bars})
    pd.testing.assert_frame_equal(same, table)
    bars.loc[bars["date"] == DAYS[-2], "close"] = np.arange(6.0)[::-1] + 1
    assert not run({**frames, "bars": bars})[0].equals(table)


def test_a_failure_that_the_data_know_is_counted(frames):
    frames["listings"].loc[0, ["delist_date", "delist_return"]] = [DAYS[-1], -0.7]
    _, told = run(frames)
    assert told["stress.observed_rate"] == pytest.approx(1 / (6 * WINDOW.size / 252))


def test_the_smallest_break_even_rate_is_tracked(frames):
    frames["weights"]["weight"] = 0.48
    level = frames["nav"]["book"] == "benchmark"
    frames["nav"].loc[level, "nav"] = np.linspace(1.0, 1.01, WINDOW.size)
    frames["nav"].loc[level, "cash"] = 0.9
    frames["nav"].loc[~level, "nav"] = 1 + np.linspace(0, 0.02, WINDOW.size) ** 1.01
    table, told = run(frames)
    assert told["stress.break_even_rate"] == pytest.approx(table["break_even"].min())
    assert 0 < told["stress.break_even_rate"] < 1

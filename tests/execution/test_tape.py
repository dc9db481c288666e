"""The simulated session: pinned to its daily bar, and to nothing else."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quant.execution.tape import (
    DailyBars,
    RecordedTapes,
    SimulatedTapes,
    Tape,
    _normal,
    bridge,
    profile,
)

DATES = np.array(["2015-01-05", "2015-01-06", "2015-01-07"], "datetime64[D]")
NAMES = np.array([f"S{i}" for i in range(40)], object)


def bars(seed: int = 1) -> DailyBars:
    rng = np.random.default_rng(seed)
    shape = (DATES.size, NAMES.size)
    open_ = 20 * np.exp(rng.normal(0, 0.3, shape))
    close = open_ * np.exp(rng.normal(0, 0.02, shape))
    high = np.maximum(open_, close) * np.exp(rng.exponential(0.01, shape))
    low = np.minimum(open_, close) * np.exp(-rng.exponential(0.01, shape))
    return DailyBars(open_, high, low, close, rng.integers(1, 10**6, shape).astype(float))


def tapes(made: DailyBars, seed: int = 42, n: int = 48) -> SimulatedTapes:
    return SimulatedTapes(made, DATES, NAMES, n, seed)


@pytest.mark.parametrize("seed", range(5))
def test_a_path_begins_ends_and_turns_where_the_bar_says(seed):
    b, rng = bars(seed), np.random.default_rng(seed)
    nodes = bridge(b.open[0], b.high[0], b.low[0], b.close[0], rng.normal(size=(40, 30)))
    for name, found in {
        "open": nodes[:, 0], "close": nodes[:, -1], "high": nodes.max(1), "low": nodes.min(1),
    }.items():  # fmt: skip
        np.testing.assert_allclose(found, getattr(b, name)[0], rtol=1e-12)


def test_a_path_without_an_excursion_gets_one():
    one = np.ones(1)
    steady = np.zeros((1, 12))
    nodes = bridge(10 * one, 12 * one, 9 * one, 11 * one, steady)
    assert nodes.max() == pytest.approx(12) and nodes.min() == pytest.approx(9)


def test_volume_adds_up_to_the_day_s_and_is_large_at_both_ends():
    b = bars()
    tape = tapes(b)(1, np.arange(40))
    np.testing.assert_allclose(tape.volume.sum(axis=1), b.volume[1], rtol=1e-12)
    share = profile(48)
    assert share.sum() == pytest.approx(1) and share[0] == share.max() == share[-1]
    assert (np.diff(share[:24]) < 0).all() and share[0] / share[23] == pytest.approx(3, rel=0.1)


def test_a_path_depends_on_name_day_bar_and_seed_alone():
    b = bars()
    whole = tapes(b)(1, np.arange(40))
    some = tapes(b)(1, np.array([3, 7]))
    assert (some.price == whole.price[[3, 7]]).all() and (some.volume == whole.volume[[3, 7]]).all()
    fewer = SimulatedTapes(
        DailyBars(*(getattr(b, n)[:2, 5:] for n in ("open", "high", "low", "close", "volume"))),
        DATES[:2], NAMES[5:], 48, 42,
    )(1, np.array([0, 2]))  # fmt: skip
    assert (fewer.price == whole.price[[5, 7]]).all()
    later = bars(9)
    mixed = DailyBars(*(np.vstack([getattr(b, n)[:2], getattr(later, n)[2:]])
                        for n in ("open", "high", "low", "close", "volume")))  # fmt: skip
    assert (tapes(mixed)(1, np.arange(40)).price == whole.price).all()
    assert (tapes(b, seed=43)(1, np.arange(40)).price != whole.price).mean() > 0.9
    assert np.abs(tapes(b)(0, np.arange(40)).volume / whole.volume - 1).mean() > 0.1


def test_bars_without_a_range_without_volume_or_without_anything():
    flat = np.full((3, 40), 10.0)
    made = DailyBars(flat, flat.copy(), flat.copy(), flat, np.zeros((3, 40)))
    made.high[:, 1] = 9.0  # a high below the close
    for field in (made.open, made.close):
        field[:, 2] = np.nan
    tape = tapes(made)(0, np.arange(3))
    np.testing.assert_allclose(tape.price[:2], 10.0)
    assert np.isnan(tape.price[2]).all() and (tape.volume == 0).all()


def test_the_draws_are_standard_normal_and_those_of_two_names_unrelated():
    key = np.random.default_rng(0).integers(0, 2**63, 400).astype(np.uint64)
    draw = _normal(key, 500)
    assert stats.kstest(draw.ravel()[:50_000], "norm").pvalue > 0.01
    corr = np.corrcoef(draw[:50])[np.triu_indices(50, 1)]
    assert abs(corr.mean()) < 0.005 and corr.std() == pytest.approx(1 / np.sqrt(500), rel=0.1)
    near = _normal(np.arange(5, dtype=np.uint64), 500)  # neighbouring keys share no stream
    assert np.abs(np.corrcoef(near)[np.triu_indices(5, 1)]).max() < 0.2


def test_real_bars_take_the_place_of_simulated_ones_where_there_are_any():
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(["2015-01-06"] * 4 + ["2015-01-07"]),
            "symbol": ["S3", "S3", "S3", "elsewhere", "S0"],
            "minute": [0, 3, 239, 0, 10],
            "price": [10.0, 11.0, 12.0, 1.0, 5.0],
            "volume": [100.0, 300.0, 50.0, 1.0, 7.0],
        }
    ).sort_values(["date", "symbol", "minute"], ignore_index=True)
    simulated = tapes(bars())
    made = RecordedTapes.of(frame, DATES, NAMES, 5, simulated)
    got: Tape = made(1, np.array([2, 3]))
    assert (got.price[0] == simulated(1, np.array([2])).price[0]).all()
    assert got.price[1, 0] == pytest.approx(10.75) and got.volume[1, 0] == 400
    assert got.volume[1, 47] == 50 and got.volume[1].sum() == 450
    assert np.isnan(got.price[1, 1:47]).all()
    assert made(2, np.array([0])).volume.sum() == 7

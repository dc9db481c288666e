"""What the controller sees: 33 defined numbers, known when they are seen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.backtest.engine import State
from quant.core.errors import DataError
from quant.rl.env import Replay
from quant.rl.observation import (
    ALPHA,
    COST,
    FEATURES,
    HISTORY,
    NAMES,
    PORTFOLIO,
    REGIME,
    Observer,
    scene,
)
from tests.rl import worlds

N_DAYS = 260


@pytest.fixture(scope="module")
def world():
    return worlds.world(True, 3, N_DAYS, 12)


def state(world, t, weights, turnover=0.0, cost=0.0, nav=1e7) -> State:
    w = np.asarray(weights, float)
    shares = np.ceil(w * 100)
    return State(world.scene.dates[t], nav, 0.0, shares, w, w >= 0, turnover, cost)


def test_there_are_33_numbers_each_with_its_definition():
    assert [len(part) for part in (REGIME, ALPHA, PORTFOLIO, COST)] == [19, 3, 4, 7]
    assert len(NAMES) == len(set(NAMES)) == 33 and all(FEATURES.values())


def test_the_market_s_numbers_are_those_of_their_definitions(world):
    t, seen = 120, world.policy.signals
    row = dict(zip(NAMES, world.scene.market[t], strict=False))
    alpha = seen.alpha[t]
    assert row["alpha_std"] == pytest.approx(alpha.std())
    assert row["alpha_large"] == pytest.approx((np.abs(alpha) > 1e-3).mean())
    groups = np.array([f"G{i}" for i in range(4)], object)
    rng = np.random.default_rng(0)
    table, regime = worlds.regimes(world.scene.dates, np.zeros(N_DAYS, bool), groups, rng)
    made = scene(
        world.scene.dates, table, regime, seen.alpha, np.full(seen.alpha.shape, 0.1),
        world.scene.bucket, seen.member, seen.group, 4,
    )  # fmt: skip
    day = table[table["date"] == world.scene.dates[t].astype("M8[ns]")]
    got = dict(zip(NAMES, made.market[t], strict=False))
    assert got["trend_bear_mean"] == pytest.approx(day["p_trend_bear"].mean())
    assert got["vol_crisis_std"] == pytest.approx(day["p_vol_crisis"].std(ddof=0))
    assert got["flip_mean"] == pytest.approx(0.2)
    eig = regime.set_index("date")["eig1"]
    assert got["eig1"] == pytest.approx(eig[world.scene.dates[t].astype("M8[ns]")])


def test_doubt_is_a_rank_within_the_past(world):
    seen, s = world.policy.signals, world.scene
    rng = np.random.default_rng(0)
    doubt = rng.random((N_DAYS, 1)) * np.ones(seen.alpha.shape)
    groups = np.array([f"G{i}" for i in range(4)], object)
    shown = worlds.regimes(s.dates, np.zeros(N_DAYS, bool), groups, rng)
    made = scene(s.dates, *shown, seen.alpha, doubt, s.bucket, seen.member, seen.group, 4)
    column = made.market[:, NAMES.index("doubt")]
    t = 150
    assert column[t] == pytest.approx((doubt[: t + 1, 0] <= doubt[t, 0]).mean())
    assert column.max() <= 1.0


def test_the_book_s_numbers_are_those_of_their_definitions(world):
    s = world.scene
    observer = Observer(s)
    t = 130
    n = s.member.shape[1]
    w = np.zeros(n)
    w[[0, 1, 4]] = 0.3, 0.2, 0.1
    for k in range(7):
        observer.see(t + k, state(world, t + k, w, turnover=0.1 * k, cost=1000.0 * k), 0.11)
    row = dict(zip(NAMES, observer.observation()[-1], strict=True))
    assert row["book_vol"] == 0.11
    assert row["turnover_30"] == pytest.approx(np.mean(0.1 * np.arange(7)))
    own = np.bincount(s.group[t][[0, 1, 4]], weights=[0.3, 0.2, 0.1], minlength=4)
    equal = np.bincount(s.group[t], minlength=4) / n
    assert row["active_group"] == pytest.approx(np.abs(own - equal).max())
    assert row["herfindahl"] == pytest.approx((0.09 + 0.04 + 0.01) / 0.36)
    # cost over value of the last five sessions: 1000 k / (0.1 k x 1e7)
    assert row["shortfall_5"] == pytest.approx(1e4 * 1000 / 1e6)
    assert row["bucket_0"] == pytest.approx(0.5) and row["bucket_4"] == pytest.approx(1 / 6)
    assert sum(row[f"bucket_{i}"] for i in range(6)) == pytest.approx(1.0)


def test_before_the_book_began_it_was_cash(world):
    t = 130
    observer = Observer(world.scene)
    observer.see(t, state(world, t, np.zeros(12)), 0.0)
    seen = observer.observation()
    assert seen.shape == (HISTORY, 33)
    np.testing.assert_array_equal(seen[:, :22], world.scene.market[t - 39 : t + 1])
    assert not seen[:-1, 22:].any()


def test_cutting_or_corrupting_the_future_changes_nothing_seen():
    whole = worlds.world(True, 3, N_DAYS, 12)
    t = 150
    replay = Replay(whole)
    replay.reset(t - 30, t)
    while not replay.over:
        replay.step(None)
    before = replay.observe()
    seen, s = whole.policy.signals, whole.scene
    rng = np.random.default_rng(9)
    groups = np.array([f"G{i}" for i in range(4)], object)
    table, regime = worlds.regimes(s.dates, worlds.truth(True, 3, N_DAYS), groups, rng)
    alpha, doubt = seen.alpha.copy(), np.full(seen.alpha.shape, 0.1)
    first = scene(s.dates, table, regime, alpha, doubt, s.bucket, seen.member, seen.group, 4)
    late = table["date"] > s.dates[t].astype("M8[ns]")
    garbled = table.copy()
    garbled.loc[late, garbled.columns[2:]] = rng.random((late.sum(), garbled.shape[1] - 2))
    alpha[t + 1 :], doubt[t + 1 :] = 9.0, 7.0
    cut = regime[regime["date"] <= s.dates[t].astype("M8[ns]")]
    other = scene(s.dates, garbled, cut, alpha, doubt, s.bucket, seen.member, seen.group, 4)
    np.testing.assert_array_equal(first.market[: t + 1], other.market[: t + 1])
    assert before.shape == (HISTORY, 33)


def test_a_missing_regime_table_is_named(world):
    s, seen = world.scene, world.policy.signals
    nothing = pd.DataFrame({"date": pd.to_datetime([])})
    with pytest.raises(DataError, match="table states has no row"):
        scene(
            s.dates, nothing, nothing, seen.alpha, seen.alpha, s.bucket, seen.member, seen.group, 4
        )


def test_what_is_no_number_is_named(world):
    broken = world.scene.market.copy()
    broken[130, NAMES.index("eig1")] = np.nan
    observer = Observer(replace(world.scene, market=broken))
    with pytest.raises(DataError, match="eig1 .*largest eigenvalue.*is not a number"):
        observer.see(130, state(world, 130, np.zeros(12)), 0.1)


def test_a_session_left_out_is_refused_and_so_is_too_little_history(world):
    observer = Observer(world.scene)
    observer.see(130, state(world, 130, np.zeros(12)), 0.1)
    with pytest.raises(DataError, match="watches every session"):
        observer.see(132, state(world, 132, np.zeros(12)), 0.1)
    early = Observer(world.scene)
    t = world.scene.first - 1
    early.see(t, state(world, t, np.zeros(12)), 0.1)
    with pytest.raises(DataError, match="can act from"):
        early.observation()

"""The replay is the backtest: the same loop, the same solves, and a reward for every decision."""

from dataclasses import replace

import numpy as np
import pytest

from quant.backtest import engine
from quant.core.errors import ConfigError, SolveError
from quant.optimizer.knobs import constant
from quant.rl import env
from quant.rl.env import Replay, at_random, by_crisis, constantly, play, windows, without_tilts
from quant.rl.observation import HISTORY, NAMES
from quant.rl.reward import Terms
from tests.rl import worlds

N_DAYS = 320


@pytest.fixture(scope="module")
def world():
    return worlds.world(True, 3, N_DAYS, 16)


def test_a_replay_that_nobody_steers_is_the_backtest_to_the_last_bit(world):
    first, last = 120, 200
    p = world.policy
    policy = world.fresh(first)
    own = engine.run(
        p.market, policy, world.desk(), charges=p.charges, capital=world.capital, first=first,
        last=last,
    )  # fmt: skip
    played = play(world, constantly(None), first, last)
    np.testing.assert_array_equal(played.result.nav[:-1], own.nav[:-1])
    # the last decision is recorded in a backtest and has nothing to follow it in a replay
    assert played.result.nav[-1] == own.nav[-1]
    assert len(played.steps) == last - first


def test_knobs_in_the_middle_are_the_run_s_own(world):
    usual = play(world, constantly(world.usual), 120, 150).result.nav
    loose = replace(world, policy=replace(world.policy, signals=replace(
        world.policy.signals, vol_target=np.full(N_DAYS, 0.12))))  # fmt: skip
    own = play(loose, constantly(None), 120, 150).result.nav
    np.testing.assert_allclose(usual, own, rtol=1e-12)


def test_rewards_add_up_to_the_book(world):
    """Gains less costs, compounded, are the returns; the accounting identity of the reward."""
    played = play(replace(world, terms=Terms("literal", 0.0, 0.0)), constantly(None), 120, 180)
    net = np.array([s.reward for s in played.steps])
    np.testing.assert_allclose(net, played.result.returns, atol=1e-14)
    parts = np.array([s.parts for s in played.steps])
    cost = played.result.cost + played.result.fee
    np.testing.assert_allclose(parts[:, 1] * played.result.nav[:-1], cost[1:], atol=1e-6)
    assert (parts[1:, 1] > 0).any()


def test_the_volatility_target_is_the_smaller_of_the_two(world):
    seen = world.policy.signals
    tight = replace(world, policy=replace(world.policy, signals=replace(
        seen, vol_target=np.full(N_DAYS, 0.09))))  # fmt: skip
    for world_, knob, expected in ((tight, 0.15, 0.09), (world, 0.08, 0.08), (world, 0.15, 0.15)):
        replay = Replay(world_)
        replay.reset(120, 125)
        knobs = constant(8.0, 0.2, knob)
        problem = replay.policy.problem(120, replay.walk.state, np.arange(16), knobs)
        assert problem.vol_target == pytest.approx(expected)


def test_knobs_reach_the_problem_and_statutory_fees_do_not_move(world):
    p = world.policy
    fee = np.full(N_DAYS, 1e-3)
    paid = replace(p.charges, buy_fee=fee, sell_fee=fee)
    replay = Replay(replace(world, policy=replace(p, charges=paid)))
    replay.reset(120, 125)
    state, names = replay.walk.state, np.arange(16)
    base = replay.policy.problem(120, state, names)
    knobs = replace(world.usual, gamma=12.0, lambda1=2e-3, lambda2=1e-4, tau=0.3, caps=0.5)
    turned = replay.policy.problem(120, state, names, knobs)
    assert (turned.gamma, turned.tau) == (12.0, 0.3)
    np.testing.assert_allclose(turned.lambda1 - 1e-3, (base.lambda1 - 1e-3) * 20**0.5)
    np.testing.assert_allclose(turned.lambda2, base.lambda2 * 10)
    np.testing.assert_allclose(turned.group_high, base.group_high * 0.5)
    np.testing.assert_array_equal(turned.mu, base.mu)  # the premium keeps its own gamma


def test_every_so_many_decisions_clarabel_agrees(world):
    replay = Replay(world, referee=5)
    replay.reset(120, 160)
    while not replay.over:
        replay.step(at_random(np.random.default_rng(replay.session))(np.zeros(0), 0))
    assert replay.refereed == 8 and replay.apart < 2e-8


def test_a_referee_that_disagrees_stops_the_replay(world, monkeypatch):
    right = env.solve
    monkeypatch.setattr(
        env, "solve", lambda *a: replace(right(*a), objective=right(*a).objective + 1.0)
    )
    replay = Replay(world, referee=1)
    replay.reset(120, 160)
    with pytest.raises(SolveError, match="two certificates allow"):
        replay.step(None)


def test_a_book_that_is_rebalanced_weekly_decides_weekly(world):
    weekly = replace(world, policy=replace(
        world.policy, constants=replace(world.policy.constants, every=5)))  # fmt: skip
    played = play(weekly, constantly(None), 120, 160)
    assert played.sessions == tuple(range(120, 160, 5))
    total = sum(s.reward for s in played.steps)
    assert total == pytest.approx(1e4 * played.result.returns.sum(), rel=0.05)


def test_observations_are_the_last_forty_sessions(world):
    replay = Replay(world)
    replay.reset(120, 170)
    before = replay.observe()
    replay.step(None)
    after = replay.observe()
    assert before.shape == (HISTORY, len(NAMES))
    np.testing.assert_array_equal(before[1:], after[:-1])


def test_the_rule_is_two_lines(world):
    usual = replace(world.usual, vol_target=0.12)
    seen = np.zeros((HISTORY, 33))
    rule = by_crisis(usual)
    column = NAMES.index("vol_crisis_mean")
    for crisis, target in ((0.0, 0.12), (0.5, 0.10), (1.0, 0.08)):
        seen[-1, column] = crisis
        assert rule(seen, 0) == replace(usual, vol_target=pytest.approx(target))


def test_a_replay_must_begin_where_everything_is_known(world):
    replay = Replay(world)
    with pytest.raises(ConfigError, match="begins at"):
        replay.reset(world.scene.first - 1, 200)
    with pytest.raises(ConfigError, match="ends after it began"):
        replay.reset(150, 150)


def test_without_tilts_only_tilts_go(world):
    tilted = replace(world, policy=replace(world.policy, signals=replace(
        world.policy.signals, tilt=np.full((N_DAYS, 16), 1e-3))))  # fmt: skip
    plain = without_tilts(tilted)
    assert not plain.policy.signals.tilt.any() and tilted.policy.signals.tilt.any()
    np.testing.assert_array_equal(plain.policy.signals.alpha, tilted.policy.signals.alpha)


def test_episodes_lie_inside_the_window():
    rng = np.random.default_rng(1)
    starts = windows(100, 200, 40, rng)
    drawn = [next(starts) for _ in range(500)]
    assert min(drawn) == 100 and max(drawn) == 160
    with pytest.raises(ConfigError, match="does not fit"):
        next(windows(100, 120, 40, rng))

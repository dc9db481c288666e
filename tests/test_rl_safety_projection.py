"""Acceptance, specification 4.4: whatever the controller asks, every solve is feasible.

Knobs are thrown at the optimizer from all over their bounds and from their corners; the physical
comes first, then groups, then volatility, then turnover (readings 16), and what gives way is told.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import DataError, ProblemError
from quant.optimizer.knobs import HIGH, LOW, Knobs, within
from quant.rl.controller import Controller, choose_knobs
from quant.rl.env import Replay, at_random
from quant.rl.network import SHAPES, Policy
from quant.rl.observation import NAMES
from tests.rl import worlds

N_DAYS = 400


@pytest.fixture(scope="module")
def world():
    return worlds.world(True, 11, N_DAYS, 24)


def wild(seed: int = 1) -> Policy:
    """A policy that says extreme things."""
    rng = np.random.default_rng(seed)
    weights = {n: rng.normal(0, 1.0, s) for n, s in SHAPES.items()}
    weights["head"] *= 5.0
    weights["spread"] = np.abs(weights["spread"]) + 0.1
    return Policy(weights, "us", NAMES, seed, 0)


def solved(replay, knobs):
    """Solve with the knobs, check the certificate, play on."""
    state, t = replay.walk.state, replay.walk.t
    _, problem, solution = replay.policy.decision(t, state, knobs)
    assert solution.violation <= 1e-6 and abs(solution.gap) <= 1e-8
    return problem, solution


def test_no_violation_under_any_knobs(world):
    replay = Replay(world)
    replay.reset(120, 320)
    choose = at_random(np.random.default_rng(3))
    while not replay.over:
        knobs = choose(np.zeros(0), 0)
        solved(replay, knobs)
        replay.step(knobs)


def test_no_violation_at_the_corners_of_the_bounds(world):
    replay = Replay(world)
    replay.reset(120, 200)
    for corner in itertools.product((0, 1), repeat=6):
        knobs = Knobs(*np.where(corner, HIGH, LOW))
        solved(replay, knobs)
        replay.step(knobs)


def test_a_wild_policy_stays_within_the_bounds(world):
    policy, replay = wild(), Replay(world)
    replay.reset(120, 200)
    chosen = []
    while not replay.over:
        knobs = choose_knobs(policy, replay.observe())
        chosen.append(knobs.vector())
        replay.step(knobs)
    values = np.array(chosen)
    assert ((values >= LOW) & (values <= HIGH)).all()
    assert values.std(axis=0).max() > 0  # it did say different things


def test_a_turnover_too_small_for_the_target_gives_way_and_is_counted(world):
    """From a full book to 8 % volatility with tau 0.05: volatility is harder than turnover."""
    loud = replace(world, policy=replace(world.policy, signals=replace(
        world.policy.signals, returns=4.0 * world.policy.signals.returns)))  # fmt: skip
    replay = Replay(loud)
    replay.reset(120, 200)
    calm = within(np.array([4.0, 1e-4, 1e-6, 0.35, 1.0, 0.15]))
    for _ in range(20):
        replay.step(calm)
    tight = replace(calm, tau=0.05, vol_target=0.08)
    problem, solution = solved(replay, tight)
    assert solution.tau_eff > tight.tau and solution.vol <= problem.vol_target + 1e-6
    assert "turnover" in replay.step(tight).relaxed


def test_suspended_names_are_not_traded_whatever_the_knobs(world):
    p = world.policy
    tradable = p.market.tradable.copy()
    tradable[121:, :8] = False
    still = replace(world, policy=replace(p, market=replace(p.market, tradable=tradable)))
    replay = Replay(still)
    replay.reset(120, 140)
    replay.step(None)
    for corner in (LOW, HIGH):
        _, solution = solved(replay, within(corner))
        assert np.abs(solution.trades[:8]).max() == 0.0


def test_a_policy_that_says_no_number_is_not_obeyed(world):
    replay = Replay(world)
    replay.reset(120, 140)
    seen = replay.observe()
    seen[5, 5] = np.nan
    with pytest.raises(DataError, match="finite"):
        choose_knobs(wild(), seen)
    with pytest.raises(ProblemError, match="finite"):
        within(np.array([np.nan] * 6))


def test_the_controller_of_the_backtest_sees_what_training_saw(world):
    """Same policy, same book: a replay and a backtest make the same decisions, to the last bit."""
    from quant.backtest import engine

    policy, first, last = wild(), 130, 200
    replay = Replay(world)
    replay.reset(first, last)
    said = []
    while not replay.over:
        said.append(choose_knobs(policy, replay.observe()))
        replay.step(said[-1])
    book = world.fresh(first)
    book.choose = Controller(policy, world.scene, book, first)
    p = world.policy
    result = engine.run(
        p.market, book, world.desk(), charges=p.charges, capital=world.capital, first=first,
        last=last,
    )  # fmt: skip
    np.testing.assert_array_equal(result.nav, replay.result().nav)
    turned = book.knobs()[list(vars(said[0]))].to_numpy()
    np.testing.assert_array_equal(turned[:-1], [k.vector() for k in said])


def test_before_its_time_the_controller_watches_and_is_silent(world):
    from quant.backtest import engine

    begins, first, last = 160, 110, 200
    p = world.policy

    def nav(choose):
        book = world.fresh(first)
        book.choose = choose(book) if choose else None
        made = engine.run(
            p.market, book, world.desk(), charges=p.charges, capital=world.capital, first=first,
            last=last,
        )  # fmt: skip
        return made.nav, book.knobs()

    plain, none = nav(None)
    steered, turned = nav(lambda book: Controller(wild(), world.scene, book, begins))
    np.testing.assert_array_equal(plain[: begins - first + 1], steered[: begins - first + 1])
    assert (plain[begins - first + 2 :] != steered[begins - first + 2 :]).any()
    assert not len(none)
    assert turned["date"].min() == world.scene.dates[begins].astype("M8[ns]")

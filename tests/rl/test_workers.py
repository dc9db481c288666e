"""Replays in other processes: the same in any number of them, and again after a stop."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from quant.core.errors import ConfigError
from quant.optimizer.knobs import within
from quant.rl.action import knobs_of
from quant.rl.env import constantly, play
from quant.rl.rivals import Job, best_constants, played, sharpe, spread
from quant.rl.workers import Plan, Runner, Workers
from quant.stages.rl_train import reference
from tests.rl import worlds

N_DAYS, FIRST = 260, 110


@pytest.fixture(scope="module")
def world():
    return worlds.world(True, 3, N_DAYS, 12)


@pytest.fixture(scope="module")
def plan(world):
    return Plan(20, reference(world, world.usual, FIRST, N_DAYS - 1))


def threads(world, job) -> list[int]:
    play(world, constantly(None), FIRST, FIRST + 3)  # whatever it loads is loaded
    return [library["num_threads"] for library in threadpool_info()]


def test_every_library_of_a_worker_has_one_thread(world, tmp_path, monkeypatch):
    """Compiled code calls another BLAS than numpy's, and its spinning threads cost a lot."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with Workers(world, None, 0, 1, tmp_path) as workers:
        (counts,) = workers.map(threads, [None])
    assert len(counts) >= 2 and set(counts) == {1}


def told(k: int) -> list:
    rng = np.random.default_rng(k)
    return [knobs_of(rng.normal(size=6)) for _ in range(5)]


def test_the_reference_takes_the_market_s_luck_off_and_no_more(world, plan):
    usual = play(world, constantly(world.usual), FIRST, N_DAYS - 1)
    np.testing.assert_allclose(
        plan.reference[FIRST + 1 :], [s.reward for s in usual.steps], atol=1e-12
    )
    runner = Runner(world, plan)
    runner.reset(FIRST)
    for _ in range(10):
        _, better, reward, parts, _, _ = runner.step(world.usual)
        assert better == pytest.approx(0.0, abs=1e-9)  # the same book as the reference's
        assert reward == pytest.approx(parts[0] - parts[1:].sum())


@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_processes_does_the_same(world, plan, tmp_path, count):
    alone = []
    for k in range(3):
        runner = Runner(world, plan)
        runner.reset(FIRST + k)
        alone.append([runner.step(knobs) for knobs in told(k)][-1])
    with Workers(world, plan, 3, count, tmp_path) as workers:
        workers.each("reset", [FIRST + k for k in range(3)])
        for j in range(5):
            made = workers.each("step", [told(k)[j] for k in range(3)])
        for mine, theirs in zip(alone, made, strict=True):
            np.testing.assert_array_equal(mine[0], theirs[0])
            assert mine[1] == theirs[1]
        # a replay stands again where its state was taken
        states = workers.each("state", [None] * 3)
        workers.each("reset", [FIRST] * 3)
        again = workers.each("restore", states)
        for theirs, seen in zip(made, again, strict=True):
            np.testing.assert_array_equal(theirs[0], seen)
        some = workers.some("reset", {1: FIRST + 1})
        assert set(some) == {1}
        jobs = [Job(None, FIRST, FIRST + 20), Job("random", FIRST, FIRST + 20, seed=5)]
        for job, book in zip(jobs, workers.map(played, jobs), strict=True):
            np.testing.assert_array_equal(book.returns, played(world, job).returns)


def test_an_error_in_a_worker_is_the_parent_s(world, plan, tmp_path):
    with Workers(world, plan, 1, 1, tmp_path) as workers:
        with pytest.raises(ConfigError, match="begins at"):
            workers.each("reset", [0])
        assert workers.each("reset", [FIRST])[0].shape == (40, 33)


def test_the_best_constants_are_searched_the_same_way_twice(world):
    def evaluate(asked):
        # a hill whose top is known
        return [-abs(np.log(k.gamma / 12)) - abs(k.tau - 0.1) for k in asked]

    found = best_constants(evaluate, world.usual, 60, 7)
    again = best_constants(evaluate, world.usual, 60, 7)
    assert found == again and len(found) == 60
    assert found[0].knobs == world.usual  # never worse than doing nothing
    best = max(found, key=lambda one: one.sharpe)
    assert abs(best.knobs.tau - 0.1) < 0.05 and 8 < best.knobs.gamma < 18


def test_the_spread_covers_the_bounds():
    settings = spread(16, 3)
    values = np.array([k.vector() for k in settings])
    assert len({k for k in settings}) == 16
    for row in values:
        np.testing.assert_array_equal(within(row).vector(), row)
    taus = np.sort(values[:, 3])
    assert taus[0] < 0.08 and taus[-1] > 0.32


def test_every_kind_of_book_can_be_played(world):
    usual = played(world, Job(None, FIRST, FIRST + 30))
    for who in ("random", "rule", world.usual):
        book = played(world, Job(who, FIRST, FIRST + 30, seed=1))
        assert book.returns.shape == usual.returns.shape == (30,)
        assert book.knobs.shape == (30, 6) and book.parts.shape == (30, 4)
    assert np.isfinite(sharpe(usual))

"""PPO on the replay: conformant, deterministic, resumable, and true to the numpy policy."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import StoreError
from quant.rl.network import Policy
from quant.rl.workers import Plan, Runner, Workers
from tests.rl import worlds
from tests.shared import case

torch = pytest.importorskip("torch", reason="needs torch: `make setup` installs it")
with warnings.catch_warnings():  # gym, which nothing here uses, warns of itself
    warnings.simplefilter("ignore")
    from stable_baselines3.common.buffers import RolloutBuffer
    from stable_baselines3.common.env_checker import check_env

    from quant.rl import ppo
    from quant.rl.ppo import Lockstep, MarketEnv, Settings, Training

pytestmark = pytest.mark.filterwarnings("ignore")
N_DAYS, FIRST, LAST, LENGTH = 420, 110, 400, 40
SETTINGS = Settings(
    steps=768, n_envs=4, batch=128, minibatch=64, epochs=2, lr=1e-3, warmup=128, every=256,
    patience=99,
)  # fmt: skip


@pytest.fixture(scope="module")
def world():
    return worlds.world(True, 3, N_DAYS, 10)


@pytest.fixture(scope="module")
def workers(world, tmp_path_factory):
    plan = Plan(LENGTH, np.zeros(N_DAYS))
    with Workers(world, plan, SETTINGS.n_envs, 2, tmp_path_factory.mktemp("workers")) as made:
        yield made


def look(policy: Policy) -> dict[str, float]:
    """Some number that a policy has, another for every policy."""
    return {"dsr": float(np.abs(policy.weights["head"]).sum()), "sharpe": 0.0}


def training(world, workers, folder, settings=SETTINGS, seed=42):
    folder.mkdir(exist_ok=True)
    return Training(workers, world.usual, (FIRST, LAST), LENGTH, settings, look, "us", seed, folder)


def quietly(done, total=0):
    return None


def test_the_checkers_of_gymnasium_and_stable_baselines3_pass(world):
    from gymnasium.utils.env_checker import check_env as check_gymnasium

    env = MarketEnv(Runner(world, Plan(LENGTH, np.zeros(N_DAYS))), FIRST, LAST)
    check_env(env, warn=False)
    check_gymnasium(env, skip_render_check=True)


def test_an_episode_is_cut_by_time_and_never_ends_by_itself(world):
    env = MarketEnv(Runner(world, Plan(LENGTH, np.zeros(N_DAYS))), FIRST, LAST)
    env.reset(seed=1)
    ends = [env.step(np.zeros(6, np.float32))[2:4] for _ in range(LENGTH)]
    assert [e for e in ends[:-1] if any(e)] == [] and ends[-1] == (False, True)


def test_advantages_are_those_of_the_shared_case():
    told = case("09_gae_dev")
    given, expected = told["inputs"], told["expected"]
    n = len(given["rewards"])
    seen, acted = ppo.spaces()
    buffer = RolloutBuffer(
        n, seen, acted, gae_lambda=given["gae_lambda"], gamma=given["gamma"], n_envs=1
    )
    for k in range(n):
        buffer.add(
            np.zeros((1, *seen.shape)), np.zeros((1, 6)), np.array([given["rewards"][k]]),
            np.array([given["episode_starts"][k]]), torch.tensor([given["values"][k]]),
            torch.tensor([0.0]),
        )  # fmt: skip
    buffer.compute_returns_and_advantage(
        torch.tensor([given["last_value"]]), np.array([given["last_done"]])
    )
    np.testing.assert_allclose(buffer.advantages.ravel(), expected["advantages"], atol=1e-6)
    np.testing.assert_allclose(buffer.returns.ravel(), expected["returns"], atol=1e-6)


def test_the_learner_clips_as_the_shared_case_says(world, workers, tmp_path):
    """The loss of the case, and that the learner is given the case's clip."""
    told = case("09_ppo_clip")
    ratio, gain = (
        torch.tensor(told["inputs"][name], dtype=torch.float64) for name in ("ratio", "advantage")
    )
    clip = training(world, workers, tmp_path / "a").model.clip_range(1.0)
    assert clip == told["inputs"]["clip"]
    loss = -torch.min(gain * ratio, gain * torch.clamp(ratio, 1 - clip, 1 + clip))
    np.testing.assert_allclose(loss, told["expected"]["loss_per_sample"], atol=1e-6)


def test_numpy_and_torch_say_the_same(world, workers, tmp_path):
    made = training(world, workers, tmp_path / "a")
    made.env.reset()
    with torch.no_grad():  # a head that says something
        made.model.policy.action_net.weight.normal_(0, 0.5)
    policy = made.policy()
    for raw in made.env.raw:
        seen = made.env.normalised([raw])
        said, _ = made.model.predict(seen, deterministic=True)
        np.testing.assert_allclose(policy(raw), said[0], atol=2e-5)


def test_in_the_warm_up_knobs_are_fixed_and_only_the_critic_learns(world, workers, tmp_path):
    made = training(world, workers, tmp_path / "a", replace(SETTINGS, steps=128))
    before = {k: v.clone() for k, v in made.model.policy.state_dict().items()}
    made.run(quietly, quietly)
    after = made.model.policy.state_dict()
    for name in ("action_net.weight", "action_net.bias", "log_std"):
        assert torch.equal(before[name], after[name]), name
    assert not torch.equal(before["value_net.weight"], after["value_net.weight"])
    states = workers.each("state", [None] * SETTINGS.n_envs)
    assert {knobs for _, told in states for knobs in told} == {world.usual}
    assert made.env.seen_moments.count > 128


def test_scales_are_frozen_after_the_warm_up(world, workers, tmp_path):
    made = training(world, workers, tmp_path / "a")
    made.run(quietly, quietly)
    # 40 sessions of every first observation, and one of each step of the warm-up
    starts = SETTINGS.n_envs * 40
    assert made.env.seen_moments.count == starts + SETTINGS.warmup
    assert made.env.reward_moments.count == SETTINGS.warmup


def test_the_first_policy_is_the_run_s_own_knobs(world, workers, tmp_path):
    made = training(world, workers, tmp_path / "a")
    made.env.reset()
    from quant.rl.controller import choose_knobs

    knobs = choose_knobs(made.policy(), made.env.raw[0])
    assert knobs.tau == pytest.approx(world.usual.tau, abs=0.02)
    assert knobs.gamma == pytest.approx(world.usual.gamma, rel=0.1)


def same(a: Policy, b: Policy) -> bool:
    return all(np.array_equal(a.weights[k], b.weights[k]) for k in a.weights)


def test_the_same_seed_gives_the_same_bytes_and_another_another(world, workers, tmp_path):
    first, again, other = (
        training(world, workers, tmp_path / name, seed=seed).run(quietly, quietly)
        for name, seed in (("a", 42), ("b", 42), ("c", 43))
    )
    assert same(first.best, again.best) and first.curve == again.curve
    assert not same(first.best, other.best)


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_to_the_same_result(world, workers, tmp_path):
    whole = training(world, workers, tmp_path / "whole").run(quietly, quietly)
    kept = tmp_path / "cut"

    def die(done, total):
        if done >= 640:  # after the checkpoint at 512, in the middle of an interval
            raise Killed

    with pytest.raises(Killed):
        training(world, workers, kept).run(die, quietly)
    resumed = training(world, workers, kept).run(quietly, quietly)
    assert same(whole.best, resumed.best)
    pd.testing.assert_frame_equal(pd.DataFrame(whole.curve), pd.DataFrame(resumed.curve))
    assert whole.looks == resumed.looks
    # once more: the end is remembered, nothing is trained
    assert same(training(world, workers, kept).run(die, quietly).best, whole.best)


def test_training_stops_where_validation_is_flat_and_keeps_the_best(world, workers, tmp_path):
    made = training(world, workers, tmp_path / "a", replace(SETTINGS, steps=10_000, patience=2))
    values = iter([0.1, 0.5, 0.4, 0.51, 0.9])
    made.look = lambda policy: {"dsr": next(values)}
    record = made.run(quietly, quietly)
    assert [row["best"] for row in record.looks] == [1.0, 1.0, 0.0, 0.0]
    assert record.best.step == 512 and record.ended


def test_a_damaged_checkpoint_is_named(world, workers, tmp_path):
    made = training(world, workers, tmp_path / "a")
    made.path.write_bytes(b"broken")
    with pytest.raises(StoreError, match="delete it"):
        made.run(quietly, quietly)


def test_the_value_of_what_would_have_come_is_kept_at_the_cut(world, workers):
    env = Lockstep(workers, world.usual, 0, (FIRST, LAST), LENGTH, np.random.default_rng(1))
    env.reset()
    for _ in range(LENGTH - 1):
        _, _, over, infos = env.step(np.zeros((4, 6), np.float32))
        assert not over.any() and not any(infos)
    seen, _, over, infos = env.step(np.zeros((4, 6), np.float32))
    assert over.all() and all(one["TimeLimit.truncated"] for one in infos)
    # the observation returned is of the next episode, that of the last is kept aside
    assert not np.array_equal(infos[0]["terminal_observation"], seen[0])

"""PPO (Schulman et al. 2017) by stable-baselines3 on replays in lockstep: the only door to torch.

The network sees the window of 40 sessions as a whole (an LSTM over it, then linear heads), so that
training and `choose_knobs` see the same thing. Episodes end by time alone: the value of what would
have come is added to the last reward (a truncation, not a termination).
"""

import io
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv

from quant.core.errors import StoreError
from quant.core.seeds import derive, generator
from quant.optimizer.knobs import NAMES as KNOBS
from quant.optimizer.knobs import Knobs
from quant.rl import norm
from quant.rl.action import hits, knobs_of, raw_of
from quant.rl.env import windows
from quant.rl.network import HIDDEN, Policy
from quant.rl.observation import HISTORY, NAMES
from quant.rl.stopping import Plateau
from quant.rl.workers import Runner, Workers

# what the squashing makes of it is the bound to sixteen digits
_FAR = 10.0


def spaces() -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Of observations (40, 33) and of actions (6,), the numbers before they are squashed."""
    seen = gymnasium.spaces.Box(-np.inf, np.inf, (HISTORY, len(NAMES)), np.float32)
    return seen, gymnasium.spaces.Box(-_FAR, _FAR, (len(KNOBS),), np.float32)


class MarketEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """One replay as a Gymnasium environment, for those who bring their own learner.

    first, last : sessions between which episodes are drawn
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, runner: Runner, first: int, last: int) -> None:
        self.observation_space, self.action_space = spaces()
        self.render_mode = None
        self._runner, self._window = runner, (first, last)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode somewhere in the window."""
        super().reset(seed=seed)
        first, last = self._window
        start = next(windows(first, last, self._runner.plan.length, self.np_random))
        return self._runner.reset(start).astype(np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play on to the next decision; an episode is cut by time, it never ends by itself."""
        knobs = knobs_of(action)
        seen, value, _, parts, over, relaxed = self._runner.step(knobs)
        info = {"knobs": knobs, "parts": parts, "relaxed": relaxed}
        return seen.astype(np.float32), value, False, over, info


class Lockstep(VecEnv):
    """The workers' replays as stable-baselines3 wants them; normalises, and warms up.

    usual   : knobs that are in force, whatever the policy says, in the first `warmup` steps
    Observations and rewards are normalised by what the warm-up saw; then their scale is frozen.
    """

    def __init__(
        self, workers: Workers, usual: Knobs, warmup: int, window: tuple[int, int], length: int,
        rng: np.random.Generator,
    ):  # fmt: skip
        self.workers, self.usual, self.warmup = workers, usual, warmup
        self.starts = windows(*window, length, rng)
        self.seen_moments, self.reward_moments = norm.Moments(len(NAMES)), norm.Moments(1)
        self.steps = 0
        self.tally: dict[str, Any] = _tally()
        self.raw: list[np.ndarray] = []
        self.render_mode = None
        super().__init__(workers.n_envs, *spaces())

    @property
    def warming(self) -> bool:
        """Whether knobs are still fixed, and scales still learned."""
        return self.steps < self.warmup

    def normalised(self, seen: list[np.ndarray]) -> np.ndarray:
        """(n_envs, 40, 33) float32."""
        moments = self.seen_moments
        return norm.scaled(np.stack(seen), moments.mean, moments.spread)

    def reset(self) -> np.ndarray:
        """Begin an episode everywhere."""
        self.raw = self.workers.each("reset", [next(self.starts) for _ in range(self.num_envs)])
        self.seen_moments.add(np.concatenate(self.raw))
        return self.normalised(self.raw)

    def step_async(self, actions: np.ndarray) -> None:
        """Say what the knobs are to be."""
        chosen = [knobs_of(action) for action in actions]
        self.tally["hits"] += hits(chosen).sum(axis=0)
        self._knobs = [self.usual] * self.num_envs if self.warming else chosen

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Play on to the next decision everywhere; begin again where an episode is over."""
        made = self.workers.each("step", self._knobs)
        seen = [one[0] for one in made]
        rewards = np.array([one[1] for one in made])
        plain = np.array([one[2] for one in made])
        over = np.array([one[4] for one in made])
        if self.warming:
            self.seen_moments.add(np.stack([one[-1] for one in seen]))
            self.reward_moments.add(plain[:, None])
        self.steps += self.num_envs
        self.tally["steps"] += self.num_envs
        self.tally["reward"] += plain.sum()
        self.tally["better"] += rewards.sum()
        self.tally["parts"] += np.sum([one[3] for one in made], axis=0)
        self.tally["relaxed"] += sum(one[5] for one in made)
        infos: list[dict[str, Any]] = [{} for _ in made]
        ended = np.flatnonzero(over)
        if ended.size:
            last = self.normalised(seen)
            for k in ended:
                infos[k] = {"terminal_observation": last[k], "TimeLimit.truncated": True}
            again = self.workers.some("reset", {int(k): next(self.starts) for k in ended})
            for k, first in again.items():
                seen[k] = first
        self.raw = seen
        scale = float(self.reward_moments.spread[0])
        return self.normalised(seen), (rewards / scale).astype(np.float32), over, infos

    def close(self) -> None:
        """The workers are not ours to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Every replay has the same."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nothing of a replay may be set."""
        raise AttributeError(f"{attr_name} of a replay can not be set")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kw: Any) -> list[Any]:
        """A replay has no other methods."""
        raise AttributeError(f"a replay has no method {method_name}")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """None is."""
        return [False for _ in self._get_indices(indices)]


def _tally() -> dict[str, Any]:
    return {
        "steps": 0, "reward": 0.0, "better": 0.0, "relaxed": 0, "parts": np.zeros(4),
        "hits": np.zeros(len(KNOBS)),
    }  # fmt: skip


class Encoder(BaseFeaturesExtractor):
    """The last state of an LSTM over the window."""

    def __init__(self, observation_space: gymnasium.Space[Any]) -> None:
        super().__init__(observation_space, HIDDEN)
        self.lstm = torch.nn.LSTM(len(NAMES), HIDDEN, batch_first=True)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(n, 40, 33) -> (n, 64)."""
        return self.lstm(observations)[1][0][-1]


class WarmPPO(PPO):
    """PPO whose first steps teach the critic alone: there the policy's actions had no effect."""

    warmup = 0

    def train(self) -> None:
        """One update from the rollout."""
        if self.num_timesteps > self.warmup:
            super().train()
            return
        self.policy.set_training_mode(True)
        for _ in range(self.n_epochs):
            for batch in self.rollout_buffer.get(self.batch_size):
                values = self.policy.predict_values(batch.observations).flatten()
                loss = self.vf_coef * torch.nn.functional.mse_loss(batch.returns, values)
                self.policy.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
        self.logger.record("train/value_loss", loss.item())


@dataclass(frozen=True)
class Settings:
    """Of the training, as the specification names them (4.2).

    batch      : steps of a rollout, over n_envs replays; minibatch : of its updates
    least, patience : of the early stop, see quant.rl.stopping
    every      : steps between looks at the validation sessions, each with a checkpoint
    """

    steps: int
    n_envs: int = 16
    batch: int = 4096
    minibatch: int = 4096
    epochs: int = 5
    lr: float = 3e-4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.0
    log_std: float = -0.5
    warmup: int = 20_000
    every: int = 20_480
    least: float = 0.02
    patience: int = 5
    threads: int = 1
    device: str = "cpu"


@dataclass
class Record:
    """What training leaves: the best policy, its looks, the curve; plain values, so it pickles.

    curve : a row for each rollout; looks : a row for each look
    """

    curve: list[dict[str, float]] = field(default_factory=list)
    looks: list[dict[str, float]] = field(default_factory=list)
    best: Policy | None = None
    ended: bool = False


# validation of a policy -> its numbers; "dsr" among them decides
Look = Callable[[Policy], Mapping[str, float]]


class Training:
    """One seed's training; `run` goes on from its last checkpoint where there is one.

    look   : judges a policy on the validation sessions
    folder : of checkpoints; one file, replaced whole
    """

    def __init__(
        self, workers: Workers, usual: Knobs, window: tuple[int, int], length: int,
        settings: Settings, look: Look, region: str, seed: int, folder: Path,
    ):  # fmt: skip
        self.settings, self.look, self.region, self.seed = settings, look, region, seed
        s = settings
        torch.set_num_threads(s.threads)
        self.rng = generator(seed, "rl", "episodes")
        self.env = Lockstep(workers, usual, s.warmup, window, length, self.rng)
        self.plateau = Plateau(s.least, s.patience)
        self.record = Record()
        self.path = folder / f"seed-{seed}.checkpoint"
        with _quiet():
            self.model = WarmPPO(
                ActorCriticPolicy, self.env, learning_rate=s.lr, n_steps=s.batch // s.n_envs,
                batch_size=min(s.minibatch, s.batch), n_epochs=s.epochs, gamma=s.gamma,
                gae_lambda=s.gae_lambda, clip_range=s.clip, ent_coef=s.entropy,
                seed=derive(seed, "rl", "torch"), device=s.device,
                policy_kwargs={
                    "features_extractor_class": Encoder, "net_arch": [],
                    "log_std_init": s.log_std,
                },
            )  # fmt: skip
        self.model.warmup = s.warmup
        with torch.no_grad():
            self.model.policy.action_net.bias.copy_(torch.as_tensor(raw_of(usual)))

    def run(self, tick: Callable[[int, int], None], said: Callable[[str], None]) -> Record:
        """Train to the end: the steps asked for, or no more improvement.

        tick : called with the steps done; said : called with a line at every look
        """
        total = self.settings.steps
        if self.path.exists():
            self._restore()
            said(f"seed {self.seed}: goes on at step {self.model.num_timesteps:,}")
            if self.record.ended:
                return self.record
            # before the set-up, which would begin new episodes where there is no observation
            self.model._last_obs = self.env.normalised(self.env.raw)
            self.model._last_episode_starts = self._starts
            _, callback = self.model._setup_learn(total, _Quiet(), False)
        else:
            _, callback = self.model._setup_learn(total, _Quiet(), True)
        began, steps_then = time.monotonic(), self.model.num_timesteps
        while not self.record.ended:
            m = self.model
            m.collect_rollouts(m.env, callback, m.rollout_buffer, m.n_steps)
            m.train()
            self._note()
            tick(min(m.num_timesteps, total), total)
            done = m.num_timesteps >= total
            if (
                m.num_timesteps // self.settings.every
                > (m.num_timesteps - self.settings.batch) // self.settings.every
                or done
            ):
                rate = (m.num_timesteps - steps_then) / (time.monotonic() - began)
                self._look(said, rate, done)
                self._keep()
        return self.record

    def policy(self) -> Policy:
        """The policy as it stands, in numpy."""
        state = {k: v.detach().cpu().numpy() for k, v in self.model.policy.state_dict().items()}
        lstm = "features_extractor.lstm."
        moments = self.env.seen_moments
        return Policy(
            {
                "mean": moments.mean.copy(),
                "spread": moments.spread,
                "input": state[f"{lstm}weight_ih_l0"],
                "hidden": state[f"{lstm}weight_hh_l0"],
                "bias": state[f"{lstm}bias_ih_l0"] + state[f"{lstm}bias_hh_l0"],
                "head": state["action_net.weight"],
                "head_bias": state["action_net.bias"],
            },
            self.region, NAMES, self.seed, int(self.model.num_timesteps),
        )  # fmt: skip

    def _note(self) -> None:
        """A row of the curve from the rollout and the update that followed it."""
        tally, self.env.tally = self.env.tally, _tally()
        values = self.model.logger.name_to_value
        steps = tally["steps"]
        row = {
            "step": float(self.model.num_timesteps),
            "reward": tally["reward"] / steps,
            "better": tally["better"] / steps,
            "relaxed": tally["relaxed"] / steps,
            "value_loss": float(values.get("train/value_loss", np.nan)),
            "approx_kl": float(values.get("train/approx_kl", np.nan)),
            "clip_fraction": float(values.get("train/clip_fraction", np.nan)),
            "std": float(torch.exp(self.model.policy.log_std).mean().item()),
        }
        names = ("gain", "cost", "drawdown", "volatility")
        row |= {n: v / steps for n, v in zip(names, tally["parts"], strict=True)}
        row |= {f"hit_{n}": v / steps for n, v in zip(KNOBS, tally["hits"], strict=True)}
        values.clear()
        self.record.curve.append(row)

    def _look(self, said: Callable[[str], None], rate: float, done: bool) -> None:
        policy = self.policy()
        found = self.look(policy)
        warm = self.model.num_timesteps <= self.settings.warmup
        flat = False if warm else self.plateau.look(found["dsr"])
        better = self.plateau.since == 0 and not warm
        if better or self.record.best is None:
            self.record.best = policy
        self.record.looks.append({"step": float(policy.step), "best": float(better), **found})
        self.record.ended = done or flat
        left = (self.settings.steps - policy.step) / max(rate, 1e-9) / 60
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        said(
            f"seed {self.seed}: step {policy.step:,} of {self.settings.steps:,}, validation "
            f"{numbers}; {rate:.0f} steps/s, at most {left:.0f} min left"
            + ("; no more improvement" if flat else "")
        )

    def _keep(self) -> None:
        """Write the checkpoint: replaced whole, so a killed run finds one that is whole."""
        weights = io.BytesIO()
        torch.save(
            {
                "policy": self.model.policy.state_dict(),
                "optimizer": self.model.policy.optimizer.state_dict(),
                "torch": torch.get_rng_state(),
            },
            weights,
        )
        state = {
            "weights": weights.getvalue(),
            "numpy": np.random.get_state(),
            "episodes": self.rng.bit_generator.state,
            "replays": self.env.workers.each("state", [None] * self.env.num_envs),
            "moments": (self.env.seen_moments, self.env.reward_moments, self.env.steps),
            "starts": self.model._last_episode_starts,
            "timesteps": self.model.num_timesteps,
            "updates": self.model._n_updates,
            "plateau": self.plateau,
            "record": self.record,
        }
        part = self.path.with_suffix(".part")
        part.write_bytes(pickle.dumps(state))
        part.replace(self.path)

    def _restore(self) -> None:
        try:
            state = pickle.loads(self.path.read_bytes())
        except (pickle.UnpicklingError, EOFError, KeyError) as error:
            raise StoreError(
                f"the checkpoint {self.path} can not be read ({error}); delete it, and the "
                "training of this seed begins again."
            ) from error
        self.record, self.plateau = state["record"], state["plateau"]
        self.model.num_timesteps = state["timesteps"]
        if self.record.ended:
            return
        weights = torch.load(io.BytesIO(state["weights"]), weights_only=True)
        self.model.policy.load_state_dict(weights["policy"])
        self.model.policy.optimizer.load_state_dict(weights["optimizer"])
        self.env.seen_moments, self.env.reward_moments, self.env.steps = state["moments"]
        self.env.raw = self.env.workers.each("restore", state["replays"])
        self._starts = state["starts"]
        self.model._n_updates = state["updates"]
        self.rng.bit_generator.state = state["episodes"]
        np.random.set_state(state["numpy"])
        torch.set_rng_state(weights["torch"])


class _Quiet(BaseCallback):
    """Nothing is to be done at a step."""

    def _on_step(self) -> bool:
        return True


class _quiet:
    """Warnings that PPO gives by habit and that are answered here."""

    def __enter__(self) -> None:
        import warnings

        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        # one minibatch may be smaller than the others; a network on a GPU is the user's wish
        warnings.simplefilter("ignore", UserWarning)

    def __exit__(self, *error: object) -> None:
        self._caught.__exit__(*error)

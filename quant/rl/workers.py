"""Replays in other processes: many books in lockstep for training, whole books for judging.

Processes are spawned, not forked: those of the libraries that ran before (OpenMP) do not survive a
fork. Nothing depends on how many there are: replay k does the same in any process.
"""

import multiprocessing
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from quant.core.errors import QuantError
from quant.core.types import Matrix, Vector
from quant.optimizer.knobs import Knobs
from quant.rl.env import Replay, World


@dataclass(frozen=True)
class Plan:
    """How episodes are played in training.

    length    : sessions of an episode
    reference : (n_days,) reward that the usual knobs earned in each session, taken off every
                reward: the market's luck is in both, and what an action can not change carries no
                gradient (a control variate)
    referee   : every so many decisions is solved again by Clarabel, 0 = none
    """

    length: int
    reference: Vector
    referee: int = 0


class Runner:
    """One replay of training; its state is where it began and what it was told since."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world, self.plan = world, plan
        self.replay = Replay(world, plan.referee)
        self.first = -1
        self.told: list[Knobs | None] = []

    def reset(self, first: int) -> Matrix:
        """Begin an episode; returns the first observation."""
        self.first, self.told = first, []
        self.replay.reset(first, first + self.plan.length)
        return self.replay.observe()

    def step(self, knobs: Knobs | None) -> tuple[Matrix, float, float, Vector, bool, bool]:
        """(observation, reward less the reference's, reward, parts, over, relaxed)."""
        t = self.replay.session
        self.told.append(knobs)
        step = self.replay.step(knobs)
        usual = float(self.plan.reference[t + 1 : self.replay.session + 1].sum())
        return (
            self.replay.observe(), step.reward - usual, step.reward, step.parts, self.replay.over,
            bool(step.relaxed & {"turnover", "volatility", "group"}),
        )  # fmt: skip

    def state(self) -> tuple[int, list[Knobs | None]]:
        """Enough to stand here again."""
        return self.first, list(self.told)

    def restore(self, state: tuple[int, list[Knobs | None]]) -> Matrix:
        """Stand where `state` was taken: the same decisions lead to the same book."""
        first, told = state
        seen = self.reset(first)
        for knobs in told:
            seen = self.step(knobs)[0]
        return seen


class Workers:
    """`count` processes with a world each, and `n_envs` replays among them."""

    def __init__(self, world: World, plan: Plan | None, n_envs: int, count: int, folder: Path):
        path = folder / "world.pickle"
        path.write_bytes(pickle.dumps((world, plan), protocol=5))
        context = multiprocessing.get_context("spawn")
        self.n_envs = n_envs
        self.shares = [list(range(k, n_envs, count)) for k in range(count)]
        self.pipes: list[Connection] = []
        self.processes = []
        for share in self.shares:
            own, other = context.Pipe()
            process = context.Process(target=_serve, args=(other, path, len(share)), daemon=True)
            process.start()
            other.close()
            self.pipes.append(own)
            self.processes.append(process)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            try:
                pipe.send(("stop", None))
                pipe.close()
            except OSError:
                pass
        for process in self.processes:
            process.join(timeout=10)
            if process.is_alive():
                process.kill()

    def each(self, what: str, given: Sequence[Any]) -> list[Any]:
        """Do `what` (reset, step, restore) in every replay with its own of `given`, in order."""
        return self._ask(what, given, range(self.n_envs))

    def some(self, what: str, given: dict[int, Any]) -> dict[int, Any]:
        """The same in some of the replays."""
        made = self._ask(what, list(given.values()), list(given))
        return dict(zip(given, made, strict=True))

    def map(self, function: Callable[[World, Any], Any], jobs: Sequence[Any]) -> list[Any]:
        """`function(world, job)` of every job, in order; whoever is free takes the next."""
        results: list[Any] = [None] * len(jobs)
        waiting = list(enumerate(jobs))[::-1]
        busy: dict[int, int] = {}
        while waiting or busy:
            for k, pipe in enumerate(self.pipes):
                if k not in busy and waiting:
                    number, job = waiting.pop()
                    pipe.send(("call", (function, job)))
                    busy[k] = number
            ready = multiprocessing.connection.wait([self.pipes[k] for k in busy])
            for k in [k for k in busy if self.pipes[k] in ready]:
                results[busy.pop(k)] = _received(self.pipes[k])
        return results

    def _ask(self, what: str, given: Sequence[Any], numbers: Sequence[int]) -> list[Any]:
        among = dict(zip(numbers, given, strict=True))
        asked = []
        for share, pipe in zip(self.shares, self.pipes, strict=True):
            mine = {j: among[n] for j, n in enumerate(share) if n in among}
            if mine:
                pipe.send((what, mine))
                asked.append((share, pipe))
        made: dict[int, Any] = {}
        for share, pipe in asked:
            made |= {share[j]: result for j, result in _received(pipe).items()}
        return [made[n] for n in numbers]


def _received(pipe: Connection) -> Any:
    try:
        fine, result = pipe.recv()
    except EOFError:
        raise QuantError(
            "a worker of the controller's training died; look at the memory, and run the same "
            "command again: it goes on from the last checkpoint."
        ) from None
    if not fine:
        raise result
    return result


def _serve(pipe: Connection, path: Path, n_envs: int) -> None:
    # compiled code calls SciPy's BLAS: only what is loaded can be limited
    import scipy.linalg.cython_blas
    import scipy.linalg.cython_lapack  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        world, plan = pickle.loads(path.read_bytes())
        runners = [Runner(world, plan) for _ in range(n_envs)] if plan is not None else []
        while True:
            try:
                what, given = pipe.recv()
            except (EOFError, KeyboardInterrupt):
                return
            if what == "stop":
                return
            try:
                pipe.send((True, _done(world, runners, what, given)))
            except Exception as error:  # told to the parent, who raises it
                pipe.send((False, error))


def _done(world: World, runners: list[Runner], what: str, given: Any) -> Any:
    if what == "call":
        function, job = given
        return function(world, job)
    if what == "state":
        return {j: runners[j].state() for j in given}
    if what == "referee":
        return {j: (runners[j].replay.refereed, runners[j].replay.apart) for j in given}
    return {j: getattr(runners[j], what)(argument) for j, argument in given.items()}


def stacked(seen: Sequence[Matrix]) -> np.ndarray:
    """(n, 40, 33)."""
    return np.stack(seen)

"""The controller: decisions a second, and what it finds in two markets whose right knobs are known.

`python -m tests.benchmarks rl speed`       where the time of a decision goes, at 800 names
`python -m tests.benchmarks rl controlled`  two markets x five seeds, with the oracle's gain
`python -m tests.benchmarks rl controlled 2 16384`  fewer seeds and steps
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

# one thread a process, as `quant.main` has it; before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from quant.core.seeds import generator
from quant.evaluation import compare, metrics
from quant.optimizer.knobs import Knobs
from quant.optimizer.solve import solve
from quant.risk.prepared import prepare
from quant.rl import rivals
from quant.rl.env import World, at_random, constantly, play
from quant.rl.network import Policy
from quant.rl.rivals import Job
from quant.rl.workers import Plan, Workers
from quant.stages.rl_train import reference
from tests.rl import worlds

TRAIN, VALIDATE, LAST = 2000, 2700, 4199
EPISODE, ENVS, PERIODS, BLOCK, DRAWS = 252, 16, 252, 21, 1000
START = 8  # constant settings tried before training
SETTINGS = {
    "n_envs": ENVS, "batch": 1024, "minibatch": 256, "lr": 1e-3, "warmup": 2048, "every": 4096,
}  # fmt: skip


def controlled(count: int = 5, steps: int = 65_536) -> None:
    """RL against the best constant on held-out sessions, with the oracle's gain."""
    for matters in (True, False):
        gains = []
        for seed in range(1, count + 1):
            gains.append(_one(matters, seed, steps))
        total = np.array([g["rl"] - g["fixed"] for g in gains])
        excess = {k: np.concatenate([g["series"][k] for g in gains]) for k in ("rl", "fixed")}
        found = compare.sharpe_difference(
            excess["rl"], excess["fixed"], PERIODS, BLOCK, DRAWS, generator(42, "bench")
        )
        share = np.mean(total) / np.mean([g["oracle"] - g["fixed"] for g in gains])
        print(
            f"knobs {'matter' if matters else 'do not matter'}: RL less best constant, Sharpe over "
            f"{count} seeds {total.mean():+.2f} (sd {total.std(ddof=1) if count > 1 else 0:.2f}); "
            f"pooled days {found.difference:+.2f}, 95 % {found.low:+.2f} to {found.high:+.2f}"
            + (f"; {share:.0%} of the oracle's gain" if matters else ""),
            flush=True,
        )


def _one(matters: bool, seed: int, steps: int) -> dict[str, object]:
    from quant.rl.ppo import Settings, Training

    world = worlds.world(matters, seed, LAST + 1)
    bad = worlds.truth(matters, seed, LAST + 1)
    first = world.scene.first
    with TemporaryDirectory() as name:
        folder = Path(name)
        world = kept(world, folder / "covariances", range(first, LAST + 1))
        with Workers(world, None, 0, 2, folder) as workers:

            def tried_on(last: int) -> Callable[[Sequence[Knobs]], list[float]]:
                def evaluate(asked: Sequence[Knobs]) -> list[float]:
                    jobs = [Job(knobs, first, last) for knobs in asked]
                    return [rivals.sharpe(book) for book in workers.map(rivals.played, jobs)]

                return evaluate

            start = rivals.best_constants(tried_on(TRAIN), world.usual, START, seed)
            begin = max(start, key=lambda one: one.sharpe).knobs
            # what a training of so many steps costs in sessions
            budget = max(START, steps // (VALIDATE - first))
            tried = rivals.best_constants(tried_on(VALIDATE), world.usual, budget, seed)
            best = max(tried, key=lambda one: one.sharpe).knobs
        plan = Plan(EPISODE, reference(world, begin, first, TRAIN))
        with Workers(world, plan, ENVS, 2, folder) as workers:

            def look(policy: Policy) -> dict[str, float]:
                (book,) = workers.map(rivals.played, [Job(policy, TRAIN, VALIDATE)])
                return {"dsr": metrics.psr(metrics.shape(book.excess)),
                        "sharpe": metrics.sharpe(book.excess, 0.0, PERIODS)}  # fmt: skip

            training = Training(
                workers, begin, (first, TRAIN), EPISODE,
                Settings(steps=steps, **SETTINGS, least=0.0, patience=99), look, "us", seed, folder,
            )  # fmt: skip
            record = training.run(lambda done, total: None, lambda line: None)

            jobs = [Job(who, VALIDATE, LAST) for who in (record.best, best, world.usual)]
            books = dict(zip(("rl", "fixed", "default"), workers.map(rivals.played, jobs),
                             strict=True))  # fmt: skip
        known = play(world, worlds.oracle(bad, world.usual), VALIDATE, LAST).result
    series = {k: b.excess for k, b in books.items()} | {"oracle": known.returns}
    out = {k: metrics.sharpe(v, 0.0, PERIODS) for k, v in series.items()}
    tau = books["rl"].knobs[:, 3]
    state = bad[books["rl"].sessions]
    kept_at = record.best.step
    print(
        f"  {'matter' if matters else 'not'} seed {seed}: "
        + ", ".join(f"{k} {v:.2f}" for k, v in out.items())
        + f"; tau {tau[~state].mean():.2f} in good states, {tau[state].mean():.2f} in bad; "
        f"kept at {kept_at:,}",
        flush=True,
    )
    return {**out, "series": series}


def kept(world: World, path: Path, sessions: range) -> World:
    """The world with its covariances in a file."""
    policy = world.policy
    made = prepare(path, sessions, lambda t: np.flatnonzero(policy.signals.member[t]),
                   policy.estimated)  # fmt: skip
    return replace(world, policy=replace(policy, prepared=made))


def speed(names: int = 800, sessions: int = 60) -> None:
    """Decisions a second with random knobs, with constant ones, and the share that is the solve."""
    world = worlds.world(True, 7, 252 + 40 + 3 * sessions, int(names))
    constants = replace(world.policy.constants, window=252, name_max=0.02)
    world = replace(world, policy=replace(world.policy, constants=constants))
    first = 252 + 40
    with TemporaryDirectory() as name:
        folder = Path(name)
        world = kept(world, folder / "covariances", range(first, first + 2 * sessions + 1))
        spent: list[float] = []
        rates = {}
        ways = {"constant": constantly(world.usual), "random": at_random(generator(1, "speed"))}
        for way, choose in ways.items():
            play(world, choose, first, first + 5)
            spent.clear()
            began = time.perf_counter()
            with _timed(spent):
                play(world, choose, first, first + 2 * sessions)
            whole = time.perf_counter() - began
            rates[way] = 2 * sessions / whole
            print(
                f"  {way} knobs: {1e3 / rates[way]:.1f} ms a decision on one core, "
                f"{sum(spent) / whole:.0%} of it the solve",
                flush=True,
            )
        plan = Plan(2 * sessions + 1, np.zeros(world.scene.dates.size))
        with Workers(world, plan, ENVS, 2, folder) as workers:
            workers.each("reset", [first] * ENVS)
            rng = generator(2, "speed")
            for part in ("while the books are built", "after that"):
                began = time.perf_counter()
                for _ in range(sessions):
                    knobs = [at_random(rng)(np.zeros(0), 0) for _ in range(ENVS)]
                    workers.each("step", knobs)
                rate = ENVS * sessions / (time.perf_counter() - began)
                print(
                    f"  lockstep, {ENVS} replays in 2 processes, random knobs: {rate:.0f} "
                    f"decisions a second {part}",
                    flush=True,
                )


class _timed:
    """Seconds of every solve go into a list."""

    def __init__(self, spent: list[float]) -> None:
        self.spent = spent

    def __enter__(self) -> None:
        from quant.backtest import policy

        def timed(*given: object) -> object:
            began = time.perf_counter()
            made = solve(*given)  # type: ignore[arg-type]
            self.spent.append(time.perf_counter() - began)
            return made

        self._module = policy
        policy.solve = timed  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        self._module.solve = solve


WHAT: dict[str, Callable[..., None]] = {"controlled": controlled, "speed": speed}

if __name__ == "__main__":
    words = sys.argv[1:]
    for name in [w for w in words if w in WHAT] or list(WHAT):
        numbers = [int(w) for w in words if w.isdigit()]
        print(f"-- {name}", flush=True)
        WHAT[name](*numbers)

"""What the controller is measured against, so that it does not beat a straw man.

The best constant setting is searched on the sessions that training and validation may see, with as
many sessions played as training a controller takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import qmc

from quant.core.types import Vector
from quant.evaluation import metrics
from quant.optimizer.knobs import HIGH, LOW, NAMES, Knobs, within
from quant.rl.action import knobs_of
from quant.rl.env import Chooser, World, at_random, by_crisis, constantly, play, without_tilts
from quant.rl.network import Policy

BATCH = 4  # settings played before the search learns from them, whatever the number of workers


@dataclass(frozen=True)
class Job:
    """One book to play: who turns the knobs, and from which close to which.

    who  : a Policy, Knobs, None (the constants of the run), "random" or "rule"
    tilts: false takes Model 1's tilts out
    seed : of the random knobs
    """

    who: object
    first: int
    last: int
    seed: int = 0
    tilts: bool = True


@dataclass(frozen=True)
class Book:
    """What is kept of a played book; arrays run over sessions first+1 to last.

    returns, rf : (n,) decimal; cost : (n,) of NAV; turnover : (n,)
    sessions    : (k,) of the decisions; knobs : (k, 6); parts : (k, 4); relaxed : (k,) text
    """

    returns: Vector
    rf: Vector
    cost: Vector
    turnover: Vector
    sessions: np.ndarray
    knobs: np.ndarray
    parts: np.ndarray
    relaxed: tuple[str, ...]

    @property
    def excess(self) -> Vector:
        """(n,) returns over cash."""
        return self.returns - self.rf


def played(world: World, job: Job) -> Book:
    """Play `job`; runs in a worker."""
    if not job.tilts:
        world = without_tilts(world)
    done = play(world, _chooser(world, job), job.first, job.last)
    r = done.result
    return Book(
        returns=r.returns,
        rf=r.rf[1:],
        cost=(r.cost + r.fee)[1:] / r.nav[:-1],
        turnover=r.turnover[1:],
        sessions=np.array(done.sessions),
        knobs=np.array([s.knobs.vector() for s in done.steps]),
        parts=np.array([s.parts for s in done.steps]),
        relaxed=tuple(",".join(sorted(s.relaxed)) for s in done.steps),
    )


def _chooser(world: World, job: Job) -> Chooser:
    from quant.rl.controller import obeying

    if isinstance(job.who, Policy):
        return obeying(job.who)
    if job.who == "random":
        return at_random(np.random.default_rng(job.seed))
    if job.who == "rule":
        return by_crisis(world.usual)
    assert job.who is None or isinstance(job.who, Knobs)
    return constantly(job.who)


def settings_of(unit: Vector) -> Knobs:
    """Knobs at (6,) shares of the ranges, on their scales."""
    return knobs_of(np.arctanh(np.clip(2.0 * unit - 1.0, -0.999999, 0.999999)))


def spread(count: int, seed: int) -> list[Knobs]:
    """Constant settings spread evenly over all that are allowed (Sobol, scrambled)."""
    points = qmc.Sobol(len(NAMES), seed=seed).random(count)
    return [settings_of(point) for point in points]


def sharpe(book: Book, start: int = 0) -> float:
    """Sharpe ratio a session over cash, from the session `start` of the book on; NaN if flat."""
    return metrics.sharpe(book.excess[start:])


@dataclass(frozen=True)
class Tried:
    """One constant setting of the search: its Sharpe ratio a session, of the whole window."""

    knobs: Knobs
    sharpe: float


def best_constants(
    evaluate: Callable[[Sequence[Knobs]], Sequence[float]], usual: Knobs, count: int, seed: int
) -> list[Tried]:
    """`count` constant settings tried by Optuna's TPE, the usual one and its neighbours first.

    evaluate : Sharpe ratios of some settings
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=seed, constant_liar=True, n_startup_trials=min(16, max(count // 4, 1)),
        multivariate=True,
    )  # fmt: skip
    study = optuna.create_study(direction="maximize", sampler=sampler)
    start = [usual, replace(usual, tau=0.05), replace(usual, vol_target=HIGH[5])]
    for knobs in start:
        study.enqueue_trial(_parameters(knobs))
    tried: list[Tried] = []
    while len(tried) < count:
        batch = [study.ask(_space()) for _ in range(min(BATCH, count - len(tried)))]
        asked = [within(np.array([one.params[name] for name in NAMES])) for one in batch]
        for trial, knobs, value in zip(batch, asked, evaluate(asked), strict=True):
            study.tell(trial, value if np.isfinite(value) else -10.0)
            tried.append(Tried(knobs, value))
    return tried


def _parameters(knobs: Knobs) -> dict[str, float]:
    return dict(zip(NAMES, (float(v) for v in knobs.vector()), strict=True))


def _space() -> dict[str, object]:
    from optuna.distributions import FloatDistribution

    return {
        name: FloatDistribution(low, high, log=name in ("gamma", "lambda1", "lambda2"))
        for name, low, high in zip(NAMES, LOW.tolist(), HIGH.tolist(), strict=True)
    }

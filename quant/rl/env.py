"""The market replay that a controller is trained and judged in: the day loop of the backtest.

One code path: the policy, the walk, the certificates and the execution are those of the backtest;
this module adds an observation before and a reward after every decision, and nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from quant.backtest.engine import State, Walk
from quant.backtest.policy import Optimized
from quant.backtest.result import Result
from quant.core.errors import ConfigError, SolveError
from quant.core.types import Matrix, Vector
from quant.execution.orders import Execute
from quant.optimizer.knobs import Knobs
from quant.optimizer.solve import Solution, solve
from quant.optimizer.terms import magnitude
from quant.rl import reward
from quant.rl.action import knobs_of
from quant.rl.observation import NAMES, Observer, Scene

# what two certificates of a relative gap of 1e-8 may be apart
_AGREE = 2e-8


@dataclass(frozen=True)
class World:
    """Everything a replay needs; it lives in every worker and is never changed.

    policy  : its market, signals, charges and constants; never called itself
    desk    : a fresh execution for every book
    scene   : what is observed of the market
    capital : money a book begins with
    usual   : the knobs of the run without a controller
    terms   : of the reward
    """

    policy: Optimized
    desk: Callable[[], Execute]
    scene: Scene
    capital: float
    usual: Knobs
    terms: reward.Terms

    def fresh(self, first: int) -> Optimized:
        """A policy of its own for a book that begins at session `first`."""
        p = self.policy
        return Optimized(p.market, p.signals, p.charges, p.constants, first, prepared=p.prepared)


@dataclass(frozen=True)
class Step:
    """What a decision led to, up to the next one.

    knobs   : that were in force
    parts   : (4,) gain, cost, drawdown, volatility, summed over the sessions
    reward  : gain less the other three
    relaxed : kinds of limits that gave way in the solve: what the knobs asked was out of reach
    """

    knobs: Knobs
    parts: Vector
    reward: float
    relaxed: frozenset[str]


class Replay:
    """One book, decision by decision.

    After `reset`: `observe`, `step`, `observe`, ... until `over`.

    referee : every so many decisions is solved once more by Clarabel alone, 0 = none
    Raises SolveError where the referee disagrees.
    """

    def __init__(self, world: World, referee: int = 0) -> None:
        self.world, self.referee = world, referee
        self.refereed = 0
        self.apart = 0.0
        self._decisions = 0

    def reset(self, first: int, last: int) -> None:
        """Begin in cash at the close of session `first`; the last decision is before `last`."""
        w = self.world
        if not w.scene.first <= first < last:
            raise ConfigError(
                f"a replay from session {first} to {last}: it begins at {w.scene.first} "
                f"({w.scene.dates[w.scene.first]}) or later, and ends after it began."
            )
        self.policy = w.fresh(first)
        self.walk = Walk(
            self.policy.market, w.desk(), charges=self.policy.charges, capital=w.capital,
            first=first, last=last,
        )  # fmt: skip
        self.observer = Observer(w.scene)
        self._nav = [w.capital]
        self._see()

    @property
    def over(self) -> bool:
        """Whether no decision is left."""
        return self.walk.over

    @property
    def session(self) -> int:
        """Index of the session at whose close the book stands."""
        return self.walk.t

    def observe(self) -> Matrix:
        """(40, 33) at the present close."""
        return self.observer.observation()

    def step(self, knobs: Knobs | None) -> Step:
        """Decide with `knobs` (None: the run's own constants) and play on to the next decision."""
        policy, walk = self.policy, self.walk
        state = walk.state
        target, problem, solution = policy.decision(walk.t, state, knobs)
        self._judge(problem, solution)
        walk.decide(target)
        parts = np.zeros(4)
        goal = problem.vol_target
        while True:
            before = walk.state
            state = walk.advance()
            vol = self._see()
            parts += self._parts(before, state, vol, goal)
            if walk.over or policy.decides(walk.t):
                break
        total = float(parts[0] - parts[1:].sum())
        given = frozenset(r.what.split()[0] for r in solution.relaxations)
        return Step(knobs or self.world.usual, parts, total, given)

    def result(self) -> Result:
        """The book so far; whole once `over`."""
        return self.walk.result()

    def _see(self) -> float:
        state, t = self.walk.state, self.walk.t
        vol = self.policy.volatility(t, state)
        self.observer.see(t, state, vol)
        return vol

    def _parts(self, before: State, state: State, ex_ante: float, goal: float) -> Vector:
        terms, nav = self.world.terms, self._nav
        nav.append(state.nav)
        paid = state.cost / before.nav
        net = state.nav / before.nav - 1.0
        fall, vol = reward.seen(
            terms, np.array(nav[-terms.window :]), ex_ante, self.policy.constants.periods
        )
        return reward.reward(terms, net + paid, paid, fall, vol, goal).vector()

    def _judge(self, problem: object, solution: Solution) -> None:
        self._decisions += 1
        if not self.referee or self._decisions % self.referee:
            return
        other = solve(problem, "clarabel")  # type: ignore[arg-type]
        size = magnitude(problem, solution.weights)  # type: ignore[arg-type]
        apart = abs(other.objective - solution.objective) / size
        self.refereed += 1
        self.apart = max(self.apart, apart)
        if apart > _AGREE:
            raise SolveError(
                f"{self.walk.state.date}: the objective is {apart:.1e} of its size from that of "
                "the full program in Clarabel; two certificates allow 2e-8. Report the date."
            )


# (observation, session) -> knobs, None = the constants of the run
Chooser = Callable[[Matrix, int], Knobs | None]


@dataclass(frozen=True)
class Played:
    """A whole book under a chooser: its result, and what every decision led to."""

    result: Result
    sessions: tuple[int, ...]
    steps: tuple[Step, ...]


def play(world: World, choose: Chooser, first: int, last: int, referee: int = 0) -> Played:
    """Let `choose` turn the knobs of one book from the close of `first` to that of `last`."""
    replay = Replay(world, referee)
    replay.reset(first, last)
    sessions, steps = [], []
    while not replay.over:
        sessions.append(replay.session)
        steps.append(replay.step(choose(replay.observe(), replay.session)))
    return Played(replay.result(), tuple(sessions), tuple(steps))


def constantly(knobs: Knobs | None) -> Chooser:
    """The same knobs whatever is seen."""
    return lambda seen, t: knobs


def at_random(rng: np.random.Generator) -> Chooser:
    """Knobs drawn anew each time, uniform on their scales."""

    def choose(seen: Matrix, t: int) -> Knobs:
        return knobs_of(np.arctanh(rng.uniform(-0.999, 0.999, 6)))

    return choose


def by_crisis(usual: Knobs) -> Chooser:
    """The two-line rule: the volatility target falls to its least as crisis becomes certain."""
    column = NAMES.index("vol_crisis_mean")

    def choose(seen: Matrix, t: int) -> Knobs:
        goal = usual.vol_target - (usual.vol_target - 0.08) * float(seen[-1, column])
        return replace(usual, vol_target=max(goal, 0.08))

    return choose


def without_tilts(world: World) -> World:
    """The same world with Model 1's tilts taken out."""
    seen = world.policy.signals
    plain = replace(seen, tilt=np.zeros_like(seen.tilt))
    return replace(world, policy=replace(world.policy, signals=plain))


def windows(first: int, last: int, length: int, rng: np.random.Generator) -> Iterator[int]:
    """Starts of episodes of `length` sessions inside [first, last], drawn forever.

    Raises ConfigError where not one fits.
    """
    if last - first < length:
        raise ConfigError(
            f"an episode of {length} sessions does not fit the {last - first} of the training "
            "window; shorten rl.episode or lengthen rl.splits.train."
        )
    while True:
        yield int(rng.integers(first, last - length + 1))

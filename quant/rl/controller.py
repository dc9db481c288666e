"""`choose_knobs`: from what is seen to the knobs of the next solve, inside their bounds always."""

from collections.abc import Callable

from quant.backtest.engine import State
from quant.backtest.policy import Optimized
from quant.core.types import Matrix
from quant.optimizer.knobs import Knobs
from quant.rl.action import knobs_of
from quant.rl.network import Policy
from quant.rl.observation import Observer, Scene


def choose_knobs(policy: Policy, state: Matrix) -> Knobs:
    """Knobs for the (40, 33) `state`; deterministic, strictly within quant.optimizer.knobs.

    Raises DataError for a state with anything that is no number.
    """
    return knobs_of(policy(state))


class Controller:
    """`choose` of the backtest's policy: watches every session, is heard from `begins` on.

    begins : first session whose close it decides at; before it the constants of the run hold,
             for the policy was trained on those sessions
    """

    def __init__(self, policy: Policy, scene: Scene, book: Optimized, begins: int) -> None:
        self.policy, self.book = policy, book
        self.begins = max(begins, scene.first)
        self._observer = Observer(scene)
        self._from = scene.first

    def __call__(self, t: int, state: State) -> Knobs | None:
        """Knobs at the close of session `t`, None before its time."""
        if t < self._from:
            return None
        self._observer.see(t, state, self.book.volatility(t, state))
        if t < self.begins:
            return None
        return choose_knobs(self.policy, self._observer.observation())


Chooser = Callable[[Matrix, int], Knobs]


def obeying(policy: Policy) -> Chooser:
    """The policy as a chooser of `quant.rl.env.play`."""
    return lambda seen, t: choose_knobs(policy, seen)

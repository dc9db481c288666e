"""The search for settings: trials of a study that survives its process and repeats itself.

The objective is the probit of PSR, not DSR: what the number of trials takes away is one number for
all trials of a study, but it grows while they arrive, so that trials would be compared on different
scales. Their order by DSR at the end is the order by this score wherever moments are alike; DSR is
computed for all of them once N and V are known (quant.model2.criterion).
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.core.seeds import derive
from quant.model2 import study as studies
from quant.model2.criterion import Passes, Tested, sharpe, worth
from quant.model2.space import Dial, Value

if TYPE_CHECKING:
    import optuna

Parameters = Mapping[str, Value]
# the splits of a candidate, one after another
Evaluate = Callable[[Parameters], Iterator[Tested]]
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"


@dataclass(frozen=True)
class SearchSpec:
    """How many trials, and how early a bad one is given up.

    trials  : that end, pruned ones among them; random : of these, drawn before the sampler learns
    prune   : one is given up where its splits are worse than the best trial's at this level
              (one-sided Wilcoxon signed-rank test over the same splits); 0 = never. Splits share
              days, so that the level is nominal
    n_days  : sampled days; groups, test_groups : of the cross-validation; stride : sampled days in
              a label period
    """

    trials: int
    random: int
    prune: float
    n_days: int
    groups: int
    test_groups: int
    stride: int

    @property
    def warm_up(self) -> int:
        """Splits after which every day has been tested once (criterion.order)."""
        return -(-self.groups // self.test_groups)


@dataclass(frozen=True)
class Tried:
    """One trial.

    number : as the study counts; splits : how many ran; passes : None of a failed trial
    """

    number: int
    state: str
    parameters: Parameters
    passes: Passes | None
    seconds: float
    splits: int


def search(
    evaluate: Evaluate,
    dials: Sequence[Dial],
    spec: SearchSpec,
    first: Parameters | None,
    seed: int,
    storage: Path,
    name: str,
    heard: Callable[[Tried], None] = lambda tried: None,
) -> list[Tried]:
    """Trials of the study `name`, those that an earlier process left included.

    evaluate : yields the splits of a candidate, in `criterion.order`
    first    : tried before any other, the settings as they stand; None = drawn like the others
    storage  : a SQLite file; a process that dies leaves all finished trials, and its running one,
               which is marked failed and is no trial
    heard    : called with every trial that has ended, the earlier ones first
    What is suggested depends on `seed` and on the finished trials alone, so that a search that was
    killed and resumed tries what an uninterrupted one does.
    Raises StageError where another process runs the same study, StoreError for a damaged file
    """
    with studies.held(storage, name, studies.pruner(spec.prune, spec.warm_up + 1)) as study:
        for tried in _all(study, spec):
            if tried.state != FAILED:
                heard(tried)
        while (done := _finished(study)) < spec.trials:
            study.sampler = _sampler(spec, derive(seed, "model2", "tune", str(done)))
            if done == 0 and first is not None and not _waiting(study):
                study.enqueue_trial(dict(first))
            heard(_try(study, evaluate, dials, spec))
        return _all(study, spec)


def _finished(study: "optuna.Study") -> int:
    """Trials that count: failed ones found nothing."""
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.get_trials(False))


def _waiting(study: "optuna.Study") -> bool:
    return any(trial.state.name == "WAITING" for trial in study.get_trials(False))


def _sampler(spec: SearchSpec, seed: int) -> "optuna.samplers.TPESampler":
    import optuna

    return optuna.samplers.TPESampler(n_startup_trials=spec.random, seed=seed)


def _try(
    study: "optuna.Study", evaluate: Evaluate, dials: Sequence[Dial], spec: SearchSpec
) -> Tried:
    """Run one trial to its end, or until it is given up."""
    import optuna

    trial = study.ask()
    begun = time.monotonic()
    try:
        parameters = {dial.name: dial.of(_suggest(trial, dial)) for dial in dials}
        trial.set_user_attr("parameters", parameters)
        passes, state, splits = Passes(spec.n_days, spec.groups, spec.test_groups), COMPLETE, 0
        for one in evaluate(parameters):
            passes.add(one)
            splits += 1
            trial.report(sharpe(np.nan_to_num(one.spread), spec.stride), one.split)
            if trial.should_prune():
                state = PRUNED
                break
        seconds = time.monotonic() - begun
        _keep(trial, passes, seconds, splits)
        score = worth(passes, spec.stride).score
        if state == PRUNED:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, score)
    except BaseException:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise
    return Tried(trial.number, state, parameters, passes, seconds, splits)


def _suggest(trial: "optuna.Trial", dial: Dial) -> Any:
    if dial.choices:
        return trial.suggest_categorical(dial.name, dial.choices)
    if dial.whole:
        low, high = int(dial.low), int(dial.high)
        return trial.suggest_int(dial.name, low, high, step=dial.step, log=dial.log)
    return trial.suggest_float(dial.name, dial.low, dial.high, log=dial.log)


def _keep(trial: "optuna.Trial", passes: Passes, seconds: float, splits: int) -> None:
    """Keep what the trial found, to the last bit: a resumed study deflates by it."""
    found = {name: getattr(passes, name).tolist() for name in ("ic", "spread", "seen")}
    trial.set_user_attr("passes", json.dumps(found))
    trial.set_user_attr("seconds", seconds)
    trial.set_user_attr("splits", splits)


def _all(study: "optuna.Study", spec: SearchSpec) -> list[Tried]:
    return [_tried(t, spec) for t in study.get_trials(False) if t.state.is_finished()]


def _tried(trial: "optuna.trial.FrozenTrial", spec: SearchSpec) -> Tried:
    said = trial.user_attrs
    state = {"COMPLETE": COMPLETE, "PRUNED": PRUNED}.get(trial.state.name, FAILED)
    passes = None
    if state != FAILED:
        found = json.loads(said["passes"])
        passes = Passes(spec.n_days, spec.groups, spec.test_groups)
        passes.ic, passes.spread = (np.array(found[k], dtype=np.float64) for k in ("ic", "spread"))
        passes.seen = np.array(found["seen"], dtype=np.int64)
    seconds, splits = said.get("seconds", np.nan), said.get("splits", 0)
    return Tried(trial.number, state, said.get("parameters", {}), passes, seconds, splits)

"""Where Model 2's time goes, and what keeping the design between refits saves.

Run: python -m tests.benchmarks.model2 [--root DIR] [--folder DIR] [--refits 4] [key=value ...]

Without --root the market is simulated. First the stage as it runs, with the seconds of every
learner's binding (once), fitting and prediction, and the peak of the process's memory. Then some of
the walk-forward's refits once more, by our learners and by the naive way, side by side: LightGBM
bins its rows anew at every refit, and scikit-learn's Ridge solves from them.
"""

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from quant.core import horizons
from quant.core.panel import sessions_of
from quant.core.types import Frame
from quant.evaluation import splits
from quant.model2 import crossval, train
from quant.model2.design import Design, align, learning, training
from quant.settings import Config
from quant.stages import load, model2
from quant.stages.registry import Context, Inputs, plan
from quant.stages.runner import execute
from tests.test_config import composed


class Clock:
    """Wall seconds and calls by what was done."""

    def __init__(self) -> None:
        self.seconds: Counter = Counter()
        self.calls: Counter = Counter()

    def of(self, what: tuple[str, str], work: Any, *given: Any) -> Any:
        begun = time.perf_counter()
        made = work(*given)
        self.seconds[what] += time.perf_counter() - begun
        self.calls[what] += 1
        return made


class Timed:
    """Passes everything on; `bind`, `fit` and `predict` are timed on the way."""

    def __init__(self, inner: Any, name: str, clock: Clock) -> None:
        self.inner, self.name, self.clock = inner, name, clock

    def __getattr__(self, what: str) -> Any:
        found = getattr(self.inner, what)
        if what not in ("bind", "fit", "predict"):
            return found

        def call(*given: Any) -> Any:
            made = self.clock.of((self.name, what), found, *given)
            return made if what == "predict" else Timed(made, self.name, self.clock)

        return call


@contextmanager
def timed(clock: Clock) -> Iterator[None]:
    """Every learner of the walk-forward and of the cross-validation is timed."""
    known = train.learners

    def learners(part: str) -> Any:
        return lambda spec: {n: Timed(m, f"{part} {n}", clock) for n, m in known(spec).items()}

    with (
        patch.object(train, "learners", learners("walk-forward")),
        patch.object(crossval, "learners", learners("cross-validation")),
    ):
        yield


def tables(config: Config) -> dict[str, Frame]:
    """Everything up to the features, from the store where it lies there."""
    outcomes = execute(plan(load(), ["features"]), config, lambda outcome: None)
    return {t.name: o.result.read(t) for o in outcomes for t in o.stage.makes}


def stage(config: Config, frames: dict[str, Frame], clock: Clock) -> float:
    """Run the stage; wall seconds."""
    inputs = Inputs({t.name: frames[t.name].copy for t in model2.STAGE.needs})
    with tempfile.TemporaryDirectory() as scratch, timed(clock):
        context = Context(
            config.region.name, config.seed, Path(scratch), lambda label: lambda done, total: None
        )
        begun = time.perf_counter()
        model2.run(model2.STAGE.settings(config), inputs, context)
        return time.perf_counter() - begun


def told(clock: Clock, whole: float) -> str:
    """One line for each part, the slowest first."""
    parts = pd.Series(clock.seconds).unstack(fill_value=0.0)
    parts["fits"] = [clock.calls[name, "fit"] for name in parts.index]
    parts["seconds"] = parts[["bind", "fit", "predict"]].sum(axis=1)
    parts["share"] = [f"{100 * s / whole:.0f} %" for s in parts["seconds"]]
    rest = whole - parts["seconds"].sum()
    line = f"aligning, ranking, ensembles, calibration: {rest:.1f} s ({100 * rest / whole:.0f} %)"
    return f"{parts.sort_values('seconds', ascending=False).round(1).to_string()}\n{line}"


def refits(config: Config, frames: dict[str, Frame], count: int) -> tuple:
    """The design of the walk-forward, and the rows of `count` of its refits, evenly spread."""
    spec, _, _ = model2.specs(model2.STAGE.settings(config))
    spec = replace(spec, models=("ridge", "lightgbm"), horizons=(spec.horizon,))
    sessions = sessions_of(frames["sessions"])
    deciding = horizons.at(frames["labels"], spec.horizon)
    rows = learning(align(frames["features"], deciding, sessions), frames["labels"], spec.horizons)
    first = train.first_prediction(deciding, sessions, spec)
    folds = splits.walk_forward(
        rows.sessions, first, spec.retrain_every, spec.horizon, spec.max_train_years, 1
    )
    data = training(rows, spec.row_step, last=folds[-1].predict_start)
    every = np.unique(np.linspace(0, len(folds) - 1, count).round().astype(int))
    chosen = [np.flatnonzero(folds[i].train(data.session, data.ends[:, 0])) for i in every]
    return spec, rows.names, data, chosen, len(folds)


def ours(learner: Any, names: tuple, data: Design, chosen: list, seed: int) -> tuple:
    """Seconds of binding and of the fits, and the models."""
    block = data.blocks()
    begun = time.perf_counter()
    fitter = learner.bind(data.x, data.aims, block, names)
    bound = time.perf_counter()
    models = [fitter.fit(0, np.unique(block[rows]), seed) for rows in chosen]
    return bound - begun, time.perf_counter() - bound, models


def naive_trees(learner: Any, data: Design, chosen: list, seed: int) -> tuple:
    """Bins of its own at every refit."""
    import lightgbm

    settings = learner.parameters() | {"seed": seed}
    begun, models = time.perf_counter(), []
    for rows in chosen:
        part = lightgbm.Dataset(data.x[rows], label=data.aims[rows, 0], params=settings)
        models.append(lightgbm.train(settings, part, num_boost_round=learner.rounds))
    return time.perf_counter() - begun, models


def naive_ridge(learner: Any, data: Design, chosen: list) -> tuple:
    """Normal equations of all rows at every refit; the same penalty, so the same weights."""
    from sklearn.linear_model import Ridge

    begun, models = time.perf_counter(), []
    for rows in chosen:
        x = data.x[rows].astype(np.float64)
        alpha = learner.penalty * np.square(x).sum() / x.shape[1]
        models.append(Ridge(alpha, fit_intercept=False).fit(x, data.aims[rows, 0]))
    return time.perf_counter() - begun, models


def side_by_side(config: Config, frames: dict[str, Frame], count: int) -> None:
    """Print both ways' seconds a refit, and how far their predictions agree."""
    spec, names, data, chosen, whole = refits(config, frames, count)
    made = train.learners(spec)
    print(f"\n{len(chosen)} of {whole} refits, {', '.join(str(r.size) for r in chosen)} rows; "
          "seconds a refit, ours with its share of binding once for all refits")  # fmt: skip
    print(f"{'':10}{'ours':>9}{'naive':>9}{'ratio':>9}{'correlation of predictions':>29}")
    for name, naive in (
        ("ridge", lambda one: naive_ridge(one, data, chosen)),
        ("lightgbm", lambda one: naive_trees(one, data, chosen, config.seed)),
    ):
        bind, fit, mine = ours(made[name], names, data, chosen, config.seed)
        seconds, theirs = naive(made[name])
        x = data.x[chosen[-1]]
        alike = np.corrcoef(mine[-1].predict(x), theirs[-1].predict(x))[0, 1]
        own, other = bind / whole + fit / len(chosen), seconds / len(chosen)
        print(f"{name:10}{own:9.2f}{other:9.2f}{other / own:9.1f}{alike:29.6f}")


def main() -> None:
    """The stage's parts, then the two ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder of files; the simulated market without")
    parser.add_argument("--folder", type=Path, help="kept, for what the stages store")
    parser.add_argument("--refits", type=int, default=4, help="refits of the naive way")
    parser.add_argument("settings", nargs="*")
    options = parser.parse_args()
    source = ["data=files", f"data.root={options.root.resolve()}"] if options.root else ["data=sim"]
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        config = composed(
            *source, f"paths.store={folder / 'store'}",
            f"paths.holdout={folder / 'holdout.jsonl'}", *options.settings,
        )  # fmt: skip
        frames = tables(config)
    rows, width = frames["features"].shape
    print(f"{rows} rows, {width - 2} features")
    print(f"models {', '.join(config.model2.models)}, horizons {config.model2.horizons}")
    clock = Clock()
    whole = stage(config, frames, clock)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"stage model2: {whole:.0f} s, peak memory of the process {peak:.2f} GiB")
    print(told(clock, whole))
    side_by_side(config, frames, options.refits)


if __name__ == "__main__":
    main()

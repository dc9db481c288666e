"""The stages in memory, on a small simulated market: for tests that run the pipeline many times."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from pathlib import Path

import pandas as pd

from quant import settings
from quant.core.types import Frame
from quant.data import calendar
from quant.data.providers.sim import Sim
from quant.stages import (
    backtest,
    costs,
    features,
    model1,
    model2,
    optimize,
    replay,
    risk,
    rl_train,
    universe,
)
from quant.stages.registry import Context, Inputs, Stage

Frames = dict[str, Frame]
STAGES = (
    universe.STAGE, features.STAGE, model2.STAGE, model1.STAGE, replay.STAGE, costs.STAGE,
    rl_train.STAGE, optimize.STAGE, backtest.STAGE, risk.STAGE,
)  # fmt: skip
# the Chinese window spans a change of the industry scheme, which renumbers the exposure groups
SPANS = {
    "us": (date(2012, 1, 3), date(2014, 12, 31)),
    "cn": (date(2011, 1, 4), date(2014, 3, 31)),
}


def tiny(region: str) -> settings.Config:
    """Settings for some dozens of names and three years; whole pipeline in about 2 s."""
    return settings.Config(
        region=settings.Region(name=region, periods=calendar.periods_per_year(region)),
        universe=settings.Universe(size=30, min_listed=60 * (region == "cn"), exclude_st=True),
        model2=settings.Model2(
            threads=1,
            horizons=[5, 21],
            cpcv=settings.Cpcv(embargo=5),
            walk_forward=settings.WalkForward(
                min_train_years=0.7,
                row_step=10,
                calibration_min_dates=40,
                calibration_bins=5,
                retrain_every=42,
            ),
            boost=settings.Boost(rounds=5, min_data=20),
        ),
        optimizer=settings.Optimizer(name_max=0.1, turnover=settings.Turnover(0.3)),
    )


def ingested(
    region: str, names: int, alpha_ic: float, seed: int = 42, span: tuple[date, date] | None = None
) -> Frames:
    """The tables of ingest for a simulated market."""
    first, last = span or SPANS[region]
    raw = Sim(region, seed, names, alpha_ic).fetch(first, last)
    names_of = (
        "bars",
        "actions",
        "industries",
        "listings",
        "index_members",
        "benchmark",
        "rates",
        "intraday",
    )
    frames = {name: getattr(raw, name) for name in names_of}
    sessions = calendar.sessions(region, first, last).astype("datetime64[ns]")
    return frames | {"sessions": pd.DataFrame({"date": sessions})}


def through(
    config: settings.Config,
    given: Frames,
    folder: Path,
    stages: Iterable[Stage] = STAGES,
    around: Callable[[Stage], AbstractContextManager] = lambda stage: nullcontext(),
) -> Frames:
    """Every table of the stages, passed on in memory.

    around : context in which a stage runs
    """
    frames, stages = dict(given), tuple(stages)
    for stage in stages:
        scratch = folder / stage.name
        scratch.mkdir(parents=True, exist_ok=True)
        made_by = {t.name: folder / s.name for s in stages for t in s.makes}
        inputs = Inputs({t.name: frames[t.name].copy for t in stage.needs}, made_by)
        context = Context(config.region.name, config.seed, scratch, lambda label: lambda i, n: None)
        with around(stage):
            made = stage.run(stage.settings(config), inputs, context)
        frames |= {t.name: made[t.name] for t in stage.makes}
    return frames

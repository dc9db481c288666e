"""The stage in memory on small simulated markets."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from quant import settings
from quant.stages import model1, universe
from tests.pipeline import Frames, ingested, through, tiny

STAGES = (universe.STAGE, model1.STAGE)


def config(region: str, enabled: bool = True) -> settings.Config:
    """Short windows, so that three years show everything."""
    made = tiny(region)
    made.model1 = settings.Model1(
        enabled=enabled, min_members=5, min_history=120, dcc=settings.Dcc(window_days=120),
        flip=settings.Flip(min_rows=100),
    )  # fmt: skip
    return made


def run(config: settings.Config, frames: Frames) -> Frames:
    """Universe and states of these tables of ingest."""
    with TemporaryDirectory() as folder:
        return through(config, frames, Path(folder), STAGES)


@cache
def made(region: str, enabled: bool = True) -> Frames:
    """Every table of one market, made once a process; not to be changed."""
    return run(config(region, enabled), ingested(region, 60, 0.0))

"""What the stages of the controller share: its settings, its periods, its world."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.core import tables
from quant.core.errors import ConfigError
from quant.core.store import digest_file
from quant.core.types import Dates
from quant.risk.prepared import prepare
from quant.rl.env import World
from quant.rl.network import Policy
from quant.rl.reward import Terms
from quant.stages import book
from quant.stages import world as worlds
from quant.stages.registry import Context, Inputs

if TYPE_CHECKING:
    from quant.settings import Config

NEEDS = book.NEEDS
# processes and folders decide no result; a policy that is given does by its content
_RUNTIME = ("workers", "policy")
LEAST = 42  # sessions of validation, and of the test


def settings(config: "Config") -> dict[str, Any]:
    """What decides a training and its verdict; nothing where there is no controller."""
    if not config.rl.enabled:
        return {"enabled": False}
    rl = {k: v for k, v in asdict(config.rl).items() if k not in _RUNTIME}
    target = config.model1.mapping.vol_target_base
    return {"enabled": True, "rl": rl, "book": book.settings(config), "vol_target": target}


@dataclass(frozen=True)
class Private:
    """What decides no result: where checkpoints and a given policy lie, how many processes work."""

    folder: str
    workers: int
    policy: str | None = None


def private(config: "Config") -> Private:
    """Paths and processes."""
    return Private(config.paths.rl, config.rl.workers, config.rl.policy)


def external(config: "Config") -> str:
    """Digest of the policy that was given; refused here where it is none."""
    if not config.rl.enabled or config.rl.policy is None:
        return ""
    Policy.load(Path(config.rl.policy))
    return digest_file(Path(config.rl.policy))


@dataclass(frozen=True)
class Periods:
    """Sessions by index; a book begins at the close before its first return.

    train, val : first and last close of a book; their returns do not overlap
    """

    train: tuple[int, int]
    val: tuple[int, int]


def last_up_to(dates: Dates, day: str) -> int:
    """Index of the last session on or before `day`; -1 where there is none."""
    return int(np.searchsorted(dates, np.datetime64(day, "D"), side="right")) - 1


def periods(
    splits: Mapping[str, Any], dates: Dates, first: int, last: int, episode: int
) -> Periods:
    """The sessions of training and validation.

    first, last : sessions between which every input exists
    Raises ConfigError where the data do not hold them.
    """
    begin = first
    if splits["train_start"]:
        wanted = np.datetime64(splits["train_start"], "D")
        begin = max(first, int(np.searchsorted(dates, wanted)))
    trained, looked = (last_up_to(dates, splits[name]) for name in ("train_end", "val_end"))
    if trained - begin < episode:
        raise ConfigError(
            f"training from {dates[min(begin, dates.size - 1)]} (where every walk-forward input "
            f"begins) to rl.splits.train_end={splits['train_end']} has fewer than the "
            f"{episode} sessions of rl.episode; use experiment=rehearsal on data of 2010 to 2019, "
            "more history, or a shorter model2.walk_forward.min_train_years."
        )
    ends = np.datetime64(splits["val_end"], "D") - 10  # there may be no session on the day itself
    if looked > last or looked - trained < LEAST or dates[last] < ends:
        raise ConfigError(
            f"validation after {splits['train_end']} to rl.splits.val_end={splits['val_end']} "
            f"needs {LEAST} sessions or more, and the data of this run end on {dates[last]}; use "
            "experiment=rehearsal on data of 2010 to 2019, or move rl.splits."
        )
    return Periods((begin, trained), (trained, looked))


def tested(splits: Mapping[str, Any], dates: Dates, last: int) -> tuple[int, int]:
    """First and last close of the test, as far as the data reach.

    Raises ConfigError where they do not reach its beginning.
    """
    start = splits["test"][0].partition("/")[0]
    end = splits["test"][-1].partition("/")[2]
    before = int(np.searchsorted(dates, np.datetime64(start, "D"))) - 1
    until = min(last_up_to(dates, end), last)
    if until - before < LEAST:
        raise ConfigError(
            f"the controller is tested from {start} on, and the data of this run end on "
            f"{dates[last]}; give data that reach further (data=files data.root=<folder>), or "
            "rehearse inside 2010 to 2019 with experiment=rehearsal."
        )
    return before, until


def world(s: Mapping[str, Any], f: Inputs, c: Context) -> World:
    """The world of the run's book."""
    terms = Terms(**s["rl"]["reward"])
    return worlds.world(s["book"], f, c, terms, s["vol_target"])


def prepared(made: World, c: Context, first: int, last: int) -> World:
    """The same world with the covariances of its universe from `first` to `last` kept on disk."""
    policy = made.policy
    kept = prepare(
        c.scratch / "covariances.f64",
        range(first, last + 1),
        lambda t: np.flatnonzero(policy.signals.member[t]),
        policy.estimated,
    )
    return replace(made, policy=replace(policy, prepared=kept))


def empties(*made: tables.Table) -> dict[str, Any]:
    """Tables without a row: there is no controller."""
    return {table.name: table.empty() for table in made}

"""The book with a controller at its knobs, and the world that a controller is trained in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.backtest.policy import Optimized
from quant.core import tables
from quant.core.panel import Panel
from quant.optimizer.knobs import Knobs, constant
from quant.rl.controller import Controller
from quant.rl.env import World
from quant.rl.network import Policy
from quant.rl.observation import Scene, scene
from quant.rl.reward import Terms
from quant.stages import book, desk
from quant.stages.book import Book
from quant.stages.registry import Context, Inputs

if TYPE_CHECKING:
    from quant.settings import Config

NEEDS = (*book.NEEDS, tables.POLICY, tables.POLICY_INFO)


def settings(config: "Config") -> dict[str, Any]:
    """What decides a book; the weights of a controller come as a table."""
    return book.settings(config)


@dataclass(frozen=True)
class Controlled:
    """A book, and what puts the controller at the knobs of a policy; no controller, no change."""

    book: Book
    steer: Callable[[Optimized], Optimized]


def controlled(s: Mapping[str, Any], f: Inputs, c: Context) -> Controlled:
    """The book at the costs of `lambda_params`, its knobs turned by the policy that steers."""
    b = book.optimized(s, f, c)
    info = f["policy_info"]
    if not len(info):
        return Controlled(b, lambda policy: policy)
    row = info[info["steers"]].iloc[0]
    chosen = Policy.of(f["policy"], info, int(row["seed"]))
    chosen.check(c.region)
    seen = observed(s, f, b)
    after = np.searchsorted(b.market.dates, row["known"].to_datetime64().astype("datetime64[D]"))

    def steer(policy: Optimized) -> Optimized:
        policy.choose = Controller(chosen, seen, policy, int(after) + 1)
        return policy

    steer(b.policy)
    return Controlled(b, steer)


def observed(s: Mapping[str, Any], f: Inputs, b: Book) -> Scene:
    """What a controller sees of the market."""
    axes = {"dates": b.market.dates, "symbols": b.market.symbols}
    seen = b.policy.signals
    return scene(
        b.market.dates,
        f["states"],
        f["regime"],
        seen.alpha,
        Panel.of(f["alpha"], ["uncertainty"], **axes)["uncertainty"],
        desk.bucketed(s, b.bars, seen.member),
        seen.member,
        seen.group,
        seen.groups.size,
    )


def usual(b: Book, vol_target: float) -> Knobs:
    """The run's own constants as knobs, clipped to their bounds."""
    k = b.policy.constants
    return constant(k.gamma, k.tau, vol_target)


def world(s: Mapping[str, Any], f: Inputs, c: Context, terms: Terms, vol_target: float) -> World:
    """Everything that replays need; it can be sent to other processes."""
    b = book.optimized(s, f, c)
    arrays, bars = b.market, b.bars
    return World(
        policy=b.policy,
        desk=partial(desk.execute, s, arrays, bars, f["intraday"], c.region, c.seed),
        scene=observed(s, f, b),
        capital=s["region"].nav,
        usual=usual(b, vol_target),
        terms=terms,
    )

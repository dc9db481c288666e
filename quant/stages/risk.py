"""The optimizer's forecast of risk against rivals: what was predicted, and what came."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.core import logs, tables
from quant.core.panel import Panel, sessions_of
from quant.core.seeds import generator
from quant.core.types import Codes, Dates, Frame, Mask, Matrix
from quant.risk import portfolios, rivals, scoring
from quant.risk.returns import close_to_close, window
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config


@dataclass(frozen=True)
class World:
    """What the stage sees, by session and name (n_days, n_assets).

    group : code of the industry, the last known one for a leaver; groups: names of the codes
    """

    dates: Dates
    returns: Matrix
    member: Mask
    group: Codes
    groups: np.ndarray
    liquidity: Matrix
    held: Matrix


def settings(config: "Config") -> dict[str, Any]:
    """The window of the covariance, and the horizon it is used for."""
    return {
        "risk": config.risk,
        "horizon": config.model2.label.horizon,
        "periods": config.region.periods,
    }


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Forecasts that do not overlap, one every horizon, and their scores."""
    world, horizon = seen(f), s["horizon"]
    parts = []
    for t in sessions(world, s["risk"].window, horizon):
        rng = generator(c.seed, "risk", "portfolios", str(world.dates[t]))
        rows = forecast(world, t, s["risk"], horizon, rng)
        parts.append(rows.assign(date=world.dates[t], end=world.dates[t + horizon]))
    columns, empty = tables.RISK_SCORES.schema.names, tables.RISK_FORECASTS.schema.names
    if not parts:
        logs.event("the sample is too short to score a forecast of risk on")
        return {
            "risk_forecasts": pd.DataFrame(columns=empty),
            "risk_scores": pd.DataFrame(columns=columns),
        }
    made = pd.concat(parts, ignore_index=True)
    made[["date", "end"]] = made[["date", "end"]].astype("datetime64[ns]")
    found = scoring.scores(made, s["periods"], horizon)
    own = found[(found["model"] == scoring.BASE) & (found["kind"] == scoring.EVERY)].iloc[0]
    c.metrics.update({f"risk.{name}": float(own[name]) for name in ("bias", "qlike")})
    return {"risk_forecasts": made[empty], "risk_scores": found[columns]}


def sessions(world: World, length: int, horizon: int) -> Iterator[int]:
    """Sessions of the forecasts: from the first with a universe and a whole window on."""
    enough = world.member.sum(axis=1) >= 2
    known = np.flatnonzero(enough & (np.arange(enough.size) + 1 >= length))
    if known.size:
        steps = range(int(known[0]), enough.size - horizon, horizon)
        yield from (t for t in steps if enough[t])


def forecast(world: World, t: int, s: Any, horizon: int, rng: np.random.Generator) -> Frame:
    """Every model on every portfolio, from the close of session `t`."""
    names = np.flatnonzero(world.member[t] | (world.held[t] != 0))
    group = world.group[t, names]
    models = rivals.models(window(world.returns, t, names, group, s.window, s.min_coverage))
    tried = portfolios.tried(
        world.member[t, names], world.groups[group], world.liquidity[t, names],
        world.held[t, names], models, rng,
    )  # fmt: skip
    return scoring.forecasts(tried, models, world.returns[t + 1 : t + 1 + horizon, names])


def seen(f: Inputs) -> World:
    """Spread the tables over sessions and names."""
    dates, membership, weights = sessions_of(f["sessions"]), f["membership"], f["weights"]
    symbols = np.unique(np.concatenate([membership["symbol"], weights["symbol"]]).astype(object))
    axes = {"dates": dates, "symbols": symbols}
    codes, groups = pd.factorize(membership["group_id"], sort=True)
    spread = Panel.of(membership.assign(code=codes.astype(float)), ["code"], **axes)["code"]
    bars = Panel.of(f["bars"], ("close", "factor"), **axes)
    # the rank of a month end holds until the next one
    adv = Panel.of(f["members"].assign(date=f["members"]["asof"]), ["adv"], **axes)["adv"]
    last = pd.DataFrame(adv).ffill(limit=31).to_numpy()
    return World(
        dates=dates,
        returns=close_to_close(bars["close"] * bars["factor"]),
        member=~np.isnan(spread),
        group=np.nan_to_num(pd.DataFrame(spread).ffill().to_numpy(), nan=0.0).astype(np.int64),
        groups=np.asarray(groups, dtype=object),
        liquidity=last,
        held=np.nan_to_num(Panel.of(weights, ["weight"], **axes)["weight"]),
    )


STAGE = Stage(
    "risk",
    needs=(tables.BARS, tables.SESSIONS, tables.MEMBERS, tables.MEMBERSHIP, tables.WEIGHTS),
    makes=(tables.RISK_FORECASTS, tables.RISK_SCORES),
    settings=settings,
    run=run,
    module=__name__,
)

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
    """Forecasts one horizon apart, what came where the window has ended, and the scores."""
    world, horizon = seen(f), s["horizon"]
    said: list[Frame] = []
    came: list[Frame] = []
    for t in sessions(world, s["risk"].window, horizon):
        rng = generator(c.seed, "risk", "portfolios", str(world.dates[t]))
        tried, models, names = forecast(world, t, s["risk"], rng)
        said.append(scoring.forecasts(tried, models, horizon).assign(date=world.dates[t]))
        end = t + horizon
        if end < world.dates.size:
            rows = scoring.outcomes(tried, world.returns[t + 1 : end + 1, names])
            came.append(rows.assign(date=world.dates[t], end=world.dates[end]))
    forecasts, outcomes = filled(tables.RISK_FORECASTS, said), filled(tables.RISK_OUTCOMES, came)
    scores = pd.DataFrame(columns=tables.RISK_SCORES.schema.names)
    if came:
        both = forecasts.merge(outcomes, on=["date", "portfolio"])
        scores = scoring.scores(both, s["periods"], horizon)[list(scores.columns)]
        own = scores[(scores["model"] == scoring.BASE) & (scores["kind"] == scoring.EVERY)].iloc[0]
        c.metrics.update({f"risk.{name}": float(own[name]) for name in ("bias", "qlike")})
    else:
        logs.event("the sample is too short to score a forecast of risk on")
    return {"risk_forecasts": forecasts, "risk_outcomes": outcomes, "risk_scores": scores}


def filled(table: tables.Table, parts: list[Frame]) -> Frame:
    """The rows of all sessions in the table's columns; none where there are no sessions."""
    columns = table.schema.names
    if not parts:
        return pd.DataFrame(columns=columns)
    rows = pd.concat(parts, ignore_index=True)[columns]
    days = [name for name in ("date", "end") if name in columns]
    return rows.astype(dict.fromkeys(days, "datetime64[ns]"))


def sessions(world: World, length: int, horizon: int) -> Iterator[int]:
    """Sessions of the forecasts: from the first with a universe and a whole window on."""
    enough = world.member.sum(axis=1) >= 2
    known = np.flatnonzero(enough & (np.arange(enough.size) + 1 >= length))
    if known.size:
        yield from (t for t in range(int(known[0]), enough.size, horizon) if enough[t])


def forecast(
    world: World, t: int, s: Any, rng: np.random.Generator
) -> tuple[portfolios.Tried, Mapping[str, rivals.Forecast], Codes]:
    """Portfolios and models at the close of session `t`, and the columns of their names."""
    names = np.flatnonzero(world.member[t] | (world.held[t] != 0))
    group = world.group[t, names]
    models = rivals.models(window(world.returns, t, names, group, s.window, s.min_coverage))
    tried = portfolios.tried(
        world.member[t, names], world.groups[group], world.liquidity[t, names],
        world.held[t, names], models, rng,
    )  # fmt: skip
    return tried, models, names


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
    makes=(tables.RISK_FORECASTS, tables.RISK_OUTCOMES, tables.RISK_SCORES),
    settings=settings,
    run=run,
    module=__name__,
)

"""Monthly point-in-time universe and its industries."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quant.core import tables
from quant.core.errors import DataError
from quant.core.panel import sessions_of
from quant.core.types import Frame
from quant.data import universe
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config, Universe


def settings(config: "Config") -> "Universe":
    """The rules' settings; `index: auto` filters only a panel that an index was chosen by.

    Tushare has the whole market, and an index beside it: the most liquid names are of the market.
    """
    s = config.universe
    whole = s.index == "auto" and config.data.provider == "tushare"
    return dataclasses.replace(s, index="none") if whole else s


def rules(s: Any, region: str, indices: list[str]) -> universe.UniverseRules:
    """The rules; `index: auto` takes the members of every index the data came with."""
    index = tuple(indices) if s.index == "auto" else () if s.index == "none" else (s.index,)
    return universe.UniverseRules(
        region,
        size=s.size,
        min_price=s.min_price,
        adv_window=s.adv_window,
        min_history=s.min_history,
        min_listed=s.min_listed,
        index=index,
        exclude_st=s.exclude_st,
        exclude_boards=("b", "bse") if region == "cn" else (),
    )


def require_members(members: Frame, counts: Frame) -> None:
    """Raise DataError where no name was ever eligible, with what each rule left on the last day."""
    if len(members):
        return
    last = counts[counts["asof"] == counts["asof"].max()] if len(counts) else counts
    left = ", ".join(f"{r.rule} {r.count}" for r in last.itertuples(index=False)) or "no month end"
    raise DataError(
        f"the universe is empty on every month end; left after each rule on the last: {left}. "
        "Check universe.index, universe.min_history and universe.min_price against the data."
    )


def run(s: Any, f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Reconstitute at every month end; spread over days with the industry in force."""
    spells, listings, sessions = f["index_members"], f["listings"], sessions_of(f["sessions"])
    chosen = rules(s, c.region, sorted(spells["index"].unique()))
    members, counts = universe.build(f["bars"], listings, spells, sessions, chosen)
    require_members(members, counts)
    daily = universe.membership(members, f["industries"], sessions, c.region, listings)
    c.metrics["universe.mean_size"] = float(members.groupby("asof").size().mean())
    return {"members": members, "universe_counts": counts, "membership": daily}


STAGE = Stage(
    "universe",
    needs=(tables.BARS, tables.LISTINGS, tables.INDEX_MEMBERS, tables.INDUSTRIES, tables.SESSIONS),
    makes=(tables.MEMBERS, tables.UNIVERSE_COUNTS, tables.MEMBERSHIP),
    settings=settings,
    run=run,
    module=__name__,
)

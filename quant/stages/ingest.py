"""Raw bars and actions from the provider, with the quality report."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from quant.core import tables
from quant.core.errors import DataError
from quant.core.types import Frame
from quant.data import calendar, quality
from quant.data.providers.base import TABLES, Provider
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.config import Config


def settings(config: "Config") -> dict[str, Any]:
    """The provider's own part of the settings: another provider's do not matter."""
    data = config.data
    own: dict[str, Any] = {"provider": data.provider, "start": data.start, "end": data.end}
    if data.provider == "sim":
        own["sim"] = data.sim
    elif data.provider == "files":
        own["layout"] = data.layout
    else:
        own["vendor"] = data.vendor
    return own


def provider(config: "Config") -> Provider:
    """The provider that the settings name."""
    data, region = config.data, config.region.name
    if data.provider == "sim":
        from quant.data.providers.sim import Sim

        return Sim(region, config.seed, data.sim.n_names, data.sim.alpha_ic)
    if data.provider == "files":
        from quant.data.providers.files import Files
        from quant.data.providers.layout import layout_from

        return Files(layout_from(dict(data.layout), Path(data.root or ""), region))
    return _vendor(config)


def _vendor(config: "Config") -> Provider:
    raise DataError("vendors are wired below")


def external(config: "Config") -> str:
    """Digest of what the provider reads; `root` counts by content, never by name."""
    return provider(config).fingerprint()


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Fetch, check, and hand on in the schemas of the tables."""
    source: Provider = c.private
    start = date.fromisoformat(s["start"]) if s["start"] else date(1990, 1, 1)
    end = date.fromisoformat(s["end"]) if s["end"] else date.today()
    raw = source.fetch(start, end)
    if not len(raw.bars):
        raise DataError(f"{s['provider']} has no bars from {start} to {end}; widen the dates.")
    days = raw.bars["date"]
    sessions = calendar.sessions(c.region, days.min().date(), days.max().date())
    found = quality.check(raw.bars, raw.actions, sessions)
    c.metrics.update(
        {
            "data.rows": float(len(raw.bars)),
            "data.symbols": float(raw.bars["symbol"].nunique()),
            "data.sessions": float(sessions.size),
            "data.quality_findings": float(len(found)),
        }
    )
    made = {name: getattr(raw, name) for name in TABLES}
    made["sessions"] = pd.DataFrame({"date": sessions.astype("datetime64[ns]")})
    return made | {"quality": found}


STAGE = Stage(
    "ingest",
    needs=(),
    makes=(*TABLES.values(), tables.SESSIONS, tables.QUALITY),
    settings=settings,
    external=external,
    private=provider,
    run=run,
    module=__name__,
)

"""Raw bars and actions from the provider, with the quality report."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.audit import forget
from quant.core import progress, tables
from quant.core.errors import DataError
from quant.core.panel import sessions_of
from quant.core.store import digest_json
from quant.core.types import Frame
from quant.data import calendar, quality
from quant.data.providers.base import TABLES, Provider
from quant.stages.registry import Context, Inputs, Stage, plain

if TYPE_CHECKING:
    from quant.settings import Config


def settings(config: "Config") -> dict[str, Any]:
    """The provider's own part of the settings: another provider's do not matter."""
    data = config.data
    own: dict[str, Any] = {"provider": data.provider, "start": data.start, "end": data.end}
    own["last_seen"] = config.last_seen
    if data.provider == "sim":
        # a market that ends today is another one tomorrow
        first, last = span(own)
        own |= {"start": str(first), "end": str(last), "sim": data.sim}
    elif data.provider == "files":
        own["layout"] = data.layout
    else:
        from quant.config import ASKING

        own["vendor"] = {k: v for k, v in plain(data.vendor).items() if k not in ASKING}
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

        return Files(layout_from(dict(data.layout), Path(data.root or "").expanduser(), region))
    v = data.vendor
    folder = Path(v.folder) / data.provider / region
    policy: dict[str, Any] = {
        "on_revision": v.on_revision,
        "refresh": v.refresh,
        "offline": v.offline,
        "base_url": v.base_url,
        "tick": progress.ticker(f"{data.provider} download"),
    }
    if data.provider == "tushare":
        from quant.data.providers.download import Patience
        from quant.data.providers.tushare import Tushare

        pace = Patience(per_minute=v.per_minute)
        return Tushare(folder, v.industry_backfill, patience=pace, **policy)
    from quant.data.providers.yfinance import YFinance

    symbols = Path(v.symbols_file) if v.symbols_file else None
    return YFinance(folder, symbols, v.screen_size, batch=v.batch, **policy)


def span(data: Mapping[str, Any]) -> tuple[date, date]:
    """First and last date wanted; all that there is where none is named."""
    start, end = data["start"], data["end"]
    return (
        date.fromisoformat(start) if start else date(1990, 1, 1),
        date.fromisoformat(end) if end else date.today(),
    )


_digests: dict[str, str] = {}


def external(config: "Config") -> str:
    """Digest of what the provider reads, after it was brought up to date; once a process.

    `data.root` counts by content, never by name.
    """
    asked = digest_json([config.region.name, config.seed, plain(config.data)])
    if asked not in _digests:
        source = provider(config)
        if config.data.provider in ("yfinance", "tushare"):
            source.download(*span(settings(config)))
        _digests[asked] = source.fingerprint()
    return _digests[asked]


def market_id(config: "Config") -> str:
    """What trials are compared on: the same region and data.

    New days change nothing, whether a vendor or the user's folder has them, and neither does
    another window of the same data or a hold-out: who looks at a shorter one has tried once more.
    A folder is known by its place, another span of `sim` is another market.
    """
    own, kind = settings(config), config.data.provider
    del own["last_seen"]  # a hold-out is a part of the market that it is held out of
    if kind != "sim":
        own = {k: v for k, v in own.items() if k not in ("start", "end")}
    drawn = external(config) if kind == "sim" else ""
    return digest_json([config.region.name, plain(own), _place(config), drawn])[:12]


def holdout_market(config: "Config") -> str:
    """What a hold-out is declared on: region and provider, of files the folder too.

    Coarser than `market_id`: other names, columns or labels of the same source show the same days,
    and a look too many is the safe side. A simulated market is one by how it is drawn.
    """
    if config.data.provider == "sim":
        return market_id(config)
    return digest_json([config.region.name, config.data.provider, _place(config)])[:12]


def _place(config: "Config") -> str:
    """The user's folder; empty for another provider."""
    if config.data.provider != "files":
        return ""
    return str(Path(config.data.root or "").expanduser().resolve())


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Fetch, hold out, check, and hand on in the schemas of the tables."""
    source: Provider = c.private
    start, end = span(s)
    seen = min(end, date.fromisoformat(s["last_seen"])) if s["last_seen"] else end
    # a simulated market is drawn whole and cut afterwards: a shorter one would be another
    raw = source.fetch(start, end if s["provider"] == "sim" else seen)
    if not len(raw.bars):
        raise DataError(f"{s['provider']} has no bars from {start} to {end}; widen the dates.")
    made = {name: getattr(raw, name) for name in TABLES}
    days = made["bars"]["date"]
    sessions = calendar.sessions(c.region, days.min().date(), days.max().date())
    made["sessions"] = pd.DataFrame({"date": sessions.astype("datetime64[ns]")})
    if seen < end:
        made = held_out(made, str(seen))
    bars = made["bars"]
    found = quality.check(bars, made["actions"], sessions_of(made["sessions"]))
    c.metrics.update(
        {
            "data.rows": float(len(bars)),
            "data.symbols": float(bars["symbol"].nunique()),
            "data.sessions": float(len(made["sessions"])),
            "data.quality_findings": float(len(found)),
        }
    )
    return made | {"quality": found}


def held_out(made: Mapping[str, Frame], last_seen: str) -> dict[str, Frame]:
    """The tables as they stood at the close of the last session up to `last_seen`, and a note.

    Raises DataError where nothing is left.
    """
    sessions = sessions_of(made["sessions"])
    left = int(np.searchsorted(sessions, np.datetime64(last_seen, "D"), side="right"))
    if left == 0:
        raise DataError(
            f"evaluation.holdout (or asof) leaves no data: they begin on {sessions[0]}, and "
            f"{last_seen} is the last day that the run may see; choose later dates."
        )
    cut = forget(dict(made), sessions[left - 1])
    text = f"Everything after {last_seen} is left out of this run (evaluation.holdout, asof)."
    told = pd.DataFrame({"topic": ["hold-out"], "text": [text]}, dtype=object)
    return cut | {"notes": pd.concat([made["notes"], told], ignore_index=True)}


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

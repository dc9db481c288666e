"""What is known about every member at every close, and what followed: features and labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quant import features
from quant.core import tables
from quant.core.panel import Panel, sessions_of
from quant.core.types import Frame
from quant.data import alpha158
from quant.features import dictionary
from quant.stages.registry import Context, Inputs, Stage

DICTIONARY = "dictionary.md"


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Features of every member, and labels over every horizon."""
    panel = Panel.of(f["bars"], features.FIELDS, dates=sessions_of(f["sessions"]))
    membership, listings = f["membership"], f["listings"]
    gone = listings.loc[listings["delist_date"].notna()].copy()
    unknown = gone["delist_return"].isna() & ~gone["truncated"]
    gone.loc[unknown, "delist_return"] = s["delist_return"]
    gone = gone[["symbol", "delist_date", "delist_return"]]
    if s["set"] == "alpha158":
        made = alpha158.compute(
            f["bars"], membership, sessions_of(f["sessions"]), c.region, c.tick("alpha158")
        )
    elif c.private is None:
        made = features.compute(panel, membership)
    else:
        made = features.cached(panel, membership, c.private)
    c.metrics["features.count"] = float(made.shape[1] - 2)
    c.metrics["features.rows"] = float(len(made))
    page = alpha158.markdown() if s["set"] == "alpha158" else dictionary.markdown(made, c.region)
    (c.scratch / DICTIONARY).write_text(page)
    label = s["label"]
    labels = features.labels(panel, membership, label["horizons"], label["residual"], gone)
    return {"features": made, "labels": labels}


STAGE = Stage(
    "features",
    needs=(tables.BARS, tables.SESSIONS, tables.LISTINGS, tables.MEMBERSHIP),
    makes=(tables.FEATURES, tables.LABELS),
    settings=lambda c: {
        "set": c.features.set,
        "label": {
            "horizons": sorted(set(c.model2.label.horizons)),
            "residual": c.model2.label.residual,
        },
        "delist_return": c.universe.delist_return,
    },
    files=(DICTIONARY,),
    links={DICTIONARY: "features/{region}/" + DICTIONARY},
    private=lambda c: Path(c.paths.store) / "families",
    run=run,
    module=__name__,
)

"""Where the user's own files are and what their columns mean.

A layout is plain data: `layout_from` builds it from a mapping such as `conf/data/layout/us.yaml`
holds. Columns are written canonical: theirs; with none given, the canonical names are expected.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from quant.core.errors import ConfigError

Columns = Mapping[str, str]

REQUIRED = {
    "bars": ("date", "symbol", "open", "high", "low", "close", "volume"),
    "actions": ("date", "symbol"),
    "industries": ("symbol",),
    "index_members": ("index", "symbol", "in_date"),
    "listings": ("symbol",),
    "benchmark": ("date", "close"),
    "rates": ("date", "rf"),
    "intraday": ("date", "symbol", "minute", "price", "volume"),
}
OPTIONAL = {
    "bars": (
        "amount",
        "pre_close",
        "factor",
        "dividend",
        "split",
        "adj_close",
        "is_st",
        "float_shares",
    ),
    "actions": ("dividend", "split"),
    "industries": ("sector", "industry", "code", "detail", "scheme", "in_date", "out_date"),
    "index_members": ("out_date",),
    "listings": ("list_date", "delist_date", "board", "delist_return", "truncated"),
    "benchmark": ("adj_close",),
    "rates": (),
    "intraday": (),
}
CONVENTIONS = ("raw", "adjusted")


@dataclass(frozen=True)
class TableFiles:
    """One table in one file or several of the same shape.

    path       : relative to the root, a file or a pattern (`bars/*.parquet`); .parquet or .csv
    columns    : canonical: theirs; empty = canonical names, further known ones used where present
    where      : theirs: value; only rows that match
    constants  : canonical: value, for a column that the file does not have
    units      : canonical: multiplier into shares and currency (volume in lots: 100)
    optional   : the file may be absent
    convention : bars only; raw = as traded, adjusted = every price already carries its actions
    """

    table: str
    path: str
    columns: Columns = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    optional: bool = False
    convention: str = "raw"

    def __post_init__(self) -> None:
        known = REQUIRED[self.table] + OPTIONAL[self.table]
        for name in (*self.columns, *self.constants, *self.units):
            if name not in known and not (self.table == "benchmark" and name == "name"):
                raise ConfigError(
                    f"layout.{self.table}: column {name!r} is not known; choose from {known}."
                )
        if self.convention not in CONVENTIONS:
            raise ConfigError(
                f"layout.{self.table}: convention {self.convention!r} is not one of {CONVENTIONS}."
            )
        if self.columns:
            given = (*self.columns, *self.constants)
            missing = [name for name in REQUIRED[self.table] if name not in given]
            if missing:
                raise ConfigError(
                    f"layout.{self.table} ({self.path}) says no column for {missing}; "
                    "add canonical: theirs under columns, or leave columns out altogether."
                )


@dataclass(frozen=True)
class FilesLayout:
    """The user's dataset: one region, bars, and whatever else there is.

    industry_source : which classification the labels are (GICS, Yahoo, Shenwan), for the notes
    total_return    : the benchmark's level carries its dividends
    benchmark_name  : how reports call it
    notes           : topic: text that every report on this data must show
    """

    root: Path
    region: str
    bars: tuple[TableFiles, ...]
    actions: TableFiles | None = None
    industries: TableFiles | None = None
    index_members: TableFiles | None = None
    listings: TableFiles | None = None
    benchmark: TableFiles | None = None
    rates: TableFiles | None = None
    intraday: TableFiles | None = None
    industry_source: str = "the user's"
    benchmark_name: str = "benchmark"
    total_return: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)

    def tables(self) -> tuple[TableFiles, ...]:
        """Every table that the layout names, bars first."""
        others = [getattr(self, name) for name in REQUIRED if name != "bars"]
        return (*self.bars, *[table for table in others if table is not None])


def _files(table: str, given: Mapping[str, Any]) -> TableFiles:
    allowed = {f.name for f in fields(TableFiles)} - {"table"}
    unknown = sorted(set(given) - allowed)
    if unknown or "path" not in given:
        raise ConfigError(
            f"layout.{table} has {unknown or 'no path'}; it takes {sorted(allowed)}, path required."
        )
    values = {name: value for name, value in given.items() if value is not None}
    return TableFiles(table, **values)


def layout_from(
    given: Mapping[str, Any], root: Path | str, region: str | None = None
) -> FilesLayout:
    """Build a layout from a plain mapping.

    root   : folder that the paths are relative to
    region : overrides the mapping's own; one of the two is needed
    Raises ConfigError for an unknown key, a missing path, an unknown column or no region.
    """
    known = {f.name for f in fields(FilesLayout)} - {"root"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigError(f"layout has {unknown}, which is not known; it takes {sorted(known)}.")
    values = {name: value for name, value in given.items() if value is not None}
    own = values.pop("region", None)
    if region and own and region != own:
        raise ConfigError(
            f"region={region}, but the layout describes a dataset of region {own}; "
            f"choose the layout of {region} or set region={own}."
        )
    if not (region or own):
        raise ConfigError("the layout names no region; add region: us or region: cn.")
    if not values.get("bars"):
        raise ConfigError("the layout names no bars; add a list of files under bars.")
    bars = tuple(_files("bars", one) for one in values.pop("bars"))
    for name in REQUIRED:
        if name in values:
            values[name] = _files(name, values[name])
    return FilesLayout(root=Path(root), region=region or own, bars=bars, **values)

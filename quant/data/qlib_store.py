"""The Qlib dataset: adjusted bars as .bin files, with a marker that says which region they are.

Layout (Qlib 0.9.7): calendars/day.txt, calendars/day_future.txt, instruments/all.txt and
features/<instrument>/<field>.day.bin, little-endian float32, the first value being the index of
the first session. Qlib folds instrument names to lower case on disk and reads `NA` as missing;
`instrument` maps symbols to names that survive both.
"""

import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Dates, Frame, Vector

REGIONS = ("us", "cn")
MARKER = "dataset.json"
FIELDS = (
    "open",
    "high",
    "low",
    "close",
    "vwap",
    "volume",
    "factor",
    "change",
    "amount",
    "limit_up",
    "limit_down",
)
# pandas reads these as missing values, Windows as devices
_RESERVED = {"NA", "NAN", "NULL", "NONE", "N", "CON", "PRN", "AUX", "NUL"}
_RESERVED |= {f"{port}{i}" for port in ("COM", "LPT") for i in range(10)}


def instrument(symbol: str) -> str:
    """Name of `symbol` in the dataset: distinct symbols stay distinct in lower case.

    Upper case letters, digits, dot, dash and underscore stay; every other character becomes its
    %-code; a name that pandas or Windows would misread gets a trailing `~`.
    """
    name = re.sub(
        r"[^A-Z0-9._-]",
        lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()),
        str(symbol),
    )
    if name.startswith("."):
        name = "%2E" + name[1:]
    return name + "~" if name in _RESERVED else name


def symbol(name: str) -> str:
    """Inverse of `instrument`."""
    text = name.removesuffix("~")
    return re.sub(
        r"(?:%[0-9A-F]{2})+", lambda m: bytes.fromhex(m[0].replace("%", "")).decode(), text
    )


def write(bars: Frame, sessions: Dates, folder: Path, region: str) -> Path:
    """Write `bars` as a Qlib dataset of `region`; the folder is whole or absent.

    bars     : table `bars` (raw prices); prices are stored adjusted (raw x factor), volume
               divided by factor, `change` is the adjusted close's return since the last row,
               amount is money as traded
    sessions : (n_days,) the exchange's sessions; every bar must fall on one
    Returns `folder`. Raises DataError for a bar off the calendar, a bad factor or region.
    """
    _known(region)
    folder = Path(folder)
    sessions = np.asarray(sessions).astype("datetime64[D]")
    table = _sorted(bars, sessions)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        spans = _write_features(table, draft / "features")
        _write_calendars(sessions, draft / "calendars")
        _write_instruments(spans, sessions, draft / "instruments")
        facts = {
            "region": region,
            "sessions": int(sessions.size),
            "first": str(sessions[0]),
            "last": str(sessions[-1]),
            "instruments": len(spans),
            "fields": list(FIELDS),
        }
        (draft / MARKER).write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
        draft.chmod(0o755)
        _publish(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def load(folder: Path, name: str, field: str) -> tuple[int, Vector]:
    """First session's index and the values of one field; -1 and none where it is not there.

    name : of the folder, lower case
    """
    path = Path(folder) / "features" / name / f"{field}.day.bin"
    if not path.exists():
        return -1, np.empty(0, dtype="<f4")
    raw = np.fromfile(path, dtype="<f4")
    return int(raw[0]), raw[1:]


def stored(folder: Path) -> Iterator[tuple[str, str, int, Vector]]:
    """Every instrument (folder name) and field of a dataset: first session's index and values."""
    for home in sorted(p for p in (Path(folder) / "features").iterdir() if p.is_dir()):
        for field in FIELDS:
            yield home.name, field, *load(folder, home.name, field)


def check_region(folder: Path, region: str) -> None:
    """Raise DataError unless `folder` holds a dataset that was written for `region`."""
    _known(region)
    marker = Path(folder) / MARKER
    try:
        found = json.loads(marker.read_text())["region"]
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no Qlib dataset ({MARKER} is missing); "
            f"write it with stage=ingest region={region}."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{marker} is damaged ({error}); remove the folder and run stage=ingest again."
        ) from error
    if found != region:
        raise DataError(
            f"the Qlib dataset at {folder} is of region {found}, not {region}; "
            f"set region={found} or point data at a {region} dataset."
        )


def init(folder: Path, region: str) -> None:
    """Point Qlib at `folder`, quietly, after the region check; call again to switch datasets.

    Qlib's configuration is global to the process: one dataset at a time. Its recorder is kept
    out of the working directory and its excepthook is not installed.
    """
    check_region(folder, region)
    hook = sys.excepthook
    logging.getLogger("qlib").setLevel(logging.ERROR)
    import qlib

    try:
        qlib.init(
            provider_uri=str(Path(folder).resolve()),
            region=region,
            kernels=1,
            logging_level=logging.ERROR,
            logging_config=None,
            exp_manager={
                "class": "MLflowExpManager",
                "module_path": "qlib.workflow.expm",
                "kwargs": {
                    "uri": f"sqlite:///{Path(tempfile.gettempdir(), 'qlib-unused.db')}",
                    "default_exp_name": "unused",
                },
            },
        )
    finally:
        sys.excepthook = hook


def _known(region: str) -> None:
    if region not in REGIONS:
        raise DataError(f"region {region!r} is unknown; Qlib datasets exist for {REGIONS}.")


def _sorted(bars: Frame, sessions: Dates) -> Frame:
    """Sort by instrument and date, add `slot` (index of the session); checked."""
    if not len(bars) or not sessions.size:
        raise DataError("there are no bars or no sessions to write; run stage=ingest first.")
    day = bars["date"].to_numpy().astype("datetime64[D]")
    slot = np.searchsorted(sessions, day)
    slot[slot == sessions.size] = 0
    off = sessions[slot] != day
    if off.any():
        first = bars.loc[off, ["date", "symbol"]].iloc[0]
        raise DataError(
            f"{first['symbol']} has a bar on {first['date']:%Y-%m-%d}, which is no session; "
            "drop it or use the exchange's calendar."
        )
    factor = bars["factor"].to_numpy(np.float64)
    bad = ~(factor > 0)
    if bad.any():
        first = bars.loc[bad, ["date", "symbol"]].iloc[0]
        raise DataError(
            f"{first['symbol']} has factor {factor[bad][0]} on {first['date']:%Y-%m-%d}; "
            "factors are positive: one missing factor turns Qlib's lot rounding off for all names."
        )
    table = bars.assign(slot=slot).sort_values(["symbol", "slot"], kind="stable")
    twice = table.duplicated(["symbol", "slot"])
    if twice.any():
        first = table.loc[twice].iloc[0]
        raise DataError(
            f"{first['symbol']} has two bars on {first['date']:%Y-%m-%d}; keep one of them."
        )
    return table


def _adjusted(table: Frame) -> dict[str, np.ndarray]:
    """The stored fields, (n_rows,) float64, in the order of `table`."""
    factor = table["factor"].to_numpy(np.float64)
    volume = table["volume"].to_numpy(np.float64)
    amount = table["amount"].to_numpy(np.float64)
    out = {
        name: table[name].to_numpy(np.float64) * factor
        for name in ("open", "high", "low", "close", "limit_up", "limit_down")
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        out["vwap"] = np.where(volume > 0, amount / volume, np.nan) * factor
    out["volume"] = volume / factor
    out["factor"] = factor
    out["amount"] = amount
    change = np.full(len(table), np.nan)
    change[1:] = out["close"][1:] / out["close"][:-1] - 1.0
    names = table["symbol"].to_numpy()
    change[1:][names[1:] != names[:-1]] = np.nan
    out["change"] = change
    return out


def _write_features(table: Frame, folder: Path) -> dict[str, tuple[int, int]]:
    """Write the .bin files; return the first and last session of every instrument."""
    data = _adjusted(table)
    slot = table["slot"].to_numpy()
    names = table["symbol"].to_numpy()
    edges = np.flatnonzero(np.r_[True, names[1:] != names[:-1], True])
    spans: dict[str, tuple[int, int]] = {}
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        name = instrument(names[start])
        first, last = int(slot[start]), int(slot[stop - 1])
        spans[name] = (first, last)
        home = folder / name.lower()
        home.mkdir(parents=True)
        at = slot[start:stop] - first + 1
        for field in FIELDS:
            values = np.full(last - first + 2, np.nan, dtype="<f4")
            values[0] = first
            values[at] = data[field][start:stop]
            values.tofile(home / f"{field}.day.bin")
    return spans


def _write_calendars(sessions: Dates, folder: Path) -> None:
    """day.txt; day_future.txt has one more day, or Qlib's last step raises IndexError."""
    folder.mkdir(parents=True)
    days = np.datetime_as_string(sessions).tolist()
    after = np.busday_offset(sessions[-1], 1, roll="backward")
    (folder / "day.txt").write_text("\n".join(days) + "\n")
    (folder / "day_future.txt").write_text("\n".join([*days, str(after)]) + "\n")


def _write_instruments(spans: dict[str, tuple[int, int]], sessions: Dates, folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = [f"{name}\t{sessions[a]}\t{sessions[b]}" for name, (a, b) in sorted(spans.items())]
    (folder / "all.txt").write_text("\n".join(rows) + "\n")


def _publish(draft: Path, folder: Path) -> None:
    """Move `draft` to `folder`, replacing an older dataset there."""
    if folder.exists() and not (folder / MARKER).exists() and any(folder.iterdir()):
        raise DataError(
            f"{folder} exists and is no Qlib dataset of ours; choose another folder or remove it."
        )
    old = draft.with_name(draft.name + ".old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(draft, folder)
    shutil.rmtree(old, ignore_errors=True)


def alpha158() -> dict[str, str]:
    """Name -> expression of the features that Qlib calls Alpha158, in Qlib's order."""
    from qlib.contrib.data.loader import Alpha158DL

    # the arguments of qlib.contrib.data.handler.Alpha158
    expressions, names = Alpha158DL.get_feature_config(
        {
            "kbar": {},
            "price": {"windows": [0], "feature": ["OPEN", "HIGH", "LOW", "VWAP"]},
            "rolling": {},
        }
    )
    return dict(zip(names, expressions, strict=True))


def evaluate(names: list[str], expressions: list[str]) -> Frame:
    """Values of Qlib expressions over every session of the dataset of `init`.

    names : of instruments
    Returns one column for each expression, indexed by instrument and date
    """
    from qlib.data import D
    from qlib.data.cache import H

    H.clear()  # or every series of every instrument stays in memory
    return D.features(names, expressions, disk_cache=0)

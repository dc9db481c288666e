"""Reading the user's parquet and CSV files into typed columns, with one clear error for each fault.

Symbols come as integer codes with their names, so that millions of rows never are Python strings.
"""

import glob
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from quant.core.errors import DataError
from quant.core.types import Frame, Vector
from quant.data.providers.layout import OPTIONAL, REQUIRED, TableFiles

DATES = ("date", "in_date", "out_date", "list_date", "delist_date")
TEXT = ("symbol", "sector", "industry", "code", "detail", "scheme", "index", "board", "name")
FLAGS = ("is_st", "truncated")
# how CSV writers say that there is nothing
NULLS = ["", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"]
# a time of day followed by Z or an offset
ZONE = r":\d{2}.*(?:Z|[+-]\d{2}:?\d{2})$"


def paths_of(root: Path, files: TableFiles) -> list[Path]:
    """Files that `files.path` means, sorted by name; empty only where they are optional.

    Raises DataError where the folder or the file is missing, or is neither parquet nor CSV.
    """
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise DataError(f"the data folder {root} {what}; set data.root to your folder.")
    found = sorted(Path(p) for p in glob.glob(str(root / files.path)))
    if not found and not files.optional:
        raise DataError(
            f"{files.table}: {root / files.path} does not exist; put the file there or "
            f"change the path under layout.{files.table} (data/layout=standard reads {files.table}"
            ".parquet or .csv)."
        )
    for path in found:
        if path.is_dir():
            raise DataError(f"{path} is a folder, not a file; give a pattern such as bars/*.csv.")
        if path.suffix not in (".parquet", ".csv"):
            raise DataError(f"{path} is neither .parquet nor .csv; convert it to one of them.")
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with _readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(root: Path, files: TableFiles) -> Frame | None:
    """Canonical columns of a table, typed; None where an optional file is absent.

    The column `symbol` is a pandas categorical, dates are datetime64[ns], numbers are float64.
    """
    found = paths_of(root, files)
    if not found:
        return None
    parts = [_one(path, files) for path in found]
    if len(parts) == 1:
        return parts[0]
    if "symbol" in parts[0]:
        union = pd.api.types.union_categoricals([p["symbol"] for p in parts], sort_categories=True)
        for part in parts:
            part["symbol"] = part["symbol"].cat.set_categories(union.categories)
    return pd.concat(parts, ignore_index=True)


def _one(path: Path, files: TableFiles) -> Frame:
    have = _names(path)
    mapping = _mapping(path, files, have)
    table = _table(path, {*mapping.values(), *[w for w in files.where if w in have]})
    for theirs, value in files.where.items():
        if theirs not in have:
            raise DataError(f"{path.name} has no column {theirs!r} to select rows by.")
        column = table[theirs]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        wanted = pa.scalar(value) if pa.types.is_boolean(column.type) else pa.scalar(str(value))
        same = column if pa.types.is_boolean(column.type) else column.cast(pa.string())
        table = table.filter(pc.equal(same, wanted))
    columns: dict[str, Any] = {}
    for name, theirs in mapping.items():
        columns[name] = _typed(path, name, theirs, table[theirs])
    for name, value in files.constants.items():
        columns[name] = pd.Categorical([value] * table.num_rows) if name == "symbol" else value
    for name, unit in files.units.items():
        if name in columns:
            columns[name] = columns[name] * float(unit)
    return pd.DataFrame(columns, index=range(table.num_rows))


def _names(path: Path) -> list[str]:
    with _readable(path):
        if path.suffix == ".parquet":
            return pq.read_schema(path).names
        return list(pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns)


def _table(path: Path, columns: set[str]) -> pa.Table:
    with _readable(path):
        if path.suffix == ".parquet":
            return pq.read_table(path, columns=sorted(columns))
        return _csv(path, columns)


def _csv(path: Path, columns: set[str]) -> pa.Table:
    """Text throughout: 000001 keeps its zeros and a bad number can be named.

    A row with more or fewer fields than the header is refused: its values may have shifted.
    """
    wanted = sorted(columns)
    options = pacsv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.string()),
        include_columns=wanted,
        null_values=NULLS,
        strings_can_be_null=True,
    )
    return pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(encoding="utf8"),
        parse_options=pacsv.ParseOptions(newlines_in_values=False),
        convert_options=options,
    )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}; save it as UTF-8.") from error
    except (pa.ArrowException, pd.errors.ParserError, pd.errors.EmptyDataError, OSError) as error:
        raise DataError(f"{path} can not be read: {error}; write it again.") from error


def _mapping(path: Path, files: TableFiles, have: list[str]) -> dict[str, str]:
    mapping = dict(files.columns)
    if not mapping:
        known = REQUIRED[files.table] + OPTIONAL[files.table]
        mapping = {name: name for name in known if name in have or name in REQUIRED[files.table]}
        mapping = {k: v for k, v in mapping.items() if k not in files.constants}
    missing = {name: theirs for name, theirs in mapping.items() if theirs not in have}
    if missing:
        raise DataError(
            f"{path.name} has no column {sorted(missing.values())} (for {sorted(missing)}); it has "
            f"{have}: map them under layout.{files.table}.columns."
        )
    return mapping


def _typed(path: Path, name: str, theirs: str, column: pa.ChunkedArray) -> Any:
    try:
        if name == "symbol":
            return _symbols(path, theirs, column)
        if name in DATES:
            return _dates(path, name, theirs, column)
        if name in TEXT:
            return column.cast(pa.string()).to_pandas().to_numpy(dtype=object, na_value=None)
        numbers = _numbers(path, theirs, column)
    except pa.ArrowException as error:
        kind = "a date" if name in DATES else "text" if name in (*TEXT, "symbol") else "a number"
        raise DataError(
            f"{path.name}: {theirs} holds {column.type} values, which can not be read as {kind}; "
            "write the column again in that type."
        ) from error
    infinite = np.flatnonzero(np.isinf(numbers))
    if infinite.size:
        raise DataError(
            f"{path.name}: {theirs} is infinite in row {infinite[0]} ({infinite.size} such rows); "
            "numbers are finite: correct or remove the row."
        )
    return np.nan_to_num(numbers) > 0.5 if name in FLAGS else numbers


def _symbols(path: Path, theirs: str, column: pa.ChunkedArray) -> pd.Categorical:
    if column.null_count:
        raise DataError(f"{path.name}: {theirs} has {column.null_count} empty symbols; fill them.")
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    categories = column.to_pandas().astype("category")
    return pd.Categorical(categories).rename_categories(lambda s: str(s).strip())


def _dates(path: Path, name: str, theirs: str, column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        raise DataError(_zone(path, theirs, kind.tz))
    if pa.types.is_floating(kind):  # 20190102.0; a fraction of a day can not be cast
        column, kind = column.cast(pa.int64()), pa.int64()
    if pa.types.is_integer(kind):
        column = column.cast(pa.string())
    values = column.to_pandas(date_as_object=False)
    parsed = _parsed(path, theirs, values) if values.dtype == object else values
    bad = parsed.isna() & (values.notna() if name != "date" else True)
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise DataError(
            f"{path.name}: {theirs} is {values.iloc[row]!r} in row {row}, which is not a date; "
            "write YYYY-MM-DD."
        )
    stamp = parsed.to_numpy().astype("datetime64[ns]")
    if (stamp.astype("datetime64[D]") != stamp)[~np.isnat(stamp)].any():
        raise DataError(
            f"{path.name}: {theirs} carries a time of day; daily data has exchange-local dates "
            "only: cut the time off."
        )
    return stamp


def _parsed(path: Path, theirs: str, values: pd.Series) -> pd.Series:
    """Dates from text; each distinct text is read once."""
    codes, texts = pd.factorize(values)
    texts = pd.Series(texts, dtype=object).astype(str)
    zoned = texts.str.contains(ZONE)
    if zoned.any():
        raise DataError(_zone(path, theirs, repr(texts[zoned].iloc[0])))
    days = pd.to_datetime(texts, format="mixed", errors="coerce").to_numpy("datetime64[ns]")
    return pd.Series(np.append(days, np.datetime64("NaT"))[codes])


def _zone(path: Path, theirs: str, zone: Any) -> str:
    return (
        f"{path.name}: {theirs} carries a time zone ({zone}); dates are exchange-local without "
        "one: convert to the exchange's local date first."
    )


def _numbers(path: Path, theirs: str, column: pa.ChunkedArray) -> Vector:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return column.cast(pa.float64()).to_pandas().to_numpy(dtype=np.float64)
    text = column.to_pandas()
    lowered = text.str.lower().map({"true": "1", "false": "0"})
    numbers = pd.to_numeric(lowered.where(lowered.notna(), text), errors="coerce")
    bad = numbers.isna() & text.notna()
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise DataError(
            f"{path.name}: {theirs} is {text.iloc[row]!r} in row {row}, which is not a number; "
            "correct or remove the row."
        )
    return numbers.to_numpy(dtype=np.float64)

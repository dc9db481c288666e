"""The user's list of symbols, and which of a screen's are common stocks."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from quant.core.errors import DataError

# Yahoo's spelling of preferred shares, warrants, units and rights: BAC-PL, XYZ-WT, XYZ-UN, XYZ-RI
_OTHER = re.compile(r"-(P[A-Z]?|WT[A-Z]?|UN|RI)$")
_SYMBOL = re.compile(r"^[A-Z0-9^][A-Z0-9.\-=]{0,14}$")


def read_symbols(path: Path) -> tuple[str, ...]:
    """Return the symbols of a file, sorted: one a line (# starts a comment), or a CSV column.

    `BRK.B` becomes Yahoo's `BRK-B`. Raises DataError where the file is absent, empty or holds
    something that is no symbol.
    """
    if not path.is_file():
        raise DataError(
            f"symbols file {path} does not exist; name an existing file, or leave "
            "data.vendor.symbols_file empty to use the equity screen."
        )
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    lines = [line for line in lines if line]
    rows = list(csv.reader(lines))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if "symbol" in header:
        at = header.index("symbol")
        cells = [row[at] for row in rows[1:] if len(row) > at]
    else:
        cells = [row[0] for row in rows]
    symbols = sorted({cell.strip().upper().replace(".", "-") for cell in cells if cell.strip()})
    wrong = [s for s in symbols if not _SYMBOL.match(s)]
    if wrong or not symbols:
        raise DataError(
            f"symbols file {path} " + (f"holds {wrong[0]!r}" if wrong else "is empty") + "; write "
            "one symbol a line (AAPL), or a CSV with a column `symbol`."
        )
    return tuple(symbols)


def common_stocks(symbols: Iterable[str]) -> tuple[str, ...]:
    """Return `symbols` without preferred shares, warrants, units and rights, sorted."""
    return tuple(sorted({s for s in symbols if not _OTHER.search(s)}))

"""Put a report on disk, once: a name of its own, read-only, never over another."""

import os
import re
from html import escape
from pathlib import Path

from quant.core.errors import ReportError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
LIMIT = 3_000_000  # bytes
POINTER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="refresh" content="0; url={name}">
<title>Newest {kind}</title></head>
<body><p>The newest {kind} of this folder: <a href="{name}">{name}</a></p></body></html>
"""


def folder_name(sprint: str, region: str) -> str:
    """The folder of a sprint's reports: s0 and us give sprint0_US."""
    return f"sprint{sprint.lower().removeprefix('sprint').removeprefix('s')}_{region.upper()}"


def write(
    html: str, folder: Path, sha: str, config_hash: str, run_id: str, kind: str = "report"
) -> Path:
    """Write `html` as report-<sha>-<config_hash>-<run_id>.html and point report.html at it.

    kind   : first word of the name, and name of the pointer
    Raises ReportError where that report exists, where a part can not stand in a file name,
    where the page is too large, or where the disk refuses; nothing is overwritten, and a page
    that could not be written in full does not stay.
    """
    for part in (sha, config_hash, run_id):
        if not NAME.fullmatch(part):
            raise ReportError(
                f"{part!r} can not stand in a report's file name; "
                "letters, digits, dot, plus, dash and underscore are the rule: pass such an id."
            )
    data = html.encode("utf-8")
    if len(data) > LIMIT:
        raise ReportError(
            f"the report has {len(data):,} bytes but at most {LIMIT:,} are allowed; "
            "shorten the window or the tables."
        )
    path = Path(folder) / f"{kind}-{sha}-{config_hash}-{run_id}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create(path, data)
        _point(path, kind)
    except FileExistsError as error:
        if not path.exists():
            raise ReportError(
                f"{path.parent} is a file, and reports need a folder there; move it away."
            ) from error
        raise ReportError(
            f"{path} exists already, and reports are never overwritten; "
            "start a new run, or move that file away."
        ) from error
    except OSError as error:
        raise ReportError(
            f"{path} could not be written ({error.strerror or error}); "
            "free space or choose another folder, and run the report stage again."
        ) from error
    return path


def create(path: Path, data: bytes) -> None:
    """Write a new read-only file, whole or not at all; FileExistsError where there is one."""
    with open(path, "xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    path.chmod(0o444)


def _point(path: Path, kind: str) -> None:
    draft = path.with_name(f".{path.name}.pointer")
    draft.write_text(POINTER.format(name=escape(path.name), kind=kind), encoding="utf-8")
    os.replace(draft, path.with_name(f"{kind}.html"))

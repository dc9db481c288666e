"""JSON-lines logs for machines and short lines for people; secrets never reach either."""

import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

LOGGER = "quant"
SECRETS = ("TUSHARE_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_SECRET_PAIR = re.compile(r"((?:token|password|secret)\s*[=:]\s*)[^\s,;'\"&]+", re.IGNORECASE)


def redact(text: str) -> str:
    """Return `text` with the values of secrets, and whatever follows `token=`, taken out."""
    for name in SECRETS:
        value = os.environ.get(name, "")
        if len(value) >= 6:
            text = text.replace(value, "***")
    return _SECRET_PAIR.sub(r"\1***", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line with the fields every line of a run carries."""

    def __init__(self, fields: Mapping[str, object], timezone: str):
        super().__init__()
        self.fields = dict(fields)
        self.zone = ZoneInfo(timezone)

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        now = datetime.fromtimestamp(record.created, UTC)
        line = {
            "utc": now.isoformat(timespec="milliseconds"),
            "local_date": now.astimezone(self.zone).date().isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self.fields,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str))


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        mark = "" if record.levelno < logging.WARNING else f"{record.levelname}: "
        return redact(f"{clock}  {mark}{record.getMessage()}")


def start(file: Path, fields: Mapping[str, object], timezone: str, debug: bool) -> logging.Logger:
    """Send the package's log to `file` as JSON lines and to the terminal as short lines.

    fields   : what every line carries: git_sha, config_hash, global_seed, region, split, ...
    timezone : of the exchange, for `local_date`
    """
    logger = logging.getLogger(LOGGER)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(file, encoding="utf-8")
    to_file.setFormatter(JsonFormatter(fields, timezone))
    to_person = logging.StreamHandler(sys.stderr)
    to_person.setFormatter(_Plain())
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False
    logger.addHandler(to_file)
    logger.addHandler(to_person)
    return logger


def get() -> logging.Logger:
    """The package's logger."""
    return logging.getLogger(LOGGER)


_within = ""


@contextmanager
def aside(text: str) -> Iterator[None]:
    """Work that is done within other work: its messages begin with `text`, and are for --debug."""
    global _within
    before, _within = _within, _within + text
    try:
        yield
    finally:
        _within = before


def event(message: str, level: int = logging.INFO, **fields: object) -> None:
    """Log `message` with structured `fields` of its own."""
    if _within and level == logging.INFO:
        level = logging.DEBUG
    get().log(level, _within + message, extra={"fields": fields})

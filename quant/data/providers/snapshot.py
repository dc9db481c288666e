"""What a vendor sent, on disk: immutable parts under one manifest, so that a kill loses little.

Every answer becomes a part of its own, written once (temporary file, then `os.replace`) and
entered in `manifest.json` with its digest. Nothing is overwritten: a later answer about the same
days is a further part, and which one counts is decided when they are read (`revisions`).
"""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from quant.core.errors import StoreError
from quant.core.types import Frame

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Part:
    """One stored answer.

    kind     : what was asked, e.g. "chart" or "daily"
    subjects : the symbols that were asked for; () = the whole market
    start, end : the days it covers, inclusive, ISO
    missing  : those of `subjects` that the vendor says it does not have
    seen     : exchange-local day on which it was asked, ISO
    """

    kind: str
    subjects: tuple[str, ...]
    start: str
    end: str
    missing: tuple[str, ...]
    seen: str
    file: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class Ask:
    """What is about to be stored: a part without its file."""

    kind: str
    start: date
    end: date
    seen: date
    subjects: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Snapshot:
    """The parts of one vendor in one folder."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = Path(folder)
        self.source = source
        self.parts: list[Part] = self._read()

    def _read(self) -> list[Part]:
        path = self.folder / MANIFEST
        if not path.exists():
            return []
        try:
            content = json.loads(path.read_text())
            if content["format"] != FORMAT or content["source"] != self.source:
                raise StoreError(
                    f"{path} is format {content['format']} of {content['source']!r}, not {FORMAT} "
                    f"of {self.source!r}; point the provider at a folder of its own."
                )
            rows = [
                Part(**{**p, "subjects": tuple(p["subjects"]), "missing": tuple(p["missing"])})
                for p in content["parts"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path} can not be read ({type(error).__name__}: {error}); restore it from a "
                "copy, or move the folder away to download it again."
            ) from None
        # a part whose file was removed is asked for again
        return [p for p in rows if (self.folder / p.file).exists()]

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder against other processes, and read what they have added meanwhile."""
        with _space(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            for left in self.folder.glob("*.tmp"):
                left.unlink(missing_ok=True)
            self.parts = self._read()
            yield

    def add(self, ask: Ask, frame: Frame) -> Part:
        """Store `frame` as a new part; it is whole and listed, or absent.

        Raises StoreError where the disk is full or the folder is not writable.
        """
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        digest = hashlib.sha256(content).hexdigest()
        part = Part(
            kind=ask.kind,
            subjects=ask.subjects,
            start=ask.start.isoformat(),
            end=ask.end.isoformat(),
            missing=ask.missing,
            seen=ask.seen.isoformat(),
            file=f"{ask.kind}-{len(self.parts):05d}-{digest[:12]}.parquet",
            sha256=digest,
            rows=len(frame),
        )
        parts = [*self.parts, part]
        listing = {"format": FORMAT, "source": self.source, "parts": [asdict(p) for p in parts]}
        with _space(self.folder):
            _write(self.folder / part.file, content)
            _write(self.folder / MANIFEST, json.dumps(listing, indent=0).encode())
        self.parts = parts
        return part

    def of(self, *kinds: str) -> list[Part]:
        """Return the parts of these kinds, oldest first."""
        return [p for p in self.parts if p.kind in kinds]

    def frame(self, part: Part) -> Frame:
        """Read a part; raises StoreError where its bytes are not those that were written."""
        path = self.folder / part.file
        content = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise StoreError(
                f"{path} does not have the digest that {MANIFEST} lists: it was changed or "
                "damaged; delete this file and run again, it alone is downloaded anew."
            )
        frame = pq.read_table(pa.BufferReader(content)).to_pandas()
        for name in frame.columns:
            if frame[name].dtype.kind == "M":
                frame[name] = frame[name].astype("datetime64[ns]")
        return frame

    def digest(self) -> str:
        """Digest of the content of all parts in their order (not of the day they were asked)."""
        total = hashlib.sha256(f"{FORMAT}/{self.source}".encode())
        for p in self.parts:
            total.update(json.dumps([p.kind, p.subjects, p.start, p.end, p.sha256]).encode())
        return total.hexdigest()


def covered(parts: list[Part]) -> dict[str, tuple[date, date]]:
    """First and last day asked for, by subject; "" stands for the whole market."""
    spans: dict[str, tuple[date, date]] = {}
    for part in parts:
        start, end = date.fromisoformat(part.start), date.fromisoformat(part.end)
        for subject in part.subjects or ("",):
            low, high = spans.get(subject, (start, end))
            spans[subject] = (min(low, start), max(high, end))
    return spans


def concat(frames: list[Frame], columns: list[str]) -> Frame:
    """Stack the frames that have rows; an empty frame with `columns` where none has."""
    filled = [f for f in frames if len(f)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _space(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else f"{type(error).__name__}: {error.strerror or error}"
        step = "free some space" if full else "make the folder writable"
        raise StoreError(
            f"{folder} can not be written: {why}; {step} and run the same command again, what was "
            "downloaded before is kept."
        ) from None

"""Content-addressed results: a key is whole or absent, and what is read is what was written."""

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from quant.core.errors import StoreError
from quant.core.tables import Table
from quant.core.types import Frame

META = "meta.json"
DAY = 86_400.0  # seconds


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_json(value: object) -> str:
    """sha256 of a JSON-able value with sorted keys, as hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Result:
    """One stage's stored output: tables and files with their digests."""

    folder: Path
    stage: str
    key: str
    hashes: Mapping[str, str]

    def path(self, name: str) -> Path:
        """Path of a table, file or folder; StoreError where it was changed after it was stored."""
        whole = [n for n in self.hashes if n in (name, f"{name}.parquet")]
        stored = whole or [n for n in self.hashes if n.startswith(f"{name}/")]
        if not stored:
            raise StoreError(f"stage {self.stage} stored {sorted(self.hashes)}, not {name!r}.")
        for path in (self.folder / n for n in stored):
            same = str(path.relative_to(self.folder))
            if not path.is_file() or digest_file(path) != self.hashes[same]:
                raise StoreError(
                    f"{path} is missing or was changed after it was stored (its digest differs); "
                    f"delete the folder {self.folder} and run again: it will be made anew."
                )
        return self.folder / (whole[0] if whole else name)

    def read(self, table: Table, columns: Iterable[str] | None = None) -> Frame:
        """Read one table, verified against its digest."""
        return table.read(self.path(table.name), columns)


class Store:
    """Results of stages under `root/<stage>/<key>`."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def folder(self, stage: str, key: str) -> Path:
        """Where the result of `stage` under `key` lies or will lie."""
        return self.root / stage / key[:20]

    def sweep(self) -> None:
        """Remove what processes that were killed while writing left behind a day ago or more.

        The day is for processes of other machines on a shared disk, whose ids say nothing here.
        """
        for path in [*self.root.glob(".scratch-*-*"), *self.root.glob("*/.*-*-*")]:
            owner = path.name.split("-")[1]
            if owner.isdigit() and not alive(int(owner)) and _age(path) > DAY:
                shutil.rmtree(path, ignore_errors=True)

    def get(self, stage: str, key: str) -> Result | None:
        """Return the stored result, or None. Raises StoreError where its record is damaged."""
        folder = self.folder(stage, key)
        if not folder.exists():
            return None
        try:
            meta = json.loads((folder / META).read_text())
            hashes, stored = dict(meta["hashes"]), meta["key"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"the record {folder / META} can not be read ({error}); "
                f"delete the folder {folder} and run again: it will be made anew."
            ) from error
        gone = [name for name in hashes if not (folder / name).exists()]
        if gone or stored != key:
            raise StoreError(
                f"{folder} is incomplete or belongs to another key (missing: {gone}); "
                "delete that folder and run again: it will be made anew."
            )
        return Result(folder, stage, key, hashes)

    def put(
        self,
        stage: str,
        key: str,
        tables: Mapping[Table, Frame] | Iterable[tuple[Table, Frame]],
        files: Mapping[str, Path],
        record: Mapping[str, object],
    ) -> Result:
        """Check and store a result. A crash at any moment leaves the key absent.

        files  : name -> path of a finished file or folder, moved into the result
        record : what the key was made from, kept beside the result for the reader
        Raises DataError for a table that breaks its schema, StoreError where the disk is full.
        """
        folder = self.folder(stage, key)
        temporary = folder.parent / f".{key[:20]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        pairs = tables.items() if isinstance(tables, Mapping) else tables
        try:
            temporary.mkdir(parents=True)
            for table, frame in pairs:
                table.write(frame, temporary / f"{table.name}.parquet")
            for name, source in files.items():
                shutil.move(source, temporary / name)
            hashes = {str(p.relative_to(temporary)): digest_file(p) for p in _files(temporary)}
            meta = {"stage": stage, "key": key, "hashes": hashes, **record}
            (temporary / META).write_text(json.dumps(meta, indent=1, sort_keys=True, default=str))
            try:
                os.replace(temporary, folder)
            except OSError:  # another job stored the same key first: its bytes are as good
                if not folder.exists():
                    raise
        except OSError as error:
            raise full_disk(error, folder) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        result = self.get(stage, key)
        assert result is not None
        return result


def _age(path: Path) -> float:
    """Seconds since `path` was changed; none where another process removed it first."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def alive(pid: int) -> bool:
    """Whether a process of this machine has the id `pid`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def full_disk(error: OSError, path: Path) -> StoreError:
    """Say what an OSError while writing to `path` means and what to do next."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"no space left on the disk while writing {path}; nothing stored before was touched: "
            "free some space (outputs/store holds results that can be made anew) and run again."
        )
    return StoreError(f"could not write {path}: {error}; check the folder's rights and run again.")


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(p for p in folder.rglob("*") if p.is_file()))

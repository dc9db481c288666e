"""Bundles: an immutable record of what one run was made from, and of what it made.

A bundle is a folder `<date>_<git_sha>_<config_hash>` with a gzipped tarball and `config_hash.txt`.
The tarball repeats: the same members give the same bytes. DIGESTS lists the sha256 of every member,
`bundle.sha256` that of the tarball, and nothing is ever overwritten.
"""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from quant.core.errors import StoreError
from quant.core.store import full_disk

NAME, HASH, SHA, DIGESTS, FACTS = (
    "bundle.tar.gz", "config_hash.txt", "bundle.sha256", "DIGESTS", "run.json"
)  # fmt: skip
CONFIG = "config.yaml"
READ_ONLY = 0o444


@dataclass(frozen=True)
class Bundle:
    """An opened bundle, every member checked.

    members : path -> bytes; facts : what run.json says
    """

    path: Path
    members: Mapping[str, bytes]

    @property
    def facts(self) -> dict[str, Any]:
        """Name, command, versions and hashes of the run."""
        return json.loads(self.members[FACTS])


def pack(members: Mapping[str, bytes]) -> bytes:
    """The tarball of `members` and their digests; the same members give the same bytes."""
    listed = dict(sorted(members.items()))
    listed[DIGESTS] = "".join(f"{_sha(v)}  {k}\n" for k, v in listed.items()).encode()
    raw, out = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in listed.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), READ_ONLY
            tar.addfile(info, io.BytesIO(content))
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped:
        zipped.write(raw.getvalue())
    return out.getvalue()


def write(root: Path, name: str, members: Mapping[str, bytes]) -> Path:
    """Write a bundle below `root`; return its folder.

    name : <date>_<git_sha>_<config_hash>; where that is taken by another content, `-2` is added
    The same content twice is one bundle. Raises StoreError where it can not be written.
    """
    content = pack(members)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".lock"):
            folder, number = root / name, 1
            while folder.exists():
                if (folder / SHA).is_file() and _told(folder / SHA) == _sha(content):
                    return folder
                number += 1
                folder = root / f"{name}-{number}"
            draft = root / f".{folder.name}"
            draft.mkdir(exist_ok=True)
            _write(draft / NAME, content)
            _write(draft / HASH, members[HASH])
            _write(draft / SHA, f"{_sha(content)}  {NAME}\n".encode())
            draft.rename(folder)
    except OSError as error:
        raise full_disk(error, root / name) from error
    return folder


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # of a run that was killed here
    path.write_bytes(content)
    path.chmod(READ_ONLY)


def load(place: str | Path) -> Bundle:
    """Open a bundle and check all of it: its own digest and that of every member.

    place : the folder, or the tarball itself
    Raises StoreError naming the first part that is missing or was changed.
    """
    path = Path(place).expanduser()
    tarball = path / NAME if path.is_dir() else path
    if not tarball.is_file():
        raise StoreError(
            f"bundle={place} has no {NAME}; name a folder below conf/bundles, or the tarball."
        )
    content = tarball.read_bytes()
    told = tarball.with_name(SHA)
    if told.is_file() and _told(told) != _sha(content):
        raise _changed(tarball, f"its sha256 is not that of {SHA}")
    members = _members(tarball, content)
    try:
        lines = members.pop(DIGESTS, b"").decode().splitlines()
        listed = {name: told for told, name in (line.split("  ", 1) for line in lines)}
    except ValueError as error:
        raise _changed(tarball, f"{DIGESTS} can not be read") from error
    for name in sorted({*listed, *members}):
        if name not in members or listed.get(name) != _sha(members[name]):
            raise _changed(tarball, f"{name} is not what {DIGESTS} lists")
    lacking = [name for name in (CONFIG, FACTS, HASH) if name not in members]
    if lacking:
        raise _changed(tarball, f"it lacks {', '.join(lacking)}")
    beside = tarball.with_name(HASH)
    if beside.is_file() and beside.read_bytes() != members[HASH]:
        raise _changed(tarball, f"{HASH} beside it says another hash")
    return Bundle(tarball, members)


def _members(path: Path, content: bytes) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            return {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}  # type: ignore[union-attr]
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise _changed(path, f"it can not be read ({error})") from error


def _changed(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the bundle {path} was changed after it was written: {why}; take it from the artifacts "
        "of its run, or from a copy that was not touched."
    )


def _told(path: Path) -> str:
    return path.read_text().split()[0] if path.stat().st_size else ""


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

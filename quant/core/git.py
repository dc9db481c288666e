"""Which version of the code runs."""

import hashlib
import subprocess
from functools import cache

from quant.core.errors import DataError
from quant.core.sources import PROJECT


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(PROJECT), *words], capture_output=True, text=True, check=True
    ).stdout.strip()


@cache
def sha() -> str:
    """Short sha of the checkout, `-dirty` where tracked files differ, `nogit` outside one."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        dirty = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "nogit"
    return f"{head}-dirty" if dirty else head


def dirt() -> str:
    """sha256 of what tracked files differ by from the checkout's revision; empty = nothing."""
    try:
        diff = _git("diff", "HEAD", "--binary")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return hashlib.sha256(diff.encode()).hexdigest() if diff else ""


def before(base: str | None, depth: int) -> str:
    """The full sha that a change is compared with.

    base  : a revision; None = where the branch left origin/main, or, on that branch itself,
            `depth` commits back
    Raises DataError where the checkout does not have it.
    """
    try:
        if base is not None:
            return _git("merge-base", "HEAD", base)
        head = _git("rev-parse", "HEAD")
        try:
            left = _git("merge-base", "HEAD", "origin/main")
        except subprocess.CalledProcessError:  # a checkout of its own
            left = head
        if left != head:
            return left
        return _git("rev-list", "--first-parent", f"--max-count={depth + 1}", "HEAD").split()[-1]
    except (OSError, subprocess.CalledProcessError) as error:
        raise DataError(
            f"revision {base or 'HEAD'} is not in this checkout; fetch all of it (git fetch "
            "--unshallow), or name another with changes.base=<revision>."
        ) from error


def files(revision: str, folder: str) -> dict[str, str]:
    """Texts of the files below `folder` as they were at `revision`, by path."""
    paths = _git("ls-tree", "-r", "--name-only", revision, "--", folder).splitlines()
    return {path: _git("show", f"{revision}:{path}") for path in paths}

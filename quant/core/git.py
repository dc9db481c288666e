"""Which version of the code runs."""

import subprocess
from functools import cache

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

"""End to end: seconds of every stage and peak memory, cold, and again unchanged.

`python -m tests.benchmarks.pipeline [smoke demo cn us]`; cn and us need ../shared/data.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from quant.config_paths import PROJECT
from tests.shared import SHARED

REAL = ("data=files", f"data.root={SHARED / 'data'}")
RUNS = {
    "smoke": (("experiment=smoke",), 40, None),
    "demo": ((), 180, None),
    "cn": (("region=cn", *REAL), 1800, 8.0),
    "us": (("region=us", *REAL), 1800, 8.0),
}


def measure(folder: Path, words: tuple[str, ...]) -> tuple[float, float, dict[str, float]]:
    """Wall seconds, peak RSS in GiB, and seconds by stage of one run."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "quant.main", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    _, errors = process.communicate()
    wall = time.perf_counter() - started
    if process.returncode:
        sys.exit(errors)
    newest = max(folder.glob("outputs/runs/*/*/log.jsonl"), key=lambda p: p.stat().st_mtime)
    lines = [json.loads(x) for x in newest.read_text().splitlines()]
    stages = {x["stage"]: x["seconds"] for x in lines if "seconds" in x}
    peak = max(x["peak_rss_gib"] for x in lines if "peak_rss_gib" in x)
    return wall, peak, stages


def main() -> None:
    """One table."""
    for name in sys.argv[1:] or RUNS:
        words, limit, memory = RUNS[name]
        if "files" in " ".join(words) and not SHARED.exists():
            print(f"{name}: skipped, ../shared/data is absent")
            continue
        with tempfile.TemporaryDirectory() as home:
            cold, peak, stages = measure(Path(home), words)
            again, _, _ = measure(Path(home), words)
        bound = f" (limit {memory} GiB)" if memory else ""
        print(f"{name:6s} cold {cold:7.1f} s (limit {limit} s), peak {peak:.2f} GiB{bound}")
        print(f"       unchanged {again:5.1f} s (limit 10 s)")
        print("       " + "  ".join(f"{k} {v:.1f}" for k, v in stages.items()), flush=True)


if __name__ == "__main__":
    main()

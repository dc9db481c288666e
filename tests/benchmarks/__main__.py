"""`python -m tests.benchmarks [name ...]`: what is claimed about speed, one table each."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))


def main() -> None:
    """Run the named benchmarks, or all of them, each in a process of its own."""
    wanted = sys.argv[1:] or NAMES
    unknown = [n for n in wanted if n not in NAMES]
    if unknown:
        sys.exit(f"unknown benchmark {unknown}; known are {', '.join(NAMES)}.")
    for name in wanted:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False)


main()

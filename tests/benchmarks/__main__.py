"""`python -m tests.benchmarks [name [its words] ...]`: what is claimed, one table each."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(
    p.stem
    for p in HERE.iterdir()
    if not p.stem.startswith("_") and (p.suffix == ".py" or (p / "__main__.py").exists())
)


def asked(words: list[str]) -> list[list[str]]:
    """Each benchmark with the words after its name, which are its own; all where none is named."""
    runs: list[list[str]] = []
    for word in words:
        if word in NAMES or not runs:
            runs.append([])
        runs[-1].append(word)
    return runs or [[name] for name in NAMES]


def main() -> None:
    """Run the named benchmarks, or all of them, each in a process of its own."""
    for name, *words in asked(sys.argv[1:]):
        if name not in NAMES:
            sys.exit(f"unknown benchmark {name!r}; known are {', '.join(NAMES)}.")
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"tests.benchmarks.{name}", *words]
        subprocess.run(command, check=False)


main()

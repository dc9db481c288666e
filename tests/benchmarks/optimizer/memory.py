"""Peak working memory of the default method above its imports, in a process of its own (Linux)."""

import pickle
import re
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

from quant.core.seeds import generator
from quant.optimizer.problem import Problem
from quant.optimizer.solve import solve
from tests.optimizer.problems import random_problem

_PROC = Path("/proc/self")
_MB = 2**20


def peak(problems: list[Problem]) -> dict[str, float]:
    """MB while solving: compiled code once loaded, resident above that, and in arrays alone."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problems"
        file.write_bytes(pickle.dumps(problems))
        command = [sys.executable, "-m", "tests.benchmarks.optimizer.memory", str(file)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    names = ("compiled code", "working, resident", "of it arrays")
    return dict(zip(names, map(float, run.stdout.split()), strict=True))


def _status(name: str) -> float:
    kilobytes = re.search(rf"{name}:\s+(\d+) kB", (_PROC / "status").read_text())
    return int(kilobytes[1]) * 1024 / _MB


def main() -> None:
    """Solve the problems of a file; print the three figures."""
    problems = pickle.loads(Path(sys.argv[1]).read_bytes())
    imported = _status("VmRSS")
    solve(random_problem(generator(42, "benchmark", "memory")))
    loaded = _status("VmRSS")
    (_PROC / "clear_refs").write_text("5")  # the peak counts from here
    for problem in problems:
        solve(problem)
    resident = _status("VmHWM") - loaded
    tracemalloc.start()
    for problem in problems:
        solve(problem)
    print(loaded - imported, resident, tracemalloc.get_traced_memory()[1] / _MB)


if __name__ == "__main__":
    main()

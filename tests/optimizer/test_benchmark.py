"""The benchmark of the optimizer runs, and its rivals solve the problem that they are said to."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from quant.core.seeds import generator
from quant.optimizer.solve import solve
from tests.benchmarks.optimizer.measure import Method, measured
from tests.optimizer.problems import random_problem

ROOT = Path(__file__).parents[2]
PACKAGES = {"cvxportfolio": "cvxportfolio", "skfolio": "skfolio", "PyPortfolioOpt": "pypfopt",
            "Riskfolio-Lib": "riskfolio"}  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Printed text and figures of three days of a simulated market of 60 names."""
    out = tmp_path_factory.mktemp("benchmark") / "optimizer.json"
    words = ["--simulated", "--names", "60", "--days", "3", "--some", "1", "--out", str(out)]
    command = [sys.executable, "-m", "tests.benchmarks", "optimizer", *words]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout, json.loads(out.read_text())


@pytest.mark.slow
def test_who_leaves_nothing_out_finds_the_same_optimum(ran):
    _, found = ran
    for book in ("long-only", "long/short"):
        default, *others = found[book]["rows"]
        assert default["worst"] <= 1e-6 and default["gap"] <= 1e-8
        whole = [row for row in others if not row["leaves_out"]]
        assert len(whole) >= 4
        for row in whole:
            assert row["worst"] <= 1e-6 and row["gap"] <= 1e-6, row


@pytest.mark.slow
def test_a_package_that_is_not_there_is_named(ran):
    printed, found = ran
    for name, module in PACKAGES.items():
        absent = find_spec(module) is None
        assert (f"SKIPPED {name}" in printed) == absent
        assert (name in found["about"]["missing"]) == absent


@pytest.mark.slow
def test_a_simulated_market_is_called_so_and_the_parts_are_all_of_the_time(ran):
    printed, found = ran
    assert "SIMULATED market" in printed
    for book in ("long-only", "long/short"):
        assert sum(found[book]["shares"].values()) == pytest.approx(1.0)
        assert 0 < found[book]["memory MB"]["of it arrays"] < 100
        assert found[book]["floor ms"] > 0


def test_faults_of_a_method_are_shown():
    problem = random_problem(generator(42, "tests", "benchmark"))
    best = solve(problem)
    twice = Method("twice", lambda p, limits: lambda: best.weights * 2.0)
    nothing = Method("nothing", lambda p, limits: lambda: np.full(p.n, np.nan))
    same = Method("same", lambda p, limits: lambda: best.weights)
    ours = np.ones(1)
    row = measured(same, [problem], [best], ours)
    assert row.worst <= 1e-12 and row.gap <= 1e-12
    assert measured(twice, [problem], [best], ours).worst > 1e-3
    assert measured(nothing, [problem], [best], ours).worst == np.inf
    assert measured(nothing, [problem], [best], ours).gap == np.inf

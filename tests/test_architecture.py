"""Imports go one way: a room imports only rooms below it, and a few libraries have one door."""

import ast
from pathlib import Path

import pytest

from quant.core import sources

ROOT = Path(__file__).resolve().parents[1] / "quant"
# from top to bottom; a room may import those after it in the list
HOUSE = (
    "main", "manual", "nightly", "runlog", "landing", "bundles", "pages", "stages", "tracking",
    "config", "settings", "config_paths", "choices", "sweep", "governance", "reporting", "rl",
    "backtest", "execution", "optimizer", "costs", "risk",
    "model1", "model2", "features", "evaluation", "data", "market", "audit", "core",
)  # fmt: skip
# config knows nothing of the rooms, so that they can not know of it
FORBIDDEN = {("model1", "model2"), ("model2", "model1")}
DOORS = {
    "mlflow": {"quant/tracking.py"},
    "hydra": {"quant/main.py", "quant/config.py"},
    "omegaconf": {"quant/main.py", "quant/config.py"},
    "qlib": {"quant/data/qlib_store.py", "quant/backtest/qlib_executor.py"},
}
KNOW_SETTINGS = (
    "main", "nightly", "runlog", "landing", "bundles", "pages", "stages", "config", "settings",
)  # fmt: skip
FILES = sorted(ROOT.rglob("*.py"))


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "core"


def name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_room_imports_one_above_it(path):
    own = room(name(path))
    for module in sorted(sources.imports(name(path))):
        other = room(module)
        if module == "quant" or other == own:
            continue
        assert other in HOUSE, f"{module} is not in the house's list"
        assert HOUSE.index(own) < HOUSE.index(other), f"{name(path)} climbs to {module}"
        assert (own, other) not in FORBIDDEN


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_its_doors_only(library):
    users = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = [node.module]
            if any(n.split(".")[0] == library for n in names):
                users.add(str(path.relative_to(ROOT.parent)))
    assert users <= DOORS[library]


def test_every_module_says_what_it_is():
    silent = [name(p) for p in FILES if not ast.get_docstring(ast.parse(p.read_text()))]
    assert silent == []


def test_rooms_never_see_the_configuration():
    for path in FILES:
        if room(name(path)) not in KNOW_SETTINGS:
            assert not {"quant.config", "quant.settings"} & sources.imports(name(path)), name(path)

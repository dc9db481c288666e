"""Fingerprints of source code: a result depends on the files that made it, and on no others."""

import ast
import hashlib
import importlib.metadata
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # the package folder
PROJECT = ROOT.parent
# wiring that decides which stages run, never what they compute
WIRING = {"quant.stages.registry", "quant.stages.runner", "quant.core.logs", "quant.core.progress"}


def module_file(module: str) -> Path | None:
    """File of a module of this package, or None."""
    base = PROJECT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


@cache
def imports(module: str) -> frozenset[str]:
    """Modules of this package that `module` imports anywhere, those for typing alone left out."""
    path = module_file(module)
    if path is None:
        return frozenset()
    found: set[str] = set()
    for node in _walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
        else:
            continue
        found.update(n for n in names if n.split(".")[0] == "quant" and module_file(n))
    # a submodule brings its packages
    parents = {n.rsplit(".", i)[0] for n in found for i in range(1, n.count(".") + 1)}
    return frozenset((found | parents) - {module})


def _walk(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return []
    nodes = [node]
    for child in ast.iter_child_nodes(node):
        nodes.extend(_walk(child))
    return nodes


def closure(module: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """`module` and all that it imports, directly or not, within the package.

    without : modules that are left out, with what they alone import
    """
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name not in seen and name not in WIRING and name not in without:
            seen.add(name)
            todo.extend(imports(name))
    return frozenset(seen)


@cache
def _content(path: Path) -> str:
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):  # comments and docstrings compute nothing
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


@cache
def fingerprint(module: str, without: frozenset[str] = frozenset()) -> str:
    """sha256 over the code of `module`, of all it imports, and of data files beside them.

    Comments, docstrings and layout do not count; without: as in `closure`.
    """
    parts = []
    for name in sorted(closure(module, without)):
        path = module_file(name)
        if path is None:
            continue
        parts.append(f"{name}:{_content(path)}")
        if path.name == "__init__.py":
            extra = (p for p in path.parent.rglob("*") if p.is_file())
            parts.extend(
                f"{p.relative_to(ROOT)}:{_content(p)}"
                for p in sorted(extra)
                # compiled code is kept in __pycache__, numba's too, and is no source
                if p.suffix not in (".py", ".pyc")
                and "__pycache__" not in p.parts
                and path.parent != ROOT
            )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def environment() -> str:
    """sha256 of the lock file, or of the installed versions where there is none."""
    lock = PROJECT / "uv.lock"
    if lock.exists():
        return hashlib.sha256(lock.read_bytes()).hexdigest()
    names = sorted(f"{d.name}=={d.version}" for d in importlib.metadata.distributions())
    return hashlib.sha256("\n".join(names).encode()).hexdigest()

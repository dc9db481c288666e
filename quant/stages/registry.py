"""What a stage is, and the order in which stages run."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core.errors import StageError
from quant.core.tables import Table
from quant.core.types import Frame

if TYPE_CHECKING:
    from quant.settings import Config


@dataclass
class Context:
    """What a stage may know beside its settings and tables.

    scratch : an empty folder; files named in `Stage.files` are written there
    metrics : numbers a stage wants tracked; they are stored with its result
    private : what `Stage.private` gave: paths and handles that decide no result
    """

    region: str
    seed: int
    scratch: Path
    tick: Callable[[str], Callable[[int, int], None]]
    metrics: dict[str, float] = field(default_factory=dict)
    private: Any = None


class Inputs(Mapping[str, Frame]):
    """The tables a stage needs, read when asked for and not kept."""

    def __init__(
        self,
        readers: Mapping[str, Callable[[], Frame]],
        folders: Mapping[str, Path] | None = None,
        digests: Mapping[str, str] | None = None,
    ):
        self._readers = readers
        self._folders = folders or {}
        self._digests = digests or {}

    def file(self, table: str, name: str) -> Path:
        """Path of the file or folder `name` that was stored with `table`."""
        return self._folders[table] / name

    def digest(self, table: str) -> str:
        """sha256 of the table as it is stored."""
        return self._digests[table]

    def __getitem__(self, name: str) -> Frame:
        return self._readers[name]()

    def __iter__(self) -> Any:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


def nothing(config: "Config") -> None:
    """A stage that needs no paths."""


def no_digest(config: "Config") -> str:
    """A stage that depends on nothing outside the project."""
    return ""


@dataclass(frozen=True)
class Stage:
    """One room's wiring: what it needs, what it makes, which settings decide it.

    settings : the slice of the configuration that enters the key, a dataclass or a dict of them
    private  : what a stage may use though it decides no result: paths, handles
    external : digest of what lies outside (the user's files, the trial ledger)
    files    : names of files or folders left in the scratch folder
    links    : file or folder -> where it is linked to under data/, "{region}" filled in
    """

    name: str
    needs: tuple[Table, ...]
    makes: tuple[Table, ...]
    settings: Callable[["Config"], Any]
    run: Callable[[Any, Inputs, Context], Mapping[str, Frame]]
    files: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    private: Callable[["Config"], Any] = nothing
    external: Callable[["Config"], str] = no_digest
    module: str = ""


def plain(settings: Any) -> Any:
    """Settings as JSON-able values."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return dataclasses.asdict(settings)
    if isinstance(settings, Mapping):
        return {k: plain(v) for k, v in settings.items()}
    return settings


def plan(stages: Iterable[Stage], targets: Iterable[str]) -> list[Stage]:
    """Return `targets` and all they need, in topological order.

    Raises StageError for an unknown name, or a table that no stage makes.
    """
    by_name = {s.name: s for s in stages}
    maker = {table.name: s for s in by_name.values() for table in s.makes}
    wanted: dict[str, set[str]] = {}
    todo = list(targets)
    while todo:
        name = todo.pop()
        if name not in by_name:
            raise StageError(f"unknown stage {name!r}; known are {', '.join(by_name)}.")
        if name in wanted:
            continue
        lacking = [t.name for t in by_name[name].needs if t.name not in maker]
        if lacking:
            raise StageError(f"stage {name} needs {lacking}, which no stage makes.")
        wanted[name] = {maker[t.name].name for t in by_name[name].needs}
        todo.extend(wanted[name])
    rank = {n: i for i, n in enumerate(by_name)}
    order = TopologicalSorter({n: sorted(v, key=rank.get) for n, v in sorted(wanted.items())})
    return [by_name[n] for n in order.static_order()]

"""The only import of mlflow: a Tracker, and a NullTracker that does the same to nothing."""

import atexit
import contextlib
import functools
import logging
import os
import re
import signal
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from quant.core import logs
from quant.core.errors import QuantError, StoreError
from quant.core.store import alive
from quant.core.types import Frame

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# requirements are given; the lock file of the folder a run starts in is none of the model's
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

TYPES = {"M8": "datetime", "O": "string", "f4": "float", "f8": "double", "i8": "long"}
CHAMPION = "champion"  # alias of the version that passed its gate last
PARENT = ".parent_run"  # in the folder of a sweep: id of the run that its jobs are nested under


class Tracker(Protocol):
    """What a run tells its tracking: parameters, numbers, files."""

    run_id: str

    def params(self, values: Mapping[str, Any]) -> None:
        """Log settings, flat."""

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log numbers."""

    def series(self, values: Mapping[str, Mapping[int, float]]) -> None:
        """Log numbers by step, drawn as curves."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Log a file or a folder."""

    def text(self, text: str, name: str) -> None:
        """Log a text as a file called `name`."""

    def model(self, folder: Path, name: str, loader: str, about: "About") -> None:
        """Log a folder of plain data as a model that the module `loader` loads."""

    def version(self, name: str, path: Path, facts: Mapping[str, str], champion: bool) -> None:
        """Register a file as a version of the model `name`; champion: it gets that alias."""

    def end(self, status: str) -> None:
        """Close the run: FINISHED, FAILED or KILLED."""


class NullTracker:
    """Tracks nothing; the run id is made from time alone."""

    def __init__(self, run_id: str):
        self.run_id = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Log nothing."""

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log nothing."""

    def series(self, values: Mapping[str, Mapping[int, float]]) -> None:
        """Log nothing."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Log nothing."""

    def text(self, text: str, name: str) -> None:
        """Log nothing."""

    def model(self, folder: Path, name: str, loader: str, about: "About") -> None:
        """Log nothing."""

    def version(self, name: str, path: Path, facts: Mapping[str, str], champion: bool) -> None:
        """Register nothing."""

    def end(self, status: str) -> None:
        """Close nothing."""


@dataclass(frozen=True)
class About:
    """What MLflow keeps beside a model.

    example      : rows it takes; scored : what it returns for them; optional : columns of the
                   example that may be absent
    key          : names its content: a model of the same key is not stored twice
    dataset      : name of the data; digest : of their content, 36 characters at most; source : path
    requirements : packages it needs
    facts        : JSON-able
    """

    example: Frame
    scored: Frame
    optional: tuple[str, ...]
    key: str
    dataset: str
    digest: str
    source: str
    requirements: tuple[str, ...]
    facts: Mapping[str, Any]


def _told(method: Callable[..., None]) -> Callable[..., None]:
    """Whatever MLflow raises while it is told something, as one sentence."""

    @functools.wraps(method)
    def telling(self: "MlflowTracker", *args: Any) -> None:
        try:
            method(self, *args)
        except Exception as error:  # mlflow raises what its backend raises
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise QuantError(
                f"tracking at {self.uri} takes no more ({first}); stored results are kept: "
                "free some space or mend the tracking store and run again, or use tracking=none."
            ) from error

    return telling


class MlflowTracker:
    """One MLflow run; jobs of a sweep are nested under one parent."""

    def __init__(self, settings: Any, name: str, tags: Mapping[str, str], sweep: Path | None):
        """Open a run.

        settings : the tracking group: uri, artifacts, experiment
        sweep    : folder of the sweep, where the parent's id is kept, or None for a single run
        Raises QuantError where the tracking store can not be opened.
        """
        self.uri = settings.uri
        try:
            self._open(settings, name, tags, sweep)
        except Exception as error:  # mlflow raises what its backend raises
            raise QuantError(
                f"tracking at {settings.uri} can not be opened ({type(error).__name__}: "
                f"{str(error).splitlines()[0] if str(error) else ''}); "
                "check tracking.uri, or run with tracking=none."
            ) from error

    def _open(self, settings: Any, name: str, tags: Mapping[str, str], sweep: Path | None) -> None:
        from filelock import FileLock

        local = settings.uri.startswith("sqlite:///")
        folder = Path(settings.uri.removeprefix("sqlite:///")).parent if local else Path("mlruns")
        folder.mkdir(parents=True, exist_ok=True)
        # several processes that open a fresh database at once lose it
        with FileLock(folder / ".open.lock"):
            from mlflow.tracking import MlflowClient

            if local:
                _create(Path(settings.uri.removeprefix("sqlite:///")))
            self.client = MlflowClient(tracking_uri=settings.uri)
            found = self.client.get_experiment_by_name(settings.experiment)
            place = Path(settings.artifacts).resolve().as_uri() if settings.artifacts else None
            self.experiment = (
                found.experiment_id
                if found
                else self.client.create_experiment(settings.experiment, artifact_location=place)
            )
            self._reap()
            self.parent = self._parent(sweep, tags) if sweep else None
        owner = {"pid": str(os.getpid()), "host": socket.gethostname(), **tags}
        if self.parent:
            owner["mlflow.parentRunId"] = self.parent
        run = self.client.create_run(self.experiment, run_name=name, tags=owner)
        self.run_id = run.info.run_id
        self._ended = False
        self._previous = signal.signal(signal.SIGTERM, self._killed)
        atexit.register(self.end, "KILLED")

    def _parent(self, sweep: Path, tags: Mapping[str, str]) -> str:
        marker = sweep / PARENT
        if marker.exists():
            return marker.read_text()
        run = self.client.create_run(
            self.experiment, run_name=f"sweep {sweep.name}",
            tags={"pid": str(os.getpid()), "host": socket.gethostname(), "sweep": "parent",
                  **{k: tags[k] for k in ("region", "git_sha") if k in tags}},
        )  # fmt: skip
        sweep.mkdir(parents=True, exist_ok=True)
        marker.write_text(run.info.run_id)
        atexit.register(self._close, run.info.run_id, "FINISHED")
        return run.info.run_id

    def _reap(self) -> None:
        """Mark runs of this host whose process is gone as KILLED."""
        running = self.client.search_runs(
            [self.experiment], filter_string="attributes.status = 'RUNNING'"
        )
        for run in running:
            pid, host = run.data.tags.get("pid"), run.data.tags.get("host")
            if host == socket.gethostname() and pid and not alive(int(pid)):
                self._close(run.info.run_id, "KILLED")

    def _close(self, run_id: str, status: str) -> None:
        if self.client.get_run(run_id).info.status == "RUNNING":
            self.client.set_terminated(run_id, status)

    def _killed(self, number: int, frame: object) -> None:
        self.end("KILLED")
        signal.signal(number, self._previous or signal.SIG_DFL)
        os.kill(os.getpid(), number)

    @_told
    def params(self, values: Mapping[str, Any]) -> None:
        """Log settings, flat; 500 characters a value at most."""
        from mlflow.entities import Param

        entries = [Param(k, logs.redact(str(v))[:500]) for k, v in values.items()]
        for i in range(0, len(entries), 100):
            self.client.log_batch(self.run_id, params=entries[i : i + 100])

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log finite numbers."""
        self.series({name: {0: value} for name, value in values.items()})

    @_told
    def series(self, values: Mapping[str, Mapping[int, float]]) -> None:
        """Log finite numbers by step."""
        import math
        import time

        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [
            Metric(_allowed(name), float(value), now, step)
            for name, steps in values.items()
            for step, value in steps.items()
            if math.isfinite(float(value))
        ]
        for i in range(0, len(entries), 500):
            self.client.log_batch(self.run_id, metrics=entries[i : i + 500])

    @_told
    def artifact(self, path: Path, folder: str = "") -> None:
        """Log a file or a folder under `folder`."""
        if path.is_dir():
            self.client.log_artifacts(self.run_id, str(path), folder or None)
        else:
            self.client.log_artifact(self.run_id, str(path), folder or None)

    def text(self, text: str, name: str) -> None:
        """Log a text as a file called `name`."""
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / Path(name).name
            path.write_text(logs.redact(text))
            self.artifact(path, str(Path(name).parent) if "/" in name else "")

    @_told
    def model(self, folder: Path, name: str, loader: str, about: "About") -> None:
        """Log `folder` as the MLflow model `name`: found again as runs:/<run>/<name>.

        Data, never code: it is the project's module `loader` that reads it.
        """
        import mlflow
        from mlflow.models import Model

        mlflow.set_tracking_uri(self.uri)
        self._dataset(about)
        if self._linked(name, about):
            return
        # by hand: mlflow.pyfunc.log_model opens a run of its own, in another experiment
        made = self.client.create_logged_model(
            self.experiment, name=name, source_run_id=self.run_id, tags={"key": about.key}
        )
        logging.getLogger("mlflow").setLevel(logging.ERROR)  # it misses pip's version
        Model.log(
            artifact_path=None,
            name=name,
            flavor=mlflow.pyfunc,
            run_id=self.run_id,
            model_id=made.model_id,
            loader_module=loader,
            data_path=str(folder),
            signature=_signature(about),
            input_example=about.example,
            # given, not inferred: that takes a process of its own and half a minute
            pip_requirements=[f"{n}=={version(n)}" for n in about.requirements],
            metadata=dict(about.facts),
        )

    @_told
    def version(self, name: str, path: Path, facts: Mapping[str, str], champion: bool) -> None:
        """Register `path` as a version of `name`, with `facts` as tags.

        champion : moves the alias of that name to this version; without it no alias moves
        """
        from mlflow.exceptions import MlflowException

        folder = f"registered/{name}"
        self.artifact(path, folder)
        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"runs:/{self.run_id}/{folder}/{path.name}"
        made = self.client.create_model_version(name, source, self.run_id, tags=dict(facts))
        if champion:
            self.client.set_registered_model_alias(name, CHAMPION, made.version)

    def _linked(self, name: str, about: "About") -> bool:
        """Name the same model, where another run has logged it whole, as this run's too."""
        from mlflow.entities import LoggedModelOutput, LoggedModelStatus

        same = self.client.search_logged_models(
            [self.experiment], filter_string=f"name = '{name}' AND tags.`key` = '{about.key}'"
        )
        whole = [one for one in same if one.status == LoggedModelStatus.READY]
        if whole:
            self.client.log_outputs(self.run_id, [LoggedModelOutput(whole[0].model_id, step=0)])
        return bool(whole)

    def _dataset(self, about: "About") -> None:
        """Log what the model was made from as a dataset: its digest, none of its rows."""
        from mlflow.data.meta_dataset import MetaDataset
        from mlflow.data.sources import LocalArtifactDatasetSource
        from mlflow.entities import DatasetInput, InputTag

        source = LocalArtifactDatasetSource(about.source)
        data = MetaDataset(source, name=about.dataset, digest=about.digest)
        self.client.log_inputs(
            self.run_id,
            [DatasetInput(data._to_mlflow_entity(), [InputTag("mlflow.data.context", "training")])],
        )

    def end(self, status: str) -> None:
        """Close the run once: FINISHED, FAILED or KILLED."""
        if not self._ended:
            self._ended = True
            with contextlib.suppress(Exception):  # the next run finds this one's process gone
                self.client.set_terminated(self.run_id, status)
            atexit.unregister(self.end)
            if signal.getsignal(signal.SIGTERM) == self._killed:
                signal.signal(signal.SIGTERM, self._previous or signal.SIG_DFL)


def _signature(about: About) -> Any:
    """Columns and types, said by hand: MLflow infers from the gaps of a few rows what may lack."""
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema

    def schema(frame: Frame) -> Any:
        kinds = {n: TYPES[frame[n].dtype.str[1:3]] for n in frame}
        return Schema([ColSpec(k, n, required=n not in about.optional) for n, k in kinds.items()])

    return ModelSignature(schema(about.example), schema(about.scored))


def _allowed(name: str) -> str:
    """The metric's name in the characters that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _create(database: Path) -> None:
    """Make a fresh database whole or not at all: a kill between its tables would spoil it."""
    if database.exists():
        return
    from mlflow.tracking import MlflowClient

    draft = database.with_name(f".{database.name}.new")
    for left in database.parent.glob(f"{draft.name}*"):
        left.unlink()
    MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments()
    os.replace(draft, database)


def fetch(uri: str, tracking: str) -> Path:
    """Folder of the model at `uri`: a folder, runs:/<run>/<name>, models:/<name>/<version>.

    tracking : uri of the tracking store that knows the runs and the registered names
    Raises StoreError where there is no model.
    """
    if "://" not in uri and not uri.startswith(("runs:/", "models:/")):
        folder = Path(uri).expanduser()
        if not folder.is_dir():
            raise StoreError(
                f"model={uri} is no folder; name one, or runs:/<run>/<name> or "
                "models:/<name>/<version> of the tracking store."
            )
        return folder.resolve()
    try:
        import mlflow

        mlflow.set_tracking_uri(tracking)
        where = _source(uri)
        where = _of_run(where) if where.startswith("runs:/") else where
        return Path(mlflow.artifacts.download_artifacts(where)).resolve()
    except Exception as error:  # mlflow raises what its backend raises
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StoreError(
            f"model={uri} is not to be had from the tracking store {tracking} ({first}); "
            "`make ui` shows the models of the runs."
        ) from error


def _source(uri: str) -> str:
    """What models:/<name>/<version> was registered from; any other uri as it is."""
    from mlflow.tracking import MlflowClient

    name, slash, version = uri.removeprefix("models:/").partition("/")
    if not (uri.startswith("models:/") and slash and version.isdigit()):
        return uri
    return MlflowClient().get_model_version(name, version).source


def _of_run(uri: str) -> str:
    """Where the model runs:/<run>/<name> lies; read from there, it is not copied."""
    from mlflow.tracking import MlflowClient

    run, _, name = uri.removeprefix("runs:/").partition("/")
    client = MlflowClient()
    outputs = client.get_run(run).outputs
    logged = [
        client.get_logged_model(o.model_id) for o in (outputs.model_outputs if outputs else [])
    ]
    found = [one for one in logged if one.name == name]
    if not found:
        raise StoreError(f"run {run} logged no model {name!r}, but {[one.name for one in logged]}")
    return max(found, key=lambda one: one.creation_timestamp).artifact_location


def predictor(folder: Path) -> Any:
    """The MLflow model in `folder`, as its users load it; None where it is no MLflow model."""
    if not (folder / "MLmodel").is_file():
        return None
    import mlflow

    return mlflow.pyfunc.load_model(str(folder))


def attach(settings: Any, sweep: Path, page: Path) -> None:
    """Log `page` to the parent run of the jobs of `sweep`, where they were tracked.

    settings : the tracking group
    """
    marker = sweep / PARENT
    if not (settings.enabled and marker.exists()):
        return
    try:
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=settings.uri)
        client.log_artifact(marker.read_text(), str(page), "comparison")
    except Exception as error:  # mlflow raises what its backend raises
        raise QuantError(
            f"{page} is written, but tracking at {settings.uri} does not take it "
            f"({type(error).__name__}); the page and the jobs are whole without it."
        ) from error


def open_tracker(
    settings: Any, name: str, run_id: str, tags: Mapping[str, str], sweep: Path | None
) -> "MlflowTracker | NullTracker":
    """Return the tracker that the settings ask for."""
    if not settings.enabled:
        return NullTracker(run_id)
    return MlflowTracker(settings, name, tags, sweep)

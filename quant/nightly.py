"""stage=nightly: every region as of one day, its ablations, and a page that says what is wrong.

Each run is a process of its own, so that one that fails leaves the others whole. What has been done
is written down after each: the same command goes on where it stopped, and the store brings back
what the new session did not change.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from quant import landing, runlog, sweep
from quant.config import of_run
from quant.config_paths import PROJECT
from quant.core import git, logs
from quant.core.errors import ConfigError, StageError, StoreError
from quant.core.store import Store, full_disk
from quant.data import calendar
from quant.reporting import night
from quant.reporting.inputs import ReportInputs
from quant.reporting.night import DONE, FAILED, LEFT_OUT, RUNNING, WAITING, JobOfNight
from quant.settings import Config
from quant.stages import drift, report
from quant.stages.registry import Context, Inputs

BASE = "base"
# what each run changes; the stage it ends with
RUNS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    BASE: ("e2e", ()),
    "no_rl": ("evaluate", ("rl.enabled=false",)),
    "no_tilt": ("evaluate", ("model1.enabled=false", "rl.enabled=false")),
    "cost_x2": ("evaluate", ("costs.multiplier=2.0",)),
    "impact_x2": ("evaluate", ("execution.simulator.impact_scale=2.0",)),
}
WEEKLY = ("impact_x2",)
OWN = ("stage", "regions", "region", "asof", "since", "hydra.run.dir")  # words that a night sets
STATE, SUMMARY, ABLATIONS = "night.json", "summary.html", "ablations"
SINCE = "3y"


@dataclass
class Run:
    """One run of the night, as it is written down. folder : where it leaves its record."""

    region: str
    name: str
    words: list[str]
    folder: str
    status: str = WAITING
    seconds: float = 0.0
    told: str = ""
    git_sha: str = ""


@dataclass
class Night:
    """All of a night. words : of the command, those that every run gets."""

    asof: str
    since: str
    words: list[str]
    runs: list[Run] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)  # region -> page of its ablations

    @classmethod
    def read(cls, path: Path) -> "Night | None":
        """The night as it was left; None where there is none. StoreError where it is damaged."""
        if not path.exists():
            return None
        try:
            told = json.loads(path.read_text())
            return cls(**{**told, "runs": [Run(**r) for r in told["runs"]]})
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"{path} can not be read ({error}); delete it and run the night again: stored "
                "results make it quick."
            ) from error

    def write(self, path: Path) -> None:
        """Write it down, whole or not at all."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.part")
            draft.write_text(json.dumps(asdict(self), indent=1))
            draft.replace(path)
        except OSError as error:
            raise full_disk(error, path) from error


def run(config: Config, folder: Path) -> Path:
    """Run the night; return its page.

    Raises StageError where another process works on it, and at the end where a run failed.
    """
    facts = runlog.facts(config, folder)
    runlog.start(config, facts, folder)
    asof = config.asof or str(date.today())
    place = Path(config.paths.nights) / asof
    own = planned(config, asof, place)
    with _alone(place):
        return _run(config, own, place)


def _run(config: Config, own: Night, place: Path) -> Path:
    left = Night.read(place / STATE)
    if left is not None:
        own = resumed(own, left)
    for one in own.runs:
        if one.status in (DONE, LEFT_OUT):
            continue
        one.status = RUNNING
        own.write(place / STATE)
        draw(config, own)
        _execute(one)
        logs.event(f"nightly: {one.region} {one.name}: {one.status}, {one.seconds / 60:.1f} min"
                   + (f" ({one.told})" if one.told else ""))  # fmt: skip
        own.write(place / STATE)
    own.pages |= _ablations(config, own)
    own.write(place / STATE)
    page = draw(config, own)
    logs.event(f"night: {page}", night=str(page))
    failed = [f"{r.region} {r.name}: {r.told}" for r in own.runs if r.status == FAILED]
    if failed:
        raise StageError(
            f"{len(failed)} of {len(own.runs)} runs of the night failed ({'; '.join(failed)}); "
            f"{page} says which, and the same command goes on with them."
        )
    return page


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold the folder of a night; the index calls one that nobody holds stopped."""
    lock = FileLock(place / landing.HELD)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=1)
    except Timeout as error:
        raise StageError(
            f"another process works on the night in {place}; wait for it, or stop it: the same "
            "command goes on where it was."
        ) from error
    except OSError as error:
        raise full_disk(error, place) from error
    try:
        yield
    finally:
        lock.release()


def planned(config: Config, asof: str, place: Path, words: Sequence[str] | None = None) -> Night:
    """The runs of a night, none of them done.

    words : of the command line; those of this process where None
    """
    given = list(sys.argv[1:] if words is None else words)
    if {"-m", "--multirun"} & set(given):
        raise ConfigError("stage=nightly runs its own jobs; leave --multirun out.")
    # `+since=` and the like set the same keys
    kept = [w for w in given if w.split("=")[0].lstrip("+") not in OWN and not w.startswith("-")]
    made = Night(asof, config.since or SINCE, kept)
    for region in dict.fromkeys(config.regions):
        for name, (stage, changes) in RUNS.items():
            target = place / f"{region}-{name}"
            words_ = [*kept, f"region={region}", f"stage={stage}", f"asof={asof}",
                      f"since={made.since}", *changes]  # fmt: skip
            own = Run(region, name, words_, str(target))
            if name == "no_rl" and not config.rl.enabled:
                own.status, own.told = LEFT_OUT, "the runs have no controller"
            elif name == "no_tilt" and not config.model1.enabled:
                own.status, own.told = LEFT_OUT, "the runs have no regimes"
            elif name == "impact_x2" and config.execution.impact == "lambda":
                own.status, own.told = LEFT_OUT, "fills pay no simulated impact"
            elif name in WEEKLY and not ends_week(region, asof):
                own.status, own.told = LEFT_OUT, "on the last session of a week"
            made.runs.append(own)
    return made


def ends_week(region: str, asof: str) -> bool:
    """Whether no session of the week comes after `asof`."""
    day = date.fromisoformat(asof)
    return (
        calendar.next_session(region, day).astype(object).isocalendar()[:2]
        != (day.isocalendar()[:2])
    )


def resumed(own: Night, left: Night) -> Night:
    """`own`, with the runs that an earlier start of the same command and code has done."""
    done = {(r.region, r.name): r for r in left.runs if r.status == DONE}
    for k, one in enumerate(own.runs):
        was = done.get((one.region, one.name))
        if was and was.words == one.words and was.git_sha == git.sha():
            own.runs[k] = was
    own.pages = left.pages if all(r.status in (DONE, LEFT_OUT) for r in own.runs) else {}
    return own


def _execute(one: Run) -> None:
    """Run a process; its console goes into a file beside its record."""
    folder = Path(one.folder)
    command = [sys.executable, "-m", "quant.main", *one.words, f"hydra.run.dir={folder}"]
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    began = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / sweep.RECORD).unlink(missing_ok=True)
        with open(folder / "console.log", "w") as console:
            code = subprocess.run(
                command, stdout=console, stderr=console, env={**os.environ, "PYTHONPATH": path}
            ).returncode
    except OSError as error:
        raise full_disk(error, folder) from error
    one.seconds, one.git_sha = time.monotonic() - began, git.sha()
    one.status, one.told = (DONE, "") if code == 0 else (FAILED, _why(folder, code))


def _why(folder: Path, code: int) -> str:
    """The last error of a console, in one sentence."""
    lines = (folder / "console.log").read_text(errors="replace").splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if errors:
        return logs.redact(errors[-1].rstrip("."))
    ended = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return f"{ended}; see {folder / 'console.log'}"


def _ablations(config: Config, own: Night) -> dict[str, str]:
    """Pages that compare each region's runs; region -> path."""
    made = {}
    for region in dict.fromkeys(r.region for r in own.runs):
        folders = [Path(r.folder) for r in own.runs if r.region == region and r.status == DONE]
        if own.pages.get(region) or len(folders) < 2:
            continue
        stamp = f"{own.asof}-{region.upper()}"
        for page in sweep.compared(folders, stamp, place=ABLATIONS):
            made[region] = str(page)
            landing.comparison(replace(config, region=replace(config.region, name=region)), page)
    return made


def draw(config: Config, own: Night) -> Path:
    """Draw the page of the night as it stands, and the index."""
    reports = Path(config.paths.reports)
    place = reports / own.asof
    inputs = night.NightInputs(
        asof=own.asof,
        since=own.since,
        git_sha=git.sha(),
        command=logs.redact(" ".join(["python -m quant.main stage=nightly", *own.words])),
        regions=[_region(own, name, place) for name in dict.fromkeys(r.region for r in own.runs)],
        simulated=config.data.provider == "sim",
    )
    path = place / SUMMARY
    try:
        place.mkdir(parents=True, exist_ok=True)
        draft = place / f".{SUMMARY}.part"
        draft.write_text(night.render(inputs), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise full_disk(error, path) from error
    landing.night(config, {
        "asof": own.asof, "status": night.status(inputs),
        "concerns": sum(len(night.concerns(r)) for r in inputs.regions),
        "minutes": round(sum(r.seconds for r in own.runs) / 60, 1),
        "regions": ", ".join(r.name for r in inputs.regions),
        "place": str((Path(config.paths.nights) / own.asof).absolute()),
    }, path)  # fmt: skip
    return path


def _region(own: Night, name: str, place: Path) -> night.RegionOfNight:
    mine = [r for r in own.runs if r.region == name]
    left = {r.name: sweep.read(Path(r.folder)) for r in mine if r.status == DONE}
    records = {k: job.record for k, job in left.items() if job is not None}
    jobs = [
        JobOfNight(r.name, r.status, r.seconds, r.told,
                   *(records.get(r.name, {}).get(k, 0) for k in ("computed", "kept")))
        for r in mine
    ]  # fmt: skip
    base = left.get(BASE)
    if base is None:
        return night.RegionOfNight(name, None, jobs)
    others = {k: job for k, job in left.items() if job is not None and k != BASE}
    pairs, _ = sweep.pairs([base, *others.values()], [BASE, *others])
    kept = pairs[pairs["other"] == BASE]
    folder = next(Path(r.folder) for r in mine if r.name == BASE)
    links = {"Report": base.record["report"], "Ablations": own.pages.get(name, ""),
             **_cards(folder)}  # fmt: skip
    return night.RegionOfNight(
        name, reported(folder, base.record["stages"]), jobs,
        {k: r["metrics"] for k, r in records.items()}, kept,
        {k: Path(os.path.relpath(v, place)).as_posix() for k, v in links.items() if v},
        expected(name, own.asof),
    )  # fmt: skip


def expected(region: str, asof: str) -> pd.Timestamp:
    """The last session of the exchange up to `asof`."""
    day = date.fromisoformat(asof)
    return pd.Timestamp(calendar.sessions(region, day - timedelta(days=30), day)[-1])


def reported(folder: Path, keys: Mapping[str, str]) -> ReportInputs:
    """What the report of a finished run was drawn from; keys : stage -> key of its result."""
    own = of_run(folder)
    store = Store(Path(own.paths.store))
    from quant import stages

    holder = {}
    for stage in stages.load():
        if stage.name in keys:
            result = store.get(stage.name, keys[stage.name])
            if result is None:
                raise StoreError(
                    f"the result of stage {stage.name} of {folder} is not in {store.root} any "
                    f"more; delete {folder.parent / STATE} and run the night again."
                )
            holder |= {t.name: (t, result) for t in stage.makes}

    def reader(name: str) -> Any:
        table, result = holder[name]
        return lambda: result.read(table)

    inputs = Inputs({t.name: reader(t.name) for t in report.SHOWN})
    context = Context(own.region.name, own.seed, folder, lambda label: lambda i, n: None)
    found = report.gathered(report.settings(own), inputs, context)
    looked = drift.today({t.name: reader(t.name)() for t in drift.STAGE.needs}, own.drift)
    later = looked[~looked["date"].isin(found.drift["date"])]
    return replace(found, drift=pd.concat([found.drift, later]) if len(later) else found.drift)


def _cards(folder: Path) -> dict[str, str]:
    """Titles and paths of the cards that the run's log names."""
    lines = (folder / "log.jsonl").read_text().splitlines()
    told = [json.loads(line).get("cards") for line in lines if '"cards"' in line]
    paths = [Path(p) for p in (told[-1] or [])] if told else []
    return {
        p.read_text().split("\n", 1)[0].removeprefix("# "): str(p) for p in paths if p.is_file()
    }

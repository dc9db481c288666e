"""The one entrypoint: compose, seed, log, run the plan."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

# one BLAS thread: results depend on the order of additions (readings 37); before numpy is loaded
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# threads that wait must sleep: spinning ones starve their neighbours on a shared machine
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach `main`, which prints one sentence

if TYPE_CHECKING:
    from quant.settings import Config

_failures: list[str] = []
_jobs: list[tuple["Config", Path]] = []  # of a sweep, those that finished, with their folders


def run(
    config: "Config", folder: Path, sweep: Path | None = None, said: Mapping[str, Any] | None = None
) -> Path | None:
    """Run the plan of `config`, logging to `folder`; return the report's path where there is one.

    sweep : the folder of the sweep that this run is a job of, else None
    said  : of such a job: its number, `job`, and its `overrides`, as given
    """
    from quant import runlog, stages, tracking
    from quant.core.seeds import fix_libraries
    from quant.stages.registry import plan
    from quant.stages.runner import execute, publish

    if config.stage == "nightly":
        from quant import nightly

        return nightly.run(config, folder)
    facts = runlog.facts(config, folder)
    order = plan(stages.load(), stages.targets(config.stage))
    runlog.start(config, facts, folder)
    fix_libraries(config.seed)
    tracker = tracking.open_tracker(
        config.tracking, facts["name"], facts["stamp"], runlog.tags(facts), sweep
    )
    status = "FAILED"
    try:
        runlog.describe(tracker, config, facts)
        runlog.hold_out(tracker, config, facts)
        outcomes = execute(order, config, done=lambda o: runlog.done(tracker, config, facts, o))
        publish(outcomes, config.region.name, Path(config.paths.data))
        report = runlog.finish(tracker, config, facts, outcomes)
        alone = {"job": 0, "overrides": sys.argv[1:]}
        runlog.leave(config, {**facts, **(said or alone)}, outcomes, report)
        status = "FINISHED"
        return report
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        try:
            tracker.artifact(folder / "log.jsonl", "log")
        finally:
            tracker.end(status)


def job(composed: Any) -> None:
    """One job, as Hydra calls it."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from quant.config import typed
    from quant.core.errors import QuantError, refused

    hydra = HydraConfig.get()
    sweep = Path(hydra.sweep.dir) if hydra.mode == RunMode.MULTIRUN else None
    try:
        config, folder = typed(composed), Path(hydra.runtime.output_dir)
        if sweep is None:
            run(config, folder)
        else:
            said = {"job": hydra.job.num, "overrides": list(hydra.overrides.task)}
            run(config, folder, sweep, said)
            _jobs.append((config, folder))
    except QuantError as error:  # a failed job of a sweep leaves the others running
        _failures.append(str(error))
    except OSError as error:
        _failures.append(refused(error))


def at_home(word: str) -> str:
    """`key=~/folder` with the home folder in it: a shell leaves the tilde, Hydra refuses it."""
    key, equals, value = word.partition("=")
    if not equals or not (value == "~" or value.startswith("~/")):
        return word
    return f"{key}={Path.home()}{value[1:]}"


def main() -> None:
    """Console entry; who reads only the first lines (`quant --help | head`) hears no complaint."""
    try:
        _main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main() -> None:
    """Print one sentence and exit with 1 where something is wrong."""
    arguments = sys.argv[1:]
    if {"-h", "--help"} & set(arguments):
        from quant.manual import page

        print(page())
        return
    arguments = ["hydra.verbose=[quant]" if a == "--debug" else at_home(a) for a in arguments]
    # Hydra takes flags before overrides only; a user may write them anywhere
    sys.argv[1:] = sorted(arguments, key=lambda a: a not in ("-m", "--multirun"))

    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from quant.config import first_line, register
    from quant.config_paths import CONF
    from quant.core.errors import QuantError, refused
    from quant.core.logs import redact

    register()
    try:
        hydra.main(version_base=None, config_path=str(CONF), config_name="config")(job)()
        if len(_jobs) > 1:
            from quant import runlog

            runlog.compare(_jobs, len(_failures))
    except QuantError as error:
        _failures.append(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        _failures.append(first_line(error))
    except BrokenPipeError:
        raise
    except OSError as error:  # Hydra could not make the folder of the run
        _failures.append(refused(error))
    except KeyboardInterrupt:
        print("stopped; what was finished is stored: run again to go on.", file=sys.stderr)
        sys.exit(130)
    for text in _failures:
        print(f"error: {redact(text)}", file=sys.stderr)
    if _failures:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""An Optuna study in a SQLite file: held by one process, and what a dead one left is put right."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from quant.core.errors import StageError, StoreError

if TYPE_CHECKING:
    import optuna


@contextmanager
def held(storage: Path, name: str, pruner: "optuna.pruners.BasePruner") -> Iterator["optuna.Study"]:
    """The study `name`, higher is better; a trial that a dead process left running is failed.

    Raises StageError where another process has it, StoreError where the file can not be used
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(storage.with_name(f".{storage.name}.{name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StageError(
            f"another process runs the study {name} of {storage}; wait for it, or stop it: the "
            "next run goes on where it was."
        ) from error
    try:
        kept = _open(storage)
        try:
            study = optuna.create_study(
                storage=kept,
                study_name=name,
                direction="maximize",
                load_if_exists=True,
                pruner=pruner,
            )
            # the lock is ours, so that whatever runs is of a process that is gone
            for trial in study.get_trials(False, (optuna.trial.TrialState.RUNNING,)):
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            yield study
        finally:
            kept.remove_session()
            kept.engine.dispose()
    finally:
        lock.release()


def _open(storage: Path) -> "optuna.storages.RDBStorage":
    """The database; a fresh one is made whole or not at all."""
    import optuna

    try:
        with FileLock(storage.with_name(f".{storage.name}.lock")):
            if not storage.exists():
                draft = storage.with_name(f".{storage.name}.new")
                draft.unlink(missing_ok=True)
                made = optuna.storages.RDBStorage(f"sqlite:///{draft}")
                made.remove_session()
                made.engine.dispose()
                os.replace(draft, storage)
        return optuna.storages.RDBStorage(f"sqlite:///{storage}")
    except Exception as error:  # whatever SQLAlchemy and Optuna raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StoreError(
            f"the studies in {storage} can not be opened ({first}); move the file away: a search "
            "then begins anew, and the ledger keeps what was tried."
        ) from error


def pruner(level: float, warm_up: int) -> "optuna.pruners.BasePruner":
    """Gives a trial up where its splits are worse than the best trial's, split by split.

    level   : of the one-sided Wilcoxon signed-rank test; 0 = never
    warm_up : splits before which nothing is given up
    """
    import optuna

    if level == 0:
        return optuna.pruners.NopPruner()
    with warnings.catch_warnings():  # it says that it is experimental
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.pruners.WilcoxonPruner(p_threshold=level, n_startup_steps=warm_up)

"""From predictions to scores: standardised within each session, averaged over models."""

from collections.abc import Iterable

import numpy as np

from quant.core.errors import ConfigError
from quant.core.types import Codes, Vector

ENSEMBLE = "ensemble"


def candidates(models: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Everything that can be selected: each model alone and, of two or more, their ensemble."""
    models = tuple(models)
    found = {name: (name,) for name in models}
    if len(models) > 1:
        found[ENSEMBLE] = models
    return found


def members(choice: str, models: Iterable[str]) -> tuple[str, ...]:
    """Models behind `choice`; raises ConfigError for an unknown one."""
    known = candidates(models)
    if choice not in known:
        raise ConfigError(f"model {choice!r} is unknown; choose one of {sorted(known)}.")
    return known[choice]


def standardise(values: Vector, starts: Codes) -> Vector:
    """Z-score within each session; a session of equal values scores 0.

    values : (n_rows,); starts : (n_sessions + 1,) rows of session i are starts[i]:starts[i + 1]
    """
    out = np.zeros(values.size)
    for begin, stop in zip(starts[:-1], starts[1:], strict=True):
        part = values[begin:stop]
        if part.size and part.max() > part.min():
            centred = part - part.mean()
            out[begin:stop] = centred / np.sqrt(np.square(centred).mean())
    return out


def ensemble(predictions: Iterable[Vector], starts: Codes) -> Vector:
    """Mean of the standardised predictions (n_rows,) of several models."""
    scored = [standardise(p, starts) for p in predictions]
    total = scored[0]
    for one in scored[1:]:
        total = total + one
    return total / len(scored)

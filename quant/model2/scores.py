"""From predictions to scores: standardised within each session, averaged over the ensemble."""

from collections.abc import Iterable, Sequence

import numpy as np

from quant.core.errors import ConfigError
from quant.core.types import Codes, Vector
from quant.model2.models import Member

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


def weights(members: Sequence[Member]) -> Vector:
    """Weight (n_members,) of each: models count alike, in a model horizons, in these draws."""
    models = {one.model for one in members}
    out = np.empty(len(members))
    for i, one in enumerate(members):
        mates = [other for other in members if other.model == one.model]
        draws = sum(other.horizon == one.horizon for other in mates)
        out[i] = 1.0 / (len(models) * len({other.horizon for other in mates}) * draws)
    return out


def ensemble(
    members: Sequence[Member], predictions: Iterable[Vector], starts: Codes
) -> tuple[Vector, Vector]:
    """Score and uncertainty of every row.

    predictions : (n_rows,) of each member
    starts      : rows of the sessions, as in `standardise`
    Returns     : score, the mean over models of the mean over horizons of the mean over draws of
                  the standardised predictions; uncertainty, the standard deviation of these
                  about the score, members weighted as in it: unitless, 0 for one member
    """
    share, scored = weights(members), [standardise(p, starts) for p in predictions]
    # one order of adding, whatever the order in which they come: a stored ensemble has its own
    order = sorted(range(len(members)), key=lambda i: members[i])
    share, scored = share[order], [scored[i] for i in order]
    score = np.zeros_like(scored[0])
    for weight, one in zip(share, scored, strict=True):
        score += weight * one
    spread = np.zeros_like(score)
    for weight, one in zip(share, scored, strict=True):
        spread += weight * np.square(one - score)
    return score, np.sqrt(spread)

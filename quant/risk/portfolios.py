"""Portfolios that a risk model is tried on: what no model chose, and what each would choose."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant.core.types import Mask, Matrix, Vector
from quant.risk.rivals import Forecast

RANDOM = 20  # portfolios of each random kind
LARGEST = 50  # names of a random portfolio; on each side of a long/short one
SMALLEST = 5  # members below which an industry is no portfolio


@dataclass(frozen=True)
class Tried:
    """Portfolios on one session's names: weights (n_assets, n_portfolios), and what each is."""

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    weights: Matrix


def tried(
    member: Mask,
    group: np.ndarray,
    liquidity: Vector,
    held: Vector,
    models: Mapping[str, Forecast],
    rng: np.random.Generator,
) -> Tried:
    """Every portfolio of one session.

    member    : (n_assets,) in the universe, at least 2; group: (n_assets,) name of the industry
    liquidity : (n_assets,) median daily amount, NaN = unknown
    held      : (n_assets,) weights of the book, all 0 where there is none
    """
    made = {("equal", "equal"): member / member.sum()}
    traded = np.where(member, np.nan_to_num(liquidity, nan=0.0), 0.0)
    if traded.sum() > 0:
        made["liquidity", "liquidity"] = traded / traded.sum()
    for name in np.unique(group[member].astype(str)):
        own = member & (group == name)
        if own.sum() >= SMALLEST:
            made["industry", f"industry {name}"] = own / own.sum()
    for i in range(RANDOM):
        made["long", f"long {i:02d}"] = _long(member, rng)
        made["long_short", f"long_short {i:02d}"] = _long_short(member, rng)
    if held.any():
        made["book", "book"] = held
    for name, model in models.items():
        made[f"least_variance_{name}", f"least_variance_{name}"] = model.least_variance()
    kinds, names = zip(*made, strict=True)
    return Tried(kinds, names, np.column_stack(list(made.values())))


def _long(member: Mask, rng: np.random.Generator) -> Vector:
    """A few names at random, with shares drawn evenly from all that sum to 1."""
    chosen = rng.permutation(np.flatnonzero(member))[:LARGEST]
    weights = np.zeros(member.size)
    weights[chosen] = rng.dirichlet(np.ones(chosen.size))
    return weights


def _long_short(member: Mask, rng: np.random.Generator) -> Vector:
    """As many names long as short, alike, gross 1 and net 0."""
    chosen = rng.permutation(np.flatnonzero(member))
    half = min(chosen.size // 2, LARGEST)
    weights = np.zeros(member.size)
    weights[chosen[:half]], weights[chosen[half : 2 * half]] = 0.5 / half, -0.5 / half
    return weights

"""Drift where the answer is known: how often the literal rule and the severity fire.

`python -m tests.benchmarks.drift [looks]`: each look is ten features of 100 names, eight that
only wander and two that really drifted in the last 63 of 819 sessions. 25 looks make 200 features
without drift and 50 with it.

A feature is what a name is (fixed), a slow factor that all names share (AR(1), memory 0.90 to 0.99,
10 to 50 % of the variance, so that no two days are independent) and noise of the day; half of them
have Student-t tails. Drift moves the values by so many standard deviations, or stretches them.
"""

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

from quant.core.seeds import generator
from quant.core.tables import LITERAL, NONE, SEVERE
from quant.core.types import Vector
from quant.governance import drift
from tests.benchmarks._tables import markdown

WINDOW, PAST, NAMES = 63, 756, 100  # as the run looks
STILL, MOVED = 8, 2  # features of a look
KINDS: dict[str, Callable[[Vector], Vector]] = {
    "moved by 2 sd": lambda v: v + 2.0,
    "moved by 1 sd": lambda v: v + 1.0,
    "moved by 0.5 sd": lambda v: v + 0.5,
    "stretched x 2": lambda v: 2.0 * v,
    "stretched x 1.5": lambda v: 1.5 * v,
}


def feature(rng: np.random.Generator) -> list[Vector]:
    """Values of every session, of unit variance, without drift."""
    memory, share = rng.uniform(0.9, 0.99), rng.uniform(0.1, 0.5)
    tailed = rng.random() < 0.5

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_t(5, shape) / np.sqrt(5 / 3) if tailed else rng.normal(size=shape)

    common = np.empty(PAST + WINDOW)
    common[0] = rng.normal()
    for t, shock in enumerate(rng.normal(size=common.size - 1)):
        common[t + 1] = memory * common[t] + np.sqrt(1 - memory**2) * shock
    own, noise = draw(NAMES), draw(common.size, NAMES)
    rest = np.sqrt((1 - share) / 2)
    return list(np.sqrt(share) * common[:, None] + rest * own + rest * noise)


def moved(days: list[Vector], how: Callable[[Vector], Vector]) -> list[Vector]:
    """The same with its last sessions changed."""
    return [v if t < PAST else how(v) for t, v in enumerate(days)]


def look(rng: np.random.Generator, how: Callable[[Vector], Vector]) -> pd.DataFrame:
    """What is found of one look: eight features without drift, two with it."""
    found = [drift.measure(feature(rng), WINDOW) for _ in range(STILL)]
    found += [drift.measure(moved(feature(rng), how), WINDOW) for _ in range(MOVED)]
    corrected = drift.holm(np.array([f.p for f in found]))
    severity = [drift.severity(p, f.psi) for p, f in zip(corrected, found, strict=True)]
    return pd.DataFrame({
        "drifted": [k >= STILL for k in range(len(found))],
        "literal": [f.literal < LITERAL for f in found],
        "single": [f.p < drift.LEVEL for f in found],
        "severity": [s != NONE for s in severity],
        "severe": [s == SEVERE for s in severity],
    })  # fmt: skip


def rates(kind: str, looks: int) -> dict[str, dict[str, float]]:
    """Share of features on which each rule fires, without drift and with it."""
    rng = generator(42, "benchmark drift", kind)
    made = pd.concat([look(rng, KINDS[kind]) for _ in range(looks)])
    rules = made.columns.drop("drifted")
    return {word: made.loc[made["drifted"] == flag, rules].mean().to_dict()
            for word, flag in (("none", False), ("drift", True))}  # fmt: skip


def main() -> None:
    """A row for each kind of drift."""
    looks = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    head = ["drift", "literal: alarms", "found", "p < 0.05: alarms", "found",
            "severity: alarms", "found", "severe found"]  # fmt: skip
    print(f"{STILL * looks} features without drift and {MOVED * looks} with it, for each kind\n")
    rows = []
    for kind in KINDS:
        found = rates(kind, looks)
        fired = [found[word][rule] for rule in ("literal", "single", "severity")
                 for word in ("none", "drift")]  # fmt: skip
        rows.append([kind, *(f"{share:.1%}" for share in (*fired, found["drift"]["severe"]))])
    print(markdown([head, *rows]))


if __name__ == "__main__":
    main()

"""Random streams that are named, so that the order of calls is irrelevant."""

import hashlib
import os
import random

import numpy as np


def _words(purpose: tuple[str, ...]) -> list[int]:
    digest = hashlib.sha256("/".join(purpose).encode()).digest()
    return np.frombuffer(digest, dtype=np.uint32).tolist()


def generator(seed: int, *purpose: str) -> np.random.Generator:
    """Return the stream that belongs to `purpose`, unmoved by the order of calls."""
    return np.random.default_rng(np.random.SeedSequence([seed, *_words(purpose)]))


def derive(seed: int, *purpose: str) -> int:
    """Return a 31-bit seed for a library that wants an integer, derived from `seed` by name."""
    return int(np.random.SeedSequence([seed, *_words(purpose)]).generate_state(1)[0] & 0x7FFFFFFF)


def fix_libraries(seed: int) -> None:
    """Seed the global generators once; our own code never draws from them."""
    os.environ.setdefault("PYTHONHASHSEED", str(seed))
    random.seed(seed)
    np.random.seed(seed)

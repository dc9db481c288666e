"""What is particular to the simulated US market: symbols, sectors, industries."""

import numpy as np

from quant.core.types import Codes

SECTORS = (
    "Technology",
    "Healthcare",
    "Financial Services",
    "Consumer Cyclical",
    "Industrials",
    "Communication Services",
    "Consumer Defensive",
    "Energy",
    "Basic Materials",
    "Real Estate",
    "Utilities",
)


def hierarchy(n_names: int) -> tuple[np.ndarray, np.ndarray, Codes]:
    """Sectors, industries and the sector of each industry; about ten names an industry."""
    n_industries = int(np.clip(n_names // 10, 2, 66))
    sectors = np.array(SECTORS[: min(len(SECTORS), n_industries)], dtype=object)
    parent = np.arange(n_industries) % sectors.size
    industries = [f"{sectors[p]}.{1 + i // sectors.size:02d}" for i, p in enumerate(parent)]
    return sectors, np.array(industries, dtype=object), parent


def symbols(n_names: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Symbols S0001, S0002, ... and their boards."""
    names = np.array([f"S{i + 1:04d}" for i in range(n_names)], dtype=object)
    boards = np.where(rng.random(n_names) < 0.6, "NYSE", "NASDAQ").astype(object)
    return names, boards

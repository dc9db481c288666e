"""What is particular to the simulated Chinese market: codes, boards, limits, Shenwan industries.

The rules are those of the exchanges; prices are integers of fen, halves round up.
"""

import numpy as np

from quant.core.types import Codes, Dates, Mask

CHINEXT_FROM = np.datetime64("2009-10-30")
CHINEXT_REFORM = np.datetime64("2020-08-24")
STAR_FROM = np.datetime64("2019-07-22")
FIRST_DAY_CAP = np.datetime64("2014-01-01")
REGISTRATION = np.datetime64("2023-04-10")
ST_REFORM = np.datetime64("2026-07-06")
SCHEME_2014 = np.datetime64("2014-01-01")
SCHEME_2021 = np.datetime64("2021-12-13")

POOLS = {
    "main": ("600%03d.SH", "000%03d.SZ", "601%03d.SH", "002%03d.SZ", "603%03d.SH", "001%03d.SZ"),
    "chinext": ("300%03d.SZ", "301%03d.SZ"),
    "star": ("688%03d.SH",),
}

# clusters of Shenwan 2014 level-1 codes, standing in for the sectors that scheme does not have
CLUSTERS = {
    "resources": ("020", "030", "040", "050"),
    "building": ("180", "710", "720"),
    "machinery": ("730", "740", "880", "890"),
    "technology": ("080", "750", "760", "770"),
    "consumer": ("010", "110", "120", "150", "210"),
    "light": ("130", "140", "200", "230"),
    "services": ("160", "170"),
    "finance": ("780", "790"),
}
# the older scheme of 23: several later codes were one
BEFORE_2014 = {
    "710": "060",
    "720": "060",
    "730": "070",
    "740": "070",
    "890": "070",
    "880": "090",
    "750": "220",
    "760": "220",
    "770": "100",
    "780": "190",
    "790": "190",
}
# the newer scheme of 31: (the share of an older code's names, where they went)
FROM_2021 = {
    "020": ((1.0, "950"), (0.35, "960")),
    "160": ((0.35, "970"),),
    "030": ((0.12, "980"),),
}


def hierarchy(n_names: int) -> tuple[np.ndarray, np.ndarray, Codes]:
    """Clusters, level-1 industries of 2014 and the cluster of each; fewer where names are few."""
    pairs = [(i, code) for i, codes in enumerate(CLUSTERS.values()) for code in codes]
    n_industries = int(np.clip(n_names // 8, 2, len(pairs)))
    chosen = np.linspace(0, len(pairs) - 1, n_industries).round().astype(int)
    used = sorted({pairs[i][0] for i in chosen})
    industries = [f"swL1.801{pairs[i][1]}" for i in chosen]
    parent = np.array([used.index(pairs[i][0]) for i in chosen])
    sectors = np.array(list(CLUSTERS), dtype=object)[used]
    return sectors, np.array(industries, dtype=object), parent


def symbols(
    sessions: Dates, list_day: Codes, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Codes of the board that a name could list on at its day, and the boards."""
    day = sessions[np.maximum(list_day, 0)]
    draw = rng.random(list_day.size)
    board = np.full(list_day.size, "main", dtype=object)
    board[(draw < np.where(list_day > 0, 0.35, 0.08)) & (day >= CHINEXT_FROM)] = "chinext"
    board[(draw > 0.75) & (list_day > 0) & (day >= STAR_FROM)] = "star"
    codes = {
        kind: [shape % i for shape in shapes for i in range(1, 999)]
        for kind, shapes in POOLS.items()
    }
    for kind in ("chinext", "star"):
        board[np.flatnonzero(board == kind)[len(codes[kind]) :]] = "main"
    names = np.empty(list_day.size, dtype=object)
    for kind in POOLS:
        rows = np.flatnonzero(board == kind)
        names[rows] = rng.permutation(np.array(codes[kind], dtype=object))[: rows.size]
    return names, board


def limit_fen(reference: Codes, percent: Codes, sign: int) -> Codes:
    """Limit price in fen: reference x (1 ± percent / 100), halves up, in integers throughout.

    At least one fen away from the reference, and never below one.
    """
    price = (reference * (100 + sign * percent) + 50) // 100
    away = reference + sign
    return np.maximum(np.maximum(price, away) if sign > 0 else np.minimum(price, away), 1)


def limits(
    board: np.ndarray, is_st: Mask, age: Codes, day: np.datetime64
) -> tuple[Codes, Codes, Mask]:
    """Percent up, percent down and whether a limit holds at all, for each name.

    age : sessions since the first row; 0 on the first
    Source: SSE and SZSE trading rules (10 %, ST 5 %; STAR 20 %; ChiNext 20 % from 2020-08-24; no
    limit in the first sessions of a registration listing; +44/-36 % on the first day 2014-2023)
    """
    wide = (board == "star") | ((board == "chinext") & (day >= CHINEXT_REFORM))
    up = np.where(wide, 20, np.where(is_st & (day < ST_REFORM), 5, 10))
    down = up.copy()
    registered = wide | (day >= REGISTRATION)
    free = np.where(registered, age < 5, (age < 1) & (day < FIRST_DAY_CAP))
    capped = ~registered & (age < 1) & (day >= FIRST_DAY_CAP)
    up[capped], down[capped] = 44, 36
    return up, down, ~free


def scheme(industry_id: str, draw: float) -> list[tuple[np.datetime64, str]]:
    """When a name of a 2014 industry had which id: (first day, id) for the three schemes.

    draw : uniform in [0, 1); decides where the name goes when the scheme of 2021 splits its code
    """
    code = industry_id[-3:]
    after = code
    for share, target in FROM_2021.get(code, ()):
        if draw < share:
            after = target
    first = np.datetime64("1990-12-19")
    spells = [(first, BEFORE_2014.get(code, code)), (SCHEME_2014, code), (SCHEME_2021, after)]
    kept = [s for i, s in enumerate(spells) if i == 0 or s[1] != spells[i - 1][1]]
    return [(day, f"swL1.801{code}") for day, code in kept]

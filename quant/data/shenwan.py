"""Shenwan level-1 industries: the three schemes, the day each came into force, the crosswalks.

A code's meaning depends on the scheme: 230000 is ferrous metals in 2011 and steel from 2014.
Codes are the six-digit industry codes; index codes (801xxx.SI) name the same industries.
Source: Tushare doc 181 (28 groups in 2014, 31 in 2021); the index switch was on 2021-12-13.
"""

import numpy as np

IN_FORCE = {
    "SW2011": np.datetime64("1990-01-01"),
    "SW2014": np.datetime64("2014-01-01"),
    "SW2021": np.datetime64("2021-12-13"),
}
SCHEMES = tuple(IN_FORCE)

_KEPT = (
    "110000 220000 230000 240000 270000 330000 340000 350000 360000 370000 "
    "410000 420000 430000 450000 460000 510000"
).split()
CODES = {
    "SW2011": frozenset([*_KEPT, *"210000 250000 260000 310000 320000 440000 470000".split()]),
    "SW2014": frozenset(
        [
            *_KEPT,
            *"210000 280000 480000 490000 610000 620000 630000 640000 650000 710000".split(),
            *"720000 730000".split(),
        ]
    ),
    "SW2021": frozenset(
        [
            *_KEPT,
            *"280000 480000 490000 610000 620000 630000 640000 650000 710000 720000".split(),
            *"730000 740000 750000 760000 770000".split(),
        ]
    ),
}
# level-1 codes that were split: the level-2 code (four digits) decides where it can
SPLIT: dict[tuple[str, str], dict[str, str]] = {
    ("SW2011", "SW2014"): {
        "2501": "610000",
        "2502": "620000",
        "2601": "640000",
        "2602": "640000",
        "2603": "640000",
        "2604": "630000",
        "2605": "640000",
        "3101": "280000",
        "3102": "280000",
        "3201": "730000",
        "3202": "710000",
        "4401": "480000",
        "4402": "490000",
        "4403": "490000",
        "4404": "490000",
        "4701": "730000",
        "4702": "720000",
        "4703": "710000",
        "4704": "720000",
    },
    ("SW2014", "SW2021"): {"2101": "750000", "2102": "740000"},
}
INDEX_CODES = {
    "110000": "801010.SI",
    "210000": "801020.SI",
    "220000": "801030.SI",
    "230000": "801040.SI",
    "240000": "801050.SI",
    "270000": "801080.SI",
    "280000": "801880.SI",
    "330000": "801110.SI",
    "340000": "801120.SI",
    "350000": "801130.SI",
    "360000": "801140.SI",
    "370000": "801150.SI",
    "410000": "801160.SI",
    "420000": "801170.SI",
    "430000": "801180.SI",
    "450000": "801200.SI",
    "460000": "801210.SI",
    "480000": "801780.SI",
    "490000": "801790.SI",
    "510000": "801230.SI",
    "610000": "801710.SI",
    "620000": "801720.SI",
    "630000": "801730.SI",
    "640000": "801890.SI",
    "650000": "801740.SI",
    "710000": "801750.SI",
    "720000": "801760.SI",
    "730000": "801770.SI",
    "740000": "801950.SI",
    "750000": "801960.SI",
    "760000": "801970.SI",
    "770000": "801980.SI",
}
FROM_INDEX = {index: code for code, index in INDEX_CODES.items()}


def scheme_on(day: np.datetime64) -> str:
    """Scheme in force on `day`."""
    return max((s for s in SCHEMES if IN_FORCE[s] <= day), key=lambda s: IN_FORCE[s])


def translate(code: str, detail: str, scheme: str, target: str) -> str | None:
    """Level-1 code of `target` for a `code` of an older `scheme`; None where it does not map.

    detail : level-2 or level-3 code of the same scheme ("" where unknown), which decides codes
             that were split
    """
    low, high = SCHEMES.index(scheme), SCHEMES.index(target)
    if high < low or code not in CODES[scheme]:
        return None
    for old, new in zip(SCHEMES[low:high], SCHEMES[low + 1 : high + 1], strict=True):
        if code in CODES[new]:
            continue
        found = SPLIT[old, new].get(detail[:4]) if detail[:2] == code[:2] else None
        if found is None:
            return None
        code = found
    return code

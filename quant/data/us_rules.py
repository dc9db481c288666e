"""Trading rules of the US exchanges: lot, tick, settlement; there are no daily price limits.

Source: SEC settlement cycle T+3 (1995-06-07), T+2 (2017-09-05), T+1 (2024-05-28); Rule 612.
"""

import numpy as np

LOT = 1
PRICE_LIMIT = None
SAME_DAY_ROUND_TRIP = True
_SETTLEMENT = (
    (np.datetime64("2024-05-28"), 1),
    (np.datetime64("2017-09-05"), 2),
    (np.datetime64("1995-06-07"), 3),
)


def settlement_days(day: np.datetime64) -> int:
    """Business days from trade to settlement for a trade on `day` (five before June 1995)."""
    for since, count in _SETTLEMENT:
        if np.datetime64(day, "D") >= since:
            return count
    return 5


def tick(price: float) -> float:
    """Smallest price step in USD: one cent from 1.00 upwards, a hundredth of one below."""
    return 0.01 if price >= 1.0 else 0.0001

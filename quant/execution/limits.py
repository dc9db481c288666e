"""Why an order is not filled in full, and what blocks it at the open."""

import numpy as np

from quant.core.types import Mask, Vector

# reason of a fill by code; the first one means filled in full
REASONS = (
    "",
    "suspended",
    "limit up",
    "limit down",
    "cash",
    "delisted",
    "source ended",
    "ADV cap",
    "below the minimum",
    "market volume",
)
(
    FILLED, SUSPENDED, LIMIT_UP, LIMIT_DOWN, CASH, DELISTED, SOURCE_ENDED, ADV_CAP, MINIMUM, VOLUME,
) = range(len(REASONS))  # fmt: skip
# prices are compared with this relative slack, below one tick of any price under 10,000
SLACK = 1e-6


def blocked(price: Vector, limit_up: Vector, limit_down: Vector, buys: Mask) -> np.ndarray:
    """What keeps each order from trading at `price`, as a code of REASONS; 0 where nothing does.

    price                : (n_orders,) raw price at which the order would trade, NaN = no trading
    limit_up, limit_down : (n_orders,) raw price limits of the session, NaN = none
    buys                 : (n_orders,) true for buys, false for sells
    Returns              : (n_orders,) int8. A buy fails at or above the upper limit, a sell at or
                           below the lower one: the queue there is not ours.
    """
    code = np.zeros(price.size, np.int8)
    code[buys & (price >= limit_up * (1.0 - SLACK))] = LIMIT_UP
    code[~buys & (price <= limit_down * (1.0 + SLACK))] = LIMIT_DOWN
    code[np.isnan(price)] = SUSPENDED
    return code

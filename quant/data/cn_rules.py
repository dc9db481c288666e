"""Trading rules of the Chinese exchanges: boards, daily price limits, lots, T+1.

Prices are in CNY, compared in whole fen; shares are raw. Sources: SSE and SZSE trading rules of
2020, 2023 and 2026; STAR 20 % from 2019-07-22; ChiNext 20 % from 2020-08-24; Beijing 30 %;
main-board ST 5 % until 2026-07-05; first-day limits of 2013-12-13 and 2023-04-10.
"""

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Codes, Dates, Mask, Vector

BOARDS = ("main", "star", "chinext", "bse", "b")
SUFFIXES = (".SH", ".SZ", ".BJ")
_PREFIXES = {
    ".SH": {"60": "main", "68": "star", "90": "b"},
    ".SZ": {"00": "main", "30": "chinext", "20": "b"},
    ".BJ": {"": "bse"},
}
LOT = 100
STAR_MINIMUM = 200
CHINEXT_20 = np.datetime64("2020-08-24")
ST_10 = np.datetime64("2026-07-06")
IPO_44 = np.datetime64("2014-01-01")
MAIN_REGISTRATION = np.datetime64("2023-04-10")
FREE_SESSIONS = 5


def board(symbol: str) -> str:
    """Board of a symbol such as 600519.SH: main, star, chinext, bse (Beijing) or b (B share).

    Raises DataError where the symbol is not a stock of the three exchanges.
    """
    for prefix, name in _PREFIXES.get(symbol[-3:], {}).items():
        if symbol.startswith(prefix) and symbol[:6].isdigit() and len(symbol) == 9:
            return name
    raise DataError(
        f"{symbol!r} is not a Chinese stock; write six digits and .SH, .SZ or .BJ, as 600519.SH."
    )


def limit_percent(boards: np.ndarray, dates: Dates, is_st: Mask) -> Codes:
    """Daily price limit in whole percent, (n,), by board, date and ST flag.

    boards : (n,) str; dates : (n,) datetime64[D]; is_st : (n,) bool
    """
    boards, is_st = np.asarray(boards), np.asarray(is_st, dtype=bool)
    dates = np.asarray(dates).astype("datetime64[D]")
    percent = np.where(is_st & (dates < ST_10), 5, 10)
    percent = np.where((boards == "chinext") & (dates >= CHINEXT_20), 20, percent)
    percent = np.where(boards == "star", 20, percent)
    return np.where(boards == "bse", 30, percent).astype(np.int64)


def fen(price: Vector) -> Codes:
    """Price in whole fen."""
    return np.rint(np.asarray(price, dtype=np.float64) * 100).astype(np.int64)


def price_limits(
    pre_close: Vector, up_percent: Codes, down_percent: Codes
) -> tuple[Vector, Vector]:
    """Upper and lower limit price in CNY, rounded half up in whole fen, at least one fen away.

    pre_close : (n,) the exchange's reference price (ex-right), not the raw previous close
    """
    base = fen(pre_close)
    up = (base * (100 + np.asarray(up_percent)) + 50) // 100
    down = (base * (100 - np.asarray(down_percent)) + 50) // 100
    up, down = np.maximum(up, base + 1), np.maximum(np.minimum(down, base - 1), 1)
    return up / 100.0, down / 100.0


def daily_limits(
    pre_close: Vector, boards: np.ndarray, dates: Dates, is_st: Mask, age: Codes, leaving: Mask
) -> tuple[Vector, Vector]:
    """Limit prices of each row, NaN where there is no limit.

    age     : (n,) sessions since listing, 0 on the first day, large where unknown
    leaving : (n,) bool, in a delisting period, where ST does not narrow the limit
    First days: none until 2013, +44 % / -36 % from 2014; none for five sessions on STAR, on
    ChiNext from 2020-08-24 and on the main board from 2023-04-10; none on Beijing's first day.
    """
    dates = np.asarray(dates).astype("datetime64[D]")
    boards, age = np.asarray(boards), np.asarray(age)
    percent = limit_percent(boards, dates, np.asarray(is_st, dtype=bool) & ~leaving)
    capped_ipo = (age == 0) & (dates >= IPO_44)
    up_percent = np.where(capped_ipo, 44, percent)
    down_percent = np.where(capped_ipo, 36, percent)
    known = np.isfinite(pre_close) & (np.nan_to_num(pre_close) > 0)
    up, down = price_limits(np.where(known, pre_close, 1.0), up_percent, down_percent)
    registered = (
        (boards == "star")
        | ((boards == "chinext") & (dates >= CHINEXT_20))
        | ((boards == "main") & (dates >= MAIN_REGISTRATION))
    )
    free = ~known | (age == 0) & ((dates < IPO_44) | (boards == "bse"))
    free |= registered & (age < FREE_SESSIONS)
    up[free], down[free] = np.nan, np.nan
    return up, down


def limit_state(price: Vector, up: Vector, down: Vector) -> Codes:
    """+1 where `price` is at the upper limit (can not buy), -1 at the lower (can not sell), 0."""
    at_up = np.isfinite(up) & (fen(price) >= fen(np.nan_to_num(up)))
    at_down = np.isfinite(down) & (fen(price) <= fen(np.nan_to_num(down)))
    return at_up.astype(np.int64) - at_down.astype(np.int64)


def buyable(board: str, shares: int) -> int:
    """Shares of a buy order that the exchange accepts: lots of 100; on STAR 200 or more, any step.

    Source: SZSE 3.3.8; SSE STAR rules
    """
    if board == "star":
        return shares if shares >= STAR_MINIMUM else 0
    return shares // LOT * LOT


def sellable(held: int, bought_today: int) -> int:
    """Shares that may be sold today: T+1 bars what was bought today (SZSE 3.1.4)."""
    return max(held - bought_today, 0)


def sell_accepted(board: str, held: int, bought_today: int, shares: int) -> bool:
    """Whether a sell order is accepted.

    At most the sellable shares; whole lots, with the odd remainder (held modulo 100) sold in one
    order; on STAR at least 200, or the entire balance where that is smaller.
    """
    free = sellable(held, bought_today)
    if shares <= 0 or shares > free:
        return False
    if board == "star":
        return shares >= STAR_MINIMUM or shares == free
    return shares % LOT in (0, free % LOT)

"""Statutory fees on a trade, by date and side, as fractions of its value.

China: stamp duty (Ministry of Finance) and the transfer fee of CSDC, which is charged by value
since 2015-08-01; before, Shanghai charged it by par value, which is left at 0 here. United
States: none (the SEC's section 31 fee, below 0.3 bp of sales, is not charged).
"""

from typing import Literal

import numpy as np

from quant.core.errors import ConfigError

Side = Literal["buy", "sell"]

# first day in force, rate on buys, rate on sells
_STAMP_CN = (
    ("2001-11-16", 0.002, 0.002),
    ("2005-01-24", 0.001, 0.001),
    ("2007-05-30", 0.003, 0.003),
    ("2008-04-24", 0.001, 0.001),
    ("2008-09-19", 0.0, 0.001),
    ("2023-08-28", 0.0, 0.0005),
)
_TRANSFER_CN = (
    ("1990-12-19", 0.0, 0.0),
    ("2015-08-01", 2e-5, 2e-5),
    ("2022-04-29", 1e-5, 1e-5),
)


def stamp_duty(region: str, date: np.datetime64, side: Side) -> float:
    """Rate of stamp duty; 0.001 = 10 bp of the traded value.

    Source: mof.gov.cn t20080919_76432 and t20230828_3904235
    """
    return _rate("stamp duty", region, _STAMP_CN, date, side)


def transfer_fee(region: str, date: np.datetime64, side: Side) -> float:
    """Rate of the transfer fee, the same on both sides; 1e-5 = 0.1 bp of the traded value.

    Source: chinaclear.cn, notices of 2015-08 and 2022-04
    """
    return _rate("transfer fee", region, _TRANSFER_CN, date, side)


def fee_rate(region: str, date: np.datetime64, side: Side) -> float:
    """All statutory fees together."""
    return stamp_duty(region, date, side) + transfer_fee(region, date, side)


def _rate(fee: str, region: str, table: tuple, date: np.datetime64, side: Side) -> float:
    if side not in ("buy", "sell"):
        raise ConfigError(f"side {side!r} is unknown; a trade is 'buy' or 'sell'.")
    if region == "us":
        return 0.0
    if region != "cn":
        raise ConfigError(f"region {region!r} has no fee table; the known ones are 'us' and 'cn'.")
    day = np.datetime64(date, "D")
    known = [row for row in table if day >= np.datetime64(row[0])]
    if not known:
        raise ConfigError(
            f"the {fee} before {table[0][0]} is not in the table, but {day} was asked for; "
            "start later or extend quant/costs/fees.py."
        )
    return known[-1][1 if side == "buy" else 2]

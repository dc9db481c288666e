"""The market as the day loop sees it: dense arrays of days by assets."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.errors import DataError
from quant.core.panel import Panel
from quant.core.types import Codes, Dates, Frame, Mask, Matrix, Vector
from quant.costs.fees import fee_rate
from quant.execution.limits import DELISTED, SOURCE_ENDED
from quant.execution.orders import Lots

FIELDS = ("open", "close", "volume", "amount", "factor", "limit_up", "limit_down")


@dataclass(frozen=True)
class MarketArrays:
    """Prices and events on common axes; build it with `market_arrays`.

    dates                : (n_days,) sessions
    symbols              : (n_assets,)
    open                 : (n_days, n_assets) raw, NaN where the name does not trade
    limit_up, limit_down : raw price limits, NaN where none
    mark                 : last raw close known at the close, 0 before the first bar
    ratio                : shares a share becomes at the open (factor_t / factor_t-1), else 1
    has_action           : (n_days,) whether any ratio differs from 1
    tradable             : (n_days, n_assets) it traded in this session
    adv                  : median money traded a day over the last sessions with trading, 0 unknown
    rf                   : (n_days,) what cash earns over the session, decimal
    exit_day             : (n_assets,) session at whose open a holding turns to cash, n_days = never
    exit_return          : (n_assets,) return on the last price at that moment, decimal
    exit_reason          : (n_assets,) int8 code of quant.execution.limits.REASONS
    lots                 : trading units
    """

    dates: Dates
    symbols: np.ndarray
    open: Matrix
    limit_up: Matrix
    limit_down: Matrix
    mark: Matrix
    ratio: Matrix
    has_action: Mask
    tradable: Mask
    adv: Matrix
    rf: Vector
    exit_day: Codes
    exit_return: Vector
    exit_reason: np.ndarray
    lots: Lots

    def index(self, date: object) -> int:
        """Index of the first session on or after `date`; DataError beyond the last one."""
        day = np.datetime64(pd.Timestamp(date), "D")
        at = int(np.searchsorted(self.dates, day))
        if at == self.dates.size:
            raise DataError(
                f"{day} is after the last session {self.dates[-1]}; ingest newer data or end there."
            )
        return at


def market_arrays(
    panel: Panel,
    listings: Frame,
    rates: Frame,
    region: str,
    delist_return: float = -0.30,
    adv_window: int = 63,
) -> MarketArrays:
    """Arrays of the day loop from a panel of raw bars.

    panel         : fields FIELDS of table `bars` on all sessions and symbols, NaN = no bar
    listings      : table `listings`; a name without a delist_date stays for ever
    rates         : table `rates`, may be empty: cash then earns nothing
    region        : "us" or "cn", decides lots
    delist_return : return of a delisting where the listing does not know it, decimal;
                    a truncated series is closed at its last price
    adv_window    : sessions
    Raises DataError for a bar with a price but no factor, or with a non-positive price.
    """
    close, factor = panel["close"], panel["factor"]
    traded = ~np.isnan(close)
    _check(panel, traded)
    tradable = traded & ~(panel["volume"] <= 0) & ~np.isnan(panel["open"])
    held_factor = _carried(np.where(traded, factor, np.nan), traded, 1.0)
    ratio = np.ones(panel.shape)
    ratio[1:] = held_factor[1:] / held_factor[:-1]
    seen = np.maximum.accumulate(traded, axis=0)
    ratio[1:][~seen[:-1]] = 1.0
    day, returns, reason = _exits(panel, traded, listings, delist_return)
    return MarketArrays(
        dates=panel.dates,
        symbols=panel.symbols,
        open=np.where(tradable, panel["open"], np.nan),
        limit_up=panel["limit_up"],
        limit_down=panel["limit_down"],
        mark=_carried(close, traded, 0.0),
        ratio=ratio,
        has_action=(ratio != 1.0).any(axis=1),
        tradable=tradable,
        adv=_adv(panel["amount"], adv_window),
        rf=_rates(rates, panel.dates),
        exit_day=day,
        exit_return=returns,
        exit_reason=reason,
        lots=Lots.of(panel.symbols, region),
    )


@dataclass(frozen=True)
class Charges:
    """What trading costs, by session.

    lambda1, lambda2  : (n_days, n_assets) see quant.costs.model; broadcast views are fine
    buy_fee, sell_fee : (n_days,) statutory fees as fractions of the value traded
    """

    lambda1: Matrix
    lambda2: Matrix
    buy_fee: Vector
    sell_fee: Vector


def charges(
    market: MarketArrays,
    lambda1: float | Vector | Matrix,
    lambda2: float | Vector | Matrix,
    region: str | None = None,
) -> Charges:
    """Trade cost coefficients on the axes of `market`, with the statutory fees of `region`.

    lambda1, lambda2 : scalar, (n_assets,) or (n_days, n_assets); 5e-4 = 5 bp of NAV a unit weight
    region           : None charges no statutory fee
    """
    shape = (market.dates.size, market.symbols.size)
    fees = np.zeros((2, shape[0]))
    if region is not None:
        for row, side in zip(fees, ("buy", "sell"), strict=True):
            row[:] = [fee_rate(region, day, side) for day in market.dates]
    return Charges(
        np.broadcast_to(np.asarray(lambda1, np.float64), shape),
        np.broadcast_to(np.asarray(lambda2, np.float64), shape),
        fees[0],
        fees[1],
    )


def _check(panel: Panel, traded: Mask) -> None:
    for name, bad in {
        "factor": ~(panel["factor"] > 0) & traded,
        "close": ~(panel["close"] > 0) & traded,
        "open": panel["open"] <= 0,
    }.items():
        if bad.any():
            t, i = np.argwhere(bad)[0]
            raise DataError(
                f"{panel.symbols[i]} has {name} {panel[name][t, i]} on {panel.dates[t]}; "
                "prices and factors of a bar are positive: repair the bar or drop it."
            )


def _carried(values: Matrix, known: Mask, before: float) -> Matrix:
    """Last known value of each column, `before` where there is none yet."""
    row = np.where(known, np.arange(values.shape[0])[:, None], -1)
    np.maximum.accumulate(row, axis=0, out=row)
    out = np.take_along_axis(values, np.maximum(row, 0), axis=0)
    out[row < 0] = before
    return out


def _adv(amount: Matrix, window: int) -> Matrix:
    median = pd.DataFrame(amount).rolling(window, min_periods=1).median().to_numpy()
    return np.nan_to_num(median, nan=0.0)


def _rates(rates: Frame, dates: Dates) -> Vector:
    rf = np.zeros(dates.size)
    if len(rates):
        known = pd.Series(rates["rf"].to_numpy(np.float64), pd.DatetimeIndex(rates["date"]))
        rf = known.reindex(pd.DatetimeIndex(dates)).fillna(0.0).to_numpy()
    return rf


def _exits(
    panel: Panel, traded: Mask, listings: Frame, default: float
) -> tuple[Codes, Vector, np.ndarray]:
    """Session, return and reason of every delisting (exit at the open after the last session)."""
    n_days, n = panel.shape
    day = np.full(n, n_days, dtype=np.int64)
    returns = np.zeros(n)
    reason = np.full(n, DELISTED, np.int8)
    gone = listings.loc[listings["delist_date"].notna()]
    column = pd.Index(panel.symbols).get_indexer(gone["symbol"])
    gone, column = gone.loc[column >= 0], column[column >= 0]
    if not column.size:
        return day, returns, reason
    last = gone["delist_date"].to_numpy().astype("datetime64[D]")
    after_listing = np.searchsorted(panel.dates, last, side="right")
    after_bars = n_days - np.argmax(traded[::-1], axis=0)[column]
    ever = traded[:, column].any(axis=0)
    day[column] = np.where(ever, np.maximum(after_listing, after_bars), n_days)
    truncated = gone["truncated"].to_numpy(bool)
    stated = gone["delist_return"].to_numpy(np.float64)
    returns[column] = np.where(truncated, 0.0, np.where(np.isnan(stated), default, stated))
    reason[column] = np.where(truncated, SOURCE_ENDED, DELISTED)
    return day, returns, reason

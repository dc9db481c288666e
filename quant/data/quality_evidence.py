"""Evidence about bars: what a name's move is against the market's, and what its bars look like.

All matrices are (n_days, n_assets), NaN where there is no row. A row is judged with the day after
it, which is fine for a report on the data and would be look-ahead anywhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.core.types import Frame, Mask, Matrix

FIELDS = (
    "open",
    "high",
    "low",
    "close",
    "pre_close",
    "volume",
    "factor",
    "limit_up",
    "limit_down",
)
PRICES = ("open", "high", "low", "close")
# least range of a day, in cents or fen, whose repetition means something
TICKS = 12
# sessions over which a name's usual move and its beta are measured
USUAL, BETA = 63, 252
LEAST_USUAL = 0.002
SPLITS = np.log([2, 3, 4, 5, 7, 10, 1.5, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 7, 1 / 10])


@dataclass(frozen=True)
class Facts:
    """What the detectors look at; log returns.

    move         : total return over the day against beta x market; next_move: the day after's
    usual        : robust scale of the name's moves before the day, larger on wild days
    displacement : smaller of a move and its reversal, 0 where the next move goes the same way
    unmoved      : close equals the reference price to the cent
    payout       : dividend as a share of the price before it; split: an ex-date of a split
    dividend_excess : how much nearer the price move is to no dividend than to the dividend
    ratio_like   : the raw move is near one of the usual split ratios
    bounded      : the exchange had price limits that day, so a large move is a real one
    """

    move: Matrix
    next_move: Matrix
    usual: Matrix
    displacement: Matrix
    unmoved: Mask
    payout: Matrix
    split: Mask
    dividend_excess: Matrix
    ratio_like: Mask
    bounded: Mask


def following(values: Matrix) -> Matrix:
    """Values of the next session."""
    shifted = np.full(values.shape, np.nan)
    shifted[:-1] = values[1:]
    return shifted


def preceding(values: Matrix) -> Matrix:
    """Values of the session before."""
    shifted = np.full(values.shape, np.nan)
    shifted[1:] = values[:-1]
    return shifted


def gather(panel: Panel, actions: Frame) -> Facts:
    """Measure everything once."""
    close = panel["close"]
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.log(close / panel["pre_close"])
        market = _market(total)
        expected = _beta(total, market) * market[:, None]
        move = total - expected
        next_move = following(move)
        opposite = np.sign(move) != np.sign(next_move)
        least = np.minimum(np.abs(move), np.abs(next_move))
        dividend, split = _spread(panel, actions)
        before = preceding(close) / split
        payout = np.where(dividend > 0, dividend / before, 0.0)
        fall = np.log1p(-np.minimum(payout, 0.95))
        price_move = np.log(close / before) - expected
        excess = np.abs(price_move - fall) - np.abs(price_move)
        raw = np.log(close / preceding(close))
        near = np.zeros(panel.shape, dtype=bool)
        for ratio in SPLITS:
            near |= np.abs(raw - ratio) < 0.03
    return Facts(
        move=move,
        next_move=next_move,
        usual=_usual(move),
        displacement=np.where(opposite & np.isfinite(least), least, 0.0),
        unmoved=np.abs(close - panel["pre_close"]) < 0.005,
        payout=np.nan_to_num(payout),
        split=split != 1.0,
        dividend_excess=excess,
        ratio_like=near,
        bounded=~np.isnan(panel["limit_up"]),
    )


def _market(total: Matrix) -> np.ndarray:
    """(n_days,) mean log return of the names that traded; 0 where none did."""
    count = (~np.isnan(total)).sum(axis=1)
    return np.nansum(total, axis=1) / np.maximum(count, 1)


def _beta(total: Matrix, market: np.ndarray) -> Matrix:
    """Trailing beta to the market, up to the day before; 1 where history is short."""
    frame, series = pd.DataFrame(total), pd.Series(market)
    least = BETA // 4
    product = frame.mul(series, axis=0).rolling(BETA, min_periods=least).mean()
    means = frame.rolling(BETA, min_periods=least).mean()
    mean = series.rolling(BETA, min_periods=least).mean()
    variance = series.rolling(BETA, min_periods=least).var(ddof=0)
    beta = (product - means.mul(mean, axis=0)).div(variance, axis=0).shift(1)
    return beta.clip(0.0, 3.0).fillna(1.0).to_numpy()


def _usual(move: Matrix) -> Matrix:
    """Robust scale of the moves: the name's trailing one, raised on days wild for everybody.

    Trailing median absolute move before the day, as a standard deviation; times the median over
    the names of the day's and the next day's moves in those units, where that is above one.
    """
    size = np.abs(move)
    scale = pd.DataFrame(size).rolling(USUAL, min_periods=20).median().shift(1) / 0.6745
    own = np.fmax(scale.to_numpy(), LEAST_USUAL)
    day = pd.DataFrame(size / own).median(axis=1).to_numpy() / 0.6745
    wild = np.fmax(day, np.append(day[1:], np.nan))
    return own * np.fmax(wild, 1.0)[:, None]


def _spread(panel: Panel, actions: Frame) -> tuple[Matrix, Matrix]:
    """Dividends (0 = none) and splits (1 = none) on the panel's axes."""
    dividend, split = np.zeros(panel.shape), np.ones(panel.shape)
    if len(actions):
        given = Panel.of(actions, ["dividend", "split"], panel.dates, panel.symbols)
        dividend = np.nan_to_num(given["dividend"])
        split = np.nan_to_num(given["split"], nan=1.0)
    return dividend, split


def broken(panel: Panel) -> Matrix:
    """Relative excess of the other prices over the high, or under the low; 0 where in order."""
    high, low = panel["high"], panel["low"]
    top = np.maximum(np.maximum(panel["open"], panel["close"]), low)
    bottom = np.minimum(np.minimum(panel["open"], panel["close"]), high)
    excess = np.maximum(top / high - 1.0, 1.0 - bottom / low)
    # a hundredth of a cent of rounding is no fault
    return np.where(np.nan_to_num(excess) > 1e-4, excess, 0.0)


def flat(panel: Panel) -> Mask:
    """One price all day with volume, and not locked at a limit."""
    close = panel["close"]
    same = (panel["open"] == close) & (panel["high"] == close) & (panel["low"] == close)
    locked = (close >= panel["limit_up"] - 0.005) | (close <= panel["limit_down"] + 0.005)
    return same & (panel["volume"] > 0) & ~locked


def copied(panel: Panel, window: int, names: Sequence[str] = PRICES) -> Mask:
    """All the prices `names` equal those of another day at most `window` sessions away.

    Only days whose range has enough ticks count: cheap names repeat themselves by chance.
    """
    key = np.zeros(panel.shape, dtype=np.uint64)
    for name in names:
        price = np.rint(np.nan_to_num(panel[name]) * 10_000).astype(np.uint64)
        # a multiplicative hash; it wraps around on purpose
        key = (key ^ price) * np.uint64(0x9E3779B97F4A7C15)
    ranged = panel["high"] - panel["low"] > TICKS * 0.01
    found = np.zeros(panel.shape, dtype=bool)
    for column in range(panel.shape[1]):
        days = np.flatnonzero(ranged[:, column])
        order = days[np.argsort(key[days, column], kind="stable")]
        twin = key[order[1:], column] == key[order[:-1], column]
        near = twin & (order[1:] - order[:-1] <= window)
        found[order[1:][near], column] = True
        found[order[:-1][near], column] = True
    return found


def island(panel: Panel) -> Matrix:
    """Gap in logs that separates the day's whole range from both neighbours', on one side.

    Neighbours are brought to the day's scale by the factor; not above 0 where there is none.
    """
    high, low, factor = panel["high"], panel["low"], panel["factor"]
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = [
            (shift(high * factor) / factor, shift(low * factor) / factor)
            for shift in (preceding, following)
        ]
        above = np.minimum(*[np.log(low / top) for top, _ in scaled])
        below = np.minimum(*[np.log(bottom / high) for _, bottom in scaled])
    return np.nan_to_num(np.maximum(above, below), nan=-1.0)


def missing(close: Matrix) -> Matrix:
    """Length of a hole in a name's rows, at the first session of the hole; 0 elsewhere."""
    length = np.zeros(close.shape)
    for column in range(close.shape[1]):
        rows = np.flatnonzero(~np.isnan(close[:, column]))
        jump = np.diff(rows)
        length[rows[:-1][jump > 1] + 1, column] = jump[jump > 1] - 1
    return length


def stale_run(close: Matrix) -> Matrix:
    """Sessions for which the close has been the same, at the last session of each run."""
    run = np.ones(close.shape)
    for day in range(1, close.shape[0]):
        same = close[day] == close[day - 1]
        run[day] = np.where(same, run[day - 1] + 1, 1)
    ends = np.ones(close.shape, dtype=bool)
    ends[:-1] = run[1:] == 1
    return np.where(ends & ~np.isnan(close), run, 0.0)

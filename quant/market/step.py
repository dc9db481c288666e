"""One session of a simulated market: returns, events, prices, and every state moved on."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Mask, Vector
from quant.market import alpha, cn, events, prices, residual
from quant.market.record import Record
from quant.market.world import WARM_UP, World

NO_LIMIT = np.int64(1) << 50


@dataclass(frozen=True)
class Move:
    """Returns on the reference price wanted for one day, all (n,).

    drift    : expected return;   overnight, intraday : additive, drift included
    vol      : standard deviation of the whole
    ratio    : residual volatility by its typical value
    surprise : size of the day's shock; about 1 on average
    """

    drift: Vector
    overnight: Vector
    intraday: Vector
    vol: Vector
    ratio: Vector
    surprise: Vector


def _move(w: World, row: int, failing: Vector) -> Move:
    """Every name of an industry has the same drift; a failure that may come is paid in advance."""
    share, industry = w.region.overnight, w.names.industry
    ratio = w.residual.ratio() * w.spill[row][industry]
    vol = w.names.idio_vol * ratio
    before, after, scale = w.residual.draw(vol, w.streams["residual"])
    before = before + w.names.load(w.factors.overnight[row])
    after = after + w.names.load(w.factors.intraday[row])
    vol = np.sqrt(vol**2 + w.names.load(w.factors.vol[row] ** 2, power=2))
    size = np.abs(before + after)
    drift = w.drift[row][industry] + w.planted - failing * w.region.failure_return
    cut = residual.BOUND / np.maximum(size, residual.BOUND)
    return Move(
        drift=drift,
        overnight=drift * share + before * cut,
        intraday=drift * (1 - share) + after * cut,
        vol=vol,
        ratio=ratio,
        surprise=0.5 * scale + 0.65 * size / vol,
    )


def _reference(w: World, day: int, trading: Mask) -> tuple[Vector, Vector, Vector]:
    """Reference price in ticks, dividend in ticks, split; moves factor and free float."""
    n = w.names.size
    dividend, split = np.zeros(n), np.ones(n)
    if day > 0:
        paid, ratio = events.actions(w.calendar, day, w.close, w.streams["actions"])
        able = trading & (w.names.list_day < day)
        split = np.where(able, ratio, 1.0)
        dividend = np.where(able & (w.cn | (split == 1)), paid, 0.0)
    reference = (w.close - dividend) / split
    if w.cn:
        reference = np.floor(reference + 0.5)
    reference = np.maximum(reference, 1.0)
    w.factor *= w.close / reference
    w.shares = np.where(split == 1, w.shares, np.maximum(np.rint(w.shares * split), 1000.0))
    return reference, dividend, split


def _limits(w: World, day: int, reference: Vector) -> tuple[Codes, Codes]:
    """Lowest and highest price in ticks that the exchange allows."""
    n = reference.size
    if not w.cn:
        return np.ones(n, np.int64), np.full(n, NO_LIMIT)
    date = w.spec.sessions[max(day, 0)]
    up, down, held = cn.limits(w.names.board, w.status.is_st, day - w.names.list_day, date)
    ticks = reference.astype(np.int64)
    low = np.where(held, cn.limit_fen(ticks, down, -1), 1)
    return low, np.where(held, cn.limit_fen(ticks, up, 1), NO_LIMIT)


def step(w: World, day: int, record: Record) -> None:
    """Trade session `day` (negative: warm-up), record it, and move every state on."""
    row = day + WARM_UP
    w.status.alive |= w.names.list_day == day
    trading = w.status.alive & (w.status.suspended == 0)
    failing = events.hazard(w.status, w.year_return(row - 1), w.region, w.cn)
    failing = failing if day >= 0 else np.zeros(failing.size)
    move = _move(w, row, failing)
    reference, dividend, split = _reference(w, day, trading)
    low, high = _limits(w, day, reference)
    market = prices.Day(reference, low, high)
    wanted = w.activity.turnover(
        w.names.turnover * move.ratio**0.8, move.surprise, w.streams["volume"]
    )
    bar = prices.trade(
        market,
        (w.missed + (1 + w.missed) * move.overnight, (1 + w.missed) * move.intraday),
        move.vol * np.sqrt(1 - w.region.overnight),
        wanted * w.shares,
        w.streams["range"],
    )
    gained = _settle(w, row, move, trading, reference, bar)
    w.residual.move(np.log1p(gained - move.drift), w.streams["move"])
    if day >= 0:
        record.keep(day, w, market, bar, trading)
        record.act(day, trading, dividend, split)
        _events(w, day, row, failing)
        w.planted = alpha.expected(w.signal, w.spec.alpha_ic, w.risk, w.status.alive)
        record.planted[day] = w.planted
    else:
        w.planted = alpha.expected(w.signal, w.spec.alpha_ic, w.risk, w.status.alive)


def _settle(
    w: World, row: int, move: Move, trading: Mask, reference: Vector, bar: prices.Traded
) -> Vector:
    """Take over the closes, show the day to the signal; returns what every name gained."""
    latent = move.overnight + move.intraday
    gained = np.where(trading, bar.close / reference - 1, latent)
    held_back = w.status.alive & ~trading
    w.missed = np.where(held_back, np.clip((1 + w.missed) * (1 + latent) - 1, -0.6, 0.6), 0.0)
    w.close = np.where(trading, bar.close, w.close)
    volume = np.where(trading, bar.volume / w.shares, 0.0)
    w.signal.see(row, np.log(w.close * w.factor), volume, w.status.alive)
    return np.maximum(gained, -0.9)


def _events(w: World, day: int, row: int, failing: Vector) -> None:
    """Delistings, special treatment and suspensions from the next session on."""
    last = day >= w.spec.sessions.size - 1
    if not last:
        events.delist(w.status, day, failing, w.region, w.streams["delist"])
    if w.cn:
        events.treat(w.status, w.year_return(row), w.streams["treat"])
    events.suspend(w.status, w.region, w.streams["suspend"])

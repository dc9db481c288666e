"""What delistings that the data lack would take from a result (Shumway 1997).

Beside the delistings that the data know, names are lost at a `rate` a year, and whoever holds one
loses `loss` of it: -30 % is Shumway's (1997) mean for NYSE and AMEX, -55 % that of Shumway and
Warther (1999) for Nasdaq. The book and its benchmark are struck together, each by what it holds.
What takes the place of a lost name is in the same danger, so that the losses are a Poisson
process: their mean is a closed form, rate x |loss| x what is held in danger, and draws give the
band around it.

Delistings strike no random names. Two hazards enclose what is plausible: `uniform` strikes every
name alike; `losers` strikes only the fifth of the universe that lost most over the past year, five
times as often. Either way `rate` of the universe is lost a year.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.types import Codes, Frame, Mask, Matrix, Vector
from quant.evaluation import metrics

BOTTOM = 0.2  # share of the universe that the hazard of losers strikes
BAND = (0.05, 0.95)
YEAR = pd.Timedelta(days=365)


@dataclass(frozen=True)
class Books:
    """What the stress needs of a book and its benchmark.

    book, benchmark, cash : (n_sessions,) returns, decimal a session
    held, index           : (n_sessions, n_names) weights of the two at the close before, of NAV
    periods               : sessions a year
    """

    book: Vector
    benchmark: Vector
    cash: Vector
    held: Matrix
    index: Matrix
    periods: float

    @property
    def active(self) -> float:
        """Annual return of the book over its benchmark's, decimal."""
        return float((self.book - self.benchmark).mean() * self.periods)


def uniform(past: Matrix, member: Mask) -> Matrix:
    """Hazard that is alike for every name, as a multiple of the rate: 1."""
    return np.ones(past.shape)


def losers(past: Matrix, member: Mask) -> Matrix:
    """Hazard of the universe's bottom fifth by past return, as a multiple of the rate; 0 elsewhere.

    past    : (n_sessions, n_names) return over the past year, NaN where unknown
    member  : (n_sessions, n_names) in the universe
    Returns : the same shape; its mean over the members of a session is 1
    """
    out = np.zeros(past.shape)
    for row, value, inside in zip(out, past, member, strict=True):
        known = value[inside & np.isfinite(value)]
        if known.size:
            struck = value <= np.quantile(known, BOTTOM)
            row[struck] = inside.sum() / (struck & inside).sum()
    return out


HAZARDS = {"uniform": uniform, "losers": losers}


def past_returns(value: Matrix, window: int) -> Matrix:
    """Return over the last `window` sessions, or since the first price where that is later.

    value   : (n_sessions, n_names) adjusted close, NaN where not traded
    Returns : the same shape, decimal; NaN before the first price
    """
    filled = pd.DataFrame(value).ffill().to_numpy()
    first = pd.DataFrame(value).bfill().to_numpy()[:1]
    before = np.full_like(filled, np.nan)
    before[window:] = filled[:-window]
    return filled / np.where(np.isnan(before), first, before) - 1.0


def stress(
    books: Books,
    hazard: Matrix,
    rates: Iterable[float],
    losses: Iterable[float],
    draws: int,
    rng: np.random.Generator,
) -> Frame:
    """The SURVIVORSHIP table of one hazard, without its name.

    hazard : (n_sessions, n_names) multiple of the rate, known at the close before
    rates  : share of the universe a year; losses : delisting returns, decimal, 0 or negative
    """
    rates, losses = sorted(set(rates)), sorted(set(losses))
    struck = _strikes(books, hazard * max(rates, default=0.0), draws, rng)
    rows = []
    for rate in rates:
        hits = struck.at(rate / max(rates) if rate else 0.0)
        for loss in losses:
            row = {"rate": rate, "loss": loss} | expected(books, hazard, rate, loss)
            for name, value in _drawn(books, hits, loss).items():
                row[f"{name}_low"], row[f"{name}_high"] = np.quantile(value, BAND)
            rows.append(row | {"break_even": break_even(books, hazard, loss)})
    return pd.DataFrame(rows)


def in_danger(weights: Matrix, hazard: Matrix) -> float:
    """Mean over the sessions of weight times hazard: the loss a year at rate 1 and loss -1."""
    return float((weights * hazard).sum(axis=1).mean())


def expected(books: Books, hazard: Matrix, rate: float, loss: float) -> dict[str, float]:
    """Mean annual return and active return, decimal, and the Sharpe ratio (annualised) they imply.

    The Sharpe ratio is the stressed mean over the root of the expected stressed variance.
    """
    cost = rate * loss
    often = rate / books.periods * hazard
    over = books.book - books.cash + loss * (often * books.held).sum(axis=1)
    variance = over.var(ddof=1) + loss**2 * (often * books.held**2).sum(axis=1).mean()
    apart = in_danger(books.held, hazard) - in_danger(books.index, hazard)
    mean = metrics.ann_return(books.book, books.periods)
    return {
        "ann_return": mean + cost * in_danger(books.held, hazard),
        "active": books.active + cost * apart,
        "sharpe": float(_sharpe(over.mean(), variance, books.periods)),
    }


def break_even(books: Books, hazard: Matrix, loss: float) -> float:
    """Rate a year at which the active return is nil; NaN where no rate up to 1 takes it."""
    a_year = -loss * (in_danger(books.held, hazard) - in_danger(books.index, hazard))
    if not 0.0 < books.active <= a_year:
        return float("nan")
    return books.active / a_year


def observed_rate(listings: Frame, membership: Frame, periods: float) -> float:
    """Delistings for failure that the data know, a name-year in the universe.

    listings   : LISTINGS; a return of 0 or more is a takeover, a truncated series no delisting
    membership : MEMBERSHIP of the window; a name counts that was in it in the year before its end
    """
    last = membership.groupby("symbol")["date"].max()
    ends = listings.set_index("symbol").reindex(last.index)
    failed = ~(ends["delist_return"] >= 0.0) & ~ends["truncated"].eq(True)
    soon = (ends["delist_date"] - last <= YEAR) & (ends["delist_date"] <= last.max())
    return float((failed & soon).sum() / (len(membership) / periods))


@dataclass(frozen=True)
class _Hits:
    """Losses of all draws, in units of the weight lost: rows of (draw, session).

    mark : (n_rows,) uniform in [0, 1); a lower rate strikes the rows with the lower marks
    """

    draw: Codes
    session: Codes
    held: Vector
    index: Vector
    mark: Vector
    draws: int

    def at(self, share: float) -> "_Hits":
        """Those of `share` of the rate that was drawn, the losses of a session added up."""
        kept = np.flatnonzero(self.mark < share)
        n = int(self.session.max(initial=0)) + 1
        place, row = np.unique(self.draw[kept] * n + self.session[kept], return_inverse=True)
        held, index = (np.bincount(row, w[kept], place.size) for w in (self.held, self.index))
        return _Hits(place // n, place % n, held, index, np.zeros(place.size), self.draws)

    def total(self, weights: Vector) -> Vector:
        """(draws,) sums over the rows of each draw."""
        return np.bincount(self.draw, weights, self.draws)


def _strikes(books: Books, often: Matrix, draws: int, rng: np.random.Generator) -> _Hits:
    """Poisson draws of the lost positions; `often` is how many a year are expected of each."""
    cell = np.flatnonzero((often > 0) & ((books.held != 0) | (books.index != 0)))
    edges = np.cumsum(often.ravel()[cell] / books.periods)
    counts = rng.poisson(edges[-1] if edges.size else 0.0, draws)
    where = rng.random(counts.sum()) * (edges[-1] if edges.size else 0.0)
    hit = cell[np.minimum(np.searchsorted(edges, where, side="right"), max(cell.size - 1, 0))]
    return _Hits(
        draw=np.repeat(np.arange(draws), counts),
        session=hit // often.shape[1],
        held=books.held.ravel()[hit],
        index=books.index.ravel()[hit],
        mark=rng.random(hit.size),
        draws=draws,
    )


def _drawn(books: Books, hits: _Hits, loss: float) -> dict[str, Vector]:
    """(draws,) annual return, active return and Sharpe ratio of every draw."""
    n, periods = books.book.size, books.periods
    lost, gap = loss * hits.total(hits.held), loss * hits.total(hits.held - hits.index)
    over = books.book - books.cash
    centred = over - over.mean()
    moved = 2 * loss * hits.total(hits.held * centred[hits.session])
    square = centred @ centred + moved + loss**2 * hits.total(hits.held**2) - lost**2 / n
    mean = over.mean() + lost / n
    return {
        "ann_return": (books.book.mean() + lost / n) * periods,
        "active": books.active + gap / n * periods,
        "sharpe": _sharpe(mean, square / (n - 1), periods),
    }


def _sharpe(mean: Vector | float, variance: Vector | float, periods: float) -> Vector:
    return np.asarray(mean / np.sqrt(variance) * np.sqrt(periods))

"""From a parent order to its child orders: percentage of volume, and volume-weighted slices."""

from dataclasses import dataclass

import numpy as np

from quant.core.types import Codes, Mask, Matrix, Vector
from quant.execution.tape import Tape, profile


@dataclass(frozen=True, slots=True)
class Slots:
    """Where the children of some orders may trade, by interval; arrays are (n, n_intervals).

    wanted : shares of the child that is due at the end of the interval, before lots; 0 = none
    price  : at which it deals: volume-weighted over the stretch in which it is worked
    volume : shares that the market trades in that stretch
    due    : a child is due, even if nothing trades
    """

    wanted: Matrix
    price: Matrix
    volume: Matrix
    due: Mask


def at_open(shares: Vector, price: Vector, volume: Vector) -> Slots:
    """The whole order in the opening auction.

    shares, price, volume : (n,) of the order, of the auction, and its volume
    """
    due = np.ones((shares.size, 1), bool)
    return Slots(shares[:, None], price[:, None], volume[:, None], due)


def percentage_of_volume(shares: Vector, tape: Tape, rate: float) -> Slots:
    """A child in every interval: `rate` of what the market trades in it.

    The volume of an interval is that of the tape, own trades included, and is known when the
    child is sent, for it is worked along with it; nothing of a later interval is used.
    """
    wanted = np.minimum(rate * tape.volume, shares[:, None])
    return Slots(wanted, tape.price, tape.volume, np.ones(wanted.shape, bool))


def volume_weighted(shares: Vector, whole: Vector, size: Vector, count: Codes, tape: Tape) -> Slots:
    """`count` children an order, sized by the volume that is expected, not by what comes.

    shares : (n,) of the order; whole : the part of it in full lots
    size   : (n,) lot, 0 = fractions; what is no full lot goes with the last child
    count  : (n,) children, 1 or more
    """
    n_intervals = tape.price.shape[1]
    wanted, price, volume = np.zeros((3, *tape.price.shape))
    due = np.zeros(tape.price.shape, bool)
    flow = np.nan_to_num(tape.price) * tape.volume
    for k in np.unique(count):
        i = np.flatnonzero(count == k)
        ends = np.round(np.arange(1, k + 1) * n_intervals / k).astype(np.int64)
        begins = np.r_[0, ends[:-1]]
        traded = np.add.reduceat(tape.volume[i], begins, axis=1)
        value = np.add.reduceat(flow[i], begins, axis=1)
        expected = np.add.reduceat(profile(n_intervals), begins)
        slices = apportioned(whole[i], np.broadcast_to(expected, (i.size, k)), size[i])
        slices[:, -1] += shares[i] - whole[i]
        at = np.ix_(i, ends - 1)
        wanted[at], volume[at], due[at] = slices, traded, slices > 0.0
        price[at] = value / np.where(traded > 0.0, traded, np.nan)
    return Slots(wanted, price, volume, due)


def slices(value: Vector, lot_value: Vector, minimum: Vector, most: int, n_intervals: int) -> Codes:
    """Largest number of children, up to `most`, of which each reaches the minimum; 0 = none.

    value     : (n,) money of the order
    lot_value : (n,) money of one lot: rounding to lots may take that much from a child
    minimum   : (n,) money
    Source    : readings 25
    """
    count = np.where(value >= minimum, 1, 0)
    for k in range(2, most + 1):
        ends = np.round(np.arange(1, k + 1) * n_intervals / k).astype(np.int64)
        least = np.add.reduceat(profile(n_intervals), np.r_[0, ends[:-1]]).min()
        floor = value * least - lot_value
        count[(floor >= minimum) & (floor > 0.0)] = k
    return count


def apportioned(total: Vector, weights: Matrix, size: Vector) -> Matrix:
    """Split totals by weights into multiples of `size` that sum to them (Hamilton's method).

    total : (n,) multiples of `size`; weights : (n, k) at least 0; size : (n,) 0 = any fraction
    The largest remainders get what rounding down leaves, the earlier one first.
    """
    unit = np.where(size > 0.0, size, 1.0)[:, None]
    ideal = weights / weights.sum(axis=1, keepdims=True) * total[:, None] / unit
    base = np.floor(ideal + 1e-9)
    left = np.round((total[:, None] / unit)[:, 0] - base.sum(axis=1)).astype(np.int64)
    order = np.argsort(-np.round(ideal - base, 9), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(weights.shape[1])[None, :], axis=1)
    lots = (base + (rank < left[:, None])) * unit
    return np.where(size[:, None] > 0.0, lots, ideal * unit)

"""The same parent orders worked by different styles, and the verdict on them.

Everybody gets the same orders, the same tape and as much cash as it takes, so that only the style
differs. What a style does not fill is valued at the close: an order left undone is no saving.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from quant.core.types import Codes, Dates, Vector
from quant.evaluation.inference import block_indices
from quant.execution.orders import Orders, Session
from quant.execution.scheduled import Scheduled
from quant.execution.tape import Tape, Tapes

_PLENTY = 1e30
# the acceptance of the specification: basis points at the median, and of the spread of days
MEDIAN_BP, IQR_RATIO = 5.0, 0.90


class OneSession:
    """Tapes of one session kept, so that several styles trade on the same one at no cost."""

    def __init__(self, tapes: Tapes) -> None:
        self.tapes = tapes
        self._key: tuple[int, bytes] | None = None
        self._tape: Tape | None = None

    @property
    def intervals(self) -> int:
        """Intervals of a session."""
        return self.tapes.intervals

    def __call__(self, t: int, asset: Codes) -> Tape:
        """The session `t` of the names `asset`."""
        key = (t, asset.tobytes())
        if self._tape is None or self._key != key:
            self._key, self._tape = key, self.tapes(t, asset)
        return self._tape


@dataclass(frozen=True, slots=True)
class Day:
    """How a style did with the orders of one session.

    shortfall_bp : of the value ordered at the open, + = a cost; statutory fees are left out
    filled       : share of that value
    """

    shortfall_bp: float
    filled: float


def desks(base: Scheduled, other: Tapes) -> Mapping[tuple[str, str], Scheduled]:
    """(scenario, style) -> a desk; every desk but its style and scenario as `base`.

    other : tapes of another seed
    A scenario is left out for a style that it does not touch: it is the base there.
    """

    def desk(style: str, scenario: str) -> Scheduled:
        rules, law, tapes = replace(base.rules, style=style), base.impact, base.tapes
        if scenario.startswith("auction"):
            rules = replace(rules, auction_share=0.02 if "2 %" in scenario else 0.10)
        if scenario == "impact x 2":
            law = replace(law, scale=2.0 * law.scale)
        if scenario == "square root":
            law = replace(law, law="square_root")
        if scenario == "spread x 2":
            law = replace(law, half_spread=2.0 * law.half_spread, tick=2.0 * law.tick)
        if scenario == "other paths":
            tapes = other
        return Scheduled(rules, tapes, base.liquidity, law)

    touched = {
        "base": ("MOO", "POV", "VWAP"),
        "auction 2 %": ("MOO",),
        "auction 10 %": ("MOO",),
        "impact x 2": ("MOO", "POV"),
        "square root": ("MOO", "POV"),
        "spread x 2": ("POV",),
        "other paths": ("POV",),
    }
    return {
        (name, style): desk(style, name) for name, styles in touched.items() for style in styles
    }


def worked(desk: Scheduled, orders: Orders, session: Session, close: Vector) -> Day | None:
    """What `desk` makes of `orders`; None where none of them can trade at all.

    close : (n_assets,) raw close of the session
    """
    live = ~np.isnan(session.open[orders.asset])
    orders = Orders(orders.asset[live], orders.shares[live], orders.exit[live])
    if not orders.asset.size:
        return None
    held = np.zeros(session.open.size)
    held[orders.asset] = np.maximum(-orders.shares, 0.0)
    fills = desk(orders, replace(session, cash=_PLENTY, held=held, buy_fee=0.0, sell_fee=0.0))
    if not fills.asset.size:
        return None
    arrival = session.open[fills.asset]
    left = fills.ordered - fills.shares
    lost = (
        (fills.price - arrival) * fills.shares + fills.cost + (close[fills.asset] - arrival) * left
    )
    value = np.abs(fills.ordered) * arrival
    done = np.abs(fills.shares) * arrival
    return Day(float(lost.sum() / value.sum() * 1e4), float(done.sum() / value.sum()))


@dataclass(frozen=True, slots=True)
class Gate:
    """Percentage of volume against the open, over days; bp, and a ratio of interquartile ranges.

    difference : median of POV less that of MOO, with its 95 % interval; the rule asks for -5 bp
    iqr_ratio  : POV's range over MOO's, with its interval; the rule asks for 0.90
    verdict    : PASS and FAIL where the interval says so, else INCONCLUSIVE
    """

    median_pov: float
    median_moo: float
    difference: float
    low: float
    high: float
    iqr_pov: float
    iqr_moo: float
    iqr_ratio: float
    ratio_low: float
    ratio_high: float
    verdict: str
    days: int


def gate(pov: Vector, moo: Vector, block: int, draws: int, rng: np.random.Generator) -> Gate:
    """The acceptance of section 3.4 on paired days, with circular block bootstrap intervals.

    pov, moo : (n_days,) daily shortfall, bp
    """
    pair = np.column_stack([pov, moo])
    index = block_indices(len(pair), min(block, len(pair)), draws, rng, "circular")
    point = _statistics(pair[None])[:, 0]
    drawn = _statistics(pair[index])
    low, high = np.nanquantile(drawn, (0.025, 0.975), axis=1)
    medians, ratio = point[0] - point[1], point[2] / point[3] if point[3] > 0 else np.inf
    return Gate(
        median_pov=float(point[0]), median_moo=float(point[1]), difference=float(medians),
        low=float(low[4]), high=float(high[4]),
        iqr_pov=float(point[2]), iqr_moo=float(point[3]), iqr_ratio=float(ratio),
        ratio_low=float(low[5]), ratio_high=float(high[5]),
        verdict=_verdict((low[4], high[4], -MEDIAN_BP), (low[5], high[5], IQR_RATIO)),
        days=len(pair),
    )  # fmt: skip


def _statistics(pairs: np.ndarray) -> np.ndarray:
    """Medians, ranges, difference and ratio, (6, n_draws); pairs is (n_draws, n_days, 2)."""
    quarter = np.quantile(pairs, (0.25, 0.5, 0.75), axis=1)
    middle, wide = quarter[1].T, (quarter[2] - quarter[0]).T
    ratio = wide[0] / np.where(wide[1] > 0.0, wide[1], np.nan)
    return np.stack([*middle, *wide, middle[0] - middle[1], ratio])


def _verdict(*rules: tuple[float, float, float]) -> str:
    """PASS where every interval lies at or below its bound, FAIL where one lies above it."""
    if any(low > bound for low, _, bound in rules):
        return "FAIL"
    return "PASS" if all(high <= bound for _, high, bound in rules) else "INCONCLUSIVE"


def parents(fills: Mapping[str, np.ndarray], dates: Dates) -> Iterator[tuple[int, Codes, Vector]]:
    """(session, asset, shares ordered) of every session with orders.

    fills : day (n,) index of the session, rising; asset (n,); ordered (n,) shares, signed
    """
    day = fills["day"]
    begins = np.flatnonzero(np.r_[True, day[1:] != day[:-1]]) if day.size else day
    for a, b in zip(begins, np.r_[begins[1:], day.size], strict=True):
        order = np.argsort(fills["asset"][a:b], kind="stable")
        yield int(day[a]), fills["asset"][a:b][order], fills["ordered"][a:b][order]

"""What a session was worth to the controller (specification 4.1), and its readable variant.

literal  : w'r - C - 5 x 1{DD} - 50 (sigma - target)+^2, in decimals. DD is true while the deepest
           peak-to-trough fall inside the last 63 sessions exceeds 10 %: 500 % a day, which drowns
           the rest; sigma is the ex-ante volatility, which the optimizer holds, so that its term
           is nearly always zero.
research : in bp; 5 bp for every session whose own drawdown exceeds 10 %, of the size of a day's
           return; and half a bp for every squared percentage point by which the realised
           volatility of 21 sessions exceeds the target.
"""

from dataclasses import astuple, dataclass

import numpy as np

from quant.core.errors import ConfigError
from quant.core.types import Vector

KINDS = ("literal", "research")
_BP, _POINT = 1e4, 1e2


@dataclass(frozen=True)
class Terms:
    """The constants of the reward.

    kind    : one of KINDS
    eta_dd  : a session in drawdown: decimal (literal) or bp (research)
    eta_vol : of the squared excess of volatility: decimal (literal) or bp a squared percentage
              point (research)
    limit   : drawdown that counts, decimal; window : sessions it is looked for in
    """

    kind: str = "literal"
    eta_dd: float = 5.0
    eta_vol: float = 50.0
    limit: float = 0.10
    window: int = 63

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"reward {self.kind!r} is unknown; choose one of {KINDS}.")


@dataclass(frozen=True)
class Parts:
    """The parts of one reward, in its unit; the reward is gain less the other three."""

    gain: float
    cost: float
    drawdown: float
    volatility: float

    @property
    def total(self) -> float:
        """The reward."""
        return self.gain - self.cost - self.drawdown - self.volatility

    def vector(self) -> Vector:
        """(4,) gain, cost, drawdown, volatility."""
        return np.array(astuple(self))


def deepest_fall(nav: Vector) -> float:
    """Deepest peak-to-trough fall inside `nav` (n,), decimal, 0 or positive."""
    return float((1.0 - nav / np.maximum.accumulate(nav)).max(initial=0.0))


def current_fall(nav: Vector) -> float:
    """How far the last of `nav` (n,) lies below the highest, decimal."""
    return float(1.0 - nav[-1] / nav.max())


def reward(terms: Terms, gain: float, cost: float, fall: float, vol: float, target: float) -> Parts:
    """Parts of the reward of one session.

    gain   : w_t' r_(t+1), before costs; cost : C, both as fractions of NAV
    fall   : as `terms` looks at it, see `seen`
    vol, target : annualised
    """
    over, down = max(vol - target, 0.0), float(fall > terms.limit)
    if terms.kind == "literal":
        return Parts(gain, cost, terms.eta_dd * down, terms.eta_vol * over**2)
    return Parts(_BP * gain, _BP * cost, terms.eta_dd * down, terms.eta_vol * (_POINT * over) ** 2)


def seen(terms: Terms, nav: Vector, ex_ante: float, periods: int) -> tuple[float, float]:
    """The fall and the volatility that `terms` looks at.

    nav     : (n,) of the last sessions, at most terms.window + 1 are used
    ex_ante : annualised volatility of the book by its covariance
    """
    nav = nav[-terms.window :]
    if terms.kind == "literal":
        return deepest_fall(nav), ex_ante
    moves = nav[1:] / nav[:-1] - 1.0
    last = moves[-21:]
    realised = float(last.std(ddof=1) * np.sqrt(periods)) if last.size >= 21 else 0.0
    return current_fall(nav), realised

"""From states to limits: tilts, caps and the volatility target (specification 2.3, reading 32).

Deterministic, elementwise and monotone: a likelier systemic or crisis state never widens a cap nor
raises the target, a larger p_bull - p_bear always raises the tilt.
"""

import numpy as np

from quant.core.errors import ConfigError
from quant.core.types import Matrix, Vector

BEAR, BULL = 0, 2  # of the trend's states (bear, sideways, bull)
SYSTEMIC_AT = 0.5
CRISIS_AT = 0.3


def tilt_bp(trend: Matrix, kappa: float = 10.0) -> Matrix:
    """Tilt of the expected return: kappa (p_bull - p_bear).

    trend : (..., 3) probabilities of bear, sideways, bull
    kappa : bp over the label's horizon at p_bull - p_bear = 1
    Returns (...) bp over the horizon, within [-kappa, kappa]. Raises ConfigError where kappa is
    not positive: the tilt would not rise with the trend.
    """
    if not kappa > 0:
        raise ConfigError(
            f"kappa_trend_bp is {kappa:g}; it must be positive, or the tilt does not rise with the "
            "trend: turn the tilts off by their flag instead."
        )
    return kappa * (trend[..., BULL] - trend[..., BEAR])


def caps(
    cap: Matrix | float,
    p_systemic: Matrix,
    p_crisis: Matrix,
    factor: float = 0.5,
    widen: float = 0.0,
    systemic_at: float = SYSTEMIC_AT,
    crisis_at: float = CRISIS_AT,
) -> Matrix:
    """Caps of exposure, tightened once where the market is systemic, the group in crisis, or both.

    cap        : the optimizer's, fraction of NAV, not negative
    p_systemic : probability that correlations are systemic; tightens from `systemic_at` on
    p_crisis   : probability of the group's crisis state; tightens from `crisis_at` on
    factor     : of the cap where it is tightened, in [0, 1]
    widen      : added to the cap where it is not (`cap_widen_bp` / 1e4), fraction of NAV
    All broadcast. Returns the caps, fraction of NAV; NaN where a probability is NaN. Raises
    ConfigError for a factor or a widening that would loosen a cap as risk rises.
    """
    if not 0 <= factor <= 1:
        raise ConfigError(
            f"crisis_tighten_factor is {factor:g}; it multiplies caps in a crisis and must be "
            "within [0, 1], where 1 leaves them."
        )
    if not widen >= 0:
        raise ConfigError(
            f"cap_widen_bp is {widen * 1e4:g}; it must be 0 or more, or calm would have the "
            "tighter caps: lower the optimizer's caps instead."
        )
    tight = (p_systemic >= systemic_at) | (p_crisis >= crisis_at)
    made = np.where(tight, np.multiply(cap, factor), np.add(cap, widen))
    return np.where(np.isnan(p_systemic) | np.isnan(p_crisis), np.nan, made)


def vol_target(
    p_crisis: Vector,
    base: float = 0.12,
    floor: float = 0.08,
    weights: tuple[float, float] = (0.0, 1.0),
) -> Vector:
    """Volatility target, lowered in a straight line as crisis grows more likely.

    p_crisis    : mean over the industries, probability in [0, 1]
    base, floor : annualised; 0.12 = 12 % a year
    weights     : of the floor where p_crisis is 0, and where it is 1 (`vol_target_map`)
    Returns base - (base - floor) w, w = weights[0] + (weights[1] - weights[0]) p_crisis;
    annualised, between floor and base. Raises ConfigError where it could rise with p_crisis.
    """
    if not 0 < floor <= base:
        raise ConfigError(
            f"vol_target_floor is {floor:g} and vol_target_base {base:g}; the floor must be "
            "positive and at most the base."
        )
    low, high = weights
    if not 0 <= low <= high <= 1:
        raise ConfigError(
            f"vol_target_map has the weights {low:g} and {high:g}; they must rise within [0, 1], "
            "or the target would rise with the crisis."
        )
    weight = low + (high - low) * np.asarray(p_crisis)
    return base - (base - floor) * weight


def effective_target(model1: Vector, rl: Vector | None = None, ceiling: float = 0.15) -> Vector:
    """The target in force: the lower of Model 1's and the controller's.

    model1  : annualised
    rl      : the RL controller's action, annualised; None where there is none
    ceiling : of the action alone, annualised; Model 1's own target may lie above it
    """
    model1 = np.asarray(model1)
    return model1 if rl is None else np.minimum(model1, np.minimum(rl, ceiling))

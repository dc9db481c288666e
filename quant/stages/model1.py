"""The state of every industry as of each close, and the tilts, caps and target it asks for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quant.core import tables
from quant.core.panel import Panel, sessions_of
from quant.core.types import Frame
from quant.model1 import features, neutral, states
from quant.risk.returns import close_to_close
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config


def settings(config: "Config") -> dict[str, Any]:
    """Model 1's settings; without it, what stays as it is."""
    o = config.optimizer
    limits = {"cap": o.group_max, "cap_short": o.cap_short}
    if not config.model1.enabled:
        return {"enabled": False, **limits, "vol_target": o.vol_target.base}
    return {"enabled": True, **limits, "model1": config.model1}


def spec(s: Mapping[str, Any]) -> states.Spec:
    """The room's specification from the settings."""
    m = s["model1"]
    at = m.dcc.systemic_thresholds
    return states.Spec(
        cap=s["cap"],
        cap_short=s["cap_short"],
        seeds=(m.hmm_trend.random_state, m.hmm_vol.random_state),
        hazard=1.0 / m.bocpd.base_hazard_days,
        break_at=m.bocpd.prob_threshold,
        window=m.dcc.window_days,
        systemic_at=(at.mean_corr_pct / 100, at.eig1_pct / 100),
        half_lives=(m.smoothing.half_life_fast, m.smoothing.half_life_slow),
        kappa=m.mapping.kappa_trend_bp,
        widen=m.mapping.cap_widen_bp / 1e4,
        tighten=m.mapping.crisis_tighten_factor,
        targets=(m.mapping.vol_target_floor, m.mapping.vol_target_base),
        crisis_weights=(
            m.mapping.vol_target_map.crisis_weight_floor,
            m.mapping.vol_target_map.crisis_weight_ceiling,
        ),
        flip_model=m.flip.model,
        embargo=m.flip.embargo,
        flip_every=m.flip.retrain_every,
        flip_rows=m.flip.min_rows,
        least=m.min_members,
        history=m.min_history,
    )


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """States and what led to them; neutral ones where Model 1 is off."""
    membership, days = f["membership"], sessions_of(f["sessions"])
    if not s["enabled"]:
        made = neutral.states(membership, s["cap"], s["cap_short"])
        return states.empty() | {
            "states": made, "regime": neutral.regime(days, s["vol_target"])
        }  # fmt: skip
    bars = Panel.of(f["bars"], ("close", "factor"), dates=days)
    returns = close_to_close(bars["close"] * bars["factor"])
    own = spec(s)
    indices = features.panel(returns, days, bars.symbols, membership, own.least)
    made, counts = states.run(indices, membership, own, c.seed, c.tick("model1"))
    c.metrics.update({f"model1.{name}": float(value) for name, value in counts.items()})
    return made


STAGE = Stage(
    "model1",
    needs=(tables.BARS, tables.SESSIONS, tables.MEMBERSHIP),
    makes=(
        tables.STATES, tables.REGIME, tables.PARENT_STATES, tables.OVERRIDES, tables.BREAKS,
        tables.INDICES, tables.HMM_FITS, tables.FLIP_FITS,
    ),
    links={},
    settings=settings,
    run=run,
    module=__name__,
)  # fmt: skip

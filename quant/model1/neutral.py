"""The states without Model 1: nothing known, no tilt, caps and volatility target as they are."""

import numpy as np
import pandas as pd

from quant.core.tables import REGIME, STATES, TREND, VOL
from quant.core.types import Dates, Frame
from quant.model1.fusion import quantise


def states(membership: Frame, cap: float, cap_short: float) -> Frame:
    """STATES of every industry with members: equal probabilities, tilt 0, the optimizer's caps."""
    rows = membership[["date", "industry_id"]].drop_duplicates()
    rows = rows.sort_values(["date", "industry_id"], ignore_index=True)
    third, half = quantise(np.full((1, 3), 1 / 3))[0], quantise(np.full((1, 2), 0.5))[0]
    values = {
        **dict(zip(TREND, third, strict=True)),
        **dict(zip(VOL, third, strict=True)),
        "p_sys_diversifying": half[0],
        "p_sys_systemic": half[1],
        "p_flip_10d": np.float32(np.nan),
        "tilt_bp": np.float32(0.0),
        "cap_long": np.float32(cap),
        "cap_short": np.float32(cap_short),
    }
    return rows.assign(**values)[STATES.schema.names]


def regime(dates: Dates, vol_target: float) -> Frame:
    """REGIME of every session: nothing measured, the optimizer's volatility target (annualised)."""
    made = pd.DataFrame({"date": dates.astype("datetime64[ns]")})
    for name in REGIME.schema.names[1:]:
        made[name] = np.nan
    return made.assign(vol_target=vol_target)

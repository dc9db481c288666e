"""Whether a book obeyed Model 1: decisions against states, both rederived from the tables."""

import numpy as np
import pandas as pd

from quant.data.industries import UNKNOWN
from tests.pipeline import Frames

TOLERANCE = 1e-6
KEY = ["date", "symbol"]


def obeyed(frames: Frames, cap: float, factor: float = 0.5) -> pd.DataFrame:
    """One row a decision: the worst excess over caps and volatility target, and what gave way.

    frames : membership, states, parent_states, regime, decisions, solves, bindings
    cap    : the optimizer's, of a group; factor : of it where systemic or in crisis
    Returns date, tightened (number of groups), cap_excess, vol_excess (both of what could be
    reached), relaxed (some cap or the target could not be reached on the day)
    """
    wanted = caps(frames, cap, factor)
    exposure = exposures(frames)
    both = exposure.merge(wanted, on=["date", "group_id"], how="left")
    # a group whose last member left is held on to by nothing but what could not be sold
    both["wanted"] = both.groupby("group_id")["wanted"].ffill().fillna(cap)
    gave = frames["bindings"].query("relaxed").assign(
        group_id=lambda b: b["limit"].str.removeprefix("group ")
    )  # fmt: skip
    both = both.merge(gave[["date", "group_id", "reached"]], on=["date", "group_id"], how="left")
    both = both[~both["group_id"].isin([group for _, group in UNKNOWN.values()])]
    limit = np.fmax(both["wanted"], both["reached"])
    both["excess"] = both["weight"] - limit
    made = both.groupby("date").agg(
        cap_excess=("excess", "max"), gave=("reached", lambda r: r.notna().any())
    )
    tight = wanted.assign(tight=wanted["wanted"] < cap).groupby("date")["tight"].sum()
    made["tightened"] = tight.reindex(made.index).fillna(0).astype(int)
    risk = frames["solves"].set_index("date").reindex(made.index)
    target = frames["regime"].set_index("date")["vol_target"].reindex(made.index)
    np.testing.assert_allclose(risk["vol_target"], target)
    made["vol_excess"] = risk["vol"] - np.fmax(target, risk["vol_reached"])
    made["relaxed"] = made.pop("gave") | (risk["vol_reached"] > target * (1 + TOLERANCE))
    return made.reset_index()


def caps(frames: Frames, cap: float, factor: float) -> pd.DataFrame:
    """date, group_id, wanted: from the probabilities alone, not from the table's own caps."""
    groups = frames["membership"][["date", "industry_id", "group_id"]].drop_duplicates()
    states = groups.merge(frames["states"], on=["date", "industry_id"])
    own = states[["date", "group_id", "p_sys_systemic", "p_vol_crisis"]]
    parents = frames["parent_states"].rename(columns={"node_id": "group_id"})
    both = own.merge(
        parents[["date", "group_id", "p_vol_crisis"]], on=["date", "group_id"], how="left",
        suffixes=("", "_sector"),
    )  # fmt: skip
    crisis = both["p_vol_crisis_sector"].fillna(both["p_vol_crisis"])
    tight = (both["p_sys_systemic"] >= 0.5) | (crisis >= np.float32(0.3))
    both["wanted"] = np.where(tight, factor * cap, cap)
    return both.groupby(["date", "group_id"], as_index=False)["wanted"].min()


def exposures(frames: Frames) -> pd.DataFrame:
    """date, group_id, weight: a name that left the universe counts in its last group."""
    decisions = frames["decisions"].sort_values(KEY)
    groups = frames["membership"][[*KEY, "group_id"]].sort_values(KEY)
    own = pd.merge_asof(decisions, groups, on="date", by="symbol")
    return own.groupby(["date", "group_id"], as_index=False)["weight"].sum()

"""What the controller sees: 33 named numbers a session, over 40 sessions.

Everything is known at the close of its session. Numbers of the market are made once for all
sessions (`scene`); numbers of the book are read off as it lives (`Observer`), the same way in
training and in the backtest.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.backtest.engine import State
from quant.core.errors import DataError
from quant.core.types import Codes, Dates, Frame, Mask, Matrix, Vector

HISTORY = 40  # sessions
_STATES = {
    "trend_bull": "p_trend_bull",
    "trend_bear": "p_trend_bear",
    "trend_sideways": "p_trend_sideways",
    "vol_calm": "p_vol_calm",
    "vol_turbulent": "p_vol_turbulent",
    "vol_crisis": "p_vol_crisis",
    "sys_diversifying": "p_sys_diversifying",
    "sys_systemic": "p_sys_systemic",
}
_OF_STATE = {
    f"{name}_{what}": f"{long} over industries of {column}"
    for name, column in _STATES.items()
    for what, long in (("mean", "mean"), ("std", "standard deviation (ddof 0)"))
}
REGIME: Mapping[str, str] = {
    **_OF_STATE,
    "eig1": "largest eigenvalue of the industries' correlation matrix / their number",
    "mean_corr": "mean dynamic conditional correlation of the industries",
    "flip_mean": "mean over industries of p_flip_10d",
}
ALPHA: Mapping[str, str] = {
    "alpha_std": "standard deviation of the alphas across the universe, over the horizon",
    "alpha_large": "share of the universe whose alpha is beyond 10 bp either way",
    "doubt": "rank of the day's mean ensemble variance within the last 252 sessions, 0 to 1",
}
PORTFOLIO: Mapping[str, str] = {
    "book_vol": "ex-ante volatility of the book, annualised: square root of w'Sigma w",
    "turnover_30": "mean two-way turnover a session over the last 30, fraction of NAV",
    "active_group": "largest difference of a group's weight from that of the equal-weight universe",
    "herfindahl": "sum of squared weights over the square of their sum; 0 in cash",
}
COST: Mapping[str, str] = {
    "shortfall_5": "what trading cost in the last 5 sessions, bp of the value traded",
    **{f"bucket_{i}": f"share of the invested weight in liquidity bucket {i}" for i in range(6)},
}
FEATURES: Mapping[str, str] = {**REGIME, **ALPHA, **PORTFOLIO, **COST}
NAMES = tuple(FEATURES)
_OF_MARKET = (*REGIME, *ALPHA)
_LARGE = 10e-4
_RANKED = 252


@dataclass(frozen=True)
class Scene:
    """What the controller sees of the market, on the axes of the policy's market.

    dates  : (n_days,)
    market : (n_days, 22) the numbers of REGIME and ALPHA, NaN before they are known
    bucket : (n_days, n_assets) liquidity bucket, 0 to 5
    member : (n_days, n_assets); group : (n_days, n_assets) codes; n_groups : of them
    """

    dates: Dates
    market: Matrix
    bucket: np.ndarray
    member: Mask
    group: Codes
    n_groups: int

    @property
    def first(self) -> int:
        """First session whose whole history of 40 is known.

        Raises DataError where there is none.
        """
        known = np.isfinite(self.market).all(axis=1)
        run = np.convolve(known, np.ones(HISTORY), "valid") == HISTORY
        if not run.any():
            missing = [n for n, k in zip(_OF_MARKET, np.isfinite(self.market).T, strict=True)
                       if k.sum() < HISTORY]  # fmt: skip
            raise DataError(
                f"no session has {HISTORY} sessions of everything that the controller observes "
                f"({', '.join(missing) or 'there are holes'}); lengthen the sample."
            )
        return int(np.argmax(run)) + HISTORY - 1


def scene(
    dates: Dates,
    states: Frame,
    regime: Frame,
    alpha: Matrix,
    uncertainty: Matrix,
    bucket: np.ndarray,
    member: Mask,
    group: Codes,
    n_groups: int,
) -> Scene:
    """The numbers of the market for every session.

    states, regime     : tables of these names
    alpha, uncertainty : (n_days, n_assets), NaN where there is none
    Raises DataError where a table that is observed is empty.
    """
    for name, table in (("states", states), ("regime", regime)):
        if not len(table):
            raise DataError(
                f"table {name} has no row, and the controller observes it; run model1 with "
                "model1.enabled=true."
            )
    axis = pd.DatetimeIndex(dates)
    by_day = states.groupby("date", sort=True)
    columns: dict[str, Vector] = {}
    means = by_day[list(_STATES.values())].mean().reindex(axis)
    spread = by_day[list(_STATES.values())].std(ddof=0).reindex(axis)
    for name, column in _STATES.items():
        columns[f"{name}_mean"] = means[column].to_numpy(np.float64)
        columns[f"{name}_std"] = spread[column].to_numpy(np.float64)
    market = regime.set_index("date").reindex(axis)
    columns["eig1"] = market["eig1"].to_numpy(np.float64)
    columns["mean_corr"] = market["mean_corr"].to_numpy(np.float64)
    columns["flip_mean"] = by_day["p_flip_10d"].mean().reindex(axis).to_numpy(np.float64)
    columns |= _alphas(alpha, uncertainty, member)
    matrix = np.column_stack([columns[name] for name in _OF_MARKET])
    return Scene(dates, matrix, bucket, member, group, n_groups)


def _alphas(alpha: Matrix, uncertainty: Matrix, member: Mask) -> dict[str, Vector]:
    seen = member & ~np.isnan(alpha)
    count = seen.sum(axis=1)
    some = np.maximum(count, 1)
    value = np.where(seen, alpha, 0.0)
    mean = value.sum(axis=1) / some
    variance = (np.where(seen, value - mean[:, None], 0.0) ** 2).sum(axis=1) / some
    large = (np.abs(value) > _LARGE).sum(axis=1) / some
    doubt = (np.where(seen, np.nan_to_num(uncertainty), 0.0) ** 2).sum(axis=1) / some
    ranked = pd.Series(np.where(count > 0, doubt, np.nan)).rolling(_RANKED, min_periods=1)
    return {
        "alpha_std": np.where(count > 0, np.sqrt(variance), np.nan),
        "alpha_large": np.where(count > 0, large, np.nan),
        "doubt": ranked.rank(pct=True).to_numpy(),
    }


class Observer:
    """The book's side of the observation, session after session; call `see` at every close."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._turnover: deque[float] = deque(maxlen=30)
        self._paid: deque[tuple[float, float]] = deque(maxlen=5)  # cost, value traded
        self._rows: deque[Vector] = deque(maxlen=HISTORY)
        self._nav = np.nan
        self._t = -1

    def see(self, t: int, state: State, volatility: float) -> None:
        """Take in the close of session `t`; volatility: ex-ante, annualised.

        Raises DataError where something is no number, or a session was left out.
        """
        if self._t >= 0 and t != self._t + 1:
            raise DataError(
                f"{state.date}: the controller saw session {self._t} last and is shown {t}; it "
                "watches every session of a book."
            )
        before = state.nav if np.isnan(self._nav) else self._nav
        self._turnover.append(state.turnover)
        self._paid.append((state.cost, state.turnover * before))
        self._nav, self._t = state.nav, t
        row = np.r_[self.scene.market[t], self._book(t, state, volatility)]
        if not np.isfinite(row).all():
            bad = NAMES[int(np.flatnonzero(~np.isfinite(row))[0])]
            raise DataError(
                f"{state.date}: {bad} ({FEATURES[bad]}) is not a number, and the controller "
                "observes it; start later, or look at the table it comes from."
            )
        self._rows.append(row)

    def observation(self) -> Matrix:
        """(40, 33) the last sessions, oldest first; before the book began it was cash."""
        lacking = HISTORY - len(self._rows)
        if not lacking:
            return np.array(self._rows)
        market = self.scene.market[self._t - HISTORY + 1 : self._t + 1 - len(self._rows)]
        if market.shape[0] < lacking or not np.isfinite(market).all():
            raise DataError(
                f"{self.scene.dates[self._t]}: fewer than {HISTORY} sessions of history are known; "
                f"the controller can act from {self.scene.dates[self.scene.first]} on."
            )
        nothing = np.zeros((lacking, len(PORTFOLIO) + len(COST)))
        return np.vstack([np.hstack([market, nothing]), np.array(self._rows)])

    def _book(self, t: int, state: State, volatility: float) -> Vector:
        s = self.scene
        held = np.flatnonzero(state.weights)
        w = state.weights[held]
        total = float(w.sum())
        member = np.flatnonzero(s.member[t])
        own = np.bincount(s.group[t, held], weights=w, minlength=s.n_groups)
        equal = np.bincount(s.group[t, member], minlength=s.n_groups) / max(member.size, 1)
        cost, value = np.array(self._paid).sum(axis=0)
        mix = np.bincount(s.bucket[t, held], weights=w, minlength=6)
        return np.r_[
            volatility,
            np.mean(self._turnover),
            np.abs(own - equal).max(),
            (w @ w) / total**2 if total > 0 else 0.0,
            1e4 * cost / value if value > 0 else 0.0,
            mix / total if total > 0 else np.zeros(6),
        ]

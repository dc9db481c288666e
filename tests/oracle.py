"""What one would know who knew how a simulated market was made: its alpha and its risk."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.panel import Panel, sessions_of
from quant.core.types import Dates, Frame, Mask, Matrix, Vector
from tests.pipeline import Frames

MEMORY = 21.0  # half-life in sessions of what is known of a name's residual volatility


@dataclass(frozen=True)
class Oracle:
    """The truth on the axes of the bars; rows of day t are known at its close.

    returns  : (n_days, n) total return of the session, NaN where a name did not trade
    alpha    : (n_days, n) expected residual return of the next session
    member   : (n_days, n) in the universe
    loadings : (n, n_factors);   variance : (n_factors,) of the factors a session, over all days
    vol      : (n_days, n) residual volatility a session, from past residuals
    """

    dates: Dates
    symbols: np.ndarray
    returns: Matrix
    alpha: Matrix
    member: Mask
    loadings: Matrix
    variance: Vector
    vol: Matrix

    def covariance(self, day: int, names: Vector) -> Matrix:
        """Covariance of the next session's returns of `names`."""
        loadings = self.loadings[names]
        return (loadings * self.variance) @ loadings.T + np.diag(self.vol[day, names] ** 2)

    def known(self, day: int) -> Vector:
        """Members of `day` whose return of the next session is known."""
        return np.flatnonzero(self.member[day] & np.isfinite(self.returns[day + 1]))


def oracle(frames: Frames, truth: Frames) -> Oracle:
    """Spread the truth of a simulated market.

    frames : with `membership`
    """
    bars = Panel.of(frames["bars"], ["close", "factor"], dates=sessions_of(frames["sessions"]))
    axes = {"dates": bars.dates, "symbols": bars.symbols}
    adjusted = pd.DataFrame(bars["close"] * bars["factor"])
    returns = adjusted.ffill().pct_change(fill_method=None).where(adjusted.notna()).to_numpy()
    factors = truth["factors"].pivot(index="date", columns="factor", values="ret")
    names = truth["loadings"].set_index("symbol").loc[bars.symbols]
    loadings = _loadings(names, factors.columns)
    drift = truth["industry"].pivot(index="date", columns="industry_id", values="drift")
    expected = drift[names["industry_id"]].to_numpy() + factors.to_numpy() @ loadings.T
    member = Panel.of(frames["membership"].assign(one=1.0), ["one"], **axes)["one"]
    return Oracle(
        **axes,
        returns=returns,
        alpha=np.nan_to_num(Panel.of(truth["alpha"], ["daily"], **axes)["daily"]),
        member=~np.isnan(member),
        loadings=loadings,
        variance=factors.var().to_numpy(),
        vol=_volatility(returns - expected, names["idio_vol"].to_numpy()),
    )


def _loadings(names: Frame, factors: pd.Index) -> Matrix:
    """(n, n_factors) loadings on market, sectors, industries and styles."""
    made = {"market": names["beta"]}
    made |= {style: names[style] for style in ("size", "value", "growth")}
    rest = [f for f in factors if f not in made]
    made |= {f: ((names["sector"] == f) | (names["industry_id"] == f)).astype(float) for f in rest}
    return pd.DataFrame(made)[list(factors)].to_numpy()


def _volatility(residual: Matrix, typical: Vector) -> Matrix:
    """Exponentially weighted, from the typical one; a day without a return changes nothing."""
    keep = 0.5 ** (1 / MEMORY)
    variance, out = typical**2, np.empty(residual.shape)
    for day, today in enumerate(residual):
        seen = np.isfinite(today)
        variance = np.where(
            seen, keep * variance + (1 - keep) * np.nan_to_num(today) ** 2, variance
        )
        out[day] = np.sqrt(variance)
    return out


def alphas(frames: Frames, truth: Frames) -> Frame:
    """ALPHA table of the oracle: expected residual return over 21 sessions, of every member."""
    rows = frames["membership"][["date", "symbol"]].merge(truth["alpha"], on=["date", "symbol"])
    rows = rows.rename(columns={"expected": "alpha"}).assign(fold=0)
    return rows.assign(score=rows["alpha"])[["date", "symbol", "score", "alpha", "fold"]]


@dataclass(frozen=True)
class Law:
    """Days of a market in units of risk, as Grinold and Kahn (2000) see them.

    Per session, all of the next one; (n_days,) each:
    names    : members
    square   : r' Sigma^-1 r; its mean is `names` where the covariance is true
    ideal    : return of w ~ Sigma^-1 alpha, scaled to a risk of 1
    expected : the same as alpha has it, sqrt(alpha' Sigma^-1 alpha)
    active   : return of a book less beta x equal weights, by its risk; beta by Sigma
    transfer : correlation across names of those active weights x residual risk with alpha /
               residual risk (Clarke, de Silva and Thorley 2002)
    whole    : the same with Sigma in the place of residual risk
    """

    names: Vector
    square: Vector
    ideal: Vector
    expected: Vector
    active: Vector
    transfer: Vector
    whole: Vector

    @property
    def ic(self) -> float:
        """Correlation of alpha with return over all names and days, both in units of risk."""
        return float(self.ideal.mean() / np.sqrt(self.square.mean()))

    def ratio(self, year: float) -> float:
        """IC sqrt(breadth), a year of `year` sessions; breadth = names x sessions."""
        return float(self.ic * np.sqrt(self.names.mean() * year))


def law(o: Oracle, days: Vector, weights: Matrix) -> Law:
    """Judge the alpha, and a book of `weights` (n_days, n) held at the close, on `days`."""
    rows = []
    for day in days:
        at = o.known(day)
        alpha, ret, sigma = o.alpha[day, at], o.returns[day + 1, at], o.covariance(day, at)
        held, vol = weights[day, at], o.vol[day, at]
        market = sigma.sum(axis=1) / at.size
        active = held - (held @ market) / market.sum()
        inverse = np.linalg.solve(sigma, np.column_stack([alpha, ret]))
        strength, risk = np.sqrt(alpha @ inverse[:, 0]), np.sqrt(active @ sigma @ active)
        rows.append(
            (
                at.size,
                ret @ inverse[:, 1],
                ret @ inverse[:, 0] / strength,
                strength,
                active @ ret / risk,
                np.corrcoef(active * vol, alpha / vol)[0, 1],
                alpha @ active / (strength * risk),
            )
        )
    return Law(*np.array(rows).T)

"""How good a forecast of risk was: QLIKE, the bias statistic, and tests of differences."""

from collections.abc import Mapping
from math import sqrt

import numpy as np
import pandas as pd
from scipy.special import stdtr

from quant.core.errors import DataError
from quant.core.types import Frame, Matrix, Vector
from quant.evaluation.inference import newey_west_t
from quant.risk.portfolios import Tried
from quant.risk.rivals import Forecast

BASE = "ledoit_wolf"
ENOUGH = 24  # windows below which no difference is called one
LEVEL = 0.05
BETTER, WORSE, INCONCLUSIVE = "BETTER", "WORSE", "INCONCLUSIVE"
EVERY = "all"  # the kinds that no model chose, together
CHOSEN = ("book", "least_variance")  # what the kinds that a model chose begin with


def qlike(predicted: Vector, realised: Vector) -> Vector:
    """Loss of a variance forecast: q - log q - 1 of q = realised / predicted; 0 where they agree.

    Infinite where no risk was predicted, NaN where none was realised.
    Source : Patton (2011), J. Econometrics 160, 246-256; ranks as the true variance would, though
             the realised one is only its noisy proxy
    Raises DataError for negative variances
    """
    predicted, realised = np.asarray(predicted, float), np.asarray(realised, float)
    if (predicted < 0).any() or (realised < 0).any():
        raise DataError("a variance is negative; QLIKE needs variances, not returns.")
    known = (predicted > 0) & (realised > 0)
    ratio = np.divide(realised, predicted, out=np.ones_like(realised), where=known)
    loss = ratio - np.log(ratio) - 1.0
    return np.where(realised > 0, np.where(predicted > 0, loss, np.inf), np.nan)


def standardised(gain: Vector, predicted: Vector) -> Vector:
    """Return / predicted volatility; infinite for a gain or loss where no risk was predicted."""
    unknown = np.where(gain == 0, 0.0, np.copysign(np.inf, gain))
    return np.divide(gain, np.sqrt(predicted), out=unknown, where=predicted > 0)


def bias_statistic(z: Matrix) -> Vector:
    """Standard deviation over windows of return / predicted volatility; too low a forecast: > 1.

    z       : (n_windows, n_portfolios) `standardised`, NaN where a portfolio was not
    Returns : (n_portfolios,) ddof 1; NaN with fewer than 2 windows
    Source  : Menchero, Orr & Wang (2011), The Barra US Equity Model (USE4), appendix
    """
    out = np.full(z.shape[1], np.nan)
    for i, column in enumerate(z.T):
        own = column[~np.isnan(column)]
        if own.size > 1:
            out[i] = own.std(ddof=1) if np.isfinite(own).all() else np.inf
    return out


def bias_band(n_windows: float) -> tuple[float, float]:
    """Where the bias statistic of a right forecast of normal returns lies 95 times in 100."""
    half = sqrt(2.0 / n_windows)
    return 1.0 - half, 1.0 + half


def diebold_mariano(loss: Vector, other: Vector) -> tuple[float, float]:
    """t-statistic and p-value of mean(loss - other) = 0; negative: the first is better.

    loss, other : (n_windows,) missing ones are left out; NaN where any is infinite, or with fewer
                  than ENOUGH windows
    Source      : Diebold & Mariano (1995), JBES 13, 253-263, with Newey-West errors; the
                  small-sample factor and Student t (n - 1) of Harvey, Leybourne & Newbold
                  (1997), Int. J. Forecasting 13, 281-291, where h - 1 are the lags of the errors
    """
    seen = ~(np.isnan(loss) | np.isnan(other))
    if seen.sum() < ENOUGH or np.isinf(loss[seen]).any() or np.isinf(other[seen]).any():
        return np.nan, np.nan
    n = int(seen.sum())
    # windows do not overlap, but the lags cost as much as those of a forecast h windows ahead
    h = 1 + int(4.0 * (n / 100.0) ** (2.0 / 9.0))
    factor = sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    t = factor * newey_west_t(loss[seen] - other[seen], h - 1)
    return t, 2.0 * float(stdtr(n - 1, -abs(t)))


def holm(p: Vector) -> Vector:
    """p-values that allow for how many were looked at; NaN are no tests. Source: Holm (1979)."""
    out = np.full(p.shape, np.nan)
    order = [i for i in np.argsort(p, kind="stable") if np.isfinite(p[i])]
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, p[i] * (len(order) - rank)))
        out[i] = largest
    return out


def forecasts(tried: Tried, models: Mapping[str, Forecast], horizon: int) -> Frame:
    """Variance that each model predicts for each portfolio over `horizon` sessions.

    Returns : kind, portfolio, model, predicted; see RISK_FORECASTS
    """
    parts = [
        pd.DataFrame(
            {
                "kind": tried.kinds,
                "portfolio": tried.names,
                "model": name,
                "predicted": horizon * model.variances(tried.weights),
            }
        )
        for name, model in models.items()
    ]
    return pd.concat(parts, ignore_index=True)


def outcomes(tried: Tried, future: Matrix) -> Frame:
    """What came of each portfolio at constant weights.

    future  : (n_sessions, n_assets) returns after the forecast, NaN (no trade) counts as 0
    Returns : portfolio, realised, gain; see RISK_OUTCOMES
    """
    came = np.nan_to_num(future, nan=0.0) @ tried.weights
    return pd.DataFrame(
        {
            "portfolio": tried.names,
            "realised": np.square(came).sum(axis=0),
            "gain": came.sum(axis=0),
        }
    )


def scores(forecasts: Frame, periods: float, horizon: int) -> Frame:
    """RISK_SCORES: a row for each kind of portfolio and model; `all` is what no model chose.

    forecasts : RISK_FORECASTS with the columns of RISK_OUTCOMES
    periods   : sessions a year; horizon: sessions of a forecast
    verdict   : of the optimizer's model against the row's, on QLIKE averaged over each window's
                portfolios; p by Holm over the rivals on one kind, below LEVEL. A rival that took
                a portfolio for riskless has lost without a test.
    """
    rows = forecasts.sort_values(["date", "portfolio", "model"], kind="stable").copy()
    rows["qlike"] = qlike(rows["predicted"].to_numpy(), rows["realised"].to_numpy())
    rows["z"] = standardised(rows["gain"].to_numpy(), rows["predicted"].to_numpy())
    out = []
    free = rows[~rows["kind"].str.startswith(CHOSEN)]
    for kind, part in [(EVERY, free), *rows.groupby("kind", sort=True)]:
        loss = part.groupby(["date", "model"])["qlike"].mean().unstack("model")
        for model, own in part.groupby("model", sort=True):
            t, p = diebold_mariano(loss[BASE].to_numpy(), loss[model].to_numpy())
            own_loss = float(loss[model].mean())
            line = {"kind": kind, "model": model, **_row(own, periods / horizon)}
            out.append(line | {"qlike": own_loss, "dm_t": t, "p_value": p})
    table = pd.DataFrame(out)
    rival = table["model"] != BASE
    table.loc[~rival, ["dm_t", "p_value"]] = np.nan
    table["p_value"] = table.groupby("kind")["p_value"].transform(lambda p: holm(p.to_numpy()))
    base = table.loc[~rival].set_index("kind")["qlike"]
    table["verdict"] = [
        _verdict(r, base[r.kind]) if r.model != BASE else "" for r in table.itertuples()
    ]
    return table


def _row(own: Frame, per_year: float) -> dict[str, float]:
    """Numbers of one model on one kind of portfolio."""
    spread = own.pivot(index="date", columns="portfolio", values="z")
    windows = spread.notna().sum().to_numpy()
    bias = bias_statistic(spread.to_numpy())
    tried = windows >= min(ENOUGH, windows.max())  # an industry of a few windows tells nothing
    low, high = bias_band(float(np.mean(windows[tried])))
    half = np.sqrt(2.0 / windows[tried])
    return {
        "portfolios": int(tried.sum()),
        "windows": int(len(spread)),
        "predicted": float(np.sqrt(own["predicted"].mean() * per_year)),
        "realised": float(np.sqrt(own["realised"].mean() * per_year)),
        "bias": float(np.mean(bias[tried])),
        "bias_low": low,
        "bias_high": high,
        "inside": float(np.mean(np.abs(bias[tried] - 1.0) <= half)),
    }


def _verdict(row: tuple, base: float) -> str:
    """`base`: the loss of the optimizer's own model on the same portfolios."""
    if row.windows >= ENOUGH and np.isinf(row.qlike) and np.isfinite(base):
        return BETTER
    if not row.p_value < LEVEL:
        return INCONCLUSIVE
    return BETTER if row.dm_t < 0 else WORSE

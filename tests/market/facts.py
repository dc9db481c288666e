"""Stylised facts of a panel of daily bars, simulated or real, by the same formulas."""

from collections.abc import Callable

import numpy as np
import pandas as pd

MIN_ROWS = 1000
LAGS = range(1, 21)


def sample(bars: pd.DataFrame) -> pd.DataFrame:
    """Rows of at most 200 names with a long history, evenly over their symbols."""
    rows = bars.groupby("symbol")["date"].size()
    long = rows.index[rows > MIN_ROWS]
    return bars[bars["symbol"].isin(long[:: max(1, len(long) // 200)])]


def wide(bars: pd.DataFrame, column: str) -> pd.DataFrame:
    """(n_days, n) values of one column."""
    return bars.pivot(index="date", columns="symbol", values=column)


def hill(values: np.ndarray, share: float = 0.05) -> float:
    """Tail index of the absolute values, from the largest `share` of them."""
    size = np.sort(np.abs(values))[::-1]
    k = int(size.size * share)
    return float(1 / np.mean(np.log(size[:k] / size[k])))


def autocorrelation(values: np.ndarray, lag: int) -> float:
    centred = values - values.mean()
    return float((centred[lag:] * centred[:-lag]).mean() / (centred**2).mean())


def mean_autocorrelation(values: np.ndarray) -> float:
    """Mean over lags 1 to 20."""
    return float(np.mean([autocorrelation(values, lag) for lag in LAGS]))


def facts(bars: pd.DataFrame) -> dict[str, float]:
    """Medians over names, but for the mean correlation and the spread of ADV.

    bars : date, symbol, adjusted (close), amount; an ADV is a name's median daily amount
    """
    adv = bars.groupby("symbol")["amount"].median()
    some = sample(bars)
    ret = np.log(wide(some, "adjusted")).diff()
    ret = ret.where(ret.abs() < 0.5)
    names = [ret[c].dropna().to_numpy() for c in ret.columns]
    correlation = ret.corr(min_periods=500).to_numpy()
    amount = wide(some, "amount")
    volume = np.log(amount.where(amount > 0))
    volume = volume - volume.rolling(63, min_periods=21).mean()
    market = ret.mean(axis=1).dropna().to_numpy()

    def median(fact: Callable[[np.ndarray], float]) -> float:
        return float(np.median([fact(x) for x in names]))

    return {
        "tail_index": median(hill),
        "acf_return_1": median(lambda x: autocorrelation(x, 1)),
        "acf_square_1": median(lambda x: autocorrelation(x**2, 1)),
        "acf_square_1_20": median(lambda x: mean_autocorrelation(x**2)),
        "acf_abs_1_20": median(lambda x: mean_autocorrelation(np.abs(x))),
        "correlation": float(np.nanmean(correlation[np.triu_indices_from(correlation, 1)])),
        "vol": float(ret.std().median() * np.sqrt(252)),
        "market_vol": float(market.std() * np.sqrt(252)),
        "market_acf_abs_1_20": mean_autocorrelation(np.abs(market)),
        "volume_volatility": float(ret.abs().corrwith(volume).median()),
        "adv_decades": float(np.log10(adv.quantile(0.99) / adv.quantile(0.01))),
        "adv_range": float(np.log10(adv.max() / adv.min())),
    }

"""Stylised facts of a panel of daily bars, simulated or real, by the same formulas."""

import numpy as np
import pandas as pd

MIN_ROWS = 1000
LAGS = range(1, 21)


def returns(bars: pd.DataFrame, adjusted: pd.Series) -> pd.DataFrame:
    """(n_days, n) log returns between consecutive sessions of names with a long history."""
    frame = pd.DataFrame({"date": bars["date"], "symbol": bars["symbol"], "p": adjusted})
    wide = frame.pivot(index="date", columns="symbol", values="p")
    ret = np.log(wide).diff()
    ret = ret.where(ret.abs() < 0.5)
    return ret.loc[:, ret.count() >= MIN_ROWS]


def hill(values: np.ndarray, share: float = 0.05) -> float:
    """Tail index of the absolute values, from the largest `share` of them."""
    size = np.sort(np.abs(values))[::-1]
    k = int(size.size * share)
    return float(1 / np.mean(np.log(size[:k] / size[k])))


def autocorrelation(values: np.ndarray, lag: int) -> float:
    centred = values - values.mean()
    return float((centred[lag:] * centred[:-lag]).mean() / (centred**2).mean())


def facts(bars: pd.DataFrame, adjusted: pd.Series, amount: pd.Series) -> dict[str, float]:
    """Medians over names, but for the mean correlation and the spread of ADV."""
    ret = returns(bars, adjusted)
    names = [ret[c].dropna().to_numpy() for c in ret.columns[:: max(1, ret.shape[1] // 200)]]
    median = lambda f: float(np.median([f(x) for x in names]))  # noqa: E731
    correlation = ret.corr(min_periods=500).to_numpy()
    adv = amount.groupby(bars["symbol"]).median()
    log_volume = np.log(amount.where(amount > 0)).to_numpy()
    volume = pd.DataFrame({"date": bars["date"], "symbol": bars["symbol"], "v": log_volume})
    volume = volume.pivot(index="date", columns="symbol", values="v").reindex(columns=ret.columns)
    volume = volume - volume.rolling(63, min_periods=21).mean()
    market = ret.mean(axis=1).dropna().to_numpy()
    return {
        "tail_index": median(hill),
        "acf_return_1": median(lambda x: autocorrelation(x, 1)),
        "acf_square_1": median(lambda x: autocorrelation(x**2, 1)),
        "acf_square_1_20": median(
            lambda x: float(np.mean([autocorrelation(x**2, k) for k in LAGS]))
        ),
        "acf_abs_1": median(lambda x: autocorrelation(np.abs(x), 1)),
        "acf_abs_1_20": median(
            lambda x: float(np.mean([autocorrelation(np.abs(x), k) for k in LAGS]))
        ),
        "acf_abs_60": median(lambda x: autocorrelation(np.abs(x), 60)),
        "correlation": float(np.nanmean(correlation[np.triu_indices_from(correlation, 1)])),
        "vol": float(ret.std().median() * np.sqrt(252)),
        "market_vol": float(market.std() * np.sqrt(252)),
        "market_acf_abs_1_20": float(
            np.mean([autocorrelation(np.abs(market), k) for k in LAGS])
        ),
        "skew": float(ret.skew().median()),
        "volume_volatility": float(ret.abs().corrwith(volume).median()),
        "adv_decades": float(np.log10(adv.quantile(0.99) / adv.quantile(0.01))),
        "adv_range": float(np.log10(adv.max() / adv.min())),
    }

"""Small random markets with everything that can go wrong in them."""

import numpy as np
import pandas as pd

from quant.backtest.market import FIELDS, MarketArrays, charges, market_arrays
from quant.core.panel import Panel
from quant.core.seeds import generator


def business_days(n: int, start: str = "2014-01-06") -> np.ndarray:
    return np.busday_offset(start, np.arange(n), roll="forward").astype("datetime64[D]")


def symbols_of(region: str, n: int) -> list[str]:
    if region == "us":
        return [f"N{i:03d}" for i in range(n)]
    star = [f"688{i:03d}.SH" for i in range(n // 4)]
    return sorted(star + [f"600{i:03d}.SH" for i in range(n - len(star))])


def random_bars(region: str = "cn", n_days: int = 60, n: int = 12, seed: int = 42) -> pd.DataFrame:
    """Bars with suspensions, splits and dividends, limit opens, a listing and two delistings."""
    rng = generator(seed, "test", "bars", region)
    dates, names = business_days(n_days), symbols_of(region, n)
    frames = []
    for i, name in enumerate(names):
        step = rng.normal(0.0, 0.03, (2, n_days))
        ratio = np.where(rng.random(n_days) < 0.03, rng.choice([2.0, 1.02], n_days), 1.0)
        ratio[0] = 1.0
        open_, close, pre = np.empty((3, n_days))
        last = float(rng.uniform(5, 60))
        for t in range(n_days):
            pre[t] = np.round(last / ratio[t], 2)
            move = np.clip(1 + step[0, t], 0.9, 1.1) if rng.random() > 0.08 else rng.choice(
                [0.9, 1.1]
            )  # fmt: skip
            open_[t] = np.round(pre[t] * move, 2)
            last = close[t] = np.round(open_[t] * (1 + step[1, t] / 2), 2)
        frame = pd.DataFrame({"date": dates.astype("datetime64[ns]"), "symbol": name})
        frame["open"], frame["close"], frame["pre_close"] = open_, close, pre
        frame["high"], frame["low"] = np.maximum(open_, close), np.minimum(open_, close)
        frame["volume"] = rng.integers(1e5, 1e7, n_days).astype(float)
        frame["amount"] = frame["volume"] * close
        frame["ratio"] = np.r_[1.0, close[:-1] / pre[1:]]
        frame["factor"] = frame["ratio"].where(ratio > 1, 1.0).cumprod()
        limited = region == "cn"
        frame["limit_up"] = np.round(pre * 1.1, 2) if limited else np.nan
        frame["limit_down"] = np.round(pre * 0.9, 2) if limited else np.nan
        frame["is_st"], frame["float_shares"] = False, np.nan
        keep = rng.random(n_days) > 0.06
        keep[0] = True
        keep[: 10 if i == 3 else 0] = False  # lists late
        keep[n_days // 2 if i in (1, 2) else n_days :] = False  # leaves half-way
        frames.append(frame.loc[keep].drop(columns="ratio"))
    return pd.concat(frames).sort_values(["date", "symbol"], ignore_index=True)


def listings_of(region: str, n_days: int = 60, n: int = 12) -> pd.DataFrame:
    names, dates = symbols_of(region, n), business_days(n_days)
    frame = pd.DataFrame({"symbol": names, "list_date": pd.NaT, "delist_date": pd.NaT})
    frame.loc[[1, 2], "delist_date"] = pd.Timestamp(dates[n_days // 2 + 3])
    frame["delist_date"] = pd.to_datetime(frame["delist_date"])
    frame["board"], frame["delist_return"], frame["truncated"] = "main", np.nan, False
    frame.loc[2, "truncated"] = True
    return frame


def rates_of(n_days: int = 60, rf: float = 1e-4) -> pd.DataFrame:
    return pd.DataFrame({"date": business_days(n_days).astype("datetime64[ns]"), "rf": rf})


def no_listings() -> pd.DataFrame:
    return listings_of("us", n=3).iloc[:0]


def random_market(region: str = "cn", n_days: int = 60, n: int = 12, seed: int = 42):
    bars = random_bars(region, n_days, n, seed)
    dates = business_days(n_days)
    panel = Panel.of(bars, FIELDS, dates, np.array(symbols_of(region, n), object))
    return market_arrays(panel, listings_of(region, n_days, n), rates_of(n_days), region)


def plain_market(open_, close, region: str = "us", rf: float = 0.0) -> MarketArrays:
    """A market of given raw prices, (n_days, n_assets), NaN = no bar, without events."""
    open_, close = np.asarray(open_, float), np.asarray(close, float)
    n_days, n = close.shape
    dates, names = business_days(n_days), np.array(symbols_of(region, n), object)
    fields = {name: np.full(close.shape, np.nan) for name in FIELDS}
    fields |= {"open": open_, "close": close, "factor": np.where(np.isnan(close), np.nan, 1.0)}
    fields |= {"volume": np.full(close.shape, 1e6), "amount": close * 1e6}
    return market_arrays(Panel(dates, names, fields), no_listings(), rates_of(n_days, rf), region)


def random_targets(market: MarketArrays, seed: int = 7, every: int = 3, invested: float = 0.98):
    """Target weights on every third day, drawn over the names that have a price."""
    rng = generator(seed, "test", "targets")
    n_days, n = market.mark.shape
    draws = rng.dirichlet(np.full(n, 0.4), n_days) * (rng.random((n_days, n)) > 0.3)

    def decide(t, state):
        if t % every:
            return None
        target = draws[t].copy()
        target[1:3] += 0.05  # the names that are delisted are held when it happens
        target *= market.mark[t] > 0
        return invested * target / max(target.sum(), 1e-9)

    return decide


def costs(market: MarketArrays, region: str | None = "cn", l1: float = 5e-4, l2: float = 1e-2):
    return charges(market, l1, l2, region)

"""Leaky features: one producer as a careless colleague would have written it."""

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import numpy as np
import pandas as pd

import quant.features as room
from quant.core import horizons
from quant.core.panel import Panel
from quant.core.types import Frame, Matrix
from quant.features import PRODUCERS
from quant.features.view import View
from tests.leaks.leak import instead, leak

MONTH = 21
IC = "rank IC"


def producer(name: str, function: Callable[[View], Matrix]) -> AbstractContextManager:
    """The feature `name` is made by `function`."""
    rows = [dataclasses.replace(p, function=function) if p.name == name else p for p in PRODUCERS]
    return instead(room, "compute", partial(room.compute, producers=rows))


def table(x: Matrix) -> pd.DataFrame:
    return pd.DataFrame(x)


@leak("window reaches past the day", "features", IC)
def centred_rolling_window():
    def gap(v: View) -> Matrix:
        return v.last / table(v.last).rolling(MONTH, center=True).mean().to_numpy() - 1.0

    return producer("ma_gap_21d", gap)


@leak("scaled by moments of the whole sample", "features", IC)
def full_sample_scaler():
    def score(v: View) -> Matrix:
        level = np.log(v.last)
        return (level - np.nanmean(level, axis=0)) / np.nanstd(level, axis=0)

    return producer("ma_gap_200d", score)


@leak("later value filled back", "features", IC)
def back_fill():
    """A monthly series on daily rows, its holes filled from the next month end."""

    def monthly(v: View) -> Matrix:
        ends = table(v.last).iloc[MONTH - 1 :: MONTH].pct_change(fill_method=None)
        return ends.reindex(range(len(v.last))).bfill().to_numpy()

    return producer("ret_21d", monthly)


@leak("as-of join takes the nearest date", "features", IC)
def nearest_join():
    """A monthly series joined to days as `merge_asof(direction="nearest")` does."""

    def monthly(v: View) -> Matrix:
        ends = table(v.last).iloc[MONTH - 1 :: MONTH].pct_change(fill_method=None)
        return ends.reindex(range(len(v.last)), method="nearest").to_numpy()

    return producer("ret_63d", monthly)


@leak("bar stamped with its first session", "features", IC)
def weekly_bars_stamped_left():
    def weekly(v: View) -> Matrix:
        week = np.arange(len(v.last)) // 5
        last = table(v.last).groupby(week).transform("last").to_numpy()
        return last / v.last - 1.0

    return producer("ret_5d", weekly)


@leak("shifted the wrong way", "features", IC)
def shift_by_minus_one():
    def tomorrow(v: View) -> Matrix:
        return table(v.ret).shift(-1).to_numpy()

    return producer("ret_1d", tomorrow)


@leak("rows sorted newest first", "features", IC)
def newest_first():
    """`pct_change` on a vendor's file that runs backwards in time."""

    def momentum(v: View) -> Matrix:
        return table(v.last[::-1]).pct_change(MONTH, fill_method=None).to_numpy()[::-1]

    return producer("ret_21d", momentum)


@leak("filter runs forward and backward", "features", IC)
def zero_phase_filter():
    def gap(v: View) -> Matrix:
        level = table(np.log(v.last))
        ahead = level.ewm(halflife=10).mean()[::-1]
        return (level - ahead.ewm(halflife=10).mean()[::-1]).to_numpy()

    return producer("ma_gap_21d", gap)


@leak("seasonal means of the whole sample", "features", IC)
def seasonal_mean():
    """Mean return of the calendar month over all years, this one and later ones included."""

    def season(v: View) -> Matrix:
        month = np.arange(len(v.ret)) // MONTH % 12
        return table(v.ret).groupby(month).transform("mean").to_numpy()

    return producer("seasonal_12m", season)


@leak("smoothed state probabilities", "features", IC)
def smoothed_hmm_posterior():
    """Two states of drift, given all of the returns: forward and backward pass."""

    def bullish(v: View) -> Matrix:
        z = np.nan_to_num((v.ret - v.market) / 0.015).clip(-4.0, 4.0)
        drift, stay = np.array([-0.15, 0.15]), 0.98
        seen = np.exp(-0.5 * (z[..., None] - drift) ** 2)
        move = np.array([[stay, 1 - stay], [1 - stay, stay]])
        forward, backward = np.full(seen.shape, 0.5), np.full(seen.shape, 0.5)
        for t in range(1, len(z)):
            forward[t] = forward[t - 1] @ move * seen[t]
            forward[t] /= forward[t].sum(axis=1, keepdims=True)
        for t in range(len(z) - 2, -1, -1):
            backward[t] = backward[t + 1] * seen[t + 1] @ move
            backward[t] /= backward[t].sum(axis=1, keepdims=True)
        both = forward * backward
        return both[..., 1] / both.sum(axis=2)

    return producer("trend_slope_63d", bullish)


@leak("components of the whole sample", "features", IC)
def full_sample_components():
    """What the first components of all prices, fitted once on everything, leave of a price."""

    def residual(v: View) -> Matrix:
        level = np.log(v.last)
        level = np.nan_to_num(level - np.nanmean(level, axis=0))
        _, _, axes = np.linalg.svd(level, full_matrices=False)
        return level - level @ axes[:4].T @ axes[:4]

    return producer("resid_mom_12_1", residual)


# -- beyond one producer --------------------------------------------------------------------------


@leak("category encoded by its mean label", "features", IC)
def target_encoding():
    """A name in a quarter of the year is coded by the mean of all its labels there."""
    compute, label = room.compute, room.labels

    def encoded(panel: Panel, membership: Frame) -> Frame:
        made, known = compute(panel, membership), label(panel, membership)
        keys, other = ([f["symbol"], f["date"].dt.quarter] for f in (made, known))
        mean = known.groupby(other)["label"].mean()
        codes = mean.reindex(pd.MultiIndex.from_arrays(keys)).to_numpy(np.float32)
        return made.assign(float_cap=codes)

    return instead(room, "compute", encoded)


@leak("features chosen on all dates", "features", IC, market="us ridge")
def selection_by_full_sample_ic():
    """The features whose IC is steadiest from year to year, weighted by that, as one."""
    compute, label = room.compute, room.labels

    def chosen(panel: Panel, membership: Frame) -> Frame:
        made = compute(panel, membership)
        names = [p.name for p in PRODUCERS]
        ranks = made.groupby("date")[names].rank(pct=True) - 0.5
        month = horizons.at(label(panel, membership), MONTH)
        known = made[["date", "symbol"]].merge(month, on=["date", "symbol"], how="left")
        ic = ranks.groupby(known["date"].dt.year).corrwith(known["label"])
        steady = (ic.mean() / ic.std()).dropna().sort_values(key=np.abs)[-40:]
        mix = ranks[steady.index].fillna(0.0) @ steady
        return made[["date", "symbol"]].assign(mix=mix.astype(np.float32))

    return instead(room, "compute", chosen)

"""Statistics among the members of the day: industries, their groups, ranks."""

from dataclasses import dataclass

import numpy as np

from quant.core.crosssection import group_means, percentiles
from quant.core.types import Codes, Vector

# an industry with fewer members takes its parent's mean (readings 11)
SMALL = 5


@dataclass(frozen=True)
class Section:
    """The members of each day, rows sorted by day.

    day      : (n_rows,) ascending integers from 0
    industry : (n_rows,) integers that differ between days too: day x industry
    group    : (n_rows,) the same for the group (sector) above the industry
    """

    day: Codes
    industry: Codes
    group: Codes


def section(day: Codes, industry: Codes, group: Codes) -> Section:
    """Number the industries and groups of each day.

    day, industry, group : (n_rows,) integers from 0; day is ascending
    """
    if not day.size:
        return Section(day, industry, group)
    return Section(day, day * (industry.max() + 1) + industry, day * (group.max() + 1) + group)


def peer_mean(values: Vector, s: Section) -> Vector:
    """Mean of the day's industry; of its group, then of all members, where fewer than SMALL.

    values  : (n_rows,) NaN where unknown, which counts for nothing
    Returns : (n_rows,)
    Source  : readings 7 and 11
    """
    if not values.size:
        return values
    result = np.full(values.size, np.nan)
    for codes, least in ((s.industry, SMALL), (s.group, SMALL), (s.day, 1)):
        means, counts = group_means(values, codes, int(codes.max()) + 1)
        take = np.isnan(result) & (counts[codes] >= least)
        result[take] = means[codes[take]]
    return result


def relative(values: Vector, s: Section) -> Vector:
    """Minus the mean of the industry's members. Source: Asness, Porter & Stevens (2000)."""
    return values - peer_mean(values, s)


def rank(values: Vector, s: Section) -> Vector:
    """Rank among the members of the day, in (-0.5, 0.5). Source: Gu, Kelly & Xiu (2020)."""
    return percentiles(values, s.day) - 0.5

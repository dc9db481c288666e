"""The panel that Model 1 reads: a tree of indices, their returns, and the streams of its detectors.

Market, sectors (where the classification has them) and industries are equal-weight indices of the
universe. The return of session t is that of the names that belonged to the node at the close of
t - 1. Before a node was first seen, its past is that of the names that belonged to it on that day:
what is known at its first close, and all that a new classification scheme leaves of a past. So no
date sees a label, or a member, of a later one.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.types import Codes, Dates, Frame, Mask, Matrix

MARKET = "market"
LEVELS = ("market", "sector", "industry")
FLOOR = 1e-5  # least daily volatility of the log: prices that stand still are quiet, not riskless


@dataclass(frozen=True)
class Tree:
    """Nodes, parents before children.

    names  : (n_nodes,) `market`, then group_id of sectors, then industry_id
    level  : (n_nodes,) position in LEVELS
    parent : (n_nodes,) node above, -1 for the market
    """

    names: np.ndarray
    level: Codes
    parent: Codes

    @property
    def leaves(self) -> Codes:
        """(n_industries,) nodes of the industries, sorted by name."""
        return np.flatnonzero(self.level == LEVELS.index("industry"))

    def of_level(self, name: str) -> Codes:
        """Nodes of one level."""
        return np.flatnonzero(self.level == LEVELS.index(name))


@dataclass(frozen=True)
class Panel:
    """Indices of all nodes.

    returns : (n_days, n_nodes) return of the session, decimal; NaN where fewer than the least
              number of names had one
    members : (n_days, n_nodes) names that belong to the node at the close
    """

    dates: Dates
    tree: Tree
    returns: Matrix
    members: Codes

    @property
    def seen(self) -> Mask:
        """(n_days, n_nodes) whether the node was ever seen up to the close.

        Before, its returns are a past that nobody could have written down yet: they may enter what
        is said of the node itself later on, and of nothing else.
        """
        return np.maximum.accumulate(self.members > 0, axis=0)


def tree(membership: Frame) -> Tree:
    """The tree of a MEMBERSHIP table; a group that is its own industry is no level of its own.

    An industry belongs to the group with which it was first seen, whatever it is given later.
    """
    pairs = membership[["date", "industry_id", "group_id"]].drop_duplicates(["industry_id"])
    pairs = pairs.sort_values("industry_id", ignore_index=True)
    two = pairs["industry_id"] != pairs["group_id"]
    sectors = sorted(pairs.loc[two, "group_id"].unique())
    names = np.array([MARKET, *sectors, *pairs["industry_id"]], dtype=object)
    sector = {name: 1 + i for i, name in enumerate(sectors)}
    above = [sector[g] if t else 0 for g, t in zip(pairs["group_id"], two, strict=True)]
    level = np.repeat([0, 1, 2], [1, len(sectors), len(pairs)])
    return Tree(names, level, np.array([-1, *[0] * len(sectors), *above], dtype=np.int64))


def panel(
    returns: Matrix, dates: Dates, symbols: np.ndarray, membership: Frame, least: int = 5
) -> Panel:
    """Indices of every node.

    returns : (n_days, n_assets) total return close to close of `symbols` on `dates`, NaN = none
    least   : names without which an index has no return
    """
    nodes = tree(membership)
    row = np.searchsorted(dates, membership["date"].to_numpy().astype("datetime64[D]"))
    column = pd.Index(symbols).get_indexer(membership["symbol"])
    leaf = pd.Index(nodes.names).get_indexer(membership["industry_id"])
    made = np.full((dates.size, nodes.names.size), np.nan)
    members = np.zeros(made.shape, dtype=np.int64)
    for level in sorted(set(nodes.level), reverse=True):
        code = np.full((dates.size, symbols.size), -1, dtype=np.int64)
        code[row, column] = leaf
        own = np.flatnonzero(nodes.level == level)
        _index(made, members, returns, code, own, least)
        # one level up: what is no sector's industry stays what it is until it is the market's
        leaf = np.where(nodes.level[leaf] == level, nodes.parent[leaf], leaf)
    return Panel(dates, nodes, made, members)


def _index(
    made: Matrix, members: Codes, returns: Matrix, code: Codes, own: Codes, least: int
) -> None:
    """Fill the columns `own` of `made` and `members`; code : node of a name and day, -1 = none."""
    n_days, n_nodes = made.shape
    day, asset = np.nonzero(np.isin(code, own))
    flat = day * n_nodes + code[day, asset]
    counted = np.bincount(flat, minlength=n_days * n_nodes).reshape(made.shape)
    members[:, own] = counted[:, own]
    held = np.vstack([np.full(code.shape[1], -1), code[:-1]])
    held = np.where(np.isfinite(returns) & np.isin(held, own), held, -1)
    day, asset = np.nonzero(held >= 0)
    flat = day * n_nodes + held[day, asset]
    size = made.size
    number = np.bincount(flat, minlength=size).reshape(made.shape)[:, own]
    total = np.bincount(flat, returns[day, asset], minlength=size).reshape(made.shape)[:, own]
    made[:, own] = mean_of(total, number, least)
    for node in own:
        seen = np.flatnonzero(members[:, node])
        if seen.size:
            first = seen[0]
            past = returns[: first + 1, code[first] == node]
            known = np.isfinite(past)
            total = np.where(known, past, 0.0).sum(axis=1)
            made[: first + 1, node] = mean_of(total, known.sum(axis=1), least)


def mean_of(total: Matrix, number: Codes, least: int) -> Matrix:
    """Mean, NaN where number is below `least`."""
    return np.where(number >= least, total / np.maximum(number, 1), np.nan)


def log_volatility(returns: Matrix, window: int = 21) -> Matrix:
    """Log of realised volatility a session, sqrt(mean r^2), over the trailing `window` sessions.

    Fewer than two thirds of the window observed: NaN.
    """
    squares = pd.DataFrame(returns**2).rolling(window, min_periods=-(-2 * window // 3)).mean()
    return np.log(np.sqrt(squares.to_numpy()) + FLOOR)


def slope(returns: Matrix, window: int = 21) -> Matrix:
    """Least-squares slope of the log price over the trailing `window` sessions, log a session.

    A session without a return moves nothing; NaN before the window is full, and where less than
    two thirds of it was observed.
    """
    known = np.isfinite(returns)
    price = np.cumsum(np.log1p(np.where(known, returns, 0.0)), axis=0)
    weight = np.arange(window) - (window - 1) / 2
    weight = weight / np.square(weight).sum()
    made = np.full(price.shape, np.nan)
    made[window - 1 :] = 0.0
    # term by term, not by BLAS: the bits of a row must not depend on how many follow
    for lag in range(window):
        made[window - 1 :] += weight[window - 1 - lag] * price[window - 1 - lag : len(price) - lag]
    enough = pd.DataFrame(known.astype(float)).rolling(window, min_periods=window).mean() >= 2 / 3
    return np.where(enough.to_numpy(), made, np.nan)


def weekly(dates: Dates) -> Codes:
    """Rows of the first session of every calendar week: at its close it is known to be that."""
    week = (dates.astype("datetime64[D]").astype(np.int64) + 3) // 7  # Monday to Sunday
    return np.flatnonzero(np.append(True, week[1:] != week[:-1])[: dates.size])

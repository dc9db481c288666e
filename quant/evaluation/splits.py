"""Splits by date: combinatorial purged cross-validation, and walk-forward refits.

A row dated t carries a label that spans the sessions [t, end]. Everything here counts in session
positions (integers into the exchange calendar), so it holds for rows of every session as well as
for rows of every fifth one.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from quant.core.errors import ConfigError, DataError
from quant.core.types import Codes, Dates, Mask


@dataclass(frozen=True)
class Split:
    """One way to hold out `n_test` of the groups.

    test_groups : (n_test,) groups held out, ascending
    train, test : indices of rows, ascending; train is purged and embargoed
    groups      : (n_test,) of the row indices of each test group
    paths       : (n_test,) path to which each test group's predictions belong
    """

    test_groups: tuple[int, ...]
    train: Codes
    test: Codes
    groups: tuple[Codes, ...]
    paths: tuple[int, ...]


@dataclass(frozen=True)
class Fold:
    """One refit of a walk-forward, in session positions; both ends are included.

    train_start, train_end     : dates of training rows; the label of train_end is known at the
                                 close of predict_start, the refit session
    predict_start, predict_end : dates on which this refit is in force
    """

    train_start: int
    train_end: int
    predict_start: int
    predict_end: int

    def train(self, start: Codes, end: Codes) -> Mask:
        """Rows this refit may learn from: inside the window, label known at the refit's close.

        start, end : (n_rows,) session positions of the row and of its label's end
        """
        inside = (start >= self.train_start) & (start <= self.train_end)
        return inside & (end <= self.predict_start)

    def predict(self, start: Codes) -> Mask:
        """Rows (n_rows,) on whose dates this refit is in force."""
        return (start >= self.predict_start) & (start <= self.predict_end)


def groups_by_date(start: Codes, n_groups: int) -> Codes:
    """Group of every row: the distinct dates are cut by `numpy.array_split`.

    start   : (n_rows,) session positions, any order, repeats allowed
    Returns : (n_rows,) integers in [0, n_groups)
    Raises  : DataError where there are fewer dates than groups
    """
    days, row = np.unique(start, return_inverse=True)
    if days.size < n_groups:
        raise DataError(
            f"{days.size} dates can not be cut into {n_groups} groups; "
            "lengthen the sample or lower the number of groups."
        )
    sizes = [part.size for part in np.array_split(days, n_groups)]
    return np.repeat(np.arange(n_groups), sizes)[row]


def paths(n_groups: int, n_test: int) -> Codes:
    """Which split predicts which group on which backtest path.

    Returns : (n_paths, n_groups) index of the split; n_paths = n_test / n_groups x n_splits
    Source  : Lopez de Prado (2018), Advances in Financial Machine Learning, ch. 12
    """
    _check_groups(n_groups, n_test)
    table = np.full((comb(n_groups - 1, n_test - 1), n_groups), -1)
    used = np.zeros(n_groups, dtype=np.int64)
    for split, held_out in enumerate(combinations(range(n_groups), n_test)):
        for group in held_out:
            table[used[group], group] = split
            used[group] += 1
    return table


def cpcv(
    start: Codes, end: Codes, n_groups: int = 6, n_test: int = 2, embargo: int = 63
) -> list[Split]:
    """Every choice of `n_test` of `n_groups` as test set, the rest purged and embargoed.

    A training row is dropped where its label [start, end] overlaps the label span of any test
    block (closed intervals), or where it starts within `embargo` sessions after the end of the
    block's last label. The embargo spills over the edges of groups.

    start, end : (n_rows,) session positions of each row and of its label's end, any order
    Raises     : DataError where a label ends before it starts, ConfigError for bad counts
    Source     : Lopez de Prado (2018), ch. 7 and 12
    """
    start, end = np.asarray(start, dtype=np.int64), np.asarray(end, dtype=np.int64)
    _check_groups(n_groups, n_test)
    _check_labels(start, end)
    if embargo < 0:
        raise ConfigError(f"embargo is {embargo} sessions; it must be 0 or more.")
    group = groups_by_date(start, n_groups)
    members = [np.flatnonzero(group == g) for g in range(n_groups)]
    clear = [_clear(start, end, rows, embargo) for rows in members]
    table = paths(n_groups, n_test)
    splits = []
    for number, held_out in enumerate(combinations(range(n_groups), n_test)):
        keep = np.logical_and.reduce([clear[g] for g in held_out])
        blocks = tuple(members[g] for g in held_out)
        splits.append(
            Split(
                test_groups=held_out,
                train=np.flatnonzero(keep),
                test=np.sort(np.concatenate(blocks)),
                groups=blocks,
                paths=tuple(int(np.flatnonzero(table[:, g] == number)[0]) for g in held_out),
            )
        )
    return splits


def walk_forward(
    sessions: Dates,
    first: np.datetime64,
    every: int,
    horizon: int,
    window_years: float | None = None,
    min_train: int = 252,
) -> list[Fold]:
    """Refits every `every` sessions from `first` to the last session, labels strictly known.

    A row of t has a label that ends on session t + 1 + horizon; the refit at the close of r uses
    rows with t + 1 + horizon <= r and predicts r, r + 1, ... until the next refit.

    sessions     : (n_sessions,) the exchange calendar
    first        : date of the first refit (the next session where it is none)
    window_years : calendar years of training rows before the refit; None = all (expanding)
    min_train    : sessions that the first refit must have to learn from
    Raises       : ConfigError for counts out of range or too little history before `first`
    """
    sessions = np.asarray(sessions).astype("datetime64[D]")
    if every < 1 or horizon < 1:
        raise ConfigError(
            f"every is {every} and horizon {horizon} sessions; both must be 1 or more."
        )
    if window_years is not None and window_years <= 0:
        raise ConfigError(f"window_years is {window_years}; it must be positive, or null for all.")
    origin = int(np.searchsorted(sessions, np.datetime64(first, "D")))
    folds = []
    for refit in range(origin, sessions.size, every):
        begin = 0
        if window_years is not None:
            days = np.timedelta64(round(window_years * 365.25), "D")
            begin = int(np.searchsorted(sessions, sessions[refit] - days))
        train_end = refit - 1 - horizon
        if train_end - begin + 1 < min_train:
            raise ConfigError(
                f"the refit of {sessions[refit]} has {max(train_end - begin + 1, 0)} sessions with "
                f"known labels, fewer than {min_train}; start later or widen the window."
            )
        folds.append(Fold(begin, train_end, refit, min(refit + every, sessions.size) - 1))
    return folds


def _clear(start: Codes, end: Codes, block: Codes, embargo: int) -> Mask:
    opens, closes = start[block].min(), end[block].max()
    return (end < opens) | (start > closes + embargo)


def _check_groups(n_groups: int, n_test: int) -> None:
    if not 1 <= n_test < n_groups:
        raise ConfigError(
            f"{n_test} of {n_groups} groups can not be held out; "
            "the rule is 1 <= n_test < n_groups."
        )


def _check_labels(start: Codes, end: Codes) -> None:
    if start.shape != end.shape:
        raise DataError(f"{start.size} rows but {end.size} label ends; give one end for each row.")
    late = np.flatnonzero(end < start)
    if late.size:
        row = late[0]
        raise DataError(
            f"row {row} starts at session {start[row]} and its label ends at {end[row]}; "
            "a label ends on or after its own date."
        )

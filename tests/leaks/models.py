"""Leaky training, selection and calibration."""

from collections.abc import Callable, Iterable

import numpy as np

from quant.core.seeds import generator
from quant.core.types import Codes, Frame, Mask, Vector
from quant.evaluation import signal, splits
from quant.model2 import calibration, cpcv, scores, train
from quant.model2.curve import Curve
from quant.model2.design import NEVER, Design, Rows
from quant.model2.train import FittedModel
from tests.leaks.leak import instead, leak

IC, CV = "rank IC", "CPCV IC"
SCORED = train._scored
Predict = Callable[[np.ndarray], Vector]


def choosing(candidates: Callable[[FittedModel], Iterable[Predict]]) -> object:
    """Every refit uses the candidate that did best on the sessions that followed."""

    def scored(rows: Rows, fold: splits.Fold, number: int, fitted: list[FittedModel]) -> Frame:
        made = SCORED(rows, fold, number, fitted)
        first, last = fold.predict_start, fold.predict_end
        starts = rows.starts[first : last + 2]
        x, raw = rows.standardised(first, last), rows.raw[starts[0] : starts[-1]]
        day = np.repeat(np.arange(starts.size - 1), np.diff(starts))
        tried = [predict(x) for one in fitted for predict in candidates(one)]
        quality = [signal.ic(day, p, raw)["rank_ic"].mean() for p in tried]
        best = tried[int(np.argmax(np.nan_to_num(quality, nan=-1.0)))]
        return made.assign(score=scores.standardise(best, starts - starts[0]))

    return instead(train, "_scored", scored)


@leak("refit learns labels that end after it", "model2", IC, market="us short")
def no_purge_before_the_refit():
    """Training rows end where prediction begins; their labels do not."""

    def rows(self: splits.Fold, start: Codes, end: Codes) -> Mask:
        known = end < NEVER  # some day; there is no other label to learn
        return known & (start >= self.train_start) & (start < self.predict_start)

    return instead(splits.Fold, "train", rows)


@leak("parameters fitted on the whole sample", "model2", IC)
def one_fit_on_everything():
    def rows(self: splits.Fold, start: Codes, end: Codes) -> Mask:
        return end < NEVER

    return instead(splits.Fold, "train", rows)


@leak("stopped early on test data", "model2", IC, market="us trees")
def early_stopping_on_the_test_block():
    """As many trees as were best on the block that is then reported."""

    def rounds(one: FittedModel) -> list[Predict]:
        booster = one.model.booster
        return [
            lambda x, k=k: booster.predict(x, num_iteration=k)
            for k in range(1, booster.num_trees() + 1)
        ]

    return choosing(rounds)


@leak("hyper-parameters chosen on the backtest", "model2", IC, market="us ridge")
def sparsity_chosen_on_the_backtest():
    """The number of features that ridge keeps is the one that did best out of sample."""

    def sparser(one: FittedModel) -> list[Predict]:
        weights = one.model.weights
        least = np.sort(np.abs(weights))[::-1]
        return [
            lambda x, cut=cut: x @ np.where(np.abs(weights) >= cut, weights, 0.0)
            for cut in least[[0, 1, 2, 4, 9, 19, 39]]
        ]

    return choosing(sparser)


@leak("models weighted by their test IC", "model2", IC, market="us short")
def ensemble_weights_from_test_ic():
    def scored(rows: Rows, fold: splits.Fold, number: int, fitted: list[FittedModel]) -> Frame:
        made = SCORED(rows, fold, number, fitted)
        span = slice(rows.starts[fold.predict_start], rows.starts[fold.predict_end + 1])
        day, raw = rows.session[span], rows.raw[span]
        total = np.zeros(len(made))
        for one in fitted:
            score = SCORED(rows, fold, number, [one])["score"].to_numpy()
            total += np.nan_to_num(signal.ic(day, score, raw)["rank_ic"].mean()) * score
        return made.assign(score=total)

    return [
        instead(train, "_scored", scored),
        instead(cpcv, "select", lambda table: scores.ENSEMBLE),
    ]


@leak("fitted on the hold-out", "model2", "hold-out IC", market="us held out")
def last_model_has_seen_the_hold_out():
    """The frozen model is fitted once more on everything, "to use all of the data"."""
    train_rows = splits.Fold.train

    def rows(self: splits.Fold, start: Codes, end: Codes) -> Mask:
        frozen = self.predict_end - self.predict_start > 100
        return end < NEVER if frozen else train_rows(self, start, end)

    def everything(rows: Rows, step: int, last: int) -> Design:
        return design(rows, step, rows.sessions.size)

    design = train.training
    return [instead(splits.Fold, "train", rows), instead(train, "training", everything)]


# -- selection ------------------------------------------------------------------------------------


def unpurged(start: Codes, end: Codes, block: Codes, embargo: int) -> Mask:
    """Only the test rows themselves are left out."""
    return ~np.isin(np.arange(start.size), block)


@leak("label overlaps the test block", "model2", CV, market="us selected", check="purged")
def cross_validation_without_purge():
    return instead(splits, "_clear", unpurged)


@leak("shuffled cross-validation", "model2", CV, market="us selected", check="purged")
def shuffled_folds():
    """`KFold(shuffle=True)`: neighbours of a test day, with nearly its label, train."""
    by_date = splits.groups_by_date

    def shuffled(start: Codes, n_groups: int) -> Codes:
        days, row = np.unique(start, return_inverse=True)
        return generator(7, "shuffle").permutation(by_date(days, n_groups))[row]

    return [instead(splits, "_clear", unpurged), instead(splits, "groups_by_date", shuffled)]


# -- calibration ----------------------------------------------------------------------------------


@leak("calibrated on labels not yet known", "model2", "alpha IC", market="us short")
def calibration_on_its_own_sessions():
    """The curve of a refit is the mean return of each bin on the very sessions it is used for."""

    def own(daily, refit, spec):
        use = (daily.session >= refit) & (daily.session < refit + 21)
        if not use.any():
            return None
        count, means = daily.count[use].sum(axis=0), daily.means[use]
        realised = (means - means.mean(axis=1, keepdims=True)).mean(axis=0)
        score = daily.score[use].sum(axis=0) / count
        return Curve(score, realised, realised, count.astype(np.int64), 1.0)

    return instead(calibration, "_fitted", own)

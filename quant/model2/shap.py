"""Shapley values of a fitted model: what each feature adds to each prediction.

Exact, by the libraries' own TreeSHAP (path-dependent: the background is the training rows that
reached each node), and in closed form for a linear model. A network's are Aumann-Shapley values,
the continuous form: its gradient, averaged along the straight way from the middle rank to the row.

Source: Lundberg, Erion & Lee (2018), Consistent Individualized Feature Attribution for Tree
Ensembles; Lundberg & Lee (2017), corollary 1, for the linear form;
Sundararajan, Taly & Yan (2017), Axiomatic Attribution for Deep Networks, for the network
"""

from typing import Any

import numpy as np

from quant.core.errors import DataError
from quant.core.types import Codes, Matrix, Vector
from quant.model2.design import Design32
from quant.model2.learners.lightgbm import LightGBMModel
from quant.model2.learners.mlp import MLPModel
from quant.model2.learners.ridge import RidgeModel
from quant.model2.learners.rule import RuleModel
from quant.model2.learners.xgboost import XGBoostModel
from quant.model2.models import Model


def contributions(model: Model, x: Design32) -> tuple[Matrix, float]:
    """What each feature adds to the model's prediction of each row, and the base.

    Returns : (n_rows, n_features), base; rows sum with the base to the prediction
    Raises  : DataError for a kind of model that this module does not know
    """
    match model:
        case RidgeModel():
            return linear(model.weights, x)
        case RuleModel():
            weights = np.zeros(x.shape[1])
            weights[model.column] = model.sign
            return linear(weights, x)
        case LightGBMModel():
            return lightgbm(model.booster, x, model.threads)
        case XGBoostModel():
            return xgboost(model.booster, x)
        case MLPModel():
            return network(model, x)
    raise DataError(
        f"{type(model).__name__} has no Shapley values here; add its form to quant.model2.shap."
    )


def linear(weights: Vector, x: Matrix, mean: Vector | float = 0.0) -> tuple[Matrix, float]:
    """Contributions w_j (x_j - mean_j) of a linear model, and its prediction at the mean.

    weights : (n_features,); x : (n_rows, n_features); mean : of the background, 0 for ranks, which
              are centred within every session
    Returns : (n_rows, n_features), base; rows sum with the base to the prediction
    """
    middle = np.broadcast_to(np.asarray(mean, dtype=np.float64), weights.shape)
    return (x - middle) * weights, float(middle @ weights)


def lightgbm(booster: Any, x: Design32, threads: int = 1) -> tuple[Matrix, float]:
    """TreeSHAP of a LightGBM booster: (n_rows, n_features), base."""
    found = np.asarray(booster.predict(x, pred_contrib=True, num_threads=threads))
    return found[:, :-1], float(found[0, -1])


def xgboost(booster: Any, x: Design32) -> tuple[Matrix, float]:
    """TreeSHAP of an XGBoost booster in the units of its margin: (n_rows, n_features), base."""
    from xgboost import DMatrix

    found = booster.predict(DMatrix(x), pred_contribs=True).astype(np.float64)
    return found[:, :-1], float(found[0, -1])


def network(model: MLPModel, x: Design32, steps: int = 32) -> tuple[Matrix, float]:
    """Aumann-Shapley values of a network from the middle rank, 0: (n_rows, n_features), base.

    steps : midpoints of the way at which the gradient is taken; what their sum lacks of the
            prediction is shared out in proportion, so that rows sum with the base to it
    """
    slope = np.zeros(x.shape)
    for step in range(steps):
        slope += model.gradient(x * np.float32((step + 0.5) / steps))
    values = x * slope / steps
    base = float(model.predict(np.zeros_like(x[:1]))[0])
    lacking = model.predict(x) - base - values.sum(axis=1)
    size = np.abs(values)
    total = size.sum(axis=1, keepdims=True)
    share = np.divide(size, total, out=np.full(x.shape, 1.0 / x.shape[1]), where=total > 0.0)
    return values + lacking[:, None] * share, base


def scaled(
    values: Matrix, base: float, predicted: Vector, day: Codes, of: Codes
) -> tuple[Matrix, Vector]:
    """Contributions to a member's standardised score: divided by its prediction's deviation.

    values    : (n_rows, n_features), base : as above
    predicted : (n_all,) of all names of the sampled days, day : (n_all,) number of their day from 0
    of        : (n_rows,) day of each explained row
    Returns   : (n_rows, n_features), and the day's base (n_rows,): the two sum to the score
    """
    count = np.bincount(day)
    mean = np.bincount(day, weights=predicted) / count
    spread = np.sqrt(np.bincount(day, weights=np.square(predicted - mean[day])) / count)
    flat = spread <= 0.0  # a constant prediction scores 0, see quant.model2.scores
    factor = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, spread))
    return values * factor[of, None], (base - mean[of]) * factor[of]

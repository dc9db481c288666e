"""Importance of features at a refit: what may be looked at, additivity, stability."""

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import ConfigError, DataError
from quant.model2 import importance, scores
from quant.model2.design import align
from quant.model2.importance import ShapSpec
from quant.model2.learners.ridge import RidgeModel
from quant.model2.learners.rule import RuleModel
from quant.model2.models import Member
from tests.model2.synthetic import sample

SPEC = ShapSpec(rows=80, sessions=3, apart=5, shown=30, top=2)
DATA = sample(n_days=200, n_names=40, strength=0.004)
ROWS = align(DATA.features, DATA.labels, DATA.sessions)


MODELS = {
    Member("ridge", 21): RidgeModel(np.array([1.0, 0.5, 0.0, -0.2])),
    Member("momentum", 21): RuleModel(2, 1.0),
}
ALONE = {Member("ridge", 21): RidgeModel(np.array([1.0, 0.5, 0.0, -0.2]))}


def test_nothing_after_the_refit_is_looked_at():
    later = DATA.features.copy()
    day = later["date"].to_numpy() > DATA.sessions[120].astype("datetime64[ns]")
    later.loc[day, ["f0", "f1"]] = 7.0
    garbled = align(later, DATA.labels, DATA.sessions)
    short = align(DATA.features[~day].reset_index(drop=True), DATA.labels, DATA.sessions)
    whole = importance.sample(ROWS, 120, SPEC, 42)
    assert ROWS.session[whole.at].max() == 120
    for rows in (garbled, short):
        again = importance.sample(rows, 120, SPEC, 42)
        for name in ("x", "day", "rows", "at"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))


def test_values_add_up_to_the_score_of_the_ensemble():
    on = importance.sample(ROWS, 150, SPEC, 42)
    found = importance.explained(MODELS, on)
    starts = np.concatenate([[0], np.cumsum(np.bincount(on.day))])
    predicted = [model.predict(on.x) for model in MODELS.values()]
    score = scores.ensemble(list(MODELS), predicted, starts)[0]
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base, score[on.rows], atol=1e-12)


def test_a_feature_without_weight_has_no_importance():
    on = importance.sample(ROWS, 150, SPEC, 42)
    made = importance.table(ROWS.names, importance.explained(ALONE, on).values, {"f0": "a"})
    share = made.set_index("feature")["share"]
    assert share["f2"] == 0.0 and share.sum() == pytest.approx(1.0)
    assert share["f0"] > share["f1"] > share["f3"] > 0.0
    assert list(made["family"]) == ["a", "other", "other", "other"]


def test_single_rows_are_those_of_the_leading_features():
    on = importance.sample(ROWS, 150, SPEC, 42)
    found = importance.explained(MODELS, on)
    single = importance.dependence(ROWS, on, found, SPEC)
    assert len(single) == SPEC.shown * SPEC.top
    assert set(single["feature"]) == {"f0", "f2"}
    assert not single.duplicated(["session", "symbol", "feature"]).any()
    assert (single["session"] <= pd.Timestamp(ROWS.sessions[150])).all()
    # one linear model: the contribution is the rank times a constant within the day
    day = single[(single["feature"] == "f0") & (single["session"] == single["session"].max())]
    slope = (day["shap"] / day["rank"])[day["rank"].abs() > 0.01]
    assert slope.max() == pytest.approx(slope.min())


def test_draws_depend_on_the_refit_and_the_seed():
    one, two, three = (
        importance.sample(ROWS, r, SPEC, s) for r, s in ((150, 1), (150, 2), (155, 1))
    )
    assert (one.rows != two.rows).any() and (one.rows != three.rows).any()


def test_stability_of_equal_and_of_reversed_orders():
    rows = [(d, f, v) for d, values in enumerate(([1, 2, 3], [2, 4, 6], [3, 2, 1]))
            for f, v in zip("abc", values, strict=True)]  # fmt: skip
    made = pd.DataFrame(rows, columns=["date", "feature", "mean_abs_shap"])
    found = importance.stability(made, top=1)
    assert list(found["rank_correlation"]) == pytest.approx([1.0, -1.0])
    assert list(found["overlap"]) == [1.0, 0.0]


def test_bad_requests_are_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        ShapSpec(rows=0)
    late = DATA.features[DATA.features["date"] > pd.Timestamp(DATA.sessions[100])]
    rows = align(late.reset_index(drop=True), DATA.labels, DATA.sessions)
    with pytest.raises(DataError, match="lengthen the features"):
        importance.sample(rows, 50, SPEC, 42)

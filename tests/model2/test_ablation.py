"""What a family adds: found where it is planted, and only from labels known in time."""

import numpy as np
import pandas as pd

from quant.model2 import ablation
from quant.model2.crossval import CpcvSpec, Sample
from quant.model2.train import TrainSpec
from tests.model2.synthetic import sample

SPEC = CpcvSpec(groups=5, test_groups=1, embargo=10)
DATA = sample(n_days=500, n_names=60, strength=0.002)
FAMILIES = {"f0": "planted", "f1": "noise", "f2": "noise", "f3": "noise"}
LAST = DATA.sessions[400]
TRAIN = TrainSpec(models=("ridge",), horizon=5, horizons=(5,), row_step=2)


def run(labels=DATA.labels, families=FAMILIES):
    labels = labels if "horizon" in labels else labels.assign(horizon=5)
    whole = Sample.of(DATA.features, labels, DATA.sessions, TRAIN, SPEC, LAST)
    return ablation.ablate(whole, TRAIN, SPEC, families, 42)


def test_the_planted_family_is_the_one_that_counts():
    found = run().set_index(["family", "statistic"])
    for statistic in ablation.STATISTICS:
        planted, noise = found.loc[("planted", statistic)], found.loc[("noise", statistic)]
        assert planted["difference"] > 3 * planted["se"] > 0.0
        assert abs(noise["difference"]) < planted["difference"] / 3
        assert planted["whole"] == noise["whole"]
    table = found.reset_index()
    np.testing.assert_allclose(table["difference"], table["whole"] - table["without"])
    assert list(found.loc[("noise", "icir"), ["n_features", "blocks"]]) == [3, 5]


def test_nothing_after_the_last_known_label_counts():
    later = DATA.labels["end"] > pd.Timestamp(LAST)
    labels = DATA.labels.copy()
    labels.loc[later, ["raw", "label"]] *= -9.0
    pd.testing.assert_frame_equal(run(labels=labels), run(), check_exact=True)


def test_one_family_alone_can_not_be_left_out():
    found = run(families={})
    assert not len(found) and list(found.columns) == list(ablation.COLUMNS)


def test_a_cheap_ensemble_has_one_kind_of_trees_and_no_rules():
    train = TrainSpec(models=("ridge",), horizon=21, horizons=(5, 21), draws=3)
    cheap = ablation.cheap(train, ["xgboost", "momentum", "lightgbm", "ridge", "ridge"], 7)
    assert cheap.models == ("ridge", "lightgbm") and cheap.horizons == (21,) and cheap.draws == 1
    assert cheap.lightgbm.rounds == 7 and cheap.lightgbm.feature_fraction == 1.0
    assert cheap.row_step == 10
    assert ablation.cheap(train, ["momentum"], 7) is None

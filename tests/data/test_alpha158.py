"""Qlib's Alpha158 on our bars: by hand, and without the future."""

import numpy as np
import pandas as pd
import pytest

from quant.core.panel import sessions_of
from quant.data import alpha158, qlib_store
from quant.stages import universe
from tests import pipeline

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    given = pipeline.ingested("cn", 40, 0.05)
    folder = tmp_path_factory.mktemp("universe")
    return pipeline.through(pipeline.tiny("cn"), given, folder, (universe.STAGE,))


def features(market, last=None):
    bars, membership = market["bars"], market["membership"]
    days = sessions_of(market["sessions"])
    if last is not None:
        days = days[: last + 1]
        bars, membership = (t[t["date"] <= days[-1]] for t in (bars, membership))
    return alpha158.compute(bars, membership, days, "cn")


@pytest.mark.filterwarnings("ignore")  # Qlib's and joblib's own
def test_values_by_hand_and_the_past_stays_when_the_future_is_cut(market):
    whole, bars = features(market), market["bars"]
    assert list(whole.columns[2:]) == list(qlib_store.alpha158())
    assert (whole.dtypes.iloc[2:] == np.float32).all()
    joined = whole.merge(bars, on=["date", "symbol"], how="left")
    assert np.allclose(joined["KMID"], joined["close"] / joined["open"] - 1, 1e-3, 1e-6,
                       equal_nan=True)  # fmt: skip
    for last in (-150, -31):
        last += market["sessions"].shape[0]
        short = features(market, last)
        past = whole[whole["date"] <= short["date"].max()].reset_index(drop=True)
        pd.testing.assert_frame_equal(past, short, check_exact=True)

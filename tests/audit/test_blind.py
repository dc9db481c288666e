"""A market without its future, and one with a false one."""

import numpy as np
import pandas as pd
import pytest

from quant import audit
from quant.core import tables
from tests.pipeline import ingested

CUT = np.datetime64("2013-05-15")
FRAMES = {region: ingested(region, 20, 0.0) for region in ("us", "cn")}
TABLES = {"bars": tables.BARS, "industries": tables.INDUSTRIES, "listings": tables.LISTINGS,
          "rates": tables.RATES, "benchmark": tables.BENCHMARK}  # fmt: skip


@pytest.mark.parametrize("region", FRAMES)
@pytest.mark.parametrize("how", [audit.forget, audit.garble])
def test_what_was_known_stays_and_what_is_given_is_not_touched(region, how):
    before = {name: frame.copy() for name, frame in FRAMES[region].items()}
    blind = how(FRAMES[region], CUT)
    for name, table in TABLES.items():
        pd.testing.assert_frame_equal(FRAMES[region][name], before[name])
        mine, theirs = (audit.known(f[name], table, CUT) for f in (before, blind))
        assert audit.compare(mine, theirs, table.key).first is None, name
        table.check(blind[name])


@pytest.mark.parametrize("region", FRAMES)
def test_a_forgotten_future_is_nowhere(region):
    for name, frame in audit.forget(FRAMES[region], CUT).items():
        for column in frame.columns:
            if frame[column].dtype.kind == "M":
                assert not (frame[column] > pd.Timestamp(CUT)).any(), (name, column)


@pytest.mark.parametrize("region", FRAMES)
def test_forgetting_twice_is_forgetting_the_earlier_day(region):
    once = audit.forget(FRAMES[region], CUT)
    twice = audit.forget(audit.forget(FRAMES[region], CUT + np.timedelta64(200, "D")), CUT)
    for name in once:
        pd.testing.assert_frame_equal(once[name], twice[name])


@pytest.mark.parametrize("region", FRAMES)
def test_garbage_is_everywhere_after_the_cut(region):
    whole, blind = FRAMES[region]["bars"], audit.garble(FRAMES[region], CUT)["bars"]
    both = whole.merge(blind, on=["date", "symbol"], suffixes=("", "_blind"))
    late = both[both["date"] > pd.Timestamp(CUT)]
    assert len(late) > 1000
    for name in ("open", "close", "volume", "factor", "amount"):
        assert (late[name] != late[f"{name}_blind"]).mean() > 0.99, name
    # bars stay bars: no check may throw the garbage out before it could leak
    assert (blind["high"] >= blind["low"]).all() and (blind["close"] > 0).all()
    new = set(blind["symbol"]) - set(whole["symbol"])
    assert len(new) == 1


def test_a_tail_ends_the_garbage():
    days = FRAMES["us"]["sessions"]["date"]
    last = days[days > pd.Timestamp(CUT)].iloc[29]
    assert audit.garble(FRAMES["us"], CUT, tail=30)["bars"]["date"].max() == last

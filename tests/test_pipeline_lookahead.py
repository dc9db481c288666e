"""Universe to backtest, end to end: what is dated t or before knows nothing of what came after t.

The same small market runs through the stages whole, cut after t, and with everything after t
replaced by garbage; every row dated up to t must be the same to the last bit.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from quant import audit, settings
from quant.core.tables import SUMMARY
from quant.core.types import Frame
from quant.stages import rl_train
from tests.pipeline import STAGES, Frames, ingested, through, tiny

pytestmark = pytest.mark.slow

NAMES = 40
# neither the end of a month nor the session of a refit
CUTS = {"us": "2014-10-16", "cn": "2013-12-18"}
STYLES = {"us": "POV", "cn": "VWAP"}
TABLES = [table for stage in STAGES for table in stage.makes]
# no controller here (its own cuts are in tests/stages/test_rl.py); overrides are rare
MAY_BE_EMPTY = {"overrides", "knobs", *(table.name for table in rl_train.STAGE.makes)}


@dataclass(frozen=True)
class Market:
    """The tables of ingest, and the configuration that they are run with."""

    config: settings.Config
    frames: Frames
    cut: pd.Timestamp


def market(region: str) -> Market:
    frames = ingested(region, NAMES, 0.2)
    sessions = frames["sessions"]["date"].to_numpy()
    cut = pd.Timestamp(CUTS[region])
    # delistings before, on and after the cut, and a name whose source ends
    late = sorted(frames["bars"].loc[frames["bars"]["date"] == sessions[-1], "symbol"])[::6]
    days = sessions[np.searchsorted(sessions, cut.to_numpy()) + np.array([-30, 0, 1, 25])]
    for symbol, day, gain in zip(late, days, (-0.4, -0.3, np.nan, np.nan), strict=False):
        frames = _ended(frames, symbol, day, gain)
    frames["listings"].loc[frames["listings"]["symbol"] == late[3], "truncated"] = True
    frames["index_members"] = _indexed(frames["bars"]["symbol"].unique(), cut)
    config = tiny(region)
    config.model1 = settings.Model1(
        enabled=True,
        min_members=2,
        min_history=120,
        dcc=settings.Dcc(window_days=120),
        flip=settings.Flip(min_rows=100),
    )
    config.costs = settings.Costs(model="fitted", fit=settings.CostFit(every=21, min_orders=40))
    config.execution = settings.Execution(
        style=STYLES[region], impact="almgren", min_trade_nav_bp=1, adv_cap_bp=100
    )
    return Market(config, frames, cut)


def _ended(frames: Frames, symbol: str, day: np.datetime64, gain: float) -> Frames:
    bars, listings = frames["bars"], frames["listings"].copy()
    row = listings["symbol"] == symbol
    listings.loc[row, "delist_date"], listings.loc[row, "delist_return"] = day, gain
    gone = (bars["symbol"] == symbol) & (bars["date"] > day)
    return {**frames, "bars": bars[~gone].reset_index(drop=True), "listings": listings}


def _indexed(symbols: np.ndarray, cut: pd.Timestamp) -> Frame:
    """Every name is in the index until after the cut; one leaves it before, one joins late."""
    rows = pd.DataFrame({"index": "X", "symbol": symbols})
    rows["in_date"], rows["out_date"] = pd.Timestamp("2000-01-03"), pd.NaT
    rows.loc[0, "out_date"] = cut - pd.Timedelta(days=100)
    rows.loc[1, "out_date"] = cut + pd.Timedelta(days=1)
    rows.loc[2, "in_date"] = cut + pd.Timedelta(days=1)
    rows["out_date"] = rows["out_date"].astype("datetime64[ns]")
    return rows


@pytest.fixture(scope="module", params=["us", "cn"])
def whole(request, tmp_path_factory):
    given = market(request.param)
    return given, through(given.config, given.frames, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("without", [audit.forget, audit.garble])
def test_nothing_up_to_t_depends_on_what_comes_after(whole, without, tmp_path):
    given, full = whole
    other = through(given.config, without(given.frames, given.cut), tmp_path)
    for table in TABLES:
        mine, theirs = (audit.known(f[table.name], table, given.cut) for f in (full, other))
        found = audit.compare(mine, theirs, table.key)
        assert found.first is None, (table.name, found.first)
        assert found.rows or table.known == SUMMARY or table.name in MAY_BE_EMPTY, table.name
    for name in ("members", "features", "labels", "alpha", "states", "regime", "nav", "fills"):
        # the market goes on after t, and goes on differently
        assert not full[name].equals(other[name]), name


def test_the_market_has_what_could_leak(whole):
    """Names that end around t, orders that fail, refits and trades before t: no empty test."""
    given, full = whole
    known = {t.name: audit.known(full[t.name], t, given.cut) for t in TABLES}
    assert (known["fills"]["shares"] != 0).sum() > 100
    assert known["nav"]["date"].nunique() > 40
    assert known["folds"]["fold"].nunique() > 2
    assert known["alpha"]["alpha"].abs().sum() > 0
    assert known["hmm_fits"]["date"].nunique() > 20 and known["regime"]["mean_corr"].notna().any()
    assert (
        known["states"]["tilt_bp"].abs().max() > 1 and known["states"]["p_flip_10d"].notna().all()
    )
    assert known["flip_fits"]["rows"].max() > 0
    assert known["lambda_params"]["lambda1_bp"].nunique() > 4
    assert known["children"]["child"].max() > 1
    ends = given.frames["listings"]["delist_date"]
    assert (ends > given.cut).any() and (ends == given.cut).any()

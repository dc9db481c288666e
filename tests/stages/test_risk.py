"""The stage on two years of a market with known covariance, written by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant import audit
from quant.core import tables
from quant.core.seeds import generator
from quant.settings import Config, Region, Risk
from quant.stages import risk
from quant.stages.registry import Context, Inputs

DAYS = pd.bdate_range("2015-01-01", periods=420)
NAMES = np.array([f"N{i:02d}" for i in range(12)], dtype=object)
CONFIG = Config(region=Region(name="us", periods=252), risk=Risk(window=60))
FIRST = 80  # session of the first universe


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    rng = generator(5, "stage risk")
    moves = 0.01 * rng.normal(size=(DAYS.size, 1)) + 0.02 * rng.normal(size=(DAYS.size, 12))
    day, name = pd.MultiIndex.from_product([DAYS, NAMES]).to_frame(index=False).to_numpy().T
    close = 100.0 * np.cumprod(1.0 + moves, axis=0)
    bars = pd.DataFrame({"date": day, "symbol": name, "close": close.ravel(), "factor": 1.0})
    bars["date"] = bars["date"].astype("datetime64[ns]")
    inside = bars.loc[bars["date"] >= DAYS[FIRST], ["date", "symbol"]]
    known = inside["symbol"].isin(NAMES[:6])
    membership = inside.assign(industry_id="x", group_id=np.where(known, "first", "second"))
    weights = inside[inside["symbol"].eq("N03") & (inside["date"] >= DAYS[200])]
    members = inside[inside["date"] == DAYS[FIRST]].rename(columns={"date": "asof"})
    return {
        "bars": bars, "sessions": pd.DataFrame({"date": DAYS}), "membership": membership,
        "members": members.assign(adv=1e6), "weights": weights.assign(weight=0.5),
    }  # fmt: skip


def run(frames) -> dict[str, pd.DataFrame]:
    context = Context("us", 42, Path(), lambda label: lambda i, n: None)
    inputs = Inputs({t.name: frames[t.name].copy for t in risk.STAGE.needs})
    made = dict(risk.STAGE.run(risk.STAGE.settings(CONFIG), inputs, context))
    for table in risk.STAGE.makes:
        table.check(made[table.name])
    return made


@pytest.fixture(scope="module")
def made(frames):
    return run(frames)


def test_windows_follow_one_another_and_the_last_one_is_whole(made):
    windows = made["risk_outcomes"][["date", "end"]].drop_duplicates()
    begun, ended = (np.searchsorted(DAYS, windows[c]) for c in ("date", "end"))
    assert begun[0] == FIRST
    np.testing.assert_array_equal(ended - begun, 21)
    np.testing.assert_array_equal(begun[1:], ended[:-1])
    assert ended[-1] < DAYS.size <= ended[-1] + 21


def test_the_book_is_scored_where_there_is_one_with_what_its_name_did(made, frames):
    both = made["risk_forecasts"].merge(made["risk_outcomes"], on=["date", "portfolio"])
    rows = both.query("portfolio == 'book' and model == 'sample'")
    assert rows["date"].min() >= DAYS[200]
    close = frames["bars"].query("symbol == 'N03'").set_index("date")["close"]
    moves, row = close.pct_change(), rows.iloc[0]
    came = 0.5 * moves[(moves.index > row["date"]) & (moves.index <= row["end"])]
    assert len(came) == 21
    assert row["realised"] == pytest.approx((came**2).sum(), rel=1e-10)
    assert row["gain"] == pytest.approx(came.sum(), rel=1e-10)
    past = moves[moves.index <= row["date"]].tail(60)
    assert row["predicted"] == pytest.approx(21 * 0.25 * past.var(ddof=0), rel=1e-10)


def other_future(bars: pd.DataFrame, cut: pd.Timestamp) -> pd.DataFrame:
    """The same bars with nonsense after `cut`."""
    late = bars["date"] > cut
    noise = np.exp(generator(9, "nonsense").normal(size=int(late.sum())))
    return bars.assign(close=bars["close"].mask(late, 50.0 * pd.Series(noise, bars.index[late])))


@pytest.mark.parametrize("at", [FIRST + 63, 263])
@pytest.mark.parametrize("cut_off", [True, False])
def test_what_is_known_does_not_depend_on_the_future(made, frames, cut_off, at):
    cut = DAYS[at]
    blind = dict(frames)
    if cut_off:
        blind = {t.name: audit.known(frames[t.name], t, cut) for t in risk.STAGE.needs}
    blind["bars"] = other_future(blind["bars"], cut)
    other = run(blind)
    for table in (tables.RISK_FORECASTS, tables.RISK_OUTCOMES):
        pair = (audit.known(f[table.name], table, cut) for f in (made, other))
        found = audit.compare(*pair, table.key)
        assert found.first is None and found.rows > 0


def test_too_short_a_sample_gives_empty_tables(frames):
    short = {n: f[f["date"] <= DAYS[FIRST - 1]] if "date" in f else f for n, f in frames.items()}
    assert all(not len(table) for table in run(short).values())

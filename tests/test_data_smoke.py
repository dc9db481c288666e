"""Acceptance: Qlib opens the datasets of both regions and reads back what was written."""

import sys

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.data import qlib_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SESSIONS = np.arange("2020-01-06", "2020-03-01", dtype="datetime64[D]")
SESSIONS = SESSIONS[np.is_busday(SESSIONS)]
SYMBOLS = {"us": ["AAPL", "BRK.B", "BRKb", "BRKB", "NA", "CON", "^X Y/Z"], "cn": ["600519.SH"]}


def bars_of(region: str) -> pd.DataFrame:
    rng = generator(42, "test", "qlib_store", region)
    frames = []
    for k, name in enumerate(SYMBOLS[region]):
        days = SESSIONS[k : SESSIONS.size - k]
        close = 50.0 * np.exp(np.cumsum(rng.normal(0, 0.02, days.size)))
        frame = pd.DataFrame(
            {"date": days.astype("datetime64[ns]"), "symbol": name, "open": close * 1.01}
        )
        frame["high"], frame["low"], frame["close"] = close * 1.02, close * 0.98, close
        frame["pre_close"] = np.r_[close[0], close[:-1]]
        frame["volume"] = rng.integers(1_000, 9_000, days.size).astype(float)
        frame["amount"] = frame["volume"] * close
        frame["factor"] = np.where(np.arange(days.size) < 10, 1.0, 2.0)
        frame["limit_up"] = close * 1.1 if region == "cn" else np.nan
        frame["limit_down"] = close * 0.9 if region == "cn" else np.nan
        frame["is_st"], frame["float_shares"] = False, np.nan
        frames.append(frame.drop(index=[5, 7]))  # two suspended days
    return pd.concat(frames).sort_values(["date", "symbol"], ignore_index=True)


@pytest.mark.parametrize("region", ["us", "cn"])
def test_qlib_opens_the_dataset_and_reads_back_what_was_written(region, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bars, folder = bars_of(region), tmp_path / "store" / "qlib"
    hook = sys.excepthook
    qlib_store.write(bars, SESSIONS, folder, region)
    qlib_store.init(folder, region)

    from qlib.data import D

    assert sys.excepthook is hook
    assert [str(d)[:10] for d in D.calendar(freq="day")] == [str(d) for d in SESSIONS]
    fields = ["$open", "$close", "$volume", "$factor", "$change", "$amount", "$vwap", "$limit_up"]
    got = D.features(D.instruments("all"), fields, freq="day")
    got.index.names = ["instrument", "date"]
    got = got.reset_index()
    got["symbol"] = got["instrument"].map(qlib_store.symbol)
    assert sorted(set(got["symbol"])) == sorted(SYMBOLS[region])
    got = got.dropna(subset=["$close"]).sort_values(["date", "symbol"], ignore_index=True)
    pd.testing.assert_frame_equal(
        got[["date", "symbol"]], bars[["date", "symbol"]], check_dtype=False
    )
    for field, want in {
        "$open": bars["open"] * bars["factor"],
        "$close": bars["close"] * bars["factor"],
        "$volume": bars["volume"] / bars["factor"],
        "$factor": bars["factor"],
        "$amount": bars["amount"],
        "$vwap": bars["close"] * bars["factor"],
        "$limit_up": bars["limit_up"] * bars["factor"],
    }.items():
        np.testing.assert_allclose(got[field], want, rtol=1e-6, err_msg=field)
    adjusted = (bars["close"] * bars["factor"]).groupby(bars["symbol"]).pct_change()
    np.testing.assert_allclose(got["$change"], adjusted, rtol=1e-4, atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store"]  # nothing else was written
    assert sorted(p.name for p in (tmp_path / "store").iterdir()) == ["qlib"]


def test_a_second_write_replaces_the_first(tmp_path):
    folder = tmp_path / "qlib"
    qlib_store.write(bars_of("us"), SESSIONS, folder, "us")
    qlib_store.write(bars_of("cn"), SESSIONS, folder, "cn")
    qlib_store.check_region(folder, "cn")
    assert [p.name for p in (folder / "features").iterdir()] == ["600519.sh"]
    assert [p.name for p in tmp_path.iterdir()] == ["qlib"]


def test_the_region_must_match_the_dataset(tmp_path):
    folder = qlib_store.write(bars_of("cn"), SESSIONS, tmp_path / "qlib", "cn")
    with pytest.raises(DataError, match="is of region cn, not us; set region=cn"):
        qlib_store.init(folder, "us")
    with pytest.raises(DataError, match="region 'jp' is unknown"):
        qlib_store.check_region(folder, "jp")
    with pytest.raises(DataError, match="holds no Qlib dataset"):
        qlib_store.init(tmp_path, "cn")
    (folder / qlib_store.MARKER).write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        qlib_store.check_region(folder, "cn")


def test_bad_bars_are_refused_and_leave_nothing_behind(tmp_path):
    bars = bars_of("us")
    folder = tmp_path / "qlib"
    with pytest.raises(DataError, match="which is no session"):
        qlib_store.write(bars, SESSIONS[3:], folder, "us")
    with pytest.raises(DataError, match="factors are positive"):
        qlib_store.write(bars.assign(factor=np.nan), SESSIONS, folder, "us")
    with pytest.raises(DataError, match="two bars on"):
        qlib_store.write(pd.concat([bars, bars.head(1)]), SESSIONS, folder, "us")
    assert not list(tmp_path.iterdir())
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="no Qlib dataset of ours"):
        qlib_store.write(bars, SESSIONS, folder, "us")
    assert [p.name for p in folder.iterdir()] == ["mine.txt"]


def test_instrument_names_survive_lower_case_and_pandas():
    names = ["NA", "Na", "NAN", "CON", "COM1", "BRK.B", "BRKB", "BRKb", "brkb", ".X", "^GSPC", "A~"]
    coded = [qlib_store.instrument(name) for name in names]
    assert len({name.lower() for name in coded}) == len(names)
    assert [qlib_store.symbol(name) for name in coded] == names
    assert qlib_store.instrument("600519.SH") == "600519.SH"

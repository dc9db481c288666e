from datetime import date

import numpy as np
import pandas as pd
import pytest

from quant.core.tables import ACTIONS, BARS, QUALITY
from quant.data import calendar, quality
from quant.data.providers.base import empty
from tests.shared import need

DAYS = calendar.sessions("us", date(2018, 1, 1), date(2018, 12, 31))
NAMES = [f"N{number:02d}" for number in range(30)]
DAY = 150
NO_ACTIONS = empty(ACTIONS)


def clean(names=NAMES, seed: int = 42) -> pd.DataFrame:
    """Bars of an ordinary market: one factor, noise, prices on ranges of their own."""
    rng = np.random.default_rng(seed)
    shape = (DAYS.size, len(names))
    ret = rng.normal(0, 0.008, (shape[0], 1)) + rng.normal(0, 0.008, shape)
    close = 50 * np.exp(np.cumsum(ret, axis=0))
    before = np.vstack([close[:1], close[:-1]])
    opened = before * np.exp(rng.normal(0, 0.003, shape))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.006, shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.006, shape)))
    row, column = np.indices(shape)
    frame = pd.DataFrame(
        {
            "date": DAYS[row.ravel()].astype("datetime64[ns]"),
            "symbol": np.array(names)[column.ravel()],
        }
    )
    values = {"open": opened, "high": high, "low": low, "close": close, "pre_close": before}
    for name, matrix in values.items():
        frame[name] = matrix.ravel().round(4)
    frame["volume"], frame["factor"], frame["is_st"] = 1e6, 1.0, False
    frame["amount"] = frame["close"] * frame["volume"]
    frame["limit_up"] = frame["limit_down"] = frame["float_shares"] = np.nan
    return frame[BARS.schema.names]


def at(frame: pd.DataFrame, day: int, symbol: str = "N07") -> pd.Series:
    return (frame["date"] == DAYS[day]) & (frame["symbol"] == symbol)


def relinked(frame: pd.DataFrame) -> pd.DataFrame:
    """The same bars with pre_close taken from the closes as they are now."""
    frame = frame.sort_values(["symbol", "date"])
    adjusted = frame["close"] * frame["factor"]
    before = adjusted.groupby(frame["symbol"]).shift() / frame["factor"]
    return frame.assign(pre_close=before).sort_values(["date", "symbol"], ignore_index=True)


PRICES = ["open", "high", "low", "close"]


def broken_ohlc(frame):
    frame.loc[at(frame, DAY), "high"] = frame.loc[at(frame, DAY), "low"] * 0.99


def flat_bar(frame):
    before = frame.loc[at(frame, DAY - 1), "close"].item()
    frame.loc[at(frame, DAY), PRICES] = before
    for day in range(DAY + 1, DAYS.size):
        frame.loc[at(frame, day), PRICES] *= 1.04


def copied_bar(frame):
    for day in range(DAY + 10, DAYS.size):
        frame.loc[at(frame, day), PRICES] *= 1.05
    frame.loc[at(frame, DAY), PRICES] = frame.loc[at(frame, DAY + 20), PRICES].to_numpy()


def island_bar(frame):
    frame.loc[at(frame, DAY), PRICES] *= 1.12


def reversal(frame):
    frame.loc[at(frame, DAY), ["high", "close"]] = frame.loc[at(frame, DAY), "low"].item() * 1.2


FAULTS = {
    "broken_ohlc": broken_ohlc,
    "flat_bar": flat_bar,
    "copied_bar": copied_bar,
    "island_bar": island_bar,
    "reversal": reversal,
}


def test_ordinary_bars_have_no_errors():
    found = quality.check(clean(), NO_ACTIONS, DAYS)
    QUALITY.check(found)
    assert not (found["severity"] == "error").any()
    assert len(found) < 5


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_on_its_day_and_called_by_its_name(fault):
    frame = clean()
    FAULTS[fault](frame)
    found = quality.check(relinked(frame), NO_ACTIONS, DAYS)
    QUALITY.check(found)
    hits = found[(found["check"] == fault) & (found["symbol"] == "N07")]
    hit = hits[hits["date"] == DAYS[DAY]]
    assert hit["severity"].tolist() == ["error"]
    assert "{" not in hit["detail"].item()
    others = found[(found["severity"] == "error") & (found["symbol"] != "N07")]
    assert not len(others)


@pytest.mark.parametrize("fault", ["flat_bar", "copied_bar", "island_bar", "reversal"])
def test_a_wrong_close_spoils_the_next_return_too(fault):
    frame = clean()
    FAULTS[fault](frame)
    found = quality.check(relinked(frame), NO_ACTIONS, DAYS)
    after = found[(found["check"] == fault) & (found["date"] == DAYS[DAY + 1])]
    assert after["severity"].tolist() == ["error"]
    assert after["detail"].item().startswith("return from the doubtful close of the day before")


def action(dividend: float = 0.0, split: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": [DAYS[DAY].astype("datetime64[ns]")],
            "symbol": ["N07"],
            "dividend": [dividend],
            "split": [split],
        }
    )


def with_factor(frame: pd.DataFrame, step: float) -> pd.DataFrame:
    late = (frame["symbol"] == "N07") & (frame["date"] >= DAYS[DAY])
    return relinked(frame.assign(factor=np.where(late, step, 1.0)))


def found_at(found: pd.DataFrame) -> set[str]:
    return set(found.loc[(found["symbol"] == "N07") & (found["date"] == DAYS[DAY]), "check"])


def test_a_dividend_that_the_price_does_not_follow():
    frame = clean()
    price = frame.loc[at(frame, DAY - 1), "close"].item()
    paid = with_factor(frame, 1 / 0.92)
    assert "wrong_dividend" in found_at(quality.check(paid, action(0.08 * price), DAYS))
    late = (frame["symbol"] == "N07") & (frame["date"] >= DAYS[DAY])
    frame.loc[late, PRICES] *= 0.92
    true = with_factor(frame, 1 / 0.92)
    assert not found_at(quality.check(true, action(0.08 * price), DAYS))


def test_large_distributions_are_worth_a_look():
    frame = clean()
    price = frame.loc[at(frame, DAY - 1), "close"].item()
    late = (frame["symbol"] == "N07") & (frame["date"] >= DAYS[DAY])
    frame.loc[late, PRICES] *= 0.7
    found = quality.check(with_factor(frame, 1 / 0.7), action(0.3 * price), DAYS)
    assert found_at(found) == {"large_distribution"}


def test_splits_wrong_and_unapplied():
    late = (clean()["symbol"] == "N07") & (clean()["date"] >= DAYS[DAY])
    halved = clean()
    halved.loc[late, PRICES] *= 0.5
    applied = with_factor(halved, 2.0)
    assert not found_at(quality.check(applied, action(split=2.0), DAYS))
    wrong = with_factor(clean(), 2.0)
    assert "wrong_split" in found_at(quality.check(wrong, action(split=2.0), DAYS))
    assert found_at(quality.check(relinked(halved), NO_ACTIONS, DAYS)) == {"unapplied_split"}


def test_missing_sessions_stale_prices_and_empty_volume():
    frame = clean()
    frame = frame[~(at(frame, 40) | at(frame, 41))]
    for day in range(60, 66):
        frame.loc[at(frame, day), "close"] = 50.0
    frame.loc[at(frame, 90), "volume"] = 0.0
    found = quality.check(frame, NO_ACTIONS, DAYS)
    own = found[found["symbol"] == "N07"].set_index("check")
    assert own.loc["missing_session", "date"] == DAYS[40]
    assert own.loc["missing_session", "value"] == 2.0
    assert own.loc["stale_price", "date"] == DAYS[65]
    assert own.loc["stale_price", "value"] == 6.0
    assert own.loc["no_volume", "date"] == DAYS[90]


def test_days_locked_at_a_limit_are_no_flat_bars():
    frame = clean()
    flat_bar(frame)
    frame["limit_up"] = np.where(at(frame, DAY), frame["close"], np.nan)
    found = quality.check(relinked(frame), NO_ACTIONS, DAYS)
    assert "flat_bar" not in found_at(found)


def test_summary_and_score():
    frame = clean()
    island_bar(frame)
    found = quality.check(relinked(frame), NO_ACTIONS, DAYS)
    table = quality.summary(found).set_index(["check", "severity"])
    assert table.loc[("island_bar", "error"), ["rows", "symbols"]].tolist() == [2, 1]
    known = pd.DataFrame({"date": DAYS[[DAY, 10]].astype("datetime64[ns]"), "symbol": "N07"})
    score = quality.score(found, known)
    assert (score["recall"], score["precision"]) == (0.5, 0.5)
    assert not len(quality.check(empty(BARS), NO_ACTIONS, DAYS))
    assert not len(quality.summary(empty(QUALITY)))


@pytest.fixture(scope="module")
def us_findings():
    from tests.data.shared_market import shared_market

    raw = shared_market("us")
    table = pd.read_parquet(need("data/us_dev.parquet"), columns=["symbol"])
    names = set(table["symbol"].astype(str))
    bars = raw.bars[raw.bars["symbol"].isin(names)]
    actions = raw.actions[raw.actions["symbol"].isin(names)]
    sessions = calendar.sessions("us", date(2005, 1, 1), date(2019, 12, 31))
    return quality.check(bars, actions, sessions)


@pytest.mark.slow
def test_known_faults_of_the_us_data_are_found(us_findings):
    """Recall and precision against rows that another vendor contradicts by more than 2 %.

    Measured: errors 42.5 % recall at 38.5 % precision, with warnings 48.3 % at 18.3 %. Most of
    what is missed are closes 2 to 3 % off within the day's range on turbulent days, and a
    predecessor company, which nothing inside the data contradicts.
    """
    known = pd.read_csv(need("data/us_known_issues.csv"), parse_dates=["date"])
    known = known[known["symbol"] != "DD"]
    found = us_findings[us_findings["symbol"] != "DD"]
    sure, every = quality.score(found, known), quality.score(found, known, None)
    assert sure["known"] == 348
    assert sure["recall"] > 0.40 and sure["precision"] > 0.36
    assert every["recall"] > 0.46 and every["precision"] > 0.17


@pytest.mark.slow
def test_by_chance_almost_nothing_would_be_found(us_findings):
    """The same findings moved by ten sessions hit next to none of the known rows."""
    known = pd.read_csv(need("data/us_known_issues.csv"), parse_dates=["date"])
    known = known[known["symbol"] != "DD"]
    moved = known.assign(date=known["date"] + pd.tseries.offsets.BDay(10))
    assert quality.score(us_findings, moved)["recall"] < 0.02

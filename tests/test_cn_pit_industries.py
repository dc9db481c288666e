"""Point-in-time industries of CN: one a name and day, steady, in the scheme in force."""

import numpy as np
import pandas as pd
import pytest

from quant.data import calendar, industries, shenwan
from tests.shared import need

FIRST, LAST = np.datetime64("2008-01-01"), np.datetime64("2019-12-31")
SCHEME_DAYS = np.array(sorted(shenwan.IN_FORCE.values()), dtype="datetime64[D]")


@pytest.fixture(scope="module")
def spells():
    table = pd.read_csv(need("data/cn_industries.csv"), dtype=str)
    frame = table.rename(columns={"sw_l1": "code", "sw_l3": "detail"})
    for name in ("in_date", "out_date"):
        frame[name] = pd.to_datetime(frame[name])
    return industries.point_in_time(frame).frame


def test_no_name_is_ever_in_two_industries(spells):
    """By the spells themselves, not by the snapshot, which could hide a second one."""
    ordered = spells.sort_values(["symbol", "in_date"])
    end = ordered["out_date"].fillna(pd.Timestamp("2200-01-01"))
    following = ordered.groupby("symbol")["in_date"].shift(-1)
    assert not (following <= end).any()


def test_every_session_has_one_row_a_name_and_the_codes_of_its_scheme(spells):
    sessions = calendar.sessions("cn", FIRST, LAST).astype("datetime64[D]")
    symbols = np.unique(spells["symbol"].to_numpy(dtype=str))
    row = industries.snapshot(spells, symbols, sessions)
    assert row.shape == (sessions.size, symbols.size)
    codes = np.append(spells["industry_id"].to_numpy(dtype=object), "none")
    change = np.datetime64(shenwan.IN_FORCE["SW2014"], "D")
    for scheme, days in (("SW2011", sessions < change), ("SW2014", sessions >= change)):
        seen = set(np.unique(codes[row[days]].astype(str)))
        assert seen <= {f"swL1.{c}" for c in shenwan.CODES[scheme]} | {"swL1.unknown", "none"}


def test_churn_is_at_most_5_percent_a_month_on_average(spells):
    ends = calendar.month_ends(calendar.sessions("cn", FIRST, LAST), "cn")
    churn = industries.monthly_churn(spells, ends, SCHEME_DAYS)
    plain = churn.loc[~churn["scheme_change"], "churn"]
    print(f"\nmonthly churn: mean {churn['churn'].mean():.3%}, without the change of the scheme "
          f"{plain.mean():.3%}, in its month {churn['churn'].max():.1%}")  # fmt: skip
    assert len(churn) == 12 * 12 - 1
    assert churn["churn"].mean() <= 0.05 and plain.mean() <= 0.01
    assert churn.loc[churn["scheme_change"], "churn"].item() > 0.2

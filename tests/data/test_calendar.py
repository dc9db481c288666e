from datetime import date

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.data import calendar
from tests.data.answers import RULES
from tests.shared import need

REGION = {"XNYS": "us", "XSHG": "cn"}
MONTHS = RULES["12_month_ends_even_years"]["expected"]


def ends(region: str, year: int) -> list[str]:
    days = calendar.sessions(region, date(year, 1, 1), date(year, 12, 31))
    return [str(day) for day in calendar.month_ends(days, region)]


def test_month_ends_are_the_exchange_s_and_not_the_calendar_s():
    for exchange, expected, weekday in MONTHS["odd_month_ends"]:
        found = ends(REGION[exchange], int(expected[:4]))
        assert expected in found
        assert weekday not in found


def test_sessions_per_year():
    for exchange, years in MONTHS["sessions_per_year"].items():
        for year, count in years.items():
            days = calendar.sessions(
                REGION[exchange], date(int(year), 1, 1), date(int(year), 12, 31)
            )
            assert days.size == count


def test_special_days():
    for exchange, days in MONTHS["special_days"].items():
        for day, is_session in days.items():
            found = calendar.sessions(REGION[exchange], np.datetime64(day), np.datetime64(day))
            assert (found.size == 1) == is_session, day


def test_every_month_end_of_the_even_years():
    table = pd.read_csv(need("cases/12_month_ends_even_years.csv"))
    for (exchange, year), rows in table.groupby(["calendar", "year"]):
        assert ends(REGION[exchange], int(year)) == rows["last_trading_day"].tolist()


def test_early_closes():
    low, high = map(date.fromisoformat, RULES["12_nyse_early_closes"]["inputs"]["range"])
    found = [str(day) for day in calendar.early_closes("us", low, high)]
    assert found == RULES["12_nyse_early_closes"]["expected"]["dates"]
    assert calendar.early_closes("cn", low, high).size == 0


def test_an_incomplete_last_month_has_no_end():
    days = calendar.sessions("us", date(2019, 10, 1), date(2019, 12, 30))
    assert calendar.month_ends(days, "us")[-1] == np.datetime64("2019-11-29")
    whole = calendar.sessions("us", date(2019, 10, 1), date(2019, 12, 31))
    assert calendar.month_ends(whole, "us")[-1] == np.datetime64("2019-12-31")
    assert calendar.month_ends(whole)[-1] == np.datetime64("2019-11-29")
    assert calendar.month_ends(whole[:0], "us").size == 0


@pytest.mark.parametrize("cut", range(1, 64, 7))
def test_cutting_the_future_keeps_the_past_s_month_ends(cut):
    days = calendar.sessions("cn", date(2018, 10, 1), date(2018, 12, 31))
    whole = calendar.month_ends(days, "cn")
    short = calendar.month_ends(days[:cut], "cn")
    assert (short == whole[whole <= days[cut - 1]]).all()


def test_next_session_steps_over_holidays():
    assert calendar.next_session("cn", date(2020, 1, 23)) == np.datetime64("2020-02-03")
    with pytest.raises(DataError, match="no session is known after 2100-01-01"):
        calendar.next_session("us", date(2100, 1, 1))


def test_periods_per_year():
    assert (calendar.periods_per_year("us"), calendar.periods_per_year("cn")) == (252, 243)


def test_errors_name_the_value_and_the_choice():
    with pytest.raises(DataError, match=r"'uk' is not known; choose one of \['cn', 'us'\]"):
        calendar.sessions("uk", date(2019, 1, 1), date(2019, 2, 1))
    with pytest.raises(DataError, match="2019-02-01 is after end 2019-01-01"):
        calendar.sessions("us", date(2019, 2, 1), date(2019, 1, 1))
    with pytest.raises(DataError, match="outside the XSHG calendar"):
        calendar.sessions("cn", date(1980, 1, 1), date(2019, 1, 1))

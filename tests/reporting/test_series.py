"""Display series against hand-worked values and laws."""

import numpy as np
import pandas as pd
import pytest

from quant.core.seeds import generator
from quant.reporting import series as of

DAYS = pd.bdate_range("2019-11-01", periods=90)
DAILY = pd.Series(generator(42, "series test").normal(0, 0.01, 90), DAYS)


def levels(values):
    return pd.Series(values, pd.bdate_range("2020-01-01", periods=len(values)), dtype=float)


def test_returns_rebuild_the_levels():
    path = levels([100, 110, 99, 120])
    np.testing.assert_allclose(100 * (1 + of.returns(path)).cumprod(), path.iloc[1:])


def test_drawdown_by_hand():
    np.testing.assert_allclose(of.drawdown(levels([100, 80, 120, 90])), [0, -0.2, 0, -0.25])


def test_years_compound_their_days():
    years = of.by_year(DAILY, of.compounded)
    assert (1 + years).prod() == pytest.approx((1 + DAILY).prod())
    assert list(years.index) == [2019, 2020]


def test_beta_of_a_multiple_is_the_multiple():
    beta = of.rolling_beta(0.5 * DAILY + 0.001, DAILY, 20).dropna()
    np.testing.assert_allclose(beta, 0.5)
    assert len(beta) == 71


def test_rolling_sharpe_is_the_sharpe_of_the_window():
    last = DAILY.iloc[-20:]
    wanted = last.mean() / last.std(ddof=1) * np.sqrt(252)
    assert of.rolling_sharpe(DAILY, 20, 252).iloc[-1] == pytest.approx(wanted)


def test_month_ends_are_the_last_dates_present():
    ends = of.month_ends(DAYS)
    assert [str(d.date()) for d in ends[:2]] == ["2019-11-29", "2019-12-31"]
    assert ends[-1] == DAYS[-1]

"""Acceptance: a three-asset book against numbers worked out by hand, and the ledger against Qlib.

The toy, in money (capital 1,000,000; decisions at the closes of day 0 and day 1):

    day 0  close  100, 50, 20            targets 0.5, 0.3, 0.1: orders 5000, 6000, 5000 shares
    day 1  open   101, 50, 20            paid 505,000 + 300,000 + 100,000, cash 95,000
           close  102, 49, 21            95,000 + 510,000 + 294,000 + 105,000 = 1,004,000
           targets: B to nothing, the others as they are
    day 2  B splits 2 for 1              12,000 shares, sold at 24.50: 294,000, cash 389,000
           close  103, 25, 22            389,000 + 515,000 + 110,000 = 1,014,000

Costs, with lambda1 = 5e-4, lambda2 = 1e-2 and 10 bp of fees on sells:

    day 1  1,000,000 x (5e-4 x 0.905 + 1e-2 x (0.505^2 + 0.3^2 + 0.1^2)) = 4,002.75
           close  1,004,000 - 4,002.75 = 999,997.25
    day 2  147 + 1e-2 x 294,000^2 / 999,997.25 + 294 = 147 + 864.362377 + 294 = 1,305.362377
           close  1,014,000 - 4,002.75 - 1,305.362377 = 1,008,691.887623
"""

import numpy as np
import pandas as pd
import pytest

from quant.backtest import engine, reference
from quant.backtest.market import FIELDS, Charges, charges, market_arrays
from quant.core import tables
from quant.core.errors import DataError
from quant.core.panel import Panel
from quant.data import qlib_store
from tests import desks
from tests.backtest import markets

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

CAPITAL = 1_000_000.0
OPEN = np.array([[100.0, 50, 20], [101, 50, 20], [102.5, 24.5, 21.5]])
CLOSE = np.array([[100.0, 50, 20], [102, 49, 21], [103, 25, 22]])
FACTOR = np.array([[1.0, 1, 1], [1, 1, 1], [1, 2, 1]])
NAV = {"free": [1_000_000.0, 1_004_000.0, 1_014_000.0]}
NAV["costs"] = [1_000_000.0, 999_997.25, 1_008_691.887623]
BP = 1e-4


def toy_bars() -> pd.DataFrame:
    dates, names = markets.business_days(3), np.array(["AAA", "BBB", "CCC"], object)
    fields = {name: np.full((3, 3), np.nan) for name in ("limit_up", "limit_down")}
    fields |= {"open": OPEN, "close": CLOSE, "factor": FACTOR, "pre_close": CLOSE}
    fields |= {"high": np.maximum(OPEN, CLOSE), "low": np.minimum(OPEN, CLOSE)}
    fields |= {"volume": np.full((3, 3), 1e6), "amount": CLOSE * 1e6}
    return Panel(dates, names, fields).long()


def toy_decide(t, state):
    if t == 0:
        return np.array([0.5, 0.3, 0.1])
    return np.where([True, False, True], state.weights, 0.0) if t == 1 else None


def toy_charges(market, kind: str) -> Charges:
    free = charges(market, 0.0, 0.0)
    if kind == "free":
        return free
    paid = charges(market, 5e-4, 1e-2)
    return Charges(paid.lambda1, paid.lambda2, np.zeros(3), np.full(3, 1e-3))


@pytest.mark.parametrize("kind", ["free", "costs"])
def test_three_assets_earn_what_the_analytical_answer_says(kind, tmp_path):
    bars = toy_bars()
    market = market_arrays(
        Panel.of(bars, FIELDS), markets.no_listings(), markets.rates_of(3, 0.0), "us"
    )
    terms = toy_charges(market, kind)
    result = engine.run(market, toy_decide, charges=terms, capital=CAPITAL)
    np.testing.assert_allclose(result.nav, NAV[kind], rtol=1e-12)

    folder = qlib_store.write(bars, market.dates, tmp_path / "qlib", "us")
    qlib = reference.replay(folder, "us", market, terms, result.targets, CAPITAL, first=0, last=2)
    np.testing.assert_allclose(qlib["nav"], NAV[kind], atol=0.01 * BP * CAPITAL)
    for nav in (result.nav, qlib["nav"].to_numpy()):
        pnl, analytical = nav[-1] / CAPITAL - 1, NAV[kind][-1] / CAPITAL - 1
        assert abs(pnl - analytical) < 1 * BP


@pytest.mark.parametrize(
    ("region", "capital", "invested"),
    [("cn", 3e5, 0.98), ("cn", 5e7, 0.98), ("us", 1e5, 0.98), ("us", 1e7, 1.0), ("cn", 1e6, 1.0)],
)
def test_qlib_replays_the_ledger(region, capital, invested, tmp_path):
    """Lots, limits, suspensions, cash shortfall, costs, fees, interest and delistings included."""
    market = markets.random_market(region, n_days=80)
    terms = markets.costs(market, region)
    decide = markets.random_targets(market, invested=invested)
    result = engine.run(market, decide, charges=terms, capital=capital, first=1)
    expected = {"", "suspended", "cash", "delisted", "source ended"}
    expected |= {"limit up", "limit down"} if region == "cn" else set()
    assert set(result.fills["reason"]) == expected

    bars = markets.random_bars(region, n_days=80)
    folder = qlib_store.write(bars, market.dates, tmp_path / "qlib", region)
    qlib = reference.replay(
        folder, region, market, terms, result.targets, capital, first=1, last=79
    )
    parity = reference.compare(result, qlib)
    # float32 quotes are good to 6e-8; a share or lot may round the other way
    assert parity.worst < 1e-6, parity
    assert parity.return_bp < 0.01, parity
    assert parity.cost < 1e-6, parity
    assert np.abs(qlib["n_held"].to_numpy() - result.n_held).max() <= 1
    np.testing.assert_allclose(qlib["turnover"], result.turnover, atol=1e-5)


@pytest.mark.parametrize(
    ("style", "region"),
    [("POV", "cn"), ("VWAP", "cn"), ("MOO", "cn"), ("POV", "us"), ("VWAP", "us")],
)
def test_qlib_replays_scheduled_orders_child_by_child(style, region, tmp_path):
    """Splits, suspensions, lots, caps, short cash and delistings; Qlib keeps the account."""
    market, panel = desks.given(region)
    terms = desks.costs_of(market, region)
    ours, theirs = (desks.desk(market, panel, style, region, adv_cap=0.02) for _ in range(2))
    decide = desks.wandering(market, 4, share=0.99)
    result = engine.run(market, decide, ours, charges=terms, capital=3e6)
    assert {"", "ADV cap", "suspended", "delisted"} <= set(result.fills["reason"])
    bars = markets.random_bars(region)
    folder = qlib_store.write(bars, market.dates, tmp_path / "qlib", region)
    qlib = reference.replay(
        folder, region, market, terms, result.targets, 3e6, 0, desks.N_DAYS - 1, theirs
    )
    parity = reference.compare(result, qlib)
    # Qlib's factors are float32: children deal at the desk's prices, positions are worth Qlib's
    assert parity.worst < 1e-6, parity
    assert parity.return_bp < 0.01, parity
    assert parity.cost < 1e-6, parity
    assert np.abs(qlib["n_held"].to_numpy() - result.n_held).max() <= 1
    np.testing.assert_allclose(qlib["turnover"], result.turnover, atol=1e-4)  # a lot of 3e-4


def test_a_replay_that_can_not_be_is_refused(tmp_path):
    market = markets.random_market("us")
    terms = markets.costs(market, "us")
    result = engine.run(market, markets.random_targets(market), charges=terms, capital=1e6)
    bars = markets.random_bars("us")
    some = bars[bars["symbol"] != "N005"]
    folder = qlib_store.write(some, market.dates, tmp_path / "qlib", "us")

    def replay(region, targets, last=59):
        return reference.replay(folder, region, market, terms, targets, 1e6, 0, last)

    with pytest.raises(DataError, match="N005 has targets but is not in the Qlib dataset"):
        replay("us", result.targets)
    with pytest.raises(DataError, match="is of region us, not cn"):
        replay("cn", result.targets)
    with pytest.raises(DataError, match="ZZZ has targets but no bars"):
        replay("us", result.targets.assign(symbol="ZZZ"))
    with pytest.raises(DataError, match="can not be replayed in 60 sessions"):
        replay("us", result.targets, last=60)
    with pytest.raises(DataError, match="replay the same sessions"):
        reference.compare(result, result.nav_table("x").iloc[1:])


def test_a_replay_without_decisions_is_cash(tmp_path):
    market = markets.random_market("us")
    terms = markets.costs(market, "us")
    folder = qlib_store.write(markets.random_bars("us"), market.dates, tmp_path / "qlib", "us")
    result = engine.run(market, lambda t, s: None, charges=terms, capital=1e6)
    qlib = reference.replay(folder, "us", market, terms, result.targets, 1e6, 0, 59)
    assert reference.compare(result, qlib).worst < 1e-12
    tables.NAV.check(qlib)


def test_a_position_adds_up_in_one_order_whatever_python_s_hash_seed():
    from quant.backtest.qlib_executor import LeanAccount

    names = [f"S{i:04d}" for i in np.random.default_rng(0).permutation(200)]
    held = {name: {"amount": 1.0, "price": 1.0} for name in names}
    account = LeanAccount(init_cash=1.0, position_dict=held, benchmark_config={"benchmark": None})
    assert account.current_position.get_stock_list() == sorted(names)

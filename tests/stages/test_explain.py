"""stage=explain on the small market: the decision comes back, errors say what to do, a page."""

import dataclasses

import numpy as np
import pytest

from quant import settings
from quant.backtest import again
from quant.core.errors import ConfigError, DataError, StageError
from quant.core.tables import BINDINGS
from quant.optimizer import binding
from quant.optimizer.solve import solve
from quant.stages import book, explain
from quant.stages.registry import Context, Inputs, plain
from tests.pipeline import ingested, through, tiny
from tests.reporting.pages import sound

pytestmark = pytest.mark.slow


def days_of(frames) -> np.ndarray:
    return frames["solves"]["date"].to_numpy().astype("datetime64[D]")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    config = tiny("cn")
    given = ingested("cn", 40, 0.2)
    frames = given | through(config, given, tmp_path_factory.mktemp("ran"))
    return config, frames | {"notes": frames["bars"].iloc[:0].assign(topic="", text="")}


def explained(ran, day, folder, **changes) -> tuple[str, dict]:
    config, frames = ran
    asked = dataclasses.replace(config, stage="explain", date=str(day))
    inputs = Inputs({name: (frames | changes)[name].copy for name in frames})
    context = Context("cn", 42, folder, lambda label: lambda i, n: None)
    explain.STAGE.run(explain.settings(asked), inputs, context)
    return (folder / "explain.html").read_text(), context.metrics


def rebuilt(ran, day):
    config, frames = ran
    inputs = Inputs({name: frames[name].copy for name in frames})
    context = Context("cn", 42, None, lambda label: lambda i, n: None)
    own = book.optimized(book.settings(config), inputs, context)
    t = again.decided(own.market, own.first, own.last, 1, day)
    state = again.state(own.market, t, frames["nav"], frames["weights"])
    return own.policy.problem(t, state, own.policy.names(t, state.shares > 0))


def test_every_recorded_decision_comes_back(ran):
    """Not the day of a fixture: the first, the last, and days of each kind in between."""
    _, frames = ran
    solves = frames["solves"]
    picked = {0, 1, len(solves) - 1, *np.flatnonzero(solves["relaxed"])[:3],
              *np.flatnonzero(solves["turnover_binds"])[:3]}  # fmt: skip
    for row in sorted(picked):
        recorded = solves.iloc[row].to_dict()
        day = np.datetime64(recorded["date"], "D")
        problem = rebuilt(ran, day)
        found = again.agree(problem, solve(problem), frames["decisions"], recorded)
        assert found.weights < 1e-7 and found.objective < 1e-9


def test_the_recorded_prices_are_those_of_the_problem(ran):
    _, frames = ran
    bindings = frames["bindings"]
    assert BINDINGS.check(bindings).num_rows == len(bindings)
    for flag, limit in (("vol_binds", "volatility"), ("turnover_binds", "turnover")):
        days = frames["solves"].loc[frames["solves"][flag], "date"]
        mine = bindings[(bindings["limit"] == limit) & bindings["binds"]]
        assert set(mine["date"]) == set(days) and (mine["price_bp"] > 0).all()
    day = days_of(frames)[5]
    problem = rebuilt(ran, day)
    (bound,) = (b for b in binding.joint(problem, solve(problem)) if b.kind == "volatility")
    row = bindings[(bindings["date"] == day) & (bindings["limit"] == "volatility")].iloc[0]
    assert row["price_bp"] == pytest.approx(bound.price, rel=1e-6)
    assert row["asked"] == pytest.approx(0.12)


def test_a_relaxed_solve_says_what_gave_way_and_other_solves_say_nothing(ran):
    _, frames = ran
    loose = frames["bindings"][frames["bindings"]["relaxed"]]
    solves = frames["solves"]
    assert set(loose["date"]) == set(solves.loc[solves["relaxed"], "date"]) and len(loose)
    assert (loose["cause"] != "").all()
    names = solves.set_index("date")["reason"].str.count("name ")
    counted = loose[loose["names"] > 0].groupby("date")["names"].sum()
    assert (counted == names[counted.index]).all()


def test_the_page_explains_one_session(ran, tmp_path):
    day = days_of(ran[1])[5]
    page, metrics = explained(ran, day, tmp_path)
    sound(page)
    assert metrics["explain.weights_apart"] < 1e-7
    assert f"{day}: the volatility cap decided" in page and "NAV over 21 sessions" in page
    for title in ("What bound, and what it cost", "What gave way", "The largest trades", "Proof"):
        assert title in page, title


def test_another_decision_is_not_explained_away(ran, tmp_path):
    _, frames = ran
    day = days_of(frames)[5]
    wrong = frames["decisions"].copy()
    row = wrong.index[(wrong["date"] == day) & (wrong["weight"] > 0.01)][0]
    wrong.loc[row, "weight"] -= 0.005
    with pytest.raises(StageError, match="is not the one that was solved: the recorded weights"):
        explained(ran, day, tmp_path, decisions=wrong)


def test_another_book_is_not_explained_away(ran, tmp_path):
    _, frames = ran
    day = days_of(frames)[5]
    wrong = frames["weights"].copy()
    wrong.loc[wrong["date"] == day, "weight"] *= 0.99
    with pytest.raises(StageError, match="Run stage=backtest anew"):
        explained(ran, day, tmp_path, weights=wrong)


def test_a_day_without_a_decision_is_refused_with_its_neighbours(ran, tmp_path):
    days = days_of(ran[1])
    gap = int(np.argmax(np.diff(days).astype(int) > 1))
    with pytest.raises(DataError, match=f"the nearest are {days[gap]} and {days[gap + 1]}"):
        explained(ran, days[gap] + 1, tmp_path)
    with pytest.raises(DataError, match=f"decides from {days[0]} to {days[-1]}; name a session"):
        explained(ran, days[-1] + 1, tmp_path)


def test_between_rebalances_there_is_nothing_to_explain(ran):
    days = days_of(ran[1])
    market = dataclasses.make_dataclass("Market", ["dates"])(days)
    assert again.decided(market, 2, 20, 5, days[12]) == 12
    with pytest.raises(DataError, match=f"every 5 sessions; the nearest are {days[7]} and"):
        again.decided(market, 2, 20, 5, days[8])


@pytest.mark.parametrize("words", [{"stage": "explain"}, {"date": "2015-07-08"}])
def test_a_date_and_the_stage_belong_together(words):
    with pytest.raises(ConfigError, match="give both, for example stage=explain date=2015-07-08"):
        settings.Config(**words)


def test_a_date_is_written_one_way():
    with pytest.raises(ConfigError, match="date='8.7.2015' is not a date"):
        settings.Config(stage="explain", date="8.7.2015")


def test_the_date_moves_the_page_and_nothing_else():
    base = tiny("cn")
    one, two = (dataclasses.replace(base, stage="explain", date=f"2015-07-0{d}") for d in (8, 9))
    keys = [plain(explain.settings(c)) for c in (one, two)]
    assert keys[0] != keys[1] and keys[0]["config_hash"] == keys[1]["config_hash"]
    assert keys[0]["book"] == keys[1]["book"] == plain(book.settings(base))

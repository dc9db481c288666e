"""The page of an explained session: sound for every kind of problem, and its words are true."""

from dataclasses import replace

import numpy as np
import pytest

from quant.optimizer import binding
from quant.optimizer.explain import explain
from quant.optimizer.frontier import cost_frontier, efficient_frontier
from quant.optimizer.sensitivity import sensitivity
from quant.optimizer.solve import solve
from quant.reporting.explain import ExplainInputs, render
from quant.reporting.sections import decided, explained, moved
from tests.optimizer.test_explain import KINDS, problem
from tests.reporting.pages import NASTY, sound


def inputs(base, **changes) -> ExplainInputs:
    solution = solve(base)
    made = ExplainInputs(
        region="cn",
        currency="CNY",
        nav=5e7,
        horizon=21,
        git_sha="a19de4d",
        config_hash="5e0c1a7b9f24",
        command="python -m quant.main region=cn stage=explain date=2015-07-08",
        simulated=True,
        problem=base,
        solution=solution,
        groups=np.array([f"G{g}" for g in range(base.group_low.size)], dtype=object),
        apart=1e-12,
        told=explain(base, solution, names=3),
        changes=tuple(sensitivity(base, solution, (0.5, 2.0))),
        efficient=efficient_frontier(base, solution, 5),
        costs=cost_frontier(base, solution, 5),
    )
    return replace(made, **changes)


def overdue(number: int):
    """Tight: turnover has to give way, one leaver is suspended, one trades thinly."""
    base = problem(number, tau=0.05, vol_target=0.04, held=np.full(24, 0.04))
    upper, sell = base.upper.copy(), base.sell_cap.copy()
    upper[:2], sell[0], sell[1] = 0.0, 0.0, 0.01
    return replace(base, upper=upper, sell_cap=sell)


@pytest.mark.parametrize("kind", [*KINDS, "overdue", "free", "still"])
def test_every_kind_of_problem_has_a_sound_page(kind):
    none = np.inf
    free = problem(1, tau=none, vol_target=none, upper=np.ones(24), buy_cap=np.ones(24),
                   group_high=np.full(3, none))  # fmt: skip
    still = problem(1, buy_cap=np.zeros(24), sell_cap=np.zeros(24), vol_target=0.5)
    odd = {"overdue": overdue(3), "free": free, "still": still}
    page = render(inputs(odd[kind] if kind in odd else KINDS[kind](2)))
    sound(page)
    assert "nan" not in page.lower() and "SIMULATED" in page.upper()


def test_what_gave_way_and_who_waits_are_told_apart():
    made = inputs(overdue(3))
    page = render(made)
    (gave,) = [g for g in made.told.gave_way if not g.of_name]
    assert f"The turnover cap of 5.0% was out of reach and gave way to {gave.reached:.1%}" in page
    assert page.count("this takes days and is no failed limit") == 2
    assert "1 name (4.00% of NAV) that may not be held any more" in page
    assert "1 name (3.00% of NAV) that may not be held any more" in page
    assert "No limit on the book gave way" not in page
    # some of them can not be bought
    assert "Still out of bounds" in page and "Not sold" not in page


def test_the_cap_of_a_relative_book_is_on_its_tracking_error():
    for active, cap in ((False, "volatility cap"), (True, "tracking-error cap")):
        made = inputs(problem(2))
        table = moved.build(made.changes, made.efficient, made.costs, 21, active)[-1]
        assert cap in {row[0].text for row in table.rows}
        assert (cap == "tracking-error cap") == ("Tracking error" in table.head)


def test_the_headline_is_the_dearest_limit():
    made = inputs(problem(2))
    dearest = max(made.told.joint, key=lambda c: c.objective)
    name = explained.limit_name(dearest.bindings[0], made.groups)
    assert f"the {name} decided; it costs {dearest.objective:.1f} bp over 21 sessions" in render(
        made
    )


def test_names_and_groups_are_escaped():
    base = replace(overdue(3), symbols=np.array([f"{NASTY}{i}" for i in range(24)], dtype=object))
    made = inputs(base)
    page = render(replace(made, groups=np.array([NASTY] * 3, dtype=object), command=NASTY))
    sound(page)


def test_every_kind_has_its_words():
    kinds = {binding.ABSENT, binding.BOUND, binding.LEAST, binding.TRADE_CAP, binding.LOCKED,
             binding.FORCED}  # fmt: skip
    assert kinds == set(explained.NAMES) == set(decided.STOP)
    for kind in KINDS:
        made = inputs(KINDS[kind](1))
        for trade in made.told.trades:
            assert trade.motive in decided.MOTIVE
        for costly in made.told.joint:
            assert explained.limit_name(costly.bindings[0], made.groups)

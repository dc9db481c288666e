"""Prices against problems solved again with the limit moved; what limits cost; what sums up."""

from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import ProblemError
from quant.core.seeds import generator
from quant.optimizer import binding
from quant.optimizer.explain import BP, explain, lifted
from quant.optimizer.problem import Problem
from quant.optimizer.solve import optimum, solve
from quant.optimizer.terms import Limits, magnitude, objective
from tests.optimizer.problems import random_problem

NUMBERS = range(6)
STEP = 1e-5  # of NAV, or of annual volatility
METHOD = "clarabel"  # the referee, not what the prices come from


def problem(number: int, **changes) -> Problem:
    """Ample bounds: volatility, turnover, groups and names all have a chance to bind."""
    fields = {"n": 24, "tau": 0.5, "vol_target": 0.15, "buy_cap": np.full(24, 0.06)} | changes
    return random_problem(generator(11, "explain", str(number)), **fields)


def invested(number: int) -> Problem:
    return problem(number, cash_low=0.1, tau=1.5, vol_target=0.4, group_high=np.full(3, 0.3))


def long_short(number: int) -> Problem:
    base = problem(number, lower=np.full(24, -0.1), gross=0.8, tau=1.0, vol_target=0.1)
    return replace(base, sell_cap=np.full(24, 0.3), buy_cap=np.full(24, 0.3),
                   group_low=np.full(3, -0.2), held=0 * base.held)  # fmt: skip


def active(number: int) -> Problem:
    base = problem(number, tau=1.0, vol_target=0.03)
    return replace(base, benchmark=np.full(base.n, 1.0 / base.n), cash_low=-0.1, cash_high=0.0,
                   gamma=0.0,
                   upper=np.full(base.n, 0.2), buy_cap=np.full(base.n, 0.3),
                   group_high=np.full(3, 0.8))  # fmt: skip


def unwilling(number: int) -> Problem:
    """Losses everywhere, and little cash allowed."""
    base = problem(number, tau=2.0, vol_target=0.4, cash_high=0.05, group_high=np.full(3, 0.6))
    return replace(base, mu=base.mu - 0.03)


def floored(number: int) -> Problem:
    """Every group has to be held, at a loss."""
    base = problem(number, tau=2.0, vol_target=0.4)
    return replace(base, mu=base.mu - 0.03, group_low=np.full(3, 0.1), group_high=np.full(3, 0.6))


KINDS = {
    "canonical": problem,
    "invested": invested,
    "long/short": long_short,
    "active": active,
    "unwilling": unwilling,
    "floored": floored,
}
CASES = [(kind, number) for kind in KINDS for number in NUMBERS]


def moved(problem: Problem, limits: Limits, b: binding.Binding, step: float) -> Limits:
    """`limits` with the one of `b` wider by `step` in its own unit (narrower below 0)."""
    sign = 1.0 if b.upper else -1.0
    if b.kind in ("volatility", "tracking error"):
        level = problem.volatility(limits.variance) + step
        return limits.with_(variance=level**2 / problem.horizons_per_year)
    if b.kind in ("turnover", "gross"):
        name = {"turnover": "tau"}.get(b.kind, b.kind)
        return limits.with_(**{name: getattr(limits, name) + step})
    if b.kind == "cash":
        name = "total_low" if b.upper else "total_high"
        return limits.with_(**{name: getattr(limits, name) - sign * step})
    place = "group_" * (b.kind == "group") + ("high" if b.upper else "low")
    shifted = getattr(limits, place).copy()
    shifted[b.which] += sign * step
    return limits.with_(**{place: shifted})


def value(problem: Problem, limits: Limits, start: np.ndarray) -> float:
    return objective(problem, optimum(problem, limits, start, METHOD))


@pytest.mark.parametrize("kind, number", CASES)
def test_a_price_is_the_slope_of_the_optimum_found_again(kind, number):
    """Concave in a limit: what is gained by widening <= price <= what is lost by narrowing."""
    base = KINDS[kind](number)
    solution = solve(base)
    bound = [*binding.joint(base, solution), *binding.of_names(base, solution)[:4]]
    noise = 2e-8 * magnitude(base, solution.weights) / STEP
    for b in bound:
        gain = value(base, moved(base, solution.limits, b, STEP), solution.weights)
        loss = value(base, moved(base, solution.limits, b, -STEP), solution.weights)
        right, left = ((s - solution.objective) / STEP for s in (gain, -loss))
        left += 2 * solution.objective / STEP
        price = b.price / binding.PER_POINT
        assert right - noise <= price <= left + noise, (b, right, left)
        # where it does not jump there is one slope only, and the price is it
        if left - right < 0.02 * price:
            assert price == pytest.approx(right, rel=0.02, abs=noise)


def test_every_kind_of_limit_binds_somewhere():
    """No empty test above."""
    found = set()
    for kind, number in CASES:
        base = KINDS[kind](number)
        solution = solve(base)
        found |= {(b.kind, b.upper) for b in binding.joint(base, solution)}
        found |= {(b.kind, b.upper) for b in binding.of_names(base, solution)[:4]}
    wanted = {"volatility", "tracking error", "turnover", "gross", "group"}
    wanted |= {binding.BOUND, binding.LEAST, binding.TRADE_CAP}
    assert wanted <= {kind for kind, _ in found}
    assert {(kind, end) for kind in ("cash", "group") for end in (True, False)} <= found


@pytest.mark.parametrize("kind, number", CASES)
def test_a_limit_costs_something_if_it_binds_and_nothing_if_not(kind, number):
    base = KINDS[kind](number)
    solution = solve(base)
    told = explain(base, solution, names=4)
    noise = 2e-8 * BP * magnitude(base, solution.weights)
    joint = [c for c in told.joint if c.kind != "cash" or c.bindings[0].upper]
    assert all(np.isnan(c.objective) for c in told.joint if c not in joint)  # the least cash
    for costly in (*joint, *told.kinds, *told.names):
        assert costly.objective > -noise
    alone = [c for c in (*joint, *told.names) if c.bindings[0].price > 0.1]
    for costly in alone:
        assert costly.objective > 0, costly
    # all of a kind at once cost at least as much as the dearest alone
    for costly in told.names:
        whole = next(k for k in told.kinds if k.kind == costly.kind)
        assert whole.objective >= costly.objective - noise
    named = {b.kind for b in binding.joint(base, solution)}
    for name in {"turnover": "tau", "gross": "gross", "volatility": "variance"}.items():
        if name[0] not in named and not (name[0] == "volatility" and base.benchmark is not None):
            free = solution.limits.with_(**{name[1]: np.inf})
            again = value(base, free, solution.weights)
            assert BP * (again - solution.objective) == pytest.approx(0.0, abs=noise), name


def test_without_the_volatility_limit_the_answer_is_that_of_a_problem_without_it():
    base = problem(2, tau=2.0, vol_target=0.06)
    solution = solve(base)
    told = explain(base, solution)
    cost = next(c for c in told.joint if c.kind == "volatility")
    free = solve(replace(base, vol_target=np.inf), METHOD)
    assert cost.objective == pytest.approx(BP * (free.objective - solution.objective), rel=1e-5)
    expected = base.mu @ (free.weights - solution.weights)
    assert cost.expected == pytest.approx(BP * expected, rel=1e-4)


@pytest.mark.parametrize("kind, number", CASES)
def test_the_terms_of_the_objective_sum_to_it(kind, number):
    base = KINDS[kind](number)
    solution = solve(base)
    alpha = generator(3, "split").normal(size=base.n) * 0.01
    told = explain(base, solution, {"premium": base.mu - alpha, "alpha": alpha}, names=0)
    *terms, whole = told.parts
    assert [p.term for p in terms[:2]] == ["premium", "alpha"]
    assert sum(p.chosen for p in terms) == pytest.approx(whole.chosen, abs=1e-9)
    assert sum(p.held for p in terms) == pytest.approx(whole.held, abs=1e-9)
    assert whole.chosen == pytest.approx(BP * solution.objective, abs=1e-9)


@pytest.mark.parametrize("kind, number", CASES)
def test_a_trade_that_stopped_by_itself_has_nothing_left_to_gain(kind, number):
    base = KINDS[kind](number)
    solution = solve(base)
    told = explain(base, solution, names=0)
    assert told.trades
    sizes = [abs(t.trade) for t in told.trades]
    assert sizes == sorted(sizes, reverse=True)
    scale = binding.PER_POINT * np.abs(base.mu).mean()
    for t in told.trades:
        assert sum(t.terms.values()) == pytest.approx(t.left, abs=1e-9 * scale)
        if not t.limit:
            assert abs(t.left) < 1e-4 * scale, t
        assert t.terms[t.motive] == max(t.terms.values())


def test_the_premium_is_weighed_with_the_risk_that_it_pays_for():
    """All names alike but for alpha: alpha is why one is bought and the other sold."""
    base = problem(0, factor=np.full((1, 24), 0.05), ridge=1e-4, groups=np.zeros(24, dtype=int))
    premium = 8.0 * (0.05**2 + 1e-4 / 24) * np.ones(24)
    alpha = np.where(np.arange(24) < 12, 0.004, -0.004)
    base = replace(base, mu=premium + alpha, held=np.full(24, 0.03), tau=2.0, vol_target=0.2,
                   group_low=np.zeros(1), group_high=np.ones(1))  # fmt: skip
    told = explain(base, solve(base), {"premium": premium, "alpha": alpha}, names=0)
    assert {np.sign(t.trade) for t in told.trades} == {-1.0, 1.0}
    assert {t.motive for t in told.trades} == {"alpha"}


def test_parts_of_the_return_that_do_not_sum_to_it_are_refused():
    base = problem(0)
    with pytest.raises(ProblemError, match="the parts of mu .premium. miss it by up to"):
        explain(base, solve(base), {"premium": 0.5 * base.mu})


def test_names_that_have_to_go_are_told_apart_from_limits_that_gave_way():
    """One name left the universe and trades thinly, one is suspended: both only take time."""
    base = problem(1, tau=1.0, vol_target=0.4)
    upper, sell = base.upper.copy(), np.minimum(base.sell_cap, 1.0)
    held = np.full(base.n, 0.02)
    upper[:2], sell[0], sell[1] = 0.0, 0.005, 0.0
    base = replace(base, upper=upper, sell_cap=sell, held=held)
    solution = solve(base)
    gone = binding.gave_way(base, solution)
    assert [g.kind for g in gone] == [binding.ABSENT] * 2 and all(g.of_name for g in gone)
    assert [g.which for g in gone] == [0, 1]
    assert [g.reached for g in gone] == pytest.approx([0.015, 0.02])
    assert [g.why for g in gone] == [
        "its trade cap lets less be sold in a day", "can not be sold today",
    ]  # fmt: skip


def test_a_limit_that_really_gave_way_is_named_so():
    base = problem(3, tau=0.05, vol_target=0.04, held=np.full(24, 0.04))
    solution = solve(base)
    joint = [g for g in binding.gave_way(base, solution) if not g.of_name]
    assert [g.kind for g in joint] == ["turnover"]
    assert joint[0].asked == 0.05 and joint[0].reached > 0.05
    assert joint[0].why == "volatility comes first"


def test_leavers_that_need_more_turnover_are_not_blamed_on_volatility():
    """A third of the book leaves the universe at once; the volatility cap is far away."""
    upper = np.r_[np.zeros(8), np.full(16, 0.2)]
    base = problem(3, tau=0.2, vol_target=0.5, held=np.full(24, 0.04), upper=upper)
    (gone,) = binding.gave_way(base, solve(base))
    assert gone.kind == "turnover" and gone.reached == pytest.approx(0.32, abs=2e-5)
    assert gone.why == "names outside their bounds are traded first"


def test_lifting_one_end_of_a_bound_leaves_the_other():
    base = problem(2, buy_cap=np.ones(24), sell_cap=np.ones(24))
    limits = solve(base).limits
    up = binding.Binding(binding.BOUND, 3, True, 0.2, 1.0)
    down = binding.Binding(binding.LEAST, 4, False, 0.0, 1.0)
    free = lifted(base, limits, [up, down])
    assert free.high[3] > limits.high[3] and free.low[3] == limits.low[3]
    assert free.low[4] < limits.low[4] and free.high[4] == limits.high[4]


def test_the_cap_of_a_relative_book_has_one_name():
    base = KINDS["active"](0)
    base = replace(base, vol_target=1e-6, cash_high=1.0, upper=np.full(base.n, 0.01))
    solution = solve(base)
    kinds = {g.kind for g in binding.gave_way(base, solution) if not g.of_name}
    assert "tracking error" in kinds and "volatility" not in kinds


def test_lifting_never_narrows():
    base = problem(4, sell_cap=np.full(24, 0.004))
    solution = solve(base)
    before = solution.limits
    single = binding.of_names(base, solution)
    assert single
    for b in [*binding.joint(base, solution), *single]:
        after = lifted(base, before, [b])
        assert (after.low <= before.low).all() and (after.high >= before.high).all()
        assert (after.group_low <= before.group_low).all()
        assert (after.group_high >= before.group_high).all()
        assert after.tau >= before.tau and after.variance >= before.variance

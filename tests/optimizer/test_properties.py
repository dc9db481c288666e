"""Exact relations between problems: what must not change the answer, what must mirror or shift it.

Three books (long-only, long/short with gross and net caps, benchmark-relative) on which tau,
volatility and group caps bind here and there. Two answers agree where their objectives do, to the
certificate, and their weights, to 1e-6: the problems are strictly concave but where said.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution, solve
from quant.optimizer.terms import magnitude, objective, variance
from tests.optimizer.twists import twisted

BOOKS = ("plain", "gross and net", "relative")
SIZES = (5, 12, 30)
PER_NAME = (
    "mu", "held", "lambda1", "lambda2", "lower", "upper", "buy_cap", "sell_cap", "groups",
    "benchmark",
)  # fmt: skip
some = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
numbers = st.integers(0, 10**6)
books = st.sampled_from(BOOKS)
factors = st.floats(-3, 3).map(lambda x: 10**x)


def book(kind: str, number: int, **changes) -> Problem:
    return replace(twisted(kind, number, SIZES), **changes)


def prepared(kind: str, number: int, **changes) -> tuple[Problem, Solution]:
    """A problem whose limits are in reach, and its solution."""
    problem = book(kind, number, **changes)
    solution = solve(problem)
    if any(r.what in ("turnover", "volatility", "gross") for r in solution.relaxations):
        problem = replace(problem, tau=np.inf, vol_target=np.inf, gross=np.inf)
        solution = solve(problem)
    return problem, solution


def taken(problem: Problem, order: np.ndarray) -> dict[str, np.ndarray]:
    """The fields by name at `order`."""
    fields = {name: getattr(problem, name) for name in PER_NAME}
    picked = {name: value[order] for name, value in fields.items() if value is not None}
    return picked | {"factor": problem.factor[:, order]}


def same(problem: Problem, solution: Solution, weights: np.ndarray, atol: float = 1e-6) -> None:
    """`weights` are as good as the solution's, and where they are."""
    size = magnitude(problem, solution.weights)
    assert abs(objective(problem, weights) - solution.objective) <= 3e-8 * size
    np.testing.assert_allclose(weights, solution.weights, atol=atol)


@some
@given(books, numbers, factors)
def test_a_unit_of_return_is_arbitrary(kind, number, c):
    problem, solution = prepared(kind, number)
    scaled = replace(
        problem,
        mu=c * problem.mu,
        gamma=c * problem.gamma,
        lambda1=c * problem.lambda1,
        lambda2=c * problem.lambda2,
    )
    same(problem, solution, solve(scaled).weights)


@some
@given(books, numbers, factors)
def test_the_horizon_is_a_unit(kind, number, c):
    """Returns, variance and costs over c horizons: the same annual volatility, the same answer."""
    problem, solution = prepared(kind, number)
    longer = replace(
        problem,
        mu=c * problem.mu,
        factor=np.sqrt(c) * problem.factor,
        ridge=c * problem.ridge,
        lambda1=c * problem.lambda1,
        lambda2=c * problem.lambda2,
        horizons_per_year=problem.horizons_per_year / c,
    )
    other = solve(longer)
    assert other.vol == pytest.approx(solution.vol, rel=1e-6)
    same(problem, solution, other.weights)


@some
@given(books, numbers)
def test_the_order_of_names_groups_and_days_of_the_window_is_arbitrary(kind, number):
    problem, solution = prepared(kind, number)
    rng = np.random.default_rng(number)
    order, days = rng.permutation(problem.n), rng.permutation(problem.factor.shape[0])
    new = rng.permutation(problem.group_low.size)  # group g is called new[g] now
    back = np.argsort(new)
    fields = taken(problem, order)
    fields |= {"groups": new[fields["groups"]], "factor": fields["factor"][days]}
    moved = replace(
        problem, group_low=problem.group_low[back], group_high=problem.group_high[back], **fields
    )
    same(problem, solution, solve(moved).weights[np.argsort(order)])


@some
@given(books, numbers)
def test_a_name_that_can_not_be_held_changes_nothing(kind, number):
    problem, solution = prepared(kind, number)
    more = taken(problem, np.append(np.arange(problem.n), number % problem.n))
    for name, value in {"lower": 0.0, "upper": 0.0, "held": 0.0, "mu": 5.0}.items():
        more[name][-1] = value
    if problem.benchmark is not None:
        more["benchmark"][-1] = 0.0
    rng = np.random.default_rng(number)
    more["factor"][:, -1] = rng.normal(size=problem.factor.shape[0]) * 0.1
    weights = solve(replace(problem, **more)).weights
    assert weights[-1] == 0.0
    same(problem, solution, weights[:-1])


@some
@given(books, numbers, st.floats(1e-5, 1e-2), st.floats(1.0, 3.0))
def test_a_dominated_name_is_never_bought(kind, number, worse, dearer):
    """Of the same risk as another with room to spare, a lower return and a higher cost.

    Without ridge and quadratic costs: those pay for spreading a position over two names.
    """
    n = book(kind, number).n
    problem, _ = prepared(kind, number, ridge=0.0, lambda2=np.zeros(n))
    best = int(np.argmax(problem.mu))
    wide = np.where(np.arange(n) == best, 10.0, problem.upper)
    problem = replace(problem, upper=wide, buy_cap=wide, group_high=problem.group_high + 10.0)
    more = taken(problem, np.append(np.arange(n), best))
    more["held"][-1] = more["lower"][-1] = 0.0
    more["mu"][-1] -= worse
    more["lambda1"][-1] *= dearer
    if problem.benchmark is not None:
        more["benchmark"][-1] = 0.0
    solution, richer = solve(problem), solve(replace(problem, **more))
    size = magnitude(problem, solution.weights)
    assert richer.weights[-1] <= 1e-7
    assert abs(richer.objective - solution.objective) <= 3e-8 * size


@some
@given(books, numbers)
def test_a_name_split_in_two_halves_is_the_same_name(kind, number):
    """No ridge: halves of a name carry the same risk, not two."""
    problem, solution = prepared(kind, number, ridge=0.0)
    name = number % problem.n
    more = taken(problem, np.append(np.arange(problem.n), name))
    halves = [name, problem.n]
    for field in ("held", "lower", "upper", "buy_cap", "sell_cap", "benchmark"):
        if field in more:
            more[field][halves] /= 2
    more["lambda2"][halves] *= 2
    parts = solve(replace(problem, **more)).weights
    weights = parts[:-1].copy()
    weights[name] += parts[-1]
    assert parts[name] == pytest.approx(parts[-1], abs=1e-5)
    same(problem, solution, weights, atol=1e-5)


@some
@given(st.sampled_from(("gross and net", "relative", "relative, long and short")), numbers)
def test_a_book_and_its_mirror_image(kind, number):
    """Buying and selling, long and short change places; nothing prefers one side."""
    problem, solution = prepared(kind, number)
    mirror = replace(
        problem,
        mu=-problem.mu,
        held=-problem.held,
        lower=-problem.upper,
        upper=-problem.lower,
        buy_cap=problem.sell_cap,
        sell_cap=problem.buy_cap,
        group_low=-problem.group_high,
        group_high=-problem.group_low,
        cash_low=2.0 - problem.cash_high,
        cash_high=2.0 - problem.cash_low,
        benchmark=None if problem.benchmark is None else -problem.benchmark,
    )
    same(problem, solution, -solve(mirror).weights)


@some
@given(numbers)
def test_a_relative_book_is_an_absolute_one_of_active_weights(number):
    problem, solution = prepared("relative", number)
    b = problem.benchmark
    inside = np.bincount(problem.groups, weights=b, minlength=problem.group_low.size)
    shifted = replace(
        problem,
        benchmark=None,
        held=problem.held - b,
        lower=problem.lower - b,
        upper=problem.upper - b,
        group_low=problem.group_low - inside,
        group_high=problem.group_high - inside,
        cash_low=problem.cash_low + b.sum(),
        cash_high=problem.cash_high + b.sum(),
    )
    other = solve(shifted)
    assert other.vol == pytest.approx(solution.vol, rel=1e-6)
    same(problem, solution, other.weights + b)


@some
@given(numbers, st.floats(0.2, 0.9))
def test_gross_of_a_long_only_book_is_what_is_not_in_cash(number, share):
    problem, _ = prepared("plain", number)
    capped = solve(replace(problem, gross=share, tau=np.inf))
    same(
        replace(problem, tau=np.inf),
        capped,
        solve(replace(problem, cash_low=1.0 - share, tau=np.inf)).weights,
    )


@some
@given(numbers, st.floats(0.1, 1.0))
def test_gross_of_a_book_that_starts_in_cash_is_its_turnover(number, share):
    problem, _ = prepared("gross and net", number, held=np.zeros(book(BOOKS[1], number).n))
    problem = replace(problem, cash_low=0.0, cash_high=2.0, tau=np.inf, gross=share)
    capped = solve(problem)
    other = solve(replace(problem, gross=np.inf, tau=share))
    same(problem, capped, other.weights)
    assert capped.gross_binds == other.turnover_binds


@some
@given(books, numbers)
def test_prices_replace_the_limits_they_belong_to(kind, number):
    """Paid for instead of imposed, the joint limits are kept: the duals are what they say."""
    problem, solution = prepared(kind, number)
    prices, ends = solution.duals, np.full(problem.group_low.size, np.inf)
    paid = replace(
        problem,
        mu=problem.mu - prices.budget - prices.group[problem.groups],
        gamma=problem.gamma + prices.variance,
        lambda1=problem.lambda1 + prices.turnover,
        tau=np.inf,
        vol_target=np.inf,
        cash_low=-np.inf,
        cash_high=np.inf,
        group_low=-ends,
        group_high=ends,
    )
    np.testing.assert_allclose(solve(paid).weights, solution.weights, atol=2e-6)


@some
@given(books, numbers, st.sampled_from(["tau", "vol_target", "gross", "bounds", "groups", "caps"]))
def test_the_objective_never_falls_as_limits_widen(kind, number, name):
    problem, solution = prepared(kind, number)
    size = magnitude(problem, solution.weights)
    before = None
    for wide in (1.0, 1.001, 1.1, 1.5, 3.0):
        changes = {
            "tau": {"tau": wide * solution.turnover + 1e-4},
            "vol_target": {"vol_target": wide * solution.vol + 1e-4},
            "gross": {"gross": wide * float(np.abs(solution.weights).sum()) + 1e-4},
            "bounds": {
                "upper": problem.upper + (wide - 1) * 0.01,
                "lower": problem.lower - (wide - 1) * 0.01,
            },
            "groups": {"group_high": problem.group_high + (wide - 1) * 0.1},
            "caps": {"buy_cap": wide * problem.buy_cap, "sell_cap": wide * problem.sell_cap},
        }[name]
        wider = solve(replace(problem, **changes))
        if name in ("tau", "vol_target", "gross"):
            assert wider.status == solution.status
        if before is not None:
            assert wider.objective >= before - 3e-8 * size
        before = wider.objective


@some
@given(books, numbers)
def test_aversion_and_costs_lower_what_they_are_the_price_of(kind, number):
    """Within fixed limits: risk falls with gamma, turnover with lambda1, impact with lambda2."""
    base, _ = prepared(kind, number)

    def falls(vary, measure):
        values = [measure(p, solve(p)) for p in (vary(c) for c in (0.3, 1.0, 2.0, 5.0, 30.0))]
        assert (np.diff(values) <= 1e-6 * np.abs(values[0]) + 1e-9).all(), values

    falls(lambda c: replace(base, gamma=c * base.gamma), lambda p, s: variance(p, s.weights))
    falls(lambda c: replace(base, lambda1=np.full(base.n, c * 5e-4)), lambda p, s: s.turnover)
    falls(
        lambda c: replace(base, lambda2=c * np.full(base.n, 1e-3)),
        lambda p, s: float(np.square(s.trades).sum()),
    )
    values = [solve(replace(base, lambda1=c * base.lambda1)).objective for c in (0.0, 1.0, 3.0)]
    assert (np.diff(values) <= 1e-9).all()

"""Degenerate input: each gets a clear error or a documented answer; never a hang, a foreign error,
a point without certificate, or another solver's point under the default's name.
"""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import ProblemError, SolveError
from quant.core.seeds import generator
from quant.optimizer import solve as solving
from quant.optimizer.problem import Problem
from quant.optimizer.solve import Solution, solve
from tests.optimizer.problems import random_problem
from tests.optimizer.twists import TWISTS, twisted

N = 12
BASE = random_problem(generator(11, "fuzz"), n=N, symbols=np.array(list("ABCDEFGHIJKL")))
PER_NAME = (
    "mu", "held", "lambda1", "lambda2", "lower", "upper", "buy_cap", "sell_cap", "groups"
)  # fmt: skip
SECONDS = 30
NAN, INF = float("nan"), float("inf")


@contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """A hang becomes a failure."""

    def late(*_):
        raise TimeoutError(f"no answer within {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def clarabel(monkeypatch) -> list[int]:
    """Counts the programs Clarabel was given."""
    calls: list[int] = []
    original = solving.METHODS["clarabel"]
    monkeypatch.setitem(solving.METHODS, "clarabel", lambda *a: calls.append(1) or original(*a))
    return calls


def sound(problem: Problem, solution: Solution, calls: list[int]) -> None:
    """Certified, finite, within the trade caps, and honest about who found it."""
    assert solution.violation <= 1e-6 and abs(solution.gap) <= 1e-8
    assert np.isfinite(solution.weights).all() and np.isfinite(solution.objective)
    assert (solution.trades <= problem.buy_cap + 1e-6).all()
    assert (solution.trades >= -problem.sell_cap - 1e-6).all()
    assert (solution.solver == "sifting") == (not calls), "a silent fallback"
    assert (solution.status == "relaxed") == bool(solution.relaxations)


def third(name: str, value: float) -> dict[str, np.ndarray]:
    """One entry, that of name C, changed."""
    array = np.array(getattr(BASE, name), dtype=float)
    array[..., 2] = value
    return {name: array}


def whole(**values: float) -> dict[str, np.ndarray]:
    return {name: np.full(N, value) for name, value in values.items()}


NOTHING = {name: getattr(BASE, name)[:0] for name in PER_NAME} | {
    "factor": BASE.factor[:, :0],
    "symbols": None,
}

# input -> what its message says, besides the date and the next step
REFUSED = {
    "empty universe": (NOTHING, "there is no asset"),
    "NaN in mu": (third("mu", NAN), r"mu is nan at C \(asset 2\)"),
    "infinite mu": (third("mu", INF), "mu is inf at C"),
    "NaN in the window": (third("factor", NAN), "factor is nan at C"),
    "infinite covariance": (third("factor", INF), "factor is inf at C"),
    "NaN held": (third("held", NAN), "held is nan at C"),
    "infinite holding": (third("held", -INF), "held is -inf at C"),
    "NaN cost": (third("lambda1", NAN), "lambda1 is nan at C"),
    "negative linear cost": (third("lambda1", -5e-4), r"lambda1 is -0.0005 at C .*must be >= 0"),
    "negative quadratic cost": (third("lambda2", -1.0), "lambda2 is -1.0 at C .*must be >= 0"),
    "infinite cost": (third("lambda2", INF), "lambda2 is inf at C"),
    "NAV 0, nothing traded": (third("buy_cap", NAN), "buy_cap is nan at C"),
    "NaN sell cap": (third("sell_cap", NAN), "sell_cap is nan at C"),
    "negative cap": (third("sell_cap", -0.1), "sell_cap is -0.1 at C .*must be >= 0"),
    "NaN bound": (third("upper", NAN), "upper is nan at C"),
    "lower above upper": (whole(lower=2.0), "lower 2.0 is above upper at A"),
    "NaN group cap": ({"group_high": np.array([NAN, 1.0])}, "group_low 0.0 is above group_high"),
    "group floor above cap": (
        {"group_low": np.array([0.0, 0.9]), "group_high": np.array([0.5, 0.5])},
        "group_low 0.9 is above group_high in group 1",
    ),
    "no groups": ({"group_low": np.zeros(0), "group_high": np.zeros(0)}, "groups must be int"),
    "unknown group": ({"groups": BASE.groups + 7}, r"groups must be int codes in \[0, 2\)"),
    "missing group": (third("groups", NAN), "groups must be int codes"),
    "gamma NaN": ({"gamma": NAN}, "gamma is nan and must be >= 0"),
    "gamma infinite": ({"gamma": INF}, "gamma inf .*must be at most 1e9"),
    "gamma negative": ({"gamma": -1.0}, "gamma is -1.0 and must be >= 0"),
    "ridge negative": ({"ridge": -1e-9}, "ridge is -1e-09 and must be >= 0"),
    "tau NaN": ({"tau": NAN}, "tau is nan"),
    "tau negative": ({"tau": -0.1}, "tau is -0.1 and must be >= 0"),
    "gross NaN": ({"gross": NAN}, "gross is nan"),
    "volatility target 0": ({"vol_target": 0.0}, "vol_target is 0.0 and must be at least 1e-6"),
    "volatility target NaN": ({"vol_target": NAN}, "vol_target is nan"),
    "no horizon": ({"horizons_per_year": 0.0}, "horizons_per_year is 0.0 and must be in"),
    "endless horizon": ({"horizons_per_year": INF}, "horizons_per_year is inf"),
    "cash NaN": ({"cash_low": NAN}, r"cash must lie in \[nan, inf\]"),
    "cash upside down": (
        {"cash_low": 0.5, "cash_high": 0.4},
        r"cash must lie in \[0.5, 0.4\], which is empty",
    ),
    "NaN benchmark": ({"benchmark": third("mu", NAN)["mu"]}, "benchmark is nan at C"),
    "benchmark of another day": ({"benchmark": np.ones(5)}, r"benchmark has shape \(5,\)"),
    "factor transposed": ({"factor": BASE.factor.T}, r"factor is \(12, 60\) but mu has 12 assets"),
    "factor of one day": ({"factor": BASE.factor[0]}, r"factor is \(12,\) but mu has 12"),
    "symbols of another day": ({"symbols": np.array(["A"])}, "symbols has 1 entries"),
    **{
        f"{name} too short": (
            {name: getattr(BASE, name)[1:]},
            rf"{name} has shape \(11,\)|but mu has 11 assets",
        )
        for name in PER_NAME
    },
    **{
        f"{name} as a column": ({name: getattr(BASE, name)[:, None]}, rf"{name} has shape \(12, 1")
        for name in PER_NAME[1:]
    },
}

# input -> status, what gives way first, and a law of the answer
ANSWERED = {
    "NAV 0, all caps infinite": (whole(buy_cap=INF, sell_cap=INF), "optimal", None),
    "all suspended": (
        whole(buy_cap=0.0, sell_cap=0.0),
        "optimal",
        lambda s: not s.trades.any(),
    ),
    "all suspended at 300 %": (
        whole(buy_cap=0.0, sell_cap=0.0) | {"held": 3 * BASE.held / BASE.held.sum()},
        "relaxed",
        lambda s: not s.trades.any() and {"cash", "volatility"} <= whats(s),
    ),
    "held 300 %": (
        {"held": 3 * BASE.held / BASE.held.sum()},
        "relaxed",
        lambda s: whats(s) == {"turnover"} and s.weights.sum() <= 1 + 1e-6,
    ),
    "held -300 %": (
        {"held": -3 * BASE.held / BASE.held.sum()} | whole(buy_cap=5.0),
        "relaxed",
        lambda s: whats(s) == {"turnover"} and (s.weights >= 0).all(),
    ),
    "held a million times too much": (
        {"held": 1e6 * BASE.held},
        "relaxed",
        lambda s: np.allclose(s.trades, -1.0) and "cash" in whats(s),
    ),
    "tau 0": ({"tau": 0.0}, "optimal", lambda s: s.turnover == 0.0),
    "tau next to nothing": ({"tau": 1e-12}, "optimal", lambda s: s.turnover <= 1e-12),
    "tau infinite": ({"tau": INF}, "optimal", None),
    "gross 0": (  # the least within reach is rounded up to the grid of 0.1 bp
        {"gross": 0.0, "tau": INF},
        "relaxed",
        lambda s: whats(s) == {"gross"} and np.abs(s.weights).sum() <= 2.1e-5,
    ),
    "mu in the wrong unit": ({"mu": 1e6 * BASE.mu}, "optimal", None),
    "mu a million": (whole(mu=1e6), "optimal", None),
    "no return": (whole(mu=0.0), "optimal", None),
    "no objective": (
        whole(mu=0.0, lambda1=0.0, lambda2=0.0) | {"gamma": 0.0},
        "optimal",
        lambda s: not s.trades.any(),
    ),
    "linear program": (
        whole(lambda1=0.0, lambda2=0.0) | {"gamma": 0.0, "vol_target": INF},
        "optimal",
        None,
    ),
    "cost beyond any gain": (
        whole(lambda1=1e6),
        "optimal",
        lambda s: not s.trades.any(),
    ),
    "no risk at all": (
        {"factor": 0 * BASE.factor, "ridge": 0.0},
        "optimal",
        lambda s: s.vol == 0.0 and not s.vol_binds,
    ),
    "a window of no days": ({"factor": BASE.factor[:0]}, "optimal", None),
    "names without variance": (
        {"factor": np.where(np.arange(N) < 6, 0.0, BASE.factor), "ridge": 0.0},
        "optimal",
        None,
    ),
    "one name twelve times": (
        {
            "factor": np.repeat(BASE.factor[:, :1], N, axis=1),
            "ridge": 0.0,
            **whole(mu=0.01, lambda1=5e-4, lambda2=0.0),
        },
        "optimal",
        None,
    ),
    "volatility target beyond all": (
        {"vol_target": 1e6},
        "optimal",
        lambda s: not s.vol_binds,
    ),
    "group caps of 0": (
        {"group_high": np.zeros(2), "tau": INF},
        "optimal",
        lambda s: s.weights.max() <= 1e-9,
    ),
    "group caps out of reach": (
        {"group_high": np.zeros(2)} | whole(sell_cap=1e-3),
        "relaxed",
        lambda s: {"group 0", "group 1"} <= whats(s),
    ),
    "group floor of no members": (
        {"groups": 0 * BASE.groups, "group_low": np.array([0, 0.2]), "group_high": np.ones(2)},
        "relaxed",
        lambda s: whats(s) == {"group 1"},
    ),
    "cash beyond what can be sold": ({"cash_low": 2.0}, "relaxed", lambda s: "cash" in whats(s)),
    "cash beyond what can be shorted": (
        whole(lower=-0.1) | {"cash_low": 5.0, "cash_high": 6.0},
        "relaxed",
        lambda s: "cash" in whats(s) and np.allclose(s.weights, -0.1),
    ),
    "debt beyond what can be bought": (
        {"cash_low": -5.0, "cash_high": -4.5} | whole(upper=0.3, buy_cap=1.0),
        "relaxed",
        lambda s: "cash" in whats(s) and np.allclose(s.weights, 0.3),
    ),
    "integers": (whole(mu=0) | {"held": np.zeros(N, int)}, "optimal", None),
}

# input beyond any unit: an error or an answer, but one of ours
EXTREME = {
    "volatility target 1e-9": {"vol_target": 1e-9},
    "volatility target that squares to 0": {"vol_target": 1e-200},
    "volatility target that squares to infinity": {"vol_target": 1e200},
    "no volatility to speak of": {"vol_target": 1e12},
    "a horizon of ages": {"horizons_per_year": 1e-200},
    "a horizon of no time": {"horizons_per_year": 1e200},
    "risk aversion of 1e12": {"gamma": 1e12},
    "ridge that overflows": {"ridge": 1e200},
    "covariance that overflows": {"factor": 1e300 * BASE.factor},
    "covariance in basis points": {"factor": 1e4 * BASE.factor},
    "covariance in the wrong unit": {"factor": 1e12 * BASE.factor},
    "one riskless window": third("factor", 1e-300),
    "holding that overflows": third("held", 1e300),
    "benchmark of a million": {"benchmark": 1e6 * BASE.held},
    "mu of 1e300": third("mu", 1e300),
    "cost of 1e300": third("lambda2", 1e300),
    "cash of all the world": {"cash_low": INF},
    "cash of none": {"cash_low": -INF, "cash_high": -INF},
}


def whats(solution: Solution) -> set[str]:
    return {r.what for r in solution.relaxations}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_meant_is_refused(case):
    changes, message = REFUSED[case]
    with in_time(), pytest.raises(ProblemError, match=rf"2015-07-08: .*({message}).*; \w+"):
        solve(replace(BASE, **changes))


@pytest.mark.parametrize("case", ANSWERED)
def test_what_is_degenerate_is_answered(case, clarabel):
    changes, status, law = ANSWERED[case]
    problem = replace(BASE, **changes)
    with in_time():
        solution = solve(problem)
    assert solution.status == status, solution.reason
    assert law is None or law(solution)
    sound(problem, solution, clarabel)


@pytest.mark.parametrize("case", EXTREME)
@pytest.mark.parametrize("method", solving.METHODS)
def test_what_is_beyond_any_unit_gets_an_error_of_ours_or_an_answer(case, method):
    with in_time():
        try:
            solution = solve(replace(BASE, **EXTREME[case]), method)
        except (ProblemError, SolveError) as error:
            assert re.search(r"2015-07-08: .*(;|\.) \w+", str(error))
        else:
            assert solution.violation <= 1e-6 and abs(solution.gap) <= 1e-8


def mixture(number: int) -> tuple[str, Problem]:
    """A twist of any kind and then up to three fields of another's extremes."""
    rng = np.random.default_rng([11, number])
    kind = str(rng.choice(list(TWISTS)))
    problem = twisted(kind, int(rng.integers(10**6)), (2, 5, 12, 30))
    n, told = problem.n, [kind]
    some = rng.random(n) < 0.3
    spoils = {
        "zero factor": {"factor": np.where(some, 0.0, problem.factor)},
        "no ridge": {"ridge": 0.0},
        "locked": {
            "buy_cap": np.where(some, 0.0, problem.buy_cap),
            "sell_cap": np.where(some, 0.0, problem.sell_cap),
        },
        "overheld": {"held": 3.0 * problem.held},
        "short": {"held": -problem.held},
        "free": {"lambda1": 0.0 * problem.lambda1, "lambda2": 0.0 * problem.lambda2},
        "tau": {"tau": float(rng.choice([0.0, 1e-9, 0.01, INF]))},
        "target": {"vol_target": float(rng.choice([1e-3, 0.01, 5.0, INF]))},
        "gross": {"gross": float(rng.choice([0.0, 0.1, 1.0]))},
        "mu": {"mu": float(rng.choice([0.0, -1.0, 1e3])) * problem.mu},
        "gamma": {"gamma": float(rng.choice([0.0, 100.0]))},
        "caps": {"buy_cap": rng.choice([0.0, 1e-6, 1e-3, INF], n)},
        "groups": {"group_high": problem.group_high * 0.1 + 0.9 * problem.group_low},
        "cash": {"cash_low": 0.3, "cash_high": float(rng.choice([0.3, 0.31]))},
    }
    for name in rng.choice(list(spoils), int(rng.integers(1, 4)), replace=False):
        told.append(str(name))
        problem = replace(problem, **spoils[str(name)])
    return f"{number}: {', '.join(told)}", problem


def fuzzed(number: int, clarabel: list[int]) -> str:
    """Empty where the mixture was answered as it should be."""
    name, problem = mixture(number)
    clarabel.clear()
    try:
        with in_time():
            sound(problem, solve(problem), clarabel)
    except SolveError as error:
        clear = re.search(r"2015-07-08: .* the audit asks for 1e-6 and 1e-8. Look", str(error))
        return UNSOLVED if clear else f"{name}: {error}"
    except Exception as error:
        return f"{name} (n={problem.n}): {error!r:.150}"
    return ""


UNSOLVED = "a clear error"


def check(numbers: range, clarabel: list[int]) -> None:
    """Every mixture is answered, but one in fifty may be told that nothing passes the audit:

    a cap of 0.1 bp next to an objective of 1e-6 leaves a gap of 1e-14 to be proven.
    """
    seen = [told for number in numbers if (told := fuzzed(number, clarabel))]
    assert [told for told in seen if told != UNSOLVED] == []
    assert len(seen) <= 0.02 * len(numbers)


def test_mixtures_are_answered(clarabel):
    check(range(60), clarabel)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(60, 660, 100))
def test_hundreds_of_mixtures_are_answered(first, clarabel):
    check(range(first, first + 100), clarabel)
